"""`user` and `token`: what they print, what they ask, what they refuse, and what they leave in the audit trail."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pgproof.domain.audit import AuditEntry
from pgproof.domain.errors import StorageFull
from pgproof.domain.secret import Secret
from pgproof.entrypoints.cli.auditing import actor
from pgproof.services.ports.access import AuditFilter
from tests.command_line import NOW, CommandLine
from tests.fakes.access import QuickHasher

PASSWORD = "correct horse battery"


@pytest.fixture
def pgproof(tmp_path: Path) -> Iterator[CommandLine]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield CommandLine(tmp_path)
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


@pytest.fixture
def ann(pgproof: CommandLine) -> str:
    assert pgproof("user", "add", "Ann", "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n").status == 0
    return "Ann"


def trail(pgproof: CommandLine) -> list[AuditEntry]:
    return list(pgproof.audit.list(AuditFilter()))


def test_a_user_is_added_with_a_password_that_is_asked_for_twice(pgproof: CommandLine) -> None:
    done = pgproof("user", "add", "Ann", "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert (done.status, done.out) == (0, "Ann is a user now, with the role admin\n")
    assert len(pgproof.asked) == 2
    assert PASSWORD not in done.out + done.err
    assert pgproof.access.get_user("ann").is_active_admin


def test_a_password_can_come_from_a_pipe_with_its_spaces(pgproof: CommandLine) -> None:
    pipe = io.StringIO("  spaces at the ends  \r\n")
    done = pgproof("user", "add", "ann", "--role", "viewer", "--password-stdin", "--json", piped=pipe)
    assert done.status == 0
    assert done.json == {
        "id": 1,
        "name": "ann",
        "role": "viewer",
        "active": True,
        "created_at": NOW.isoformat(),
        "last_sign_in_at": None,
        "message": "ann is a user now, with the role viewer; "
        "nobody is an admin yet: pgproof user add NAME --role admin",
    }
    account = pgproof.access.find_account("ann")
    assert account
    assert account.password_hash == quick("  spaces at the ends  ")


def quick(password: str) -> Secret:
    return QuickHasher().hash(password)


def test_two_different_passwords_change_nothing(pgproof: CommandLine) -> None:
    done = pgproof("user", "add", "ann", "--role", "admin", typed=f"{PASSWORD}\nanother password\n")
    assert done.status == 2
    assert "differ" in done.err
    assert pgproof.access.list_users() == []
    assert pgproof.opened == 0


def test_without_a_terminal_nobody_is_asked(pgproof: CommandLine) -> None:
    done = pgproof("user", "add", "ann", "--role", "admin")
    assert done.status == 2
    assert "--password-stdin" in done.err
    assert pgproof.asked == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"short\n", "fewer than 12"),
        (b"x" * 10_000_000, "more than 1,024 bytes"),
        (b"correct horse\0battery\n", "NUL"),
        (b"correct horse \xff battery\n", "not valid UTF-8"),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_password_that_cannot_be_used_is_refused_and_not_shown(
    pgproof: CommandLine, given: bytes, reason: str, errors: str
) -> None:
    pipe = io.TextIOWrapper(io.BytesIO(given), encoding="utf-8", errors=errors)
    done = pgproof("user", "add", "ann", "--role", "admin", "--password-stdin", piped=pipe)
    assert done.status == 2
    assert reason in done.err
    assert "battery" not in done.err
    assert len(done.err) < 1_000
    assert pgproof.access.list_users() == []


@pytest.mark.parametrize("name", ["", " ann", "cli:root", "a\0b", "\udcff"], ids=range(5))
def test_a_name_that_cannot_be_used_is_refused_before_anybody_is_asked(pgproof: CommandLine, name: str) -> None:
    done = pgproof("user", "add", name, "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert done.status == 2
    assert pgproof.asked == []


def test_a_role_that_does_not_exist_is_bad_usage(pgproof: CommandLine) -> None:
    assert pgproof("user", "add", "ann", "--role", "root", "--password-stdin").status == 2
    assert pgproof("user", "add", "ann", "--password-stdin").status == 2


def test_users_are_listed(pgproof: CommandLine, ann: str) -> None:
    assert pgproof("user", "list").out.splitlines() == [
        "NAME  ROLE   ACTIVE  LAST SIGN-IN",
        "Ann   admin  yes     -",
    ]
    assert [user["name"] for user in pgproof("user", "list", "--json").json["users"]] == ["Ann"]


def test_an_empty_list_says_what_to_do(pgproof: CommandLine) -> None:
    assert "pgproof user add" in pgproof("user", "list").out
    assert "pgproof token create" in pgproof("token", "list").out
    assert pgproof("user", "list", "--json").json == {"users": []}


def test_a_password_is_reset(pgproof: CommandLine, ann: str) -> None:
    done = pgproof("user", "passwd", "ANN", "--password-stdin", piped=io.StringIO("another password\n"))
    assert done.status == 0
    assert "Ann has a new password" in done.out
    account = pgproof.access.find_account("ann")
    assert account
    assert (account.password_hash, account.user.epoch) == (quick("another password"), 2)


def test_a_user_is_changed(pgproof: CommandLine, ann: str) -> None:
    pgproof("user", "add", "bob", "--role", "viewer", "--password-stdin", piped=io.StringIO(PASSWORD))
    done = pgproof("user", "change", "bob", "--role", "operator", "--disable")
    assert (done.status, done.out) == (0, "bob has the role operator and is disabled\n")
    assert pgproof("user", "change", "bob", "--enable", "--json").json["active"] is True
    assert pgproof("user", "change", "bob").status == 2


def test_the_last_admin_stays(pgproof: CommandLine, ann: str) -> None:
    for change in (["change", "ann", "--disable"], ["change", "ann", "--role", "viewer"], ["remove", "ann", "--yes"]):
        done = pgproof("user", *change, "--json")
        assert done.status == 5
        assert "only active admin" in done.error["detail"]
    assert pgproof.access.get_user("ann").is_active_admin


def test_who_removes_a_user_types_the_name(pgproof: CommandLine, ann: str) -> None:
    pgproof("user", "add", "bob", "--role", "viewer", "--password-stdin", piped=io.StringIO(PASSWORD))
    pgproof("token", "create", "ci", "--user", "bob")
    assert pgproof("user", "remove", "bob").status == 2
    refused = pgproof("user", "remove", "BOB", typed="ann\n")
    assert refused.status == 2
    assert "API tokens: 1" in refused.err
    done = pgproof("user", "remove", "BOB", typed="bob\n")
    assert (done.status, done.out) == (0, "bob is no longer a user\n")
    assert [user.name for user in pgproof.access.list_users()] == ["Ann"]


@pytest.mark.parametrize(
    "command",
    [["user", "remove", "nobody", "--yes"], ["user", "change", "nobody", "--disable"], ["token", "revoke", "77"],
     ["token", "create", "ci", "--user", "nobody"], ["token", "list", "--user", "nobody"]],
)  # fmt: skip
def test_what_is_not_there_is_not_found(pgproof: CommandLine, command: list[str]) -> None:
    assert pgproof(*command).status == 4


def test_a_token_is_shown_once_on_a_line_of_its_own(pgproof: CommandLine, ann: str) -> None:
    done = pgproof("token", "create", "ci", "--user", "ann", "--role", "viewer", "--days", "7")
    assert done.status == 0
    text = done.out.splitlines()[-1]
    assert text.startswith("pgp_")
    assert "as viewer, until 2026-03-08 12:30:00 UTC" in done.out
    listed = pgproof("token", "list")
    assert text not in listed.out
    assert listed.out.splitlines()[1].split()[1:5] == ["Ann", "ci", "viewer", "valid"]
    assert text not in repr(trail(pgproof))


def test_a_tokens_json_holds_its_text_once(pgproof: CommandLine, ann: str) -> None:
    made = pgproof("token", "create", "ci", "--user", "ann", "--days", "0", "--json").json
    assert made["token"].startswith("pgp_")
    assert (made["user"], made["role"], made["expires_at"]) == ("Ann", "admin", None)
    assert "token" not in pgproof("token", "list", "--json").json["tokens"][0]


def test_a_token_above_its_user_is_refused(pgproof: CommandLine, ann: str) -> None:
    pgproof("user", "add", "bob", "--role", "viewer", "--password-stdin", piped=io.StringIO(PASSWORD))
    assert pgproof("token", "create", "ci", "--user", "bob", "--role", "admin").status == 2


@pytest.mark.parametrize("days", ["-1", "3651", "x", "1e9"])
def test_days_that_make_no_sense_are_bad_usage(pgproof: CommandLine, ann: str, days: str) -> None:
    assert pgproof("token", "create", "ci", "--user", "ann", "--days", days).status == 2


def test_tokens_that_are_void_say_so(pgproof: CommandLine, ann: str) -> None:
    for name in ("one", "two"):
        pgproof("token", "create", name, "--user", "ann", "--days", "1")
    one = pgproof.access.list_tokens()[-1].id
    assert pgproof("token", "revoke", str(one)).out == f"token {one} (one) of Ann is revoked\n"
    pgproof.clock.seconds = 86_400
    states = [line.split()[4] for line in pgproof("token", "list", "--user", "ANN").out.splitlines()[1:]]
    assert states == ["expired", "revoked"]


def test_every_change_is_audited_with_the_user_of_the_system(pgproof: CommandLine, ann: str) -> None:
    pgproof("user", "change", "ann", "--disable")
    pgproof("user", "passwd", "ann", "--password-stdin", piped=io.StringIO("another password"))
    pgproof("token", "create", "ci", "--user", "ann")
    pgproof("token", "revoke", "77")
    assert {entry.actor for entry in trail(pgproof)} == {actor()}
    assert actor().startswith("cli:")
    written = [(entry.action, entry.object, entry.outcome) for entry in reversed(trail(pgproof))]
    assert written == [
        ("user.add", "Ann", "done"),
        ("user.change", "ann", "conflict"),
        ("user.password", "Ann", "done"),
        ("token.create", "ci", "done"),
        ("token.revoke", "77", "not_found"),
    ]
    assert "another password" not in repr(trail(pgproof))


def test_a_failure_is_told_even_if_the_trail_is_lost_with_the_catalog(pgproof: CommandLine, ann: str) -> None:
    pgproof.access.unreachable = True
    done = pgproof("user", "change", "ann", "--role", "admin", "--json")
    assert done.status == 10
    assert done.error["code"] == "catalog_unreachable"


def test_what_other_commands_change_is_audited_too(pgproof: CommandLine) -> None:
    assert pgproof("backup", "--json").json["id"] == 2
    pgproof("delete", "2", "--yes")
    pgproof("restore", "77", "--yes")
    pgproof("cleanup", "--yes")
    pgproof("database", "remove", "shop")
    pgproof("database", "remove", "nothing")
    written = [(entry.action, entry.object, entry.outcome) for entry in reversed(trail(pgproof))]
    assert written == [
        ("backup.create", "2", "done"),
        ("backup.delete", "2", "done"),
        ("cleanup", "", "done"),
        ("database.remove", "shop", "done"),
        ("database.remove", "nothing", "not_found"),
    ]


def test_a_backup_that_fails_is_audited_with_its_reason(pgproof: CommandLine) -> None:
    pgproof.backups.failure = StorageFull("no space left")
    assert pgproof("backup").status == 11
    assert [(entry.action, entry.outcome) for entry in trail(pgproof)] == [("backup.create", "storage_full")]


def test_an_interrupted_restore_is_audited_as_cancelled(pgproof: CommandLine) -> None:
    pgproof("backup")
    pgproof.restore_failure = KeyboardInterrupt()
    pgproof("restore", "2", "--yes")
    newest = trail(pgproof)[0]
    assert (newest.action, newest.object, newest.outcome) == ("backup.restore", "2", "cancelled")
