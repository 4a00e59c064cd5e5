"""Keeps secrets that must be stored: Fernet (AES-128-CBC with HMAC-SHA256) under a key derived by HKDF."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pgproof.domain.errors import ConfigurationError
from pgproof.domain.secret import Secret

_PURPOSE = b"pgproof: stored passwords, version 1"


class FernetSeal:
    """Seals and opens with a key that is made from `secret`, which should be long and random."""

    def __init__(self, secret: Secret) -> None:
        # The secret is random already, so no salt is needed; the purpose keeps this key apart from others.
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE)
        self._fernet = Fernet(base64.urlsafe_b64encode(derived.derive(secret.reveal().encode())))

    def seal(self, text: str) -> bytes:
        """An encrypted, authenticated form; another one each time."""
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """What was sealed. Raises `ConfigurationError` if the key is another one."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise ConfigurationError(
                "a stored password cannot be opened: it was sealed with another secret key, or it was altered",
                hint="Set BACKUP_SECRET_KEY to the key of that time, or give the password again:"
                " pgproof database update NAME URL",
            ) from error
