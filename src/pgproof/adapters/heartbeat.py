"""A URL that is fetched while all is well."""

from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pgproof.adapters.limited import TooSlow, within
from pgproof.adapters.unsent import reason
from pgproof.domain.errors import NotificationFailed
from pgproof.domain.secret import Secret

_HINT = "Fetch BACKUP_HEARTBEAT_URL from this machine by hand, and see what it answers."


class HttpHeartbeat:
    """Fetches; what takes more than `seconds` has failed."""

    def __init__(self, seconds: float = 15.0) -> None:
        self._seconds = seconds

    def ping(self, url: Secret) -> None:
        """Fetch the URL. Raises `NotificationFailed` unless the answer says that it worked."""
        try:
            within(self._seconds, lambda: self._get(url))
        except HTTPError as error:
            error.close()
            raise NotificationFailed(f"the answer was {error.code}", hint=_HINT) from None
        except TooSlow:
            raise NotificationFailed(f"there was no answer within {self._seconds:g} s", hint=_HINT) from None
        except (OSError, HTTPException, ValueError) as error:
            # Its words may quote the URL, whose path is the secret.
            why = reason(error) or type(error).__name__
            raise NotificationFailed(f"there was no answer: {why}", hint=_HINT) from None

    def _get(self, url: Secret) -> None:
        request = Request(url.reveal(), headers={"User-Agent": "pgproof"})  # noqa: S310 - the settings allow http alone
        # Only so that its thread ends some time: nobody waits for it that long.
        with urlopen(request, timeout=2 * self._seconds) as answer:  # noqa: S310 - the same
            answer.read(1024)
