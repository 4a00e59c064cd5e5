"""What could keep a backup or a restore from succeeding, looked at before it does."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pgproof.domain.errors import ClientMissing, PgproofError, PrivilegeMissing
from pgproof.domain.known_faults import client_fault
from pgproof.domain.wording import counted, in_quotes, listed, plain, size
from pgproof.services.databases import DatabaseCheck, DatabaseService
from pgproof.services.ports import BackupFilter, Catalog, ClientTools, PostgresTools, Storage
from pgproof.services.recovery import RecoveryService

EMBEDDED = "embedded"
_LITTLE_SPACE = 1024**3
_NEWEST = 5
_HAS_READ_ALL_DATA = 14  # the first PostgreSQL with that role


class Outcome(StrEnum):
    """How a check went; only `fail` keeps something from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    outcome: Outcome
    detail: str
    hint: str = ""
    error: PgproofError | None = field(default=None, compare=False)


Look = Callable[[], Iterable[Finding]]


def examine(check: str, look: Look) -> list[Finding]:
    """Everything that a check finds; a failure ends this check and no other."""
    findings: list[Finding] = []
    try:
        findings.extend(look())  # keeps what comes before a failure
    except PgproofError as error:
        findings.append(failed(check, error))
    except Exception as error:  # noqa: BLE001 - a defect in one check must not hide the others
        detail = f"unexpected {type(error).__name__}: {error}"
        findings.append(Finding(check, Outcome.FAIL, detail, "This is a defect of pgproof; please report it."))
    return findings


def failed(check: str, error: PgproofError) -> Finding:
    """The finding for an error."""
    return Finding(check, Outcome.FAIL, error.detail, error.hint, error)


def look_at_catalog(catalog: Catalog) -> Iterator[Finding]:
    """Whether it answers. Opening the application has brought it to its newest revision."""
    stats = catalog.backup_stats()
    yield Finding("catalog", Outcome.OK, f"it answers; usable backups: {stats.completed_backups}")


def look_at_storage(storage: Storage, catalog: Catalog | None, max_size: float) -> Iterator[Finding]:
    """Whether a backup can be written, and whether the next one will fit. `max_size` is in bytes."""
    storage.check()
    yield Finding("storage", Outcome.OK, f"{storage.url} can be written, read and deleted in")
    needed = _LITTLE_SPACE
    if catalog is not None:
        newest = catalog.list_backups(BackupFilter(limit=_NEWEST))
        needed = max([needed, *(2 * (backup.file_size or 0) for backup in newest)])
        yield from _look_at_backups(storage, catalog, max_size)
    free = storage.free_bytes()
    if free is None:
        yield Finding("space", Outcome.OK, "the storage does not tell how much is free")
    elif free < needed:
        yield Finding("space", Outcome.WARN, f"only {size(free)} are free", "Make room before the next backup.")
    else:
        yield Finding("space", Outcome.OK, f"{size(free)} are free")


def _look_at_backups(storage: Storage, catalog: Catalog, max_size: float) -> Iterator[Finding]:
    total = catalog.backup_stats().total_size
    if total > max_size:
        yield Finding(
            "storage",
            Outcome.WARN,
            f"the backups take {size(total)}, more than BACKUP_MAX_SIZE_GB",
            "Delete backups that nobody needs, or raise BACKUP_MAX_SIZE_GB.",
        )
    elsewhere = Counter(one.storage_url for one in catalog.present_backups() if one.usable)
    del elsewhere[storage.url]
    for url, backups in sorted(elsewhere.items()):
        yield Finding(
            "storage",
            Outcome.WARN,
            f"{counted(backups, 'backup')} of the catalog {'lies' if backups == 1 else 'lie'} elsewhere: {url}",
            "Set BACKUP_DIR to that folder. A relative path is another one in every folder where pgproof runs.",
        )


def look_at_tools(tools: PostgresTools) -> Iterator[Finding]:
    """Which clients there are, and what is known about them."""
    clients = tools.clients()
    for client in clients:
        yield _client(client)
    if not clients:
        hint = "Install the PostgreSQL client package, or name its folder in BACKUP_PG_BIN."
        yield failed("tools", ClientMissing("no pg_dump was found", hint=hint))


