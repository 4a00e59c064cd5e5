"""Hashes of passwords: Argon2id, slow on purpose, and never the password itself."""

from threading import Barrier, Lock, Thread

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from pgproof.adapters.passwords import Argon2Passwords
from pgproof.adapters.randomness import SystemRandomness

PASSWORD = "correct horse battery"
QUICK = Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(scope="module")
def passwords() -> Argon2Passwords:
    return Argon2Passwords()


def test_a_password_is_stored_as_argon2id_with_the_recommended_effort(passwords: Argon2Passwords) -> None:
    hashed = passwords.hash(PASSWORD)
    assert hashed.reveal().startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORD not in hashed.reveal()
    assert hashed.reveal() not in repr(hashed)


def test_only_the_password_itself_fits(passwords: Argon2Passwords) -> None:
    hashed = passwords.hash(PASSWORD)
    assert passwords.verify(PASSWORD, hashed) == (True, None)
    for other in ("", PASSWORD + " ", PASSWORD[:-1], PASSWORD.upper(), hashed.reveal()):
        assert passwords.verify(other, hashed) == (False, None)


def test_two_hashes_of_one_password_differ() -> None:
    quick = Argon2Passwords(QUICK)
    assert quick.hash(PASSWORD) != quick.hash(PASSWORD)


def test_every_byte_of_a_long_password_counts() -> None:
    quick = Argon2Passwords(QUICK)
    hashed = quick.hash("x" * 1_023 + "a")
    assert quick.verify("x" * 1_023 + "a", hashed)[0]
    assert not quick.verify("x" * 1_023 + "b", hashed)[0]


def test_a_hash_with_less_effort_is_renewed_if_the_password_fits(passwords: Argon2Passwords) -> None:
    old = Argon2Passwords(QUICK).hash(PASSWORD)
    fits, renewed = passwords.verify(PASSWORD, old)
    assert fits
    assert renewed is not None
    assert passwords.verify(PASSWORD, renewed) == (True, None)
    assert passwords.verify("wrong password", old) == (False, None)


class Watching(Argon2Hasher):
    """Counts how many are at work at once, and lets them meet in pairs."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.most = self.now = 0
        self._mutex = Lock()
        self.pair = Barrier(2)

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self._mutex:
            self.now += 1
            self.most = max(self.most, self.now)
        self.pair.wait()
        hashed = super().hash(password, salt=salt)
        self.pair.wait()
        with self._mutex:
            self.now -= 1
        return hashed


def test_only_so_many_hashes_are_made_at_once() -> None:
    watching = Watching()
    passwords = Argon2Passwords(watching, at_once=2)
    threads = [Thread(target=passwords.hash, args=[PASSWORD]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert watching.most == 2


def test_random_texts_are_long_and_never_the_same() -> None:
    randomness = SystemRandomness()
    made = [randomness.token() for _ in range(100)]
    assert {len(text) for text in made} == {43}
    assert len(set(made)) == 100
    assert {len(randomness.password()) for _ in range(10)} == {24}
