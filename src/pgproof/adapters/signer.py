"""Access tokens: JSON Web Tokens with HMAC-SHA256 under a key derived by HKDF."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pgproof.domain.errors import NotAuthenticated
from pgproof.domain.secret import Secret
from pgproof.services.ports.access import AccessClaims

_ISSUER = "pgproof"
_ALGORITHM = "HS256"
_SIGNING = b"pgproof: access tokens, version 1"
_MARKING = b"pgproof: marks of names, version 1"
_CLAIMS = ["iss", "aud", "sub", "sid", "epoch", "iat", "nbf", "exp"]
_CLOCKS_DIFFER_BY = timedelta(minutes=1)


class JwtSigner:
    """`installation` is whom the tokens are for: another catalog with the same secret knows other users."""

    def __init__(self, secret: Secret, installation: str) -> None:
        self._key = _derived(secret, _SIGNING)
        self._marking_key = _derived(secret, _MARKING)
        self._audience = f"pgproof:{installation}"

    def sign(self, claims: AccessClaims) -> Secret:
        """A token that says so."""
        said = {
            "iss": _ISSUER,
            "aud": self._audience,
            "sub": str(claims.user_id),
            "sid": claims.session_id,
            "epoch": claims.epoch,
            "iat": int(claims.issued_at.timestamp()),
            "nbf": int(claims.issued_at.timestamp()),
            "exp": int(claims.expires_at.timestamp()),
        }
        return Secret(jwt.encode(said, self._key, algorithm=_ALGORITHM))

    def read(self, token: str, now: datetime) -> AccessClaims:
        """What a token of ours says. Raises `NotAuthenticated`.

        The algorithm is ours, whatever the token names. Times are compared here, with the clock that was given.
        """
        try:
            said = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=_ISSUER,
                options={"require": _CLAIMS, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            claims = _claims(said)
            begins = _time(said["nbf"])
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            raise NotAuthenticated from None
        if claims.expires_at <= now or max(begins, claims.issued_at) > now + _CLOCKS_DIFFER_BY:
            raise NotAuthenticated
        return claims

    def mark(self, text: str) -> str:
        """A keyed digest in hexadecimal."""
        return hmac.digest(self._marking_key, text.encode(errors="replace"), "sha256").hex()


def _derived(secret: Secret, purpose: bytes) -> bytes:
    # The secret is random already, so no salt is needed; the purpose keeps this key apart from others.
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.reveal().encode())


def _claims(said: dict[str, Any]) -> AccessClaims:
    return AccessClaims(
        session_id=_number(said["sid"]),
        user_id=int(said["sub"]),
        epoch=_number(said["epoch"]),
        issued_at=_time(said["iat"]),
        expires_at=_time(said["exp"]),
    )


def _time(value: Any) -> datetime:
    return datetime.fromtimestamp(_number(value), UTC)


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    return value
