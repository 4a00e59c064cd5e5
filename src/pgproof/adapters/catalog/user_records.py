"""The part of the catalog that knows users."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.access_models import SessionRow, UserRow
from pgproof.adapters.catalog.found import is_possible_id
from pgproof.adapters.catalog.transactions import Records
from pgproof.domain.access import Role, User
from pgproof.domain.credentials import LONGEST_NAME, name_key
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.secret import Secret
from pgproof.domain.wording import in_quotes
from pgproof.services.ports.access import Account

# Whoever may take away an admin takes turns: two who each leave the other one would leave none.
_TURNS = text("LOCK TABLE pgproof.users IN SHARE ROW EXCLUSIVE MODE")
# All that makes a `User`: not the hash of the password.
USER_COLUMNS = (
    UserRow.id,
    UserRow.name,
    UserRow.role,
    UserRow.active,
    UserRow.epoch,
    UserRow.created_at,
    UserRow.last_sign_in_at,
)


class UserRecords(Records):
    """See the port `UserRecords`."""

    def add_user(self, name: str, password_hash: Secret, role: Role, now: datetime) -> User:
        """A new active user; `Conflict` if the name is taken."""
        with self._transactions() as session:
            added = _insert(session, name, password_hash, role, now)
        if added is None:
            raise Conflict(
                f"a user named {in_quotes(name)} exists already",
                hint="Choose another name; upper and lower case do not count.",
            )
        return added

    def add_first_user(self, name: str, password_hash: Secret, role: Role, now: datetime) -> User | None:
        """A new active user if there is none at all."""
        with self._transactions() as session:
            session.execute(_TURNS)
            if session.scalar(select(exists(select(UserRow.id)))):
                return None
            return _insert(session, name, password_hash, role, now)

    def list_users(self) -> Sequence[User]:
        """All users by name."""
        with self._transactions() as session:
            rows = list(session.scalars(select(UserRow)))
            # Sorted here: the server's collation differs from machine to machine.
            return [to_user(row) for row in sorted(rows, key=lambda row: row.name_key)]

    def get_user(self, name: str) -> User:
        """The user of that name, or `NotFound`."""
        with self._transactions() as session:
            return to_user(_row(session, name))

    def user_by_id(self, user_id: int) -> User | None:
        """The user of that id, if there is one."""
        if not is_possible_id(user_id):
            return None
        with self._transactions() as session:
            row = session.get(UserRow, user_id)
            return to_user(row) if row else None

    def find_account(self, name: str) -> Account | None:
        """The user of that name and the hash of the password, if there is one."""
        with self._transactions() as session:
            row = session.scalar(select(UserRow).where(UserRow.name_key == name_key(name)))
            return Account(to_user(row), Secret(row.password_hash)) if row else None

    def change_user(self, name: str, change: Callable[[User], User], *, password_hash: Secret | None = None) -> User:
        """Store role, activity and a new password; the epoch grows, and every session of the user ends."""
        with self._transactions() as session:
            session.execute(_TURNS)
            row = _row(session, name)
            stored = to_user(row)
            changed = change(stored)
            if (changed.role, changed.active) == (stored.role, stored.active) and password_hash is None:
                return stored
            if stored.is_active_admin and not changed.is_active_admin:
                _refuse_without_another_admin(session, stored)
            row.role, row.active, row.epoch = changed.role.value, changed.active, stored.epoch + 1
            if password_hash is not None:
                row.password_hash = password_hash.reveal()
            session.execute(delete(SessionRow).where(SessionRow.user_id == row.id))
            return to_user(row)

    def remove_user(self, name: str) -> User:
        """Forget a user with sessions and API tokens."""
        with self._transactions() as session:
            session.execute(_TURNS)
            row = _row(session, name)
            stored = to_user(row)
            if stored.is_active_admin:
                _refuse_without_another_admin(session, stored)
            session.delete(row)
            return stored

    def renew_hash(self, user_id: int, old: Secret, new: Secret) -> None:
        """Store another hash of the same password, unless the password was changed meanwhile."""
        unchanged = (UserRow.id == user_id, UserRow.password_hash == old.reveal())
        with self._transactions() as session:
            session.execute(update(UserRow).where(*unchanged).values(password_hash=new.reveal()))


def to_user(row: UserRow | Row[Any]) -> User:
    """A user, from an object or from a plain row with `USER_COLUMNS`."""
    return User(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        active=row.active,
        epoch=row.epoch,
        created_at=row.created_at,
        last_sign_in_at=row.last_sign_in_at,
    )


def no_user(name: str) -> NotFound:
    """There is no user of that name."""
    return NotFound(
        f"there is no user named {in_quotes(name[:LONGEST_NAME])}", hint="`pgproof user list` shows all users."
    )


def _row(session: Session, name: str) -> UserRow:
    row = session.scalar(select(UserRow).where(UserRow.name_key == name_key(name)))
    if row is None:
        raise no_user(name)
    return row


def _insert(session: Session, name: str, password_hash: Secret, role: Role, now: datetime) -> User | None:
    values = {
        "name": name,
        "name_key": name_key(name),
        "password_hash": password_hash.reveal(),
        "role": role.value,
        "created_at": now,
    }
    statement = insert(UserRow).values(values).on_conflict_do_nothing(index_elements=["name_key"]).returning(UserRow)
    row = session.scalar(statement)
    return to_user(row) if row else None


def _refuse_without_another_admin(session: Session, user: User) -> None:
    others = select(func.count()).where(UserRow.id != user.id, UserRow.active, UserRow.role == Role.ADMIN.value)
    if not session.scalar(others):
        raise Conflict(
            f"{in_quotes(user.name)} is the only active admin, and without one nobody could manage this pgproof",
            hint="Make another user an admin first: pgproof user change NAME --role admin",
        )
