"""A value that must not be shown."""

import re
from collections.abc import Callable

_URL_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/]+@", re.IGNORECASE)
_PASSWORD_WORD = re.compile(
    # A value in quotes, doubled where all of it stands within a literal of SQL; or a word.
    r"(\b(?:pg)?(?:ssl)?password\s*=\s*)(''(?:[^'\\]|\\.|\\'')+''|'(?:[^'\\]|\\.)*'|[^\s&'\"]+)",
    re.IGNORECASE,
)
# As SQL writes it: CREATE USER MAPPING ... OPTIONS (password 'x'), ALTER ROLE ... PASSWORD 'x'.
_PASSWORD_LITERAL = re.compile(
    r"(\b\w*(?:passw(?:or)?d|secret|(?:access|api|private)_key)\w*\"?\s+E?)'(?:[^'\\]|\\.|'')*'", re.IGNORECASE
)

_SHORTEST = 4


class Secret:
    """Holds a password or key so that printing, logging or comparing an object cannot leak it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that needs it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


class LostSecret(Secret):
    """A stored secret that could not be opened. Nobody but those who need it learns of that: `reveal` opens again."""

    __slots__ = ("_open",)

    def __init__(self, open_again: Callable[[], str]) -> None:
        super().__init__("")
        self._open = open_again

    def reveal(self) -> str:
        """What opening it gives. Raises what opening it raises."""
        return self._open()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def without_secrets(text: str, *secrets: Secret | None) -> str:
    """`text` with every given secret masked: tools quote what they were given.

    One of fewer than four characters is part of many words, and masking all of them would leave no message to
    read; it is masked where the text itself says that a password follows.
    """
    for value in (secret.reveal() for secret in secrets if secret is not None):
        if len(value) >= _SHORTEST:
            text = text.replace(value, "***")
        elif value:
            text = without_url_passwords(text)
    return text


def without_url_passwords(text: str) -> str:
    """`text` with the password of every URL and connection string in it masked."""
    text = _URL_PASSWORD.sub(r"\1***@", text)
    text = _PASSWORD_WORD.sub(r"\1***", text)
    return _PASSWORD_LITERAL.sub(r"\1'***'", text)
