"""Everything that would make a restore fail, found before anything is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pgproof.domain.archive import MANIFEST
from pgproof.domain.database import ConnectionInfo, Server, ServerVersion
from pgproof.domain.errors import Conflict, NotFound, PrivilegeMissing, RestoreFailed, VersionUnsupported
from pgproof.domain.fingerprint import Fingerprint
from pgproof.domain.manifest import Manifest
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStep
from pgproof.domain.table_of_contents import TableOfContents
from pgproof.domain.wording import in_quotes, listed
from pgproof.services import contents
from pgproof.services.instructions import load_globals
from pgproof.services.ports import ClientTools
from pgproof.services.restoring.target import check_target
from pgproof.services.restoring.work import Work


@dataclass(frozen=True)
class Plan:
    """What the preflight found: all that the steps after it need. `entries` is ``None`` for the whole archive."""

    manifest: Manifest
    client: ClientTools
    server: Server
    live_exists: bool
    expected: Fingerprint
    properties: DatabaseProperties
    session_settings: Mapping[str, str]
    keeps_catalog: bool = False
    entries: tuple[int, ...] | None = None


def prepare(work: Work) -> Plan:
    """Read the manifest, look at the target, and raise for whatever stands in the way."""
    work.begin(RestoreStep.PREFLIGHT)
    world, options = work.world, work.restore.options
    manifest = contents.read_manifest(world.storage, work.backup)
    maintenance = world.server.maintenance(work.live)
    server = world.server.identify(maintenance)
    databases = world.server.list_databases(maintenance)
    live_exists = work.restore.dbname in databases
    work.note(live_oid=databases.get(work.restore.dbname))
    _check_target(work, live_exists=live_exists)
    _check_names_are_free(work, databases)
    _check_version(server, manifest, options)
    client = world.tools.for_server(
        server.version, ServerVersion.parse(manifest.client_version), tls=work.live.needs_tls
    )
    if options.mode is not RestoreMode.IN_PLACE:
        _check_may_create(server)
    _check_roles_and_extensions(work, maintenance, server, manifest)
    plan = Plan(
        manifest=manifest,
        client=client,
        server=server,
        live_exists=live_exists,
        expected=manifest.fingerprint,
        properties=_properties(manifest, options, server),
        session_settings=_session_settings(server),
        keeps_catalog=live_exists and world.server.holds_catalog(work.live),
    )
    return _selected(work, plan) if options.selective else plan


def _check_target(work: Work, *, live_exists: bool) -> None:
    options, server = work.restore.options, work.world.server
    check_target(options, work.restore.dbname, exists=live_exists)
    if options.mode is RestoreMode.NEW_DATABASE:
        return
    if not live_exists:
        work.note(previous_database=None)
        return
    if options.mode is RestoreMode.SWAP and server.holds_catalog(work.live):
        raise Conflict(
            f"pgproof's own catalog lives in {work.live}: swapping it out would lose the record",
            hint="Use --mode in-place or new-database, or give the catalog a database of its own (BACKUP_CATALOG_URL).",
        )
    if not options.drop_existing:
        _check_empty(work)


def _check_names_are_free(work: Work, databases: Mapping[str, int]) -> None:
    """Another installation, or a catalog that was lost, may have used the same numbers."""
    if work.restore.options.mode is RestoreMode.IN_PLACE:
        return
    for name in (work.restore.shadow_database, work.restore.previous_database):
        if name is not None and name in databases:
            raise Conflict(
                f"there is a database {in_quotes(name)} already, and this restore needs that name",
                hint="It was kept by another restore. Drop or rename it if you do not need it any more, "
                "or start the restore again: it will have another number.",
            )


def _session_settings(server: Server) -> Mapping[str, str]:
    """A login trigger that came back with the backup must not write while the backup is being compared."""
    return {"event_triggers": "off"} if server.is_superuser and server.version.major >= 17 else {}


def _check_empty(work: Work) -> None:
    found = work.world.server.user_objects(work.live)
    if found:
        raise Conflict(
            f"the database {in_quotes(work.restore.dbname)} is not empty: it holds {listed(found)}",
            hint="Leave out --keep-existing to have it replaced, or use --mode new-database --to NAME.",
            facts={"objects": list(found)},
        )


def _check_version(server: Server, manifest: Manifest, options: RestoreOptions) -> None:
    taken_on = ServerVersion.parse(manifest.server_version)
    if server.version.major < taken_on.major and not options.force:
        raise VersionUnsupported(
            f"the backup comes from PostgreSQL {taken_on}, the server is PostgreSQL {server.version}",
            hint=f"Restore onto PostgreSQL {taken_on.major} or newer, or try it with --force: "
            "it fails cleanly if the older server lacks something.",
        )


def _check_may_create(server: Server) -> None:
    if not server.can_create_databases:
        raise PrivilegeMissing(
            f"the role {in_quotes(server.role)} may not create databases, and a swap builds one beside the live one",
            hint=f'Run as a superuser: ALTER ROLE "{server.role}" CREATEDB; or use --mode in-place.',
        )


def _check_roles_and_extensions(work: Work, maintenance: ConnectionInfo, found: Server, manifest: Manifest) -> None:
    options, server = work.restore.options, work.world.server
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
        *(_ways_to_roles(work, maintenance, found, manifest, roles) if roles else ()),
        *([f"Install on the server: {', '.join(extensions)}."] if extensions else []),
    ]
    raise RestoreFailed(
        f"the server lacks what the backup needs: {', '.join(missing)}",
        hint=" ".join(mending),
        facts={"roles": roles, "extensions": extensions},
    )


def _ways_to_roles(
    work: Work, maintenance: ConnectionInfo, found: Server, manifest: Manifest, roles: Sequence[str]
) -> Iterator[str]:
    if set(roles) - set(work.restore.options.role_map.values()):
        where = work.world.storage.local_path(f"{work.backup.folder}/{MANIFEST}")
        folder = work.backup.folder if where is None else str(where.parent)
        command = load_globals(manifest, folder, maintenance, found)
        yield f"The backup has their definitions; as a superuser (what exists gives errors to be ignored): {command}"
        yield "Or by hand:"
    else:
        yield "Run there:"
    yield from ('CREATE ROLE "{}";'.format(role.replace('"', '""')) for role in roles)
    yield "Or give what is theirs to others (--map-role OLD=NEW), or leave out owners and grants (--no-owner --no-acl)."


def _properties(manifest: Manifest, options: RestoreOptions, server: Server) -> DatabaseProperties:
    properties = manifest.properties.for_roles(options.role_map)
    if options.no_owner:
        properties = replace(properties, owner=server.role)
    if options.no_acl:
        settings = tuple(setting for setting in properties.settings if setting.role is None)
        properties = replace(properties, grants=None, settings=settings)
    if options.tablespace is not None:
        properties = replace(properties, tablespace=options.tablespace)
    return properties


def _selected(work: Work, plan: Plan) -> Plan:
    wanted = _wanted_tables(plan.manifest, work.restore.options)
    world = work.world
    found = contents.read_contents(
        world.storage, world.streams, world.tools, plan.client, work.backup.folder, plan.manifest
    )
    expected = plan.manifest.fingerprint.of_tables(frozenset(wanted.values()))
    return replace(plan, entries=_entries(found, wanted, plan.manifest, work.restore.options), expected=expected)


def _entries(
    found: TableOfContents, wanted: Mapping[int, str], manifest: Manifest, options: RestoreOptions
) -> tuple[int, ...]:
    if options.mode is RestoreMode.IN_PLACE:
        return found.select_own(wanted, manifest.roles)
    return found.select(wanted)


def _wanted_tables(manifest: Manifest, options: RestoreOptions) -> Mapping[int, str]:
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
