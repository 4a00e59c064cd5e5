"""What users and rights need: records of them, hashes, signatures, randomness."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pgproof.domain.access import ApiToken, RefreshSession, Role, User
from pgproof.domain.audit import AuditEntry
from pgproof.domain.secret import Secret
from pgproof.domain.sign_in_limit import Failures, Subject


@dataclass(frozen=True)
class Account:
    """A user with what a password is compared with."""

    user: User
    password_hash: Secret


@dataclass(frozen=True)
class Rotation:
    """What became of a refresh token that was shown. `reused`: it had been used before, and its session has ended."""

    session: RefreshSession
    user: User
    reused: bool = False


@dataclass(frozen=True)
class AuditFilter:
    """Which entries to list: the newest `limit` that fit all that is given; `cursor` is the id to go on before."""

    limit: int = 50
    cursor: int | None = None
    actor: str | None = None
    action: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class NewAuditEntry:
    """An entry before the catalog has numbered it; see `AuditEntry`."""

    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    address: str | None = None
    request_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class UserRecords(Protocol):
    """Users. Names are compared by `name_key`, so without regard to case."""

    def add_user(self, name: str, password_hash: Secret, role: Role, now: datetime) -> User:
        """A new active user; `Conflict` if the name is taken."""

    def add_first_user(self, name: str, password_hash: Secret, role: Role, now: datetime) -> User | None:
        """A new active user if there is none at all, else ``None``; of two at the same time one succeeds."""

    def list_users(self) -> Sequence[User]:
        """All users by name."""

    def get_user(self, name: str) -> User:
        """The user of that name, or `NotFound`."""

    def user_by_id(self, user_id: int) -> User | None:
        """The user of that id, if there is one."""

    def find_account(self, name: str) -> Account | None:
        """The user of that name and the hash of the password, if there is one."""

    def change_user(self, name: str, change: Callable[[User], User], *, password_hash: Secret | None = None) -> User:
        """Store what `change` makes of role and activity, and a new password; nobody changes the user in between.

        If anything differs the epoch grows, and every session of the user ends. Raises `NotFound`, and `Conflict` if
        no active admin would be left, also where two calls at the same time would come to that together.
        """

    def remove_user(self, name: str) -> User:
        """Forget a user with sessions and API tokens; returns who it was. Raises as `change_user` does."""

    def renew_hash(self, user_id: int, old: Secret, new: Secret) -> None:
        """Store another hash of the same password, unless the password was changed meanwhile."""


class SessionRecords(Protocol):
    """Sign-ins that go on by refresh tokens. Only hashes of tokens are kept."""

    def begin_session(
        self, user: User, token_hash: bytes, *, address: str | None, origin: str, now: datetime, expires_at: datetime
    ) -> RefreshSession | None:
        """A new session, unless the user was changed or removed meanwhile: then ``None``.

        Remembers that the user signed in from `origin`. Forgets sessions that have expired.
        """

    def rotate_session(self, token_hash: bytes, new_hash: bytes, now: datetime) -> Rotation | None:
        """Exchange a refresh token for the next one. ``None``: unknown, expired, or the user is not active.

        A token that was exchanged before ends its session. Of two calls with one token the second is a reuse.
        """

    def find_session(self, session_id: int) -> tuple[RefreshSession, User] | None:
        """The session of that number and its user, if it has not ended by a sign-out, a reuse or a change."""

    def end_session(self, token_hash: bytes) -> RefreshSession | None:
        """End the session of a refresh token, and return it; ``None`` if there is none."""

    def has_signed_in_from(self, name: str, origin: str, since: datetime) -> bool:
        """Whether the user of that name has signed in from there at or after that time."""


class ApiTokenRecords(Protocol):
    """API tokens. Only their hashes are kept."""

    def add_token(
        self, user: User, name: str, role: Role, token_hash: bytes, *, now: datetime, expires_at: datetime | None
    ) -> ApiToken:
        """A new token of a user; `NotFound` if the user was removed meanwhile."""

    def find_token(self, token_hash: bytes) -> tuple[ApiToken, User] | None:
        """The token of that hash and its user, if there is one, in whatever state both are."""

    def list_tokens(self, user_name: str | None = None) -> Sequence[ApiToken]:
        """All tokens, the revoked ones too, the newest first; of one user where a name is given."""

    def revoke_token(self, token_id: int, now: datetime) -> ApiToken:
        """Void a token for ever; one that is revoked already stays as it is. Raises `NotFound`."""

    def mark_token_used(self, token_id: int, now: datetime, unless_since: datetime) -> None:
        """Store `now` as the last use, unless a later use than `unless_since` is stored."""


class FailureRecords(Protocol):
    """Failed attempts to sign in, counted for all processes together."""

    def change_failures(
        self,
        subjects: Collection[Subject],
        change: Callable[[Mapping[Subject, Failures]], Mapping[Subject, Failures]],
    ) -> None:
        """Give `change` what is counted for these subjects, and store what it returns instead.

        Nobody else changes them in between. What `change` leaves out is forgotten; if it raises, nothing changes.
        """

    def forget_failures(self, name: str) -> None:
        """Forget what is counted for a name (as subjects have it), from every address."""

    def forget_old_failures(self, before: datetime) -> None:
        """Forget counts whose last failure was before that time."""


class AuditRecords(Protocol):
    """The audit trail: it is only ever added to."""

    def add_entry(self, entry: NewAuditEntry) -> AuditEntry:
        """Store an entry for good."""

    def list_entries(self, wanted: AuditFilter) -> Sequence[AuditEntry]:
        """The newest first."""


class AccessRecords(UserRecords, SessionRecords, ApiTokenRecords, FailureRecords, AuditRecords, Protocol):
    """The part of the catalog that knows users and rights."""


class PasswordHasher(Protocol):
    """A slow hash with a salt, for passwords that people choose."""

    def hash(self, password: str) -> Secret:
        """Another one each time."""

    def verify(self, password: str, hashed: Secret) -> tuple[bool, Secret | None]:
        """Whether the password fits; and if it does, a newer hash where the stored one is of an older kind."""


@dataclass(frozen=True)
class AccessClaims:
    """What an access token says."""

    session_id: int
    user_id: int
    epoch: int
    issued_at: datetime
    expires_at: datetime


class TokenSigner(Protocol):
    """Signs access tokens, and recognises its own."""

    def sign(self, claims: AccessClaims) -> Secret:
        """A token that says so."""

    def read(self, token: str, now: datetime) -> AccessClaims:
        """What a token of ours says. Raises `NotAuthenticated` if it is forged, incomplete, too old or too new."""

    def mark(self, text: str) -> str:
        """A keyed digest: the same for the same text, and without the key nobody learns the text from it."""


class Randomness(Protocol):
    """Values that nobody can guess."""

    def token(self) -> str:
        """43 URL-safe characters from 32 random bytes."""

    def password(self) -> str:
        """24 characters from 18 random bytes, to be typed."""
