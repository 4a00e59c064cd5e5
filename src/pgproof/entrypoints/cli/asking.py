"""Ask an API of ours how it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from pgproof.domain.errors import InvalidInput
from pgproof.domain.secret import without_url_passwords

_LIMIT = 5.0  # seconds
_LONGEST = 65_536  # bytes


@dataclass(frozen=True)
class Answer:
    """What it said: whether it is well, in one line, and check by check."""

    well: bool
    detail: str
    checks: Sequence[Mapping[str, Any]] = ()


def ask(url: str) -> Answer:
    """The answer of a `/health/...` address. Who does not answer is not well. Raises `InvalidInput` for no http URL."""
    if urlsplit(url).scheme not in {"http", "https"}:
        raise InvalidInput(
            f"{without_url_passwords(url)!r} is not an http URL", hint="Give it as in http://127.0.0.1:8000"
        )
    # No proxy: what is asked is this machine, or one beside it.
    opener = build_opener(ProxyHandler({}))
    try:
        with opener.open(url, timeout=_LIMIT) as response:
            return Answer(well=True, detail=f"{url} answers", checks=_checks(response.read(_LONGEST)))
    except HTTPError as error:
        with error:
            return Answer(well=False, detail=f"{url} answers {error.code}", checks=_checks(error.read(_LONGEST)))
    except (URLError, OSError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        return Answer(well=False, detail=f"{url} does not answer: {reason}")


def _checks(body: bytes) -> Sequence[Mapping[str, Any]]:
    try:
        found = json.loads(body)
    except ValueError:
        return ()
    checks = found.get("checks", ()) if isinstance(found, dict) else ()
    return [one for one in checks if isinstance(one, dict)]
