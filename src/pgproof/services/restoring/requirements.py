"""What a server must offer for a backup to come back: a version, rights, roles, extensions."""

from collections.abc import Iterator, Sequence

from pgproof.domain.archive import MANIFEST
from pgproof.domain.database import ConnectionInfo, Server, ServerVersion
from pgproof.domain.errors import PrivilegeMissing, RestoreFailed, VersionUnsupported
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.domain.wording import in_quotes, listed
from pgproof.services.instructions import load_globals
from pgproof.services.restoring.work import Subject


def check_requirements(subject: Subject, maintenance: ConnectionInfo, server: Server, manifest: Manifest) -> None:
    """Raise `VersionUnsupported`, `PrivilegeMissing`, or `RestoreFailed` with every role and extension that is missing.

    `maintenance` is where the server is asked.
    """
    _check_version(server, manifest, subject.options)
    _check_archive(manifest, subject.options)
    if subject.options.mode is not RestoreMode.IN_PLACE:
        _check_may_create(server)
    _check_roles_and_extensions(subject, maintenance, server, manifest)


def _check_version(server: Server, manifest: Manifest, options: RestoreOptions) -> None:
    taken_on = ServerVersion.parse(manifest.server_version)
    if server.version.major < taken_on.major and not options.force:
        raise VersionUnsupported(
            f"the backup comes from PostgreSQL {taken_on}, the server is PostgreSQL {server.version}",
            hint=f"Restore onto PostgreSQL {taken_on.major} or newer, or try it with --force: "
            "it fails cleanly if the older server lacks something.",
        )


def _check_archive(manifest: Manifest, options: RestoreOptions) -> None:
    if manifest.unrestorable and not (options.selective or options.force):
        raise RestoreFailed(
            f"PostgreSQL restores no archive that holds the {listed(manifest.unrestorable)}",
            hint="Chosen tables can be restored (--mode new-database --to NAME --table ...), or everything by hand as "
            "docs/restoring.md says; --force tries it anyway.",
            facts={"unrestorable": list(manifest.unrestorable)},
        )


def _check_may_create(server: Server) -> None:
    if not server.can_create_databases:
        raise PrivilegeMissing(
            f"the role {in_quotes(server.role)} may not create databases, and a swap builds one beside the live one",
            hint=f'Run as a superuser: ALTER ROLE "{server.role}" CREATEDB; or use --mode in-place.',
        )


def _check_roles_and_extensions(
    subject: Subject, maintenance: ConnectionInfo, found: Server, manifest: Manifest
) -> None:
    options, server = subject.options, subject.world.server
    wanted: set[str] = set()
    if not options.no_owner or not options.no_acl:
        wanted = {options.role_map.get(role, role) for role in set(manifest.roles) | manifest.properties.roles}
    roles = sorted(wanted - server.list_roles(maintenance))
    offered = server.list_available_extensions(maintenance)
    extensions = sorted(set(manifest.fingerprint.extensions) - offered)
    if not roles and not extensions:
        return
    missing = [*(f"role {role}" for role in roles), *(f"extension {name}" for name in extensions)]
    mending = [
        *(_ways_to_roles(subject, maintenance, found, manifest, roles) if roles else ()),
        *([f"Install on the server: {', '.join(extensions)}."] if extensions else []),
    ]
    raise RestoreFailed(
        f"the server lacks what the backup needs: {', '.join(missing)}",
        hint=" ".join(mending),
        facts={"roles": roles, "extensions": extensions},
    )


def _ways_to_roles(
    subject: Subject, maintenance: ConnectionInfo, found: Server, manifest: Manifest, roles: Sequence[str]
) -> Iterator[str]:
    if set(roles) - set(subject.options.role_map.values()):
        if not manifest.comparable:
            yield "The backup is an imported dump and has no definitions of roles. Make them:"
            yield from ('CREATE ROLE "{}";'.format(role.replace('"', '""')) for role in roles)
            yield "Or give what is theirs to others (--map-role OLD=NEW), or leave out owners and grants."
            return
        where = subject.world.storage.local_path(f"{subject.backup.folder}/{MANIFEST}")
        folder = subject.backup.folder if where is None else str(where.parent)
        command = load_globals(manifest, folder, maintenance, found)
        yield f"The backup has their definitions; as a superuser (what exists gives errors to be ignored): {command}"
        yield "Or by hand:"
    else:
        yield "Run there:"
    yield from ('CREATE ROLE "{}";'.format(role.replace('"', '""')) for role in roles)
    yield "Or give what is theirs to others (--map-role OLD=NEW), or leave out owners and grants (--no-owner --no-acl)."
