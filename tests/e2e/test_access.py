"""Users and rights as an installation has them: the command line and two services on one catalog."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pgproof.bootstrap import App, open_app
from pgproof.domain.access import Role
from pgproof.domain.errors import Conflict, NotAuthenticated, TooManyAttempts
from pgproof.services.ports.access import AuditFilter
from pgproof.settings import load_settings
from tests.servers import Server, to_url

PASSWORD = "correct horse battery"
MANY = 40


@pytest.fixture
def environment(server18: Server, tmp_path: Path) -> Iterator[dict[str, str]]:
    catalog = server18.create_database()
    yield {
        "BACKUP_HOME": str(tmp_path / "home"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_CATALOG_URL": to_url(catalog),
        "BACKUP_SECRET_KEY": "a secret of the tests, long enough",
    }
    server18.drop_database(catalog.dbname)


def pgproof(environment: dict[str, str], folder: Path, *argv: str, given: bytes = b"") -> tuple[int, str, str]:
    """The command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pgproof", *argv], input=given, env=environment, cwd=folder, capture_output=True
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_what_the_command_line_does_counts_in_running_services_at_once(
    environment: dict[str, str], tmp_path: Path
) -> None:
    settings = load_settings(environment, tmp_path)
    add = ("user", "add", "Ann", "--role", "admin", "--password-stdin")
    assert pgproof(environment, tmp_path, *add, given=f"{PASSWORD}\n".encode())[0] == 0
    with open_app(settings) as one, open_app(settings) as other:
        signed_in = one.access.sign_in("ann", PASSWORD, address="10.0.0.1")
        assert other.access.authenticate(signed_in.access_token.reveal()).role is Role.ADMIN
        status, out, _ = pgproof(environment, tmp_path, "token", "create", "ci", "--user", "ann")
        token = out.splitlines()[-1]
        assert status == 0
        assert one.access.authenticate(token).name == other.access.authenticate(token).name == "Ann"
        pgproof(environment, tmp_path, "token", "revoke", "1")
        reset = pgproof(environment, tmp_path, "user", "passwd", "ann", "--password-stdin", given=b"another password")
        assert reset[0] == 0
        for app in (one, other):
            for bearer in (token, signed_in.access_token.reveal()):
                with pytest.raises(NotAuthenticated):
                    app.access.authenticate(bearer)
        assert other.access.sign_in("ann", "another password").principal.name == "Ann"
        actions = [entry.action for entry in one.audit.list(AuditFilter())]
    assert actions == ["sign_in", "user.password", "token.revoke", "token.create", "sign_in", "user.add"]


def test_bytes_that_are_no_text_are_refused_as_a_password(environment: dict[str, str], tmp_path: Path) -> None:
    add = ("user", "add", "ann", "--role", "admin", "--password-stdin")
    status, out, err = pgproof(environment, tmp_path, *add, given=b"correct horse \xff\xfe battery\n")
    assert (status, out) == (2, "")
    assert "not valid UTF-8" in err
    assert "battery" not in err


def at_once(work: Callable[[int], object], many: int) -> list[object]:
    """What these calls gave or raised, all begun together."""
    together = Barrier(many)

    def run(number: int) -> object:
        together.wait()
        try:
            return work(number)
        except (Conflict, NotAuthenticated, TooManyAttempts) as error:
            return error

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(run, range(many)))


def test_many_guesses_at_the_same_moment_in_two_services_are_not_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    settings = load_settings(environment, tmp_path)
    with open_app(settings) as one, open_app(settings) as other:
        one.users.add("ann", Role.ADMIN, PASSWORD)

        def guess(number: int) -> object:
            app: App = one if number % 2 else other
            return app.access.sign_in("ann", f"wrong password {number}", address="203.0.113.7")

        results = at_once(guess, MANY)
    assert sum(isinstance(result, NotAuthenticated) for result in results) == 5
    assert sum(isinstance(result, TooManyAttempts) for result in results) == MANY - 5


def test_an_admin_is_made_once_by_services_that_start_together(environment: dict[str, str], tmp_path: Path) -> None:
    settings = load_settings(environment, tmp_path)
    with open_app(settings) as one, open_app(settings) as other:
        passwords = at_once(lambda number: (one if number % 2 else other).users.ensure_admin(), 4)
        shown = [password for password in passwords if password is not None]
        assert len(shown) == 1
        assert one.access.sign_in("admin", str(shown[0])).principal.role is Role.ADMIN
