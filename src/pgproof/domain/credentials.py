"""What can be a user's name, a password, and the name of a token."""

import unicodedata

from pgproof.domain.errors import InvalidInput
from pgproof.domain.wording import in_quotes

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1_024  # bytes: more would only keep the hash function busy
LONGEST_NAME = 100
API_TOKEN_PREFIX = "pgp_"  # noqa: S105 - how a token begins, so that it is recognised wherever it turns up
LONGEST_BEARER = 4_096


_LONGEST_DECOMPOSED = 4 * LONGEST_NAME


def check_user_name(name: str) -> str:
    """The name as it is stored (in Unicode's composed form), or `InvalidInput`."""
    composed = unicodedata.normalize("NFC", name[:_LONGEST_DECOMPOSED])
    # The audit trail writes "cli:root" and "ann:token:7": nobody must be called like that.
    if not _is_name(composed) or ":" in composed:
        raise InvalidInput(
            f"{in_quotes(name[:LONGEST_NAME])} cannot be the name of a user",
            hint=f"Use 1 to {LONGEST_NAME} printable characters, without a colon and without spaces at the ends.",
        )
    return composed


def check_token_name(name: str) -> str:
    """The name as it is, or `InvalidInput`."""
    if not _is_name(name):
        raise InvalidInput(
            f"{in_quotes(name[:LONGEST_NAME])} cannot be the name of an API token",
            hint=f"Use 1 to {LONGEST_NAME} printable characters without spaces at the ends.",
        )
    return name


def _is_name(name: str) -> bool:
    return 0 < len(name) <= LONGEST_NAME and name == name.strip() and name.isprintable()


def name_key(name: str) -> str:
    """What two spellings of one name have in common: case and compatible forms do not count.

    Empty for what cannot be a name at all.
    """
    if len(name) > _LONGEST_DECOMPOSED or not _is_name(unicodedata.normalize("NFC", name)):
        return ""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)


def check_password(password: str, *, name: str) -> str:
    """The password as it is hashed, or `InvalidInput`, which never quotes it."""
    reason = _objection(password)
    if reason is None and len(password) < SHORTEST_PASSWORD:
        reason = f"the password has fewer than {SHORTEST_PASSWORD} characters"
    if reason is None and name_key(password) == name_key(name):
        reason = "the password is the name of the user"
    if reason is not None:
        raise InvalidInput(
            reason,
            hint=f"Use {SHORTEST_PASSWORD} characters or more, {LONGEST_PASSWORD:,} bytes at most, not the name.",
        )
    return _composed(password)


def usable_password(password: str) -> str | None:
    """The password as it was hashed, ``None`` if it cannot be anybody's."""
    return None if _objection(password) else _composed(password)


def _objection(password: str) -> str | None:
    if not password:
        return "the password is empty"
    if len(password) > LONGEST_PASSWORD:  # before anything that takes long with it
        return f"the password has more than {LONGEST_PASSWORD:,} bytes"
    if "\0" in password:
        return "the password holds a NUL character"
    try:
        size = len(_composed(password).encode())
    except UnicodeEncodeError:
        return "the password is not valid UTF-8"
    return f"the password has more than {LONGEST_PASSWORD:,} bytes" if size > LONGEST_PASSWORD else None


def _composed(password: str) -> str:
    # Keyboards differ in whether they send one character for é or two.
    return unicodedata.normalize("NFC", password)
