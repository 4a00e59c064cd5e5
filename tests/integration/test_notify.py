"""Messages and heartbeats over a real network connection."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgproof.adapters.heartbeat import HttpHeartbeat
from pgproof.adapters.notify import AppriseNotifier
from pgproof.domain.errors import InvalidInput, NotificationFailed
from pgproof.domain.secret import Secret
from tests.receiver import Receiver, receiver

TOKEN = "s3cr3t-t0ken"


@pytest.fixture
def place() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def webhook(place: Receiver) -> Secret:
    return Secret(f"json://{place.address}/hooks/{TOKEN}")


def beat(place: Receiver) -> Secret:
    return Secret(f"http://{place.address}/ping/{TOKEN}")


def test_a_webhook_gets_title_and_text(place: Receiver) -> None:
    AppriseNotifier().send(webhook(place), "pgproof: shop failed", 'it\'s "gone"\n\nsecond', urgent=True)
    ((method, path, content),) = place.requests
    assert (method, path) == ("POST", f"/hooks/{TOKEN}")
    assert content["title"] == "pgproof: shop failed"
    assert content["message"] == 'it\'s "gone"\n\nsecond'
    assert content["type"] == "warning"


def test_good_news_are_marked_as_such(place: Receiver) -> None:
    AppriseNotifier().send(webhook(place), "t", "b", urgent=False)
    assert place.requests[0][2]["type"] == "info"


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_service_that_refuses_is_an_error_without_the_urls_secrets(
    place: Receiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    place.status = status
    with caplog.at_level(logging.DEBUG), pytest.raises(NotificationFailed) as caught:
        AppriseNotifier().send(webhook(place), "t", "b", urgent=True)
    assert caught.value.detail == f"the service did not take it: it answered {status}"
    assert TOKEN not in f"{caught.value.hint}{caught.value.facts}"
    assert TOKEN not in "".join(record.getMessage() for record in caplog.records)


def test_a_service_that_hangs_is_given_up(place: Receiver) -> None:
    place.hangs = threading.Event()
    with pytest.raises(NotificationFailed, match="longer than"):
        AppriseNotifier(seconds=0.3).send(webhook(place), "t", "b", urgent=True)


def test_a_service_that_is_not_there_is_an_error() -> None:
    with receiver() as gone:
        url = webhook(gone)
    for _ in range(2):
        with pytest.raises(NotificationFailed) as caught:
            AppriseNotifier().send(url, "t", "b", urgent=True)
        assert caught.value.detail == "the service did not take it: the connection was refused"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("json://{token}.invalid/{token}", "the name of its host is not known"),
        ("jsons://{address}/{token}", "no encrypted connection came about"),
    ],
)
def test_why_nothing_arrived_is_told_and_nothing_of_the_url(place: Receiver, url: str, said: str) -> None:
    with pytest.raises(NotificationFailed) as caught:
        AppriseNotifier().send(Secret(url.format(token=TOKEN, address=place.address)), "t", "b", urgent=True)
    assert caught.value.detail == f"the service did not take it: {said}"
    assert TOKEN not in f"{caught.value.hint}{caught.value.facts}"


def test_what_kept_one_message_from_arriving_is_not_said_of_the_next(place: Receiver) -> None:
    with receiver() as gone:
        lost = webhook(gone)
    notifier = AppriseNotifier()
    with pytest.raises(NotificationFailed):
        notifier.send(lost, "t", "b", urgent=True)
    place.status = 403
    with pytest.raises(NotificationFailed, match="it answered 403"):
        notifier.send(webhook(place), "t", "b", urgent=True)


def test_a_url_that_means_nothing_is_refused_without_being_quoted() -> None:
    for url in (f"nonsense://{TOKEN}", f"slack://{TOKEN}", "json://"):
        with pytest.raises(InvalidInput) as caught:
            AppriseNotifier().check(Secret(url))
        assert TOKEN not in f"{caught.value.detail}{caught.value.hint}"
        with pytest.raises(NotificationFailed):
            AppriseNotifier().send(Secret(url), "t", "b", urgent=True)


@pytest.mark.parametrize(
    "url",
    [
        "discord://1234567890/abcdefgh/?template={path}",
        "workflows://attacker.example/abcd/efgh/?template={path}",
        "workflows://attacker.example/abcd/efgh/?template=file://{path}",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template={path}",
        "fcm://project/device/?keyfile={path}",
        "vapid://a@example.org/b@example.org?keyfile={path}",
        "vapid://a@example.org/b@example.org?subfile={path}",
    ],
)
def test_no_url_can_have_a_file_of_this_machine_sent_away(url: str, tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text('{"secret": "of somebody"}')
    with pytest.raises(InvalidInput, match="names a file of this machine") as caught:
        AppriseNotifier().check(Secret(url.format(path=path)))
    assert str(path) not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "discord://1234567890/abcdefgh/",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/",
        "mailtos://user:password@example.org",
        "json://127.0.0.1:8080/hook",
        "fcm://project@key/device/",
    ],
)
def test_a_url_without_files_is_taken(url: str) -> None:
    AppriseNotifier().check(Secret(url))


def test_a_heartbeat_fetches_its_url(place: Receiver) -> None:
    HttpHeartbeat().ping(beat(place))
    assert place.requests == [("GET", f"/ping/{TOKEN}", None)]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_heartbeat_that_is_refused_is_an_error_without_the_url(place: Receiver, status: int) -> None:
    place.status = status
    with pytest.raises(NotificationFailed, match=str(status)) as caught:
        HttpHeartbeat().ping(beat(place))
    assert TOKEN not in f"{caught.value.detail}{caught.value.hint}"


def test_a_heartbeat_that_hangs_is_given_up(place: Receiver) -> None:
    place.hangs = threading.Event()
    with pytest.raises(NotificationFailed, match=r"within 0\.3 s"):
        HttpHeartbeat(seconds=0.3).ping(beat(place))


def test_a_heartbeat_to_nobody_is_an_error() -> None:
    with receiver() as gone:
        url = beat(gone)
    for one in (url, Secret(f"http://no such host/{TOKEN}"), Secret(f"http://127.0.0.1:99999/{TOKEN}")):
        with pytest.raises(NotificationFailed) as caught:
            HttpHeartbeat().ping(one)
        assert TOKEN not in caught.value.detail
    with pytest.raises(NotificationFailed, match="there was no answer: the connection was refused"):
        HttpHeartbeat().ping(url)
