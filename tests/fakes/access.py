"""Users and rights in memory, held to the same contract as the real records; and what goes with them."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import RLock

from pgproof.domain.access import ApiToken, RefreshSession, Role, User
from pgproof.domain.audit import AuditEntry
from pgproof.domain.credentials import name_key
from pgproof.domain.errors import CatalogUnreachable, Conflict, NotAuthenticated, NotFound
from pgproof.domain.secret import Secret
from pgproof.domain.sign_in_limit import Failures, Subject
from pgproof.services.ports.access import AccessClaims, Account, AuditFilter, NewAuditEntry, Rotation


class MemoryAccessRecords:
    """See the port `AccessRecords`. While `unreachable` is set calls are refused."""

    def __init__(self) -> None:
        self.unreachable = False
        self._mutex = RLock()
        self._last_id = 0
        self._accounts: dict[int, Account] = {}
        self._origins: dict[tuple[int, str], datetime] = {}
        self._sessions: dict[int, RefreshSession] = {}
        self._refresh_tokens: dict[bytes, tuple[int, bool]] = {}
        self._tokens: dict[int, tuple[ApiToken, bytes]] = {}
        self._failures: dict[Subject, Failures] = {}
        self._entries: list[AuditEntry] = []

    def add_user(self, name: str, password_hash: Secret, role: Role, now: datetime) -> User:
        with self._answering():
            if self.find_account(name):
                raise Conflict(f"a user named {name} exists already")
            user = User(self._next_id(), name, role, active=True, epoch=1, created_at=now)
            self._accounts[user.id] = Account(user, password_hash)
            return user

    def add_first_user(self, name: str, password_hash: Secret, role: Role, now: datetime) -> User | None:
        with self._answering():
            return None if self._accounts else self.add_user(name, password_hash, role, now)

    def list_users(self) -> Sequence[User]:
        with self._answering():
            return sorted((found.user for found in self._accounts.values()), key=lambda user: name_key(user.name))

    def get_user(self, name: str) -> User:
        return self._account(name).user

    def user_by_id(self, user_id: int) -> User | None:
        found = self._accounts.get(user_id)
        return found.user if found else None

    def find_account(self, name: str) -> Account | None:
        with self._answering():
            same = (found for found in self._accounts.values() if name_key(found.user.name) == name_key(name))
            return next(same, None)

    def change_user(self, name: str, change: Callable[[User], User], *, password_hash: Secret | None = None) -> User:
        with self._answering():
            account = self._account(name)
            stored, wanted = account.user, change(account.user)
            if (wanted.role, wanted.active) == (stored.role, stored.active) and password_hash is None:
                return stored
            if stored.is_active_admin and not wanted.is_active_admin:
                self._refuse_without_another_admin(stored)
            changed = replace(stored, role=wanted.role, active=wanted.active, epoch=stored.epoch + 1)
            self._accounts[stored.id] = Account(changed, password_hash or account.password_hash)
            self._end_sessions(stored.id)
            return changed

    def remove_user(self, name: str) -> User:
        with self._answering():
            stored = self._account(name).user
            if stored.is_active_admin:
                self._refuse_without_another_admin(stored)
            self._end_sessions(stored.id)
            self._tokens = {key: found for key, found in self._tokens.items() if found[0].user_id != stored.id}
            self._origins = {key: at for key, at in self._origins.items() if key[0] != stored.id}
            del self._accounts[stored.id]
            return stored

    def renew_hash(self, user_id: int, old: Secret, new: Secret) -> None:
        with self._answering():
            found = self._accounts.get(user_id)
            if found and found.password_hash == old:
                self._accounts[user_id] = replace(found, password_hash=new)

    def begin_session(
        self, user: User, token_hash: bytes, *, address: str | None, origin: str, now: datetime, expires_at: datetime
    ) -> RefreshSession | None:
        with self._answering():
            account = self._accounts.get(user.id)
            if account is None or account.user.epoch != user.epoch or not account.user.active:
                return None
            for expired in [found.id for found in self._sessions.values() if found.expires_at <= now]:
                self._end(expired)
            self._accounts[user.id] = replace(account, user=replace(account.user, last_sign_in_at=now))
            self._origins[user.id, origin] = now
            session = RefreshSession(self._next_id(), user.id, now, expires_at, address)
            self._sessions[session.id] = session
            self._refresh_tokens[token_hash] = (session.id, False)
            return session

    def rotate_session(self, token_hash: bytes, new_hash: bytes, now: datetime) -> Rotation | None:
        with self._answering():
            session_id, exchanged = self._refresh_tokens.get(token_hash, (0, False))
            session = self._sessions.get(session_id)
            account = self._accounts.get(session.user_id) if session else None
            if session is None or account is None or not account.user.active or session.expires_at <= now:
                return None
            if exchanged:
                self._end(session.id)
                return Rotation(session, account.user, reused=True)
            self._refresh_tokens[token_hash] = (session.id, True)
            self._refresh_tokens[new_hash] = (session.id, False)
            return Rotation(session, account.user)

    def find_session(self, session_id: int) -> tuple[RefreshSession, User] | None:
        with self._answering():
            session = self._sessions.get(session_id)
            return (session, self._accounts[session.user_id].user) if session else None

    def end_session(self, token_hash: bytes) -> RefreshSession | None:
        with self._answering():
            session = self._sessions.get(self._refresh_tokens.get(token_hash, (0, False))[0])
            if session is not None:
                self._end(session.id)
            return session

    def has_signed_in_from(self, name: str, origin: str, since: datetime) -> bool:
        with self._answering():
            account = self.find_account(name)
            last = self._origins.get((account.user.id, origin)) if account else None
            return last is not None and last >= since

    def add_token(
        self, user: User, name: str, role: Role, token_hash: bytes, *, now: datetime, expires_at: datetime | None
    ) -> ApiToken:
        with self._answering():
            if user.id not in self._accounts:
                raise NotFound(f"there is no user named {user.name}")
            token = ApiToken(self._next_id(), user.id, user.name, name, role, now, expires_at)
            self._tokens[token.id] = (token, token_hash)
            return token

    def find_token(self, token_hash: bytes) -> tuple[ApiToken, User] | None:
        with self._answering():
            same = (token for token, stored in self._tokens.values() if stored == token_hash)
            token = next(same, None)
            return (token, self._accounts[token.user_id].user) if token else None

    def list_tokens(self, user_name: str | None = None) -> Sequence[ApiToken]:
        with self._answering():
            wanted = None if user_name is None else name_key(user_name)
            found = [token for token, _ in self._tokens.values() if wanted in (None, name_key(token.user_name))]
            return sorted(found, key=lambda token: token.id, reverse=True)

    def revoke_token(self, token_id: int, now: datetime) -> ApiToken:
        with self._answering():
            if token_id not in self._tokens:
                raise NotFound(f"there is no API token {token_id}")
            token, stored = self._tokens[token_id]
            revoked = replace(token, revoked_at=token.revoked_at or now)
            self._tokens[token_id] = (revoked, stored)
            return revoked

    def mark_token_used(self, token_id: int, now: datetime, unless_since: datetime) -> None:
        with self._answering():
            if token_id not in self._tokens:
                return
            token, stored = self._tokens[token_id]
            if token.last_used_at is None or token.last_used_at <= unless_since:
                self._tokens[token_id] = (replace(token, last_used_at=now), stored)

    def change_failures(
        self,
        subjects: Collection[Subject],
        change: Callable[[Mapping[Subject, Failures]], Mapping[Subject, Failures]],
    ) -> None:
        with self._answering():
            counted = {subject: self._failures[subject] for subject in subjects if subject in self._failures}
            changed = change(counted)
            for subject in subjects:
                self._failures.pop(subject, None)
            self._failures |= changed

    def forget_failures(self, name: str) -> None:
        with self._answering():
            self._failures = {subject: found for subject, found in self._failures.items() if subject.name != name}

    def forget_old_failures(self, before: datetime) -> None:
        with self._answering():
            self._failures = {subject: found for subject, found in self._failures.items() if found.last_at >= before}

    def add_entry(self, entry: NewAuditEntry) -> AuditEntry:
        with self._answering():
            added = AuditEntry(
                id=self._next_id(),
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                object=entry.object,
                outcome=entry.outcome,
                address=entry.address,
                request_id=entry.request_id,
                details=dict(entry.details),
            )
            self._entries.append(added)
            return added

    def list_entries(self, wanted: AuditFilter) -> Sequence[AuditEntry]:
        with self._answering():
            found = [
                entry
                for entry in reversed(self._entries)
                if wanted.actor in (None, entry.actor)
                and wanted.action in (None, entry.action)
                and wanted.object in (None, entry.object)
                and (wanted.cursor is None or entry.id < wanted.cursor)
                and (wanted.since is None or entry.at >= wanted.since)
                and (wanted.until is None or entry.at < wanted.until)
            ]
            return found[: wanted.limit]

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with self._mutex:
            if self.unreachable:
                raise CatalogUnreachable("unable to reach the catalog", hint="Clear `unreachable` of this fake.")
            yield

    def _account(self, name: str) -> Account:
        found = self.find_account(name)
        if found is None:
            raise NotFound(f"there is no user named {name[:100]}")
        return found

    def _refuse_without_another_admin(self, user: User) -> None:
        if not any(found.user.is_active_admin and found.user.id != user.id for found in self._accounts.values()):
            raise Conflict(f"{user.name} is the only active admin")

    def _end_sessions(self, user_id: int) -> None:
        for session in [found for found in self._sessions.values() if found.user_id == user_id]:
            self._end(session.id)

    def _end(self, session_id: int) -> None:
        del self._sessions[session_id]
        self._refresh_tokens = {key: value for key, value in self._refresh_tokens.items() if value[0] != session_id}

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id


class QuickHasher:
    """Fast and unsafe; counts what it is asked, so that a test sees who compares what."""

    def __init__(self, kind: str = "quick") -> None:
        self.kind = kind
        self.verified = 0
        self.hashed = 0

    def hash(self, password: str) -> Secret:
        self.hashed += 1
        return Secret(f"{self.kind}:{hashlib.sha256(password.encode()).hexdigest()}")

    def verify(self, password: str, hashed: Secret) -> tuple[bool, Secret | None]:
        self.verified += 1
        kind, _, digest = hashed.reveal().partition(":")
        fits = digest == hashlib.sha256(password.encode()).hexdigest()
        return fits, self.hash(password) if fits and kind != self.kind else None


class PlainSigner:
    """Remembers what it signed; a name's mark is not secret here."""

    def __init__(self) -> None:
        self._signed: dict[str, AccessClaims] = {}

    def sign(self, claims: AccessClaims) -> Secret:
        text = f"signed.{len(self._signed)}"
        self._signed[text] = claims
        return Secret(text)

    def read(self, token: str, now: datetime) -> AccessClaims:
        claims = self._signed.get(token)
        if claims is None or claims.expires_at <= now:
            raise NotAuthenticated
        return claims

    def mark(self, text: str) -> str:
        return f"mark of {text}"


class CountingRandomness:
    """Different each time, and the same in every run."""

    def __init__(self) -> None:
        self._given = 0

    def token(self) -> str:
        self._given += 1
        return f"{self._given:043d}"

    def password(self) -> str:
        self._given += 1
        return f"generated-{self._given:014d}"


class SetClock:
    """Stands still until it is told otherwise."""

    def __init__(self, now: datetime = datetime(2025, 3, 30, 0, 59, 59, 123456, tzinfo=UTC)) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    def advance(self, **span: float) -> None:
        self._now += timedelta(**span)
