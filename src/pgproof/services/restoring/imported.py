"""Restoring a dump that somebody else made: what it cannot do, and what a database gets that nobody recorded."""

from collections.abc import Mapping

from pgproof.domain.archive import ArchiveFormat
from pgproof.domain.database import ConnectionInfo, Server
from pgproof.domain.errors import Conflict
from pgproof.domain.manifest import Manifest
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.restore import RestoreOptions
from pgproof.services.restoring.work import Subject


def check_options(manifest: Manifest, options: RestoreOptions) -> None:
    """Raise `Conflict` for what needs an archive, where the backup is a plain script."""
    if manifest.options.format is not ArchiveFormat.PLAIN:
        return
    wanted = {
        "chosen tables": options.selective,
        "--no-owner": options.no_owner,
        "--no-acl": options.no_acl,
        "--map-role": bool(options.role_map),
        "another tablespace": options.tablespace is not None,
        "--no-autovacuum": not options.autovacuum,
    }
    impossible = [name for name, is_wanted in wanted.items() if is_wanted]
    if impossible:
        raise Conflict(
            f"a plain script can be restored as it is, not with {' and '.join(impossible)}",
            hint="Restore all of it with --mode new-database --to NAME, and take from there what you need.",
        )


def imported_properties(
    subject: Subject, maintenance: ConnectionInfo, server: Server, databases: Mapping[str, int]
) -> DatabaseProperties:
    """Those of the database that is replaced, or that is registered; else an empty database's own."""
    for place in (subject.live, subject.database.connection):
        if place.dbname in databases:
            with subject.world.server.open_snapshot(place) as snapshot:
                return snapshot.facts.properties
    with subject.world.server.open_snapshot(maintenance) as snapshot:
        found = snapshot.facts.properties
    return DatabaseProperties(
        owner=server.role,
        encoding=found.encoding,
        collate=found.collate,
        ctype=found.ctype,
        locale_provider=found.locale_provider,
        locale=found.locale,
        icu_rules=found.icu_rules,
    )
