"""Hashes of passwords: Argon2id with the parameters that pwdlib recommends."""

from threading import BoundedSemaphore

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from pgproof.domain.secret import Secret

_AT_ONCE = 4


class Argon2Passwords:
    """Each hash takes some tens of milliseconds and 64 MiB, by design.

    Only `at_once` are made at a time, whoever asks: many people at the door must not take the machine's memory.
    """

    def __init__(self, hasher: Argon2Hasher | None = None, *, at_once: int = _AT_ONCE) -> None:
        self._hash = PasswordHash((hasher or Argon2Hasher(),))
        self._places = BoundedSemaphore(at_once)

    def hash(self, password: str) -> Secret:
        """Another one each time: the salt is random."""
        with self._places:
            return Secret(self._hash.hash(password))

    def verify(self, password: str, hashed: Secret) -> tuple[bool, Secret | None]:
        """Whether it fits, and a new hash where the stored one was made with other parameters."""
        with self._places:
            fits, renewed = self._hash.verify_and_update(password, hashed.reveal())
        return fits, None if renewed is None else Secret(renewed)
