"""Mail by Apprise to a real mail server: what arrives, and what is said when nothing does."""

import logging
import socket
from collections.abc import Iterator

import pytest

from pgproof.adapters.notify import AppriseNotifier
from pgproof.domain.errors import NotificationFailed
from pgproof.domain.secret import Secret
from tests.mail_server import MailServer, mail_server

PASSWORD = "p4ss-w0rd"


@pytest.fixture
def place() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def url(port: int, user: str = "", scheme: str = "mailto") -> Secret:
    return Secret(f"{scheme}://{user}127.0.0.1:{port}?from=backups@example.org&to=ann@example.org,bob@example.org")


def failure(target: Secret) -> str:
    with pytest.raises(NotificationFailed) as caught:
        AppriseNotifier(seconds=20).send(target, "t", "b", urgent=True)
    said = f"{caught.value.detail}{caught.value.hint}{caught.value.facts}"
    for secret in (PASSWORD, "ann", "bob", "example.org"):
        assert secret not in said
    return caught.value.detail


def test_a_mail_arrives_at_everybody_with_its_subject_and_text(place: MailServer) -> None:
    text = 'the backup of "shöp" failed: no space\n\n.a line that begins with a dot\nSee: pgproof log 7'
    AppriseNotifier().send(url(place.port), "pgproof: shöp failed", text, urgent=True)
    assert sorted((sender, recipients) for sender, recipients, _ in place.mails) == [
        ("backups@example.org", ["ann@example.org"]),
        ("backups@example.org", ["bob@example.org"]),
    ]
    for _, (recipient,), mail in place.mails:
        assert mail["Subject"] == "pgproof: shöp failed"
        assert "backups@example.org" in mail["From"]
        assert recipient in mail["To"]
        part = mail.get_body(("plain", "html"))
        assert part is not None
        for words in ('"shöp" failed', ".a line that begins with a dot", "See: pgproof log 7"):
            assert words in part.get_content().replace("&quot;", '"')


def test_the_user_and_password_of_the_url_sign_in(place: MailServer) -> None:
    place.password = PASSWORD
    AppriseNotifier().send(url(place.port, f"ann:{PASSWORD}@"), "t", "b", urgent=False)
    assert set(place.users) == {"ann"}
    assert len(place.mails) == 2


def test_a_wrong_password_is_told_without_being_told(place: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    place.password = "another"
    with caplog.at_level(logging.DEBUG):
        assert failure(url(place.port, f"ann:{PASSWORD}@")).endswith("the mail server refused user or password (535)")
    assert PASSWORD not in caplog.text
    assert place.mails == []


@pytest.mark.parametrize(
    ("command", "answer"), [("MAIL", "550 not from you"), ("RCPT", "554 not to them"), ("DATA", "452 no room")]
)
def test_a_mail_that_the_server_refuses_has_not_arrived(place: MailServer, command: str, answer: str) -> None:
    place.refused = {command: answer}
    assert failure(url(place.port)) == "the service did not take it: the mail server refused the mail"
    assert place.mails == []


def test_a_mail_server_that_hangs_up_is_told(place: MailServer) -> None:
    place.hangs_up = True
    assert failure(url(place.port)).endswith(("ended the connection", "was broken off"))


def test_a_server_that_knows_no_encryption_is_told(place: MailServer) -> None:
    assert "the mail server does not offer" in failure(url(place.port, scheme="mailtos"))


def test_a_port_on_which_nobody_listens_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert failure(url(port)) == "the service did not take it: the connection was refused"