def look_at_database(databases: DatabaseService, name: str | None) -> Iterator[Finding]:
    """Whether a database can be backed up and restored by the role that we are there."""
    try:
        found = databases.check(name)
    except PgproofError as error:
        yield _unreachable(name, error)
    else:
        yield from _look_at_checked(found)


def _unreachable(name: str | None, error: PgproofError) -> Finding:
    finding = failed("database", error)
    return finding if name is None else replace(finding, detail=f"{plain(name)}: {error.detail}")


def _look_at_checked(found: DatabaseCheck) -> Iterator[Finding]:
    server, facts, tools = found.server, found.facts, found.tools
    where = f"{found.database.name}: PostgreSQL {server.version} at {found.database.connection.address}"
    tables = counted(len(facts.tables), "table")
    yield Finding("database", Outcome.OK, f"{where}, {tables}, dumped by pg_dump {tools.version}")
    fault = client_fault(tools.version)
    if fault is not None:
        hint = f"Install the PostgreSQL client {fault.fixed_in} or newer."
        yield failed("tools", ClientMissing(f"pg_dump {tools.version} would be used, and {fault}", hint=hint))
    role = in_quotes(server.role)
    if facts.unreadable:
        objects = f"{counted(len(facts.unreadable), 'object')}: {listed(facts.unreadable)}"
        hint = f"Run in that database: GRANT pg_read_all_data TO {_quoted(server.role)};"
        if server.version.major < _HAS_READ_ALL_DATA:
            hint = f"Run in that database for each of them: GRANT SELECT ON ... TO {_quoted(server.role)};"
        yield failed("rights", PrivilegeMissing(f"the role {role} may not read {objects}", hint=hint))
    if not server.can_create_databases:
        yield Finding(
            "rights",
            Outcome.WARN,
            f"the role {role} may back up but not restore: it may not create databases",
            f"Run as a superuser: ALTER ROLE {_quoted(server.role)} CREATEDB;",
        )
    if facts.holds_catalog:
        yield Finding(
            "database",
            Outcome.WARN,
            f"pgproof's own catalog lives in {in_quotes(found.database.name)}, so it cannot be restored by a swap",
            "Give the catalog a database of its own: set BACKUP_CATALOG_URL.",
        )
    for what in facts.unrestorable:
        detail = f"a backup of {in_quotes(found.database.name)} does not restore as a whole because of the {what}"
        yield Finding("restore", Outcome.WARN, detail, "Have such a constraint on each partition instead of the whole.")
    for obstacle in found.obstacles.to_renaming(found.database.connection.dbname):
        detail = f"a restore by swap would be refused because of {obstacle.what}"
        yield Finding("restore", Outcome.WARN, detail, obstacle.mend)
    if not facts.unreadable and server.can_create_databases:
        yield Finding("rights", Outcome.OK, f"the role {role} may read everything and create databases")


def look_for_lost_jobs(recovery: RecoveryService) -> Iterator[Finding]:
    """Jobs whose process died and that nobody has settled."""
    backups, restores = recovery.lost()
    by_itself = "The next backup or restore settles it, once the server and the storage answer."
    for backup in backups:
        yield Finding("jobs", Outcome.WARN, f"the process that worked on backup {backup.id} died", by_itself)
    for restore in restores:
        hint = f"{by_itself} If that server is gone for good: pgproof abandon {restore.id}"
        yield Finding("jobs", Outcome.WARN, f"the process that worked on restore {restore.id} died", hint)
    if not backups and not restores:
        yield Finding("jobs", Outcome.OK, "no job was left behind by a process that died")


def _client(client: ClientTools) -> Finding:
    detail = f"pg_dump {client.version} in {client.folder}"
    fault = client_fault(client.version)
    if fault is not None:
        hint = f"Install {fault.fixed_in} or newer; until then do not let it dump anything."
        return Finding("tools", Outcome.WARN, f"{detail}: {fault}", hint)
    if client.origin == EMBEDDED:
        detail += " (embedded: without TLS, so not for servers that insist on it, and without zstd of its own)"
    return Finding("tools", Outcome.OK, detail)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
