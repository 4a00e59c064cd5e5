"""The part of the catalog that knows who is signed in."""

from datetime import datetime

from sqlalchemy import Executable, bindparam, delete, exists, select, update
from sqlalchemy.dialects.postgresql import insert

from pgproof.adapters.catalog.access_models import RefreshTokenRow, SessionRow, SignInOriginRow, UserRow
from pgproof.adapters.catalog.found import is_possible_id
from pgproof.adapters.catalog.rows import clean
from pgproof.adapters.catalog.transactions import Records
from pgproof.adapters.catalog.user_records import USER_COLUMNS, to_user
from pgproof.domain.access import RefreshSession, User
from pgproof.domain.credentials import name_key
from pgproof.services.ports.access import Rotation

_FIND: Executable = (
    select(
        SessionRow.id.label("session_id"),
        SessionRow.created_at.label("begun_at"),
        SessionRow.expires_at,
        SessionRow.address,
        *USER_COLUMNS,
    )
    .join(UserRow, UserRow.id == SessionRow.user_id)
    .where(SessionRow.id == bindparam("session_id"))
)


class SessionRecords(Records):
    """See the port `SessionRecords`."""

    def begin_session(
        self, user: User, token_hash: bytes, *, address: str | None, origin: str, now: datetime, expires_at: datetime
    ) -> RefreshSession | None:
        """A new session, unless the user was changed or removed meanwhile."""
        unchanged = (UserRow.id == user.id, UserRow.epoch == user.epoch, UserRow.active)
        remembered = insert(SignInOriginRow).values(user_id=user.id, origin=clean(origin), last_at=now)
        expired = select(SessionRow.id).where(SessionRow.expires_at <= now).with_for_update(skip_locked=True)
        with self._transactions() as session:
            # A change of the user and this wait for each other; the second of the two sees the first.
            if (
                session.scalar(update(UserRow).where(*unchanged).values(last_sign_in_at=now).returning(UserRow.id))
                is None
            ):
                return None
            session.execute(delete(SessionRow).where(SessionRow.id.in_(expired)))
            session.execute(
                remembered.on_conflict_do_update(index_elements=["user_id", "origin"], set_={"last_at": now})
            )
            row = SessionRow(user_id=user.id, created_at=now, expires_at=expires_at, address=clean(address))
            session.add(row)
            session.flush()
            session.add(RefreshTokenRow(session_id=row.id, token_hash=token_hash))
            return _to_session(row)

    def rotate_session(self, token_hash: bytes, new_hash: bytes, now: datetime) -> Rotation | None:
        """Exchange a refresh token for the next one."""
        of_token = select(RefreshTokenRow.session_id).where(RefreshTokenRow.token_hash == token_hash)
        exchanged = (
            update(RefreshTokenRow)
            .where(RefreshTokenRow.token_hash == token_hash, ~RefreshTokenRow.exchanged)
            .values(exchanged=True)
            .returning(RefreshTokenRow.id)
        )
        with self._transactions() as session:
            row = session.scalar(
                select(SessionRow).where(SessionRow.id == of_token.scalar_subquery()).with_for_update()
            )
            owner = session.get(UserRow, row.user_id) if row else None
            if row is None or owner is None or not owner.active or row.expires_at <= now:
                return None
            found, user = _to_session(row), to_user(owner)
            # Under the lock on the session: of two with one token the second finds it exchanged.
            if session.scalar(exchanged) is None:
                session.delete(row)
                return Rotation(found, user, reused=True)
            session.add(RefreshTokenRow(session_id=row.id, token_hash=new_hash))
            return Rotation(found, user)

    def find_session(self, session_id: int) -> tuple[RefreshSession, User] | None:
        """The session of that number and its user, if it has not ended."""
        if not is_possible_id(session_id):
            return None
        with self._transactions.reading() as session:
            row = session.execute(_FIND, {"session_id": session_id}).one_or_none()
        if row is None:
            return None
        return RefreshSession(row.session_id, row.id, row.begun_at, row.expires_at, row.address), to_user(row)

    def end_session(self, token_hash: bytes) -> RefreshSession | None:
        """End the session of a refresh token."""
        of_token = select(RefreshTokenRow.session_id).where(RefreshTokenRow.token_hash == token_hash)
        ended = delete(SessionRow).where(SessionRow.id == of_token.scalar_subquery()).returning(SessionRow)
        with self._transactions() as session:
            row = session.scalar(ended)
            return _to_session(row) if row else None

    def has_signed_in_from(self, name: str, origin: str, since: datetime) -> bool:
        """Whether the user of that name has signed in from there since."""
        there = (
            select(SignInOriginRow.id)
            .join(UserRow, UserRow.id == SignInOriginRow.user_id)
            .where(
                UserRow.name_key == name_key(name),
                SignInOriginRow.origin == clean(origin),
                SignInOriginRow.last_at >= since,
            )
        )
        with self._transactions() as session:
            return bool(session.scalar(select(exists(there))))


def _to_session(row: SessionRow) -> RefreshSession:
    return RefreshSession(row.id, row.user_id, row.created_at, row.expires_at, row.address)
