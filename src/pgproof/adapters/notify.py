"""Messages to people, by Apprise: mail, chat, webhooks, each named by a URL."""

import logging
import sys
import threading
from typing import TYPE_CHECKING

from pgproof.adapters.limited import THREAD, TooSlow, within
from pgproof.adapters.unsent import answered, reason
from pgproof.domain.errors import InvalidInput, NotificationFailed
from pgproof.domain.secret import Secret

if TYPE_CHECKING:  # slow to import, and most commands tell nobody
    from apprise import NotifyBase

_HINT = "Try it alone: pgproof notify test URL. https://github.com/caronc/apprise/wiki tells the form of every URL."

# Where plugins keep files that a URL names; templates are attachments.
_PATHS = frozenset({"keyfile", "subfile", "pgp_key", "pgp_privkey"})
_TALKATIVE = ("apprise", "urllib3.connectionpool", "urllib3.util.retry", "requests_oauthlib.oauth1_session")


class AppriseNotifier:
    """Sends; a message that takes more than `seconds` has failed."""

    def __init__(self, seconds: float = 30.0) -> None:
        self._seconds = seconds

    def check(self, url: Secret) -> None:
        """Raise `InvalidInput`, without the URL's secrets, for one that nothing can be sent to.

        So it is with one that has a file of this machine read, and sent to wherever it says: who may name the targets
        of messages may not read what this process may.
        """
        known: list[NotifyBase | None] = []
        try:
            within(self._seconds, lambda: known.append(_service(url)))
        except TooSlow:
            known = []
        scheme = url.reveal().partition("://")[0]
        if not known or known[0] is None:
            raise InvalidInput(f"nothing can be sent to this {scheme}:// URL", hint=_HINT)
        if _reads_files(known[0]):
            raise InvalidInput(
                f"this {scheme}:// URL names a file of this machine",
                hint="Leave the template or the key file out. BACKUP_NOTIFY_URLS takes such a URL.",
            )

    def send(self, url: Secret, title: str, body: str, *, urgent: bool) -> None:
        """Send a message. Raises `NotificationFailed` if it did not arrive, also after too long a time."""
        arrived: list[bool] = []
        why: list[str] = []

        def notify() -> None:
            _heard.why = why
            service = _service(url)
            kind = "warning" if urgent else "info"
            arrived.append(service is not None and bool(service.notify(body, title=title, notify_type=kind)))

        try:
            within(self._seconds, notify)
        except TooSlow:
            raise NotificationFailed(f"it took longer than {self._seconds:g} s", hint=_HINT) from None
        except Exception as error:  # noqa: BLE001 - any of a hundred plugins; its words may quote the URL
            raise NotificationFailed(f"sending failed with {type(error).__name__}", hint=_HINT) from None
        if arrived != [True]:
            said = f": {why[0]}" if why else ""
            raise NotificationFailed(f"the service did not take it{said}", hint=_HINT)


def _reads_files(service: "NotifyBase") -> bool:
    from apprise import AppriseAttachment

    return any(
        value and (name in _PATHS or isinstance(value, AppriseAttachment)) for name, value in vars(service).items()
    )


# Where the thread that sends keeps why it failed: Apprise itself tells only its log.
_heard = threading.local()


def _not_of_ours(record: logging.LogRecord) -> bool:
    # These quote URLs, which are secrets. An application that we are part of keeps what it has them say itself.
    if threading.current_thread().name != THREAD:
        return True
    # Written while the error is handled, so that is at hand, and with it what no message may say in its own words.
    said = reason(sys.exc_info()[1]) or answered(record.getMessage())
    if said is not None:
        _heard.__dict__.setdefault("why", []).append(said)
    return False


def _service(url: Secret) -> "NotifyBase | None":
    from apprise import Apprise, AppriseAsset

    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_not_of_ours)
    asset = AppriseAsset(app_id="pgproof", app_desc="pgproof", app_url="", async_mode=False, secure_logging=True)
    found: NotifyBase | None = Apprise.instantiate(url.reveal(), asset=asset, suppress_exceptions=True)
    return found
