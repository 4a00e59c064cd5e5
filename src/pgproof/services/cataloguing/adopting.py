"""Bringing into a catalog what an export of another one tells of databases, schedules, rules and users.

An export holds no secrets. So databases come without passwords, rules without URLs, and users do not come at all: who
may sign in is decided by somebody who is there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pgproof.domain.access import Role
from pgproof.domain.alert import AlertKind
from pgproof.domain.alert_rule import AlertRule
from pgproof.domain.database import CONNECTION_OPTIONS, DEFAULT_GROUP, ConnectionInfo, check_name
from pgproof.domain.errors import InvalidInput, PgproofError
from pgproof.domain.job import check_group
from pgproof.domain.schedule import NewSchedule, Task
from pgproof.domain.wording import in_quotes, plain
from pgproof.services.alerts import AlertService
from pgproof.services.cataloguing.exporting import FORMAT_VERSION
from pgproof.services.ports import Catalog
from pgproof.services.schedules import ScheduleService
from pgproof.services.users import UserService


@dataclass(frozen=True)
class ExportedDatabase:
    """How a database was reached, and whose workers did its jobs."""

    connection: ConnectionInfo
    group: str


@dataclass(frozen=True)
class Exported:
    """What can be brought in. `silent` are the databases (``None``: all others) whose rules had URLs of their own."""

    databases: Mapping[str, ExportedDatabase]
    schedules: Sequence[NewSchedule]
    rules: Sequence[AlertRule]
    silent: frozenset[str | None]
    users: Mapping[str, Role]


@dataclass(frozen=True)
class Adopted:
    """What was, or would be, brought in; `problems` says what could not be. `users` are to be added by hand."""

    registered: Sequence[str]
    schedules: Sequence[NewSchedule]
    rules: Sequence[AlertRule]
    silent: Sequence[str | None]
    users: Mapping[str, Role]
    problems: Sequence[str]


def read_export(document: str) -> Exported:
    """What an export holds. Raises `InvalidInput`."""
    try:
        body = json.loads(document)
        _check_kind(body["product"], body["format_version"])
        rules = body.get("rules", [])
        return Exported(
            databases={(name := check_name(item["name"])): _database(name, item) for item in body["databases"]},
            schedules=[_schedule(item) for item in body.get("schedules", []) if not item["from_settings"]],
            rules=[_rule(item) for item in rules],
            silent=frozenset(item["database"] for item in rules if item["urls"]),
            users={str(item["name"]): Role(item["role"]) for item in body.get("users", [])},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"this is not a catalog that pgproof has exported: {error}", hint="Make one: pgproof catalog export"
        ) from error


class AdoptingService:
    """Adds what a catalog lacks; what it has stays as it is."""

    def __init__(
        self, *, catalog: Catalog, schedules: ScheduleService, alerts: AlertService, users: UserService
    ) -> None:
        self._catalog = catalog
        self._schedules = schedules
        self._alerts = alerts
        self._users = users

    def adopt(self, exported: Exported, *, by: str, dry_run: bool) -> Adopted:
        """Bring it in, or with `dry_run` only tell what would be. One thing that cannot be keeps nothing else back."""
        problems: list[str] = []
        known = {one.name for one in self._catalog.list_databases()}
        registered = [name for name in sorted(exported.databases) if name not in known]
        scheduled = {(one.database, one.task, one.cron, one.zone) for one in self._schedules.list()}
        schedules = [one for one in exported.schedules if (one.database, one.task, one.cron, one.zone) not in scheduled]
        ruled = {rule.database for rule in self._alerts.rules()}
        rules = [rule for rule in exported.rules if rule.database not in ruled]
        there = {user.name.casefold() for user in self._users.list()}
        if not dry_run:
            registered = [
                name for name in registered if self._tried(partial(self._add, name, exported.databases[name]), problems)
            ]
            schedules = [one for one in schedules if self._tried(partial(self._schedules.add, one, by=by), problems)]
            rules = [rule for rule in rules if self._tried(partial(self._alerts.set_rule, rule), problems)]
        return Adopted(
            registered=registered,
            schedules=schedules,
            rules=rules,
            silent=[rule.database for rule in rules if rule.database in exported.silent],
            users={name: role for name, role in exported.users.items() if name.casefold() not in there},
            problems=problems,
        )

    def _add(self, name: str, found: ExportedDatabase) -> None:
        self._catalog.add_database(name, found.connection, group=found.group)

    @staticmethod
    def _tried(call: Callable[[], object], problems: list[str]) -> bool:
        try:
            call()
        except PgproofError as error:
            problems.append(error.detail)
            return False
        return True


def _check_kind(product: object, version: object) -> None:
    if (product, version) != ("pgproof", FORMAT_VERSION):
        raise ValueError(f"it is of {product}, version {version}")


def _database(name: str, item: Mapping[str, Any]) -> ExportedDatabase:
    body = item["connection"]
    _check_options(name, str(body["host"]), body["options"])
    connection = ConnectionInfo(
        dbname=str(body["dbname"]),
        host=str(body["host"]),
        port=int(body["port"]),
        user=str(body["user"]),
        options={str(option): str(value) for option, value in body["options"].items()},
    )
    return ExportedDatabase(connection, check_group(str(item.get("group", DEFAULT_GROUP))))


def _check_options(name: str, host: str, options: Mapping[str, Any]) -> None:
    """An export is a file that somebody can write: it says no more of a database than its URL could."""
    unknown = sorted(str(option) for option in options if option not in CONNECTION_OPTIONS)
    if unknown:
        raise InvalidInput(
            f"the export has options of {in_quotes(name)} that cannot be passed on: {plain(', '.join(unknown))}",
            hint="Remove them from it.",
        )
    if "service" in options and (host or "hostaddr" in options):
        raise InvalidInput(
            f"the export names a service and a host for {in_quotes(name)}",
            hint="Leave the host empty there: the service says where its server is.",
        )


def _schedule(item: Mapping[str, Any]) -> NewSchedule:
    return NewSchedule(
        task=Task(item["task"]),
        cron=str(item["cron"]),
        zone=str(item["zone"]),
        database=_name(item["database"]),
        enabled=bool(item["enabled"]),
        options=dict(item["options"]),
    )


def _rule(item: Mapping[str, Any]) -> AlertRule:
    hours = item["late_after_hours"]
    return AlertRule(
        database=_name(item["database"]),
        kinds=frozenset(map(AlertKind, item["kinds"])),
        late_after_hours=None if hours is None else float(hours),
        unproven_after_days=int(item["unproven_after_days"]),
        shrunken_below=float(item["shrunken_below"]),
    )


def _name(value: object) -> str | None:
    return None if value is None else check_name(str(value))
