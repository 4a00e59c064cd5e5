"""How an installation is arranged comes back from an export: databases, schedules, rules; and no secret with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pgproof.adapters.postgres.connect import parse_url
from tests.e2e.command_line import CommandLine, filled
from tests.servers import Server, to_url

pytestmark = pytest.mark.usefixtures("_logs_as_before")


def lose_the_catalog(pgproof: CommandLine) -> None:
    pgproof.environ["BACKUP_CATALOG_URL"] = to_url(pgproof.server.create_database())


def done(pgproof: CommandLine, *argv: str, piped: str = "") -> dict[str, Any]:
    """The result of a command that must succeed."""
    ended = pgproof(*argv, "--json", piped=piped)
    assert ended.status == 0, ended.err
    found: dict[str, Any] = ended.json
    return found


def schedules(pgproof: CommandLine) -> list[dict[str, Any]]:
    changing = {"id", "created_at", "created_by", "next_runs", "last_due_at", "settled_until"}
    found = done(pgproof, "schedule", "list")["schedules"]
    return [{key: value for key, value in one.items() if key not in changing} for one in found]


def exported(pgproof: CommandLine, folder: Path) -> Path:
    path = folder / "catalog.json"
    done(pgproof, "catalog", "export", "--output", str(path))
    return path


@pytest.fixture
def arranged(pgproof: CommandLine, server18: Server) -> CommandLine:
    """With a database of its own group, two schedules, two rules and a user."""
    done(pgproof, "database", "add", "shop", to_url(filled(server18)), "--group", "near")
    done(pgproof, "schedule", "add", "backup", "30 1 * * *", "--database", "shop", "--zone", "Europe/Berlin",
         "--include-logs")  # fmt: skip
    done(pgproof, "schedule", "add", "verify", "0 5 * * 0", "--disabled")
    done(pgproof, "notify", "set-rule", "shop", "--kind", "failed", "--late-after-hours", "30", "--url", "-",
         piped="json://example/hushhush")  # fmt: skip
    done(pgproof, "notify", "set-rule", "--shrunken-below", "0.2")
    done(pgproof, "user", "add", "Ann", "--role", "operator", "--password-stdin", piped="correct horse battery\n")
    return pgproof


def test_an_export_holds_how_it_is_arranged_and_no_secret(arranged: CommandLine, tmp_path: Path) -> None:
    text = exported(arranged, tmp_path).read_text()
    assert "hushhush" not in text
    assert "argon2" not in text
    document = json.loads(text)
    assert [(one["database"], one["enabled"]) for one in document["schedules"]] == [("shop", True), (None, False)]
    assert [(one["database"], one["urls"]) for one in document["rules"]] == [(None, 0), ("shop", 1)]
    assert [(one["name"], one["role"], one["active"]) for one in document["users"]] == [("Ann", "operator", True)]


def test_it_comes_back_into_another_catalog(arranged: CommandLine, tmp_path: Path) -> None:
    export = exported(arranged, tmp_path)
    before = schedules(arranged), done(arranged, "notify", "rules")["rules"]
    lose_the_catalog(arranged)
    rebuilt = done(arranged, "catalog", "rebuild", "--databases", str(export))
    assert len(before[0]) == 2
    assert schedules(arranged) == before[0]
    # An export holds no URLs; whose rules had some is told.
    assert done(arranged, "notify", "rules")["rules"] == [{**rule, "urls": 0} for rule in before[1]]
    assert rebuilt["rules_without_urls"] == ["shop"]
    (shop,) = [one for one in done(arranged, "database", "list")["databases"] if one["name"] == "shop"]
    assert shop["group"] == "near"
    # Who may sign in is decided by somebody who is there.
    assert done(arranged, "user", "list")["users"] == []
    assert rebuilt["users_to_add"] == [{"name": "Ann", "role": "operator"}]


def test_what_is_there_stays_as_it_is_however_often_it_is_brought_back(arranged: CommandLine, tmp_path: Path) -> None:
    export = exported(arranged, tmp_path)
    done(arranged, "notify", "set-rule", "shop", "--late-after-hours", "5")
    before = schedules(arranged), done(arranged, "notify", "rules")
    again = done(arranged, "catalog", "rebuild", "--databases", str(export))
    assert [again[key] for key in ("registered", "schedules", "rules", "users_to_add", "problems")] == [[]] * 5
    assert (schedules(arranged), done(arranged, "notify", "rules")) == before


def test_a_look_beforehand_tells_the_same_and_changes_nothing(arranged: CommandLine, tmp_path: Path) -> None:
    export = exported(arranged, tmp_path)
    lose_the_catalog(arranged)
    looked = done(arranged, "catalog", "rebuild", "--dry-run", "--databases", str(export))
    assert schedules(arranged) == []
    rebuilt = done(arranged, "catalog", "rebuild", "--databases", str(export))
    told = ("registered", "schedules", "rules", "rules_without_urls", "users_to_add", "problems")
    assert [looked[key] for key in told] == [rebuilt[key] for key in told]
    assert len(rebuilt["schedules"]) == 2


def test_what_cannot_come_back_is_told_and_keeps_nothing_else_back(arranged: CommandLine, tmp_path: Path) -> None:
    assert arranged("database", "remove", "shop").status == 0
    export = exported(arranged, tmp_path)
    lose_the_catalog(arranged)
    rebuilt = arranged("catalog", "rebuild", "--databases", str(export))
    assert "1 schedule and 1 notification rule were brought back" in rebuilt.out
    assert rebuilt.out.count('not brought back: no database named "shop" is registered') == 2
    assert "pgproof user add Ann --role operator" in rebuilt.out


def test_an_export_of_an_earlier_pgproof_is_read_and_a_broken_one_refused(pgproof: CommandLine, tmp_path: Path) -> None:
    export = tmp_path / "catalog.json"
    connection = {"dbname": "shop", "host": "db", "port": 5432, "user": "app", "options": {}}
    whole = {"product": "pgproof", "format_version": 1, "databases": [{"name": "shop", "connection": connection}]}
    export.write_text(json.dumps(whole))
    assert done(pgproof, "catalog", "rebuild", "--databases", str(export))["registered"] == ["shop"]
    for broken in ({"schedules": [{"task": "backup"}]}, {"rules": [7]}, {"users": [{"name": "a", "role": "king"}]}):
        export.write_text(json.dumps({**whole, **broken}))
        pgproof.fails(2, "catalog", "rebuild", "--databases", str(export))


def test_an_export_with_an_option_that_no_url_may_have_is_refused(pgproof: CommandLine, tmp_path: Path) -> None:
    export = tmp_path / "catalog.json"
    connection = {"dbname": "shop", "host": "db", "port": 5432, "user": "app", "options": {"options": "-c role=x"}}
    export.write_text(
        json.dumps(
            {"product": "pgproof", "format_version": 1, "databases": [{"name": "shop", "connection": connection}]}
        )
    )
    refused = pgproof.fails(2, "catalog", "rebuild", "--databases", str(export))
    assert 'options of "shop" that cannot be passed on: options' in refused.error["detail"]
    assert done(pgproof, "database", "list")["databases"] == []


def test_an_export_is_in_the_audit_trail(pgproof: CommandLine, server18: Server) -> None:
    done(pgproof, "catalog", "export")
    catalog = parse_url(pgproof.environ["BACKUP_CATALOG_URL"])
    trail = server18.sql(catalog, "SELECT action, outcome, details FROM pgproof.audit_trail")
    assert trail == [("catalog.export", "done", {"backups": 0})]
