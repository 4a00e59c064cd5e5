"""Everything that would make a restore fail, found before anything is made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pgproof.domain.database import Server, ServerVersion
from pgproof.domain.errors import Conflict
from pgproof.domain.fingerprint import Fingerprint
from pgproof.domain.manifest import Manifest
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.restore import RestoreMode, RestoreOptions, RestoreStep
from pgproof.domain.wording import in_quotes, listed
from pgproof.services import contents
from pgproof.services.ports import ClientTools
from pgproof.services.restoring import obstacles, selection
from pgproof.services.restoring.imported import check_options, imported_properties
from pgproof.services.restoring.requirements import check_requirements
from pgproof.services.restoring.target import check_target
from pgproof.services.restoring.work import Subject, Work


@dataclass(frozen=True)
class Plan:
    """What the preflight found: all that the steps after it need. `entries` is ``None`` for the whole archive.

    `live_oid` is ``None`` where there is no live database.
    """

    manifest: Manifest
    client: ClientTools
    server: Server
    live_oid: int | None
    expected: Fingerprint
    properties: DatabaseProperties
    session_settings: Mapping[str, str]
    keeps_catalog: bool = False
    entries: tuple[int, ...] | None = None


def prepare(work: Work) -> Plan:
    """Look, and record which database is live on which server. Raises for whatever stands in the way."""
    work.begin(RestoreStep.PREFLIGHT)
    plan = look(work.subject)
    work.note(live_oid=plan.live_oid, system_identifier=plan.server.system_identifier)
    if plan.live_oid is None:
        work.note(previous_database=None)
    return plan


def look(subject: Subject) -> Plan:
    """Read the manifest, look at the target, and raise for whatever stands in the way. Changes nothing."""
    world, options = subject.world, subject.options
    manifest = contents.read_manifest(world.storage, subject.backup)
    maintenance = world.server.maintenance(subject.live)
    server = world.server.identify(maintenance)
    databases = world.server.list_databases(maintenance)
    live_exists = subject.dbname in databases
    check_target(options, subject.dbname, exists=live_exists)
    _check_names_are_free(subject, databases)
    _check_live(subject, live_exists=live_exists)
    check_options(manifest, options)
    check_requirements(subject, maintenance, server, manifest)
    plan = Plan(
        manifest=manifest,
        client=world.tools.for_server(
            server.version, ServerVersion.parse(manifest.client_version), tls=subject.live.needs_tls
        ),
        server=server,
        live_oid=databases.get(subject.dbname),
        expected=manifest.fingerprint,
        properties=_properties(manifest, options, server)
        if manifest.comparable
        else imported_properties(subject, maintenance, server, databases),
        session_settings=_session_settings(server),
        keeps_catalog=live_exists and world.server.holds_catalog(subject.live),
    )
    plan = _selected(subject, plan) if options.selective else plan
    if live_exists:
        _check_obstacles(subject, plan)
    return plan


def _check_live(subject: Subject, *, live_exists: bool) -> None:
    options, server = subject.options, subject.world.server
    if options.mode is RestoreMode.NEW_DATABASE or not live_exists:
        return
    if options.mode is RestoreMode.SWAP and server.holds_catalog(subject.live):
        raise Conflict(
            f"pgproof's own catalog lives in {subject.live}: swapping it out would lose the record",
            hint="Use --mode in-place or new-database, or give the catalog a database of its own (BACKUP_CATALOG_URL).",
        )
    if not options.drop_existing:
        _check_empty(subject)


def _check_names_are_free(subject: Subject, databases: Mapping[str, int]) -> None:
    """Another installation, or a catalog that was lost, may have used the same numbers."""
    for name in subject.makes:
        if name in databases:
            raise Conflict(
                f"there is a database {in_quotes(name)} already, and this restore needs that name",
                hint="It was kept by another restore. Drop or rename it if you do not need it any more, "
                "or start the restore again: it will have another number.",
            )


def _check_empty(subject: Subject) -> None:
    found = subject.world.server.user_objects(subject.live)
    if found:
        raise Conflict(
            f"the database {in_quotes(subject.dbname)} is not empty: it holds {listed(found)}",
            hint="Leave out --keep-existing to have it replaced, or use --mode new-database --to NAME.",
            facts={"objects": list(found)},
        )


def _check_obstacles(subject: Subject, plan: Plan) -> None:
    server, expected = subject.world.server, plan.expected
    if subject.options.mode is RestoreMode.SWAP:
        obstacles.check_swap(server, subject.live)
    elif subject.options.mode is RestoreMode.IN_PLACE:
        tables = frozenset(expected.tables) | expected.schema_only
        obstacles.check_replacing(server, subject.live, tables if subject.options.selective else None)


def _session_settings(server: Server) -> Mapping[str, str]:
    """A login trigger that came back with the backup must not write while the backup is being compared."""
    return {"event_triggers": "off"} if server.is_superuser and server.version.major >= 17 else {}


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


def _selected(subject: Subject, plan: Plan) -> Plan:
    world, options = subject.world, subject.options
    wanted = selection.wanted_tables(plan.manifest, options)
    found = contents.read_contents(
        world.storage, world.streams, world.tools, plan.client, subject.backup.folder, plan.manifest
    )
    expected = plan.manifest.fingerprint.of_tables(frozenset(wanted.values()))
    return replace(plan, entries=selection.entries_of(found, wanted, plan.manifest, options), expected=expected)
