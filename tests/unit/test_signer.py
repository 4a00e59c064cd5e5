"""Access tokens: only what we signed for this installation, as it is, in its time."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from pgproof.adapters.signer import JwtSigner
from pgproof.domain.errors import NotAuthenticated
from pgproof.domain.secret import Secret
from pgproof.services.ports.access import AccessClaims

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
CLAIMS = AccessClaims(session_id=5, user_id=7, epoch=3, issued_at=NOW, expires_at=NOW + timedelta(minutes=15))
SECRET, INSTALLATION = Secret("a secret of the tests"), "11111111-1111-1111-1111-111111111111"
SIGNER = JwtSigner(SECRET, INSTALLATION)
SAID = {
    "iss": "pgproof",
    "aud": f"pgproof:{INSTALLATION}",
    "sub": "7",
    "sid": 5,
    "epoch": 3,
    "iat": int(NOW.timestamp()),
    "nbf": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
}


def forged(said: dict[str, Any], **header: Any) -> str:
    """A token with our own key, and other claims or another header."""
    return jwt.encode(said, SIGNER._key, algorithm="HS256", headers=header or None)


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_what_was_signed_is_read_again() -> None:
    token = SIGNER.sign(CLAIMS).reveal()
    assert SIGNER.read(token, NOW) == CLAIMS
    assert JwtSigner(SECRET, INSTALLATION).read(token, NOW) == CLAIMS
    assert SIGNER.read(forged(SAID), NOW) == CLAIMS


def test_a_token_is_good_until_its_last_second() -> None:
    token = SIGNER.sign(CLAIMS).reveal()
    assert SIGNER.read(token, CLAIMS.expires_at - timedelta(microseconds=1)) == CLAIMS
    for late in (timedelta(), timedelta(seconds=1), timedelta(days=365)):
        with pytest.raises(NotAuthenticated):
            SIGNER.read(token, CLAIMS.expires_at + late)


def test_a_token_of_a_clock_that_is_a_little_ahead_is_read() -> None:
    token = SIGNER.sign(CLAIMS).reveal()
    assert SIGNER.read(token, NOW - timedelta(seconds=60)) == CLAIMS
    with pytest.raises(NotAuthenticated):
        SIGNER.read(token, NOW - timedelta(seconds=61))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "HS512", "RS256"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_no_algorithm_that_a_token_names_lets_it_in(algorithm: str, signature: str) -> None:
    token = f"{encoded({'alg': algorithm, 'typ': 'JWT'})}.{encoded(SAID)}.{signature}"
    with pytest.raises(NotAuthenticated):
        SIGNER.read(token, NOW)


def _none() -> str:
    return jwt.encode(SAID, "", algorithm="none")


def _other_key() -> str:
    return JwtSigner(Secret("another secret, of the tests"), INSTALLATION).sign(CLAIMS).reveal()


def _secret_itself() -> str:
    return jwt.encode(SAID, SECRET.reveal().ljust(32, "."), algorithm="HS256")


def _empty_key() -> str:
    return jwt.encode(SAID, b"\0" * 32, algorithm="HS256")


def _longer_hash() -> str:
    return jwt.encode(SAID, SIGNER._key * 2, algorithm="HS512")


def _same_key_longer_hash() -> str:
    header = {"alg": "HS512", "typ": "JWT"}
    good = SIGNER.sign(CLAIMS).reveal().split(".")
    return ".".join([encoded(header), *good[1:]])


def _asymmetric() -> str:
    return jwt.encode(SAID, rsa.generate_private_key(65_537, 2_048), algorithm="RS256")


def _other_installation() -> str:
    return JwtSigner(SECRET, "22222222-2222-2222-2222-222222222222").sign(CLAIMS).reveal()


@pytest.mark.parametrize(
    "forge",
    [
        _none,
        _other_key,
        _secret_itself,
        _empty_key,
        _longer_hash,
        _same_key_longer_hash,
        _asymmetric,
        _other_installation,
    ],
)
def test_a_token_that_somebody_else_made_is_refused(forge: Callable[[], str]) -> None:
    with pytest.raises(NotAuthenticated):
        SIGNER.read(forge(), NOW)


@pytest.mark.parametrize("claim", sorted(SAID))
@pytest.mark.parametrize("value", [..., None, "", "x", True, 1.5, [], {}, 10**30, -(10**30)], ids=str)
def test_a_claim_that_is_missing_or_of_another_kind_is_refused(claim: str, value: Any) -> None:
    said = {name: found for name, found in SAID.items() if name != claim}
    if value is not ...:
        said[claim] = value
    try:
        token = forged(said)
    except TypeError:
        header = encoded({"alg": "HS256", "typ": "JWT"})
        token = f"{header}.{encoded(said)}."
        algorithm = jwt.get_algorithm_by_name("HS256")
        signed = algorithm.sign(token[:-1].encode(), SIGNER._key)
        token += base64.urlsafe_b64encode(signed).rstrip(b"=").decode()
    read_or_refused(token, claim, value)


def read_or_refused(token: str, claim: str, value: Any) -> None:
    numbers_of_rows = claim in ("sub", "sid", "epoch")
    if numbers_of_rows and type(value) is int and claim != "sub":
        assert value in vars(SIGNER.read(token, NOW)).values(), "any number is readable; no row has it"
        return
    with pytest.raises(NotAuthenticated):
        SIGNER.read(token, NOW)


@pytest.mark.parametrize("audience", [["pgproof:other"], [], f"pgproof:{INSTALLATION}x", "pgproof"])
def test_a_token_for_somebody_else_is_refused(audience: Any) -> None:
    with pytest.raises(NotAuthenticated):
        SIGNER.read(forged({**SAID, "aud": audience}), NOW)


def test_every_altered_character_voids_a_token() -> None:
    token = SIGNER.sign(CLAIMS).reveal()
    for place in range(0, len(token) - 1, 3):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(NotAuthenticated):
            SIGNER.read(token[:place] + other + token[place + 1 :], NOW)


@given(st.text(max_size=200))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        SIGNER.read(text, NOW)


def test_a_header_that_demands_something_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        SIGNER.read(forged(SAID, crit=["exp"]), NOW)


def test_a_mark_is_the_same_for_the_same_name_and_key_only() -> None:
    assert SIGNER.mark("ann") == JwtSigner(SECRET, INSTALLATION).mark("ann")
    others = {SIGNER.mark("bob"), JwtSigner(Secret("another secret"), INSTALLATION).mark("ann"), SIGNER.mark("")}
    assert SIGNER.mark("ann") not in others
    assert "ann" not in SIGNER.mark("ann")


def test_neither_the_token_nor_the_key_is_shown() -> None:
    assert SIGNER.sign(CLAIMS).reveal() not in repr(SIGNER.sign(CLAIMS))
    assert SECRET.reveal() not in repr(vars(SIGNER))
