"""RESTORE.md: how to restore a backup by hand, when nothing of pgproof is left."""

import shlex

from pgproof.domain.archive import CHECKSUMS, ArchiveFormat, Compression
from pgproof.domain.database import ConnectionInfo, Server
from pgproof.domain.manifest import Manifest

_UNPACK = {Compression.ZSTD: "zstd -dc", Compression.GZIP: "gzip -dc", Compression.NONE: "cat"}


def render(manifest: Manifest) -> str:
    """The text for one backup; its commands work as they stand in the backup's folder."""
    if not manifest.comparable:
        return _of_import(manifest)
    archive = manifest.archive
    shown = manifest.database.replace("`", "'").replace("\n", " ")
    target = shlex.quote(manifest.dbname)
    return f"""# Restore this backup by hand

Database `{shown}`, PostgreSQL {manifest.server_version}, taken {manifest.started_at:%Y-%m-%d %H:%M:%S %Z}.
With pgproof: `pgproof restore {manifest.backup_id}`. Without it, in this folder:

1. Check that nothing was damaged:

       sha256sum --check --ignore-missing {CHECKSUMS}

2. On a new server, bring back roles and tablespaces first (existing ones give errors that can be ignored):

       {_UNPACK[manifest.archive.compression]} {shlex.quote(_globals(manifest))} | psql --dbname=postgres

3. Restore into a new, empty database (never over the one you want to rescue):

       createdb --template=template0 --encoding={manifest.properties.encoding} --owner={
        shlex.quote(manifest.properties.owner)
    } {shlex.quote(manifest.dbname + "_restored")}
{_restore_commands(manifest, archive.name)}

   Use pg_restore {manifest.client_version.split(".")[0]} or newer.

4. Compare: `manifest.json` holds the exact number of rows of every table under `fingerprint`.
   When you are content, rename: `ALTER DATABASE` ... `RENAME TO` ... for {target}.
"""


def _of_import(manifest: Manifest) -> str:
    shown = manifest.database.replace("`", "'").replace("\n", " ")
    source = (manifest.imported_from or "").replace("`", "'").replace("\n", " ")
    target = shlex.quote(manifest.dbname + "_restored")
    return f"""# Restore this backup by hand

Database `{shown}`, PostgreSQL {manifest.server_version}, imported from the dump `{source}`.
With pgproof: `pgproof restore`, with the number that `pgproof list` shows. Without it, in this folder:

1. Check that nothing was damaged:

       sha256sum --check --ignore-missing {CHECKSUMS}

2. Restore into a new, empty database (never over the one you want to rescue). The dump holds no roles: make
   those that own something beforehand.

       createdb --template=template0 {target}
{_restore_commands(manifest, manifest.archive.name)}

   Use tools of PostgreSQL {manifest.client_version.split(".")[0]} or newer.

3. What the database held was not recorded: look for yourself. When you are content, rename: `ALTER DATABASE` ...
   `RENAME TO` ...
"""


def load_globals(manifest: Manifest, folder: str, maintenance: ConnectionInfo, server: Server) -> str:
    """The command that brings back the roles of a backup in `folder`; only a superuser may."""
    user = maintenance.user if server.is_superuser else "SUPERUSER"
    place = [f"--host={maintenance.host}"] if maintenance.host else []
    place += [f"--port={maintenance.port}", f"--username={user}", f"--dbname={maintenance.dbname}"]
    unpack = f"{_UNPACK[manifest.archive.compression]} {shlex.quote(f'{folder}/{_globals(manifest)}')}"
    return f"{unpack} | {shlex.join(['psql', *place])}"


def _globals(manifest: Manifest) -> str:
    names = (item.name for item in manifest.objects[1:] if item.name.startswith("globals.sql"))
    return next(names, "globals.sql")


def _restore_commands(manifest: Manifest, name: str) -> str:
    unpack, name = _UNPACK[manifest.archive.compression], shlex.quote(name)
    target = shlex.quote(manifest.dbname + "_restored")
    if manifest.options.format is ArchiveFormat.PLAIN:
        return f"       {unpack} {name} | psql --no-psqlrc --set=ON_ERROR_STOP=1 --dbname={target}"
    if manifest.options.format is ArchiveFormat.DIRECTORY:
        return f"""       mkdir archive && {unpack} {name} | tar --extract --directory=archive
       pg_restore --jobs=4 --exit-on-error --dbname={target} archive"""
    return f"""       {unpack} {name} | pg_restore --exit-on-error --dbname={target}"""
