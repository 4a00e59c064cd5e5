"""Whether a session of the catalog's pool is found dead before it is used."""

from collections.abc import Iterator
from contextlib import ExitStack
from socket import socketpair
from typing import Any

import psycopg
import pytest

from pgproof.adapters.catalog.liveness import TRUSTED, LivenessCheck


class Session:
    """Stands for the driver's; the other end of its socket is the server's."""

    def __init__(self, stack: ExitStack) -> None:
        self.socket, self.server = (stack.enter_context(end) for end in socketpair())
        self.questions = 0
        self.answers = True

    def fileno(self) -> int:
        if self.socket.fileno() < 0:
            raise psycopg.OperationalError("the connection is closed")
        return self.socket.fileno()

    def execute(self, query: str) -> Any:
        self.questions += 1
        if not self.answers:
            raise psycopg.OperationalError("server closed the connection unexpectedly")


class Checked:
    """A session and the check of it, at a time that the test sets."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now = 100.0
        self._notes: dict[Any, Any] = {}
        self._check = LivenessCheck(lambda: self.now)

    def lives(self) -> bool:
        return self._check.lives(self.session, self._notes)


@pytest.fixture
def checked() -> Iterator[Checked]:
    with ExitStack() as stack:
        found = Checked(Session(stack))
        assert found.lives()
        yield found


def test_a_new_session_and_one_that_was_just_used_are_asked_nothing(checked: Checked) -> None:
    checked.now += TRUSTED / 2
    assert checked.lives()
    checked.now += TRUSTED * 0.9
    assert checked.lives()
    assert checked.session.questions == 0


def test_one_that_its_server_closed_is_dead_however_short_ago_it_was_used(checked: Checked) -> None:
    checked.session.server.close()
    checked.session.answers = False
    assert not checked.lives()


def test_one_that_the_driver_has_closed_is_dead(checked: Checked) -> None:
    checked.session.socket.close()
    assert not checked.lives()


def test_one_whose_server_has_said_something_is_asked_and_lives_if_it_answers(checked: Checked) -> None:
    checked.session.server.send(b"a notice")
    assert checked.lives()
    assert checked.session.questions == 1


def test_one_that_was_idle_is_asked_since_nobody_may_have_told_of_its_end(checked: Checked) -> None:
    checked.now += TRUSTED
    assert checked.lives()
    assert checked.session.questions == 1
    checked.now += TRUSTED
    checked.session.answers = False
    assert not checked.lives()
