"""What is sealed can be opened with the same secret, and with no other."""

import pytest

from pgproof.adapters.seal import FernetSeal
from pgproof.domain.errors import ConfigurationError
from pgproof.domain.secret import Secret


def test_what_was_sealed_comes_back() -> None:
    sealed = FernetSeal(Secret("key")).seal("p@ss ä \0")
    assert FernetSeal(Secret("key")).open(sealed) == "p@ss ä \0"


def test_the_sealed_form_shows_nothing_and_never_repeats() -> None:
    seal = FernetSeal(Secret("key"))
    assert seal.seal("password") != seal.seal("password")
    assert b"password" not in seal.seal("password")


@pytest.mark.parametrize("damage", [lambda sealed: sealed[:-1], lambda sealed: b"", lambda sealed: sealed[::-1]])
def test_what_was_altered_does_not_open(damage: object) -> None:
    assert callable(damage)
    seal = FernetSeal(Secret("key"))
    with pytest.raises(ConfigurationError, match="altered"):
        seal.open(damage(seal.seal("password")))


def test_another_secret_does_not_open_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        FernetSeal(Secret("other")).open(FernetSeal(Secret("key")).seal("password"))
    assert "BACKUP_SECRET_KEY" in caught.value.hint
