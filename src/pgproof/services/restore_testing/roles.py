"""The roles that a backup's objects belong to, on a server of our own that knows none of them."""

from pgproof.domain.manifest import Manifest
from pgproof.domain.role_statements import role_statements
from pgproof.services import contents
from pgproof.services.measured import Measured
from pgproof.services.ports import Scratch
from pgproof.services.restore_testing.work import TrialWork


def bring_roles(work: TrialWork, manifest: Manifest, scratch: Scratch) -> None:
    """Make the roles as the backup's globals tell, and all others that it names; nobody can log in as one.

    Raises `ChecksumMismatch` if the stored globals are damaged.
    """
    statements = [statement for script in _globals(work, manifest) for statement in role_statements(script)]
    names = set(manifest.roles) | manifest.properties.roles
    for refused in work.world.server.create_roles(scratch.connection, statements, names):
        work.log.log(f"a role is not as it was: {refused}")


def missing_roles(work: TrialWork, manifest: Manifest, scratch: Scratch) -> tuple[str, ...]:
    """Roles that the backup names and the server does not have."""
    names = set(manifest.roles) | manifest.properties.roles
    return tuple(sorted(names - work.world.server.list_roles(scratch.connection)))


def _globals(work: TrialWork, manifest: Manifest) -> list[str]:
    scripts = []
    for item in manifest.objects[1:]:
        key = f"{work.backup.folder}/{item.name}"
        stored = Measured(work.world.storage.read(key))
        script = b"".join(work.world.streams.decompress(stored, item.compression))
        contents.compare(key, item, stored)
        scripts.append(script.decode(errors="replace"))
    return scripts
