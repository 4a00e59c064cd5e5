"""Which entries of an archive a restore of chosen tables takes."""

from collections.abc import Mapping

from pgproof.domain.errors import NotFound
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.domain.table_of_contents import TableOfContents


def entries_of(
    found: TableOfContents, wanted: Mapping[int, str], manifest: Manifest, options: RestoreOptions
) -> tuple[int, ...]:
    """Numbers of the entries for these tables. Raises `Conflict` where they need what was not chosen."""
    if options.mode is RestoreMode.IN_PLACE:
        return found.select_own(wanted, manifest.roles)
    return found.select(wanted)


def wanted_tables(manifest: Manifest, options: RestoreOptions) -> Mapping[int, str]:
    """OIDs and names of the chosen tables. Raises `NotFound` for names that the backup does not hold."""
    oids = manifest.table_oids
    by_name = {name: oid for name, oid in oids.items() if name in options.tables}
    for schema in options.schemas:
        inside = {name: oid for name, oid in oids.items() if name.startswith(f"{schema}.")}
        if not inside:
            raise NotFound(f"the backup holds no table in schema {schema}", hint="`pgproof show ID` lists its tables.")
        by_name |= inside
    missing = sorted(set(options.tables) - by_name.keys())
    if missing:
        raise NotFound(
            f"the backup holds no table {', '.join(missing)}",
            hint="Write schema and table as `pgproof show ID` prints them, such as public.orders.",
        )
    return {oid: name for name, oid in by_name.items()}
