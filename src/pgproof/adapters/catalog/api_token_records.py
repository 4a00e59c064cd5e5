"""The part of the catalog that knows API tokens."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Executable, bindparam, func, or_, select, update

from pgproof.adapters.catalog.access_models import ApiTokenRow, UserRow
from pgproof.adapters.catalog.found import is_possible_id
from pgproof.adapters.catalog.transactions import Records
from pgproof.adapters.catalog.user_records import USER_COLUMNS, no_user, to_user
from pgproof.domain.access import ApiToken, Role, User
from pgproof.domain.credentials import name_key
from pgproof.domain.errors import NotFound

_FIND: Executable = (
    select(
        ApiTokenRow.id.label("token_id"),
        ApiTokenRow.name.label("token_name"),
        ApiTokenRow.role.label("token_role"),
        ApiTokenRow.created_at.label("made_at"),
        ApiTokenRow.expires_at,
        ApiTokenRow.last_used_at,
        ApiTokenRow.revoked_at,
        *USER_COLUMNS,
    )
    .join(UserRow, UserRow.id == ApiTokenRow.user_id)
    .where(ApiTokenRow.token_hash == bindparam("token_hash"))
)


class ApiTokenRecords(Records):
    """See the port `ApiTokenRecords`."""

    def add_token(
        self, user: User, name: str, role: Role, token_hash: bytes, *, now: datetime, expires_at: datetime | None
    ) -> ApiToken:
        """A new token of a user; `NotFound` if the user was removed meanwhile."""
        with self._transactions() as session:
            # Locked, so that the removal of the user takes this token along or comes first.
            owner = session.get(UserRow, user.id, with_for_update={"key_share": True, "read": True})
            if owner is None:
                raise no_user(user.name)
            row = ApiTokenRow(
                user_id=owner.id,
                name=name,
                role=role.value,
                token_hash=token_hash,
                created_at=now,
                expires_at=expires_at,
            )
            session.add(row)
            session.flush()
            return _to_token(row, owner.name)

    def find_token(self, token_hash: bytes) -> tuple[ApiToken, User] | None:
        """The token of that hash and its user, if there is one."""
        with self._transactions.reading() as session:
            row = session.execute(_FIND, {"token_hash": token_hash}).one_or_none()
        if row is None:
            return None
        token = ApiToken(
            id=row.token_id,
            user_id=row.id,
            user_name=row.name,
            name=row.token_name,
            role=Role(row.token_role),
            created_at=row.made_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
        )
        return token, to_user(row)

    def list_tokens(self, user_name: str | None = None) -> Sequence[ApiToken]:
        """All tokens, the newest first; of one user where a name is given."""
        statement = select(ApiTokenRow, UserRow.name).join(UserRow, UserRow.id == ApiTokenRow.user_id)
        if user_name is not None:
            statement = statement.where(UserRow.name_key == name_key(user_name))
        with self._transactions() as session:
            return [_to_token(row, name) for row, name in session.execute(statement.order_by(ApiTokenRow.id.desc()))]

    def revoke_token(self, token_id: int, now: datetime) -> ApiToken:
        """Void a token for ever; one that is revoked already stays as it is."""
        if not is_possible_id(token_id):
            raise _no_token(token_id)
        revoked = (
            update(ApiTokenRow)
            .where(ApiTokenRow.id == token_id)
            .values(revoked_at=func.coalesce(ApiTokenRow.revoked_at, now))
            .returning(ApiTokenRow)
        )
        with self._transactions() as session:
            row = session.scalar(revoked)
            owner = session.get(UserRow, row.user_id) if row else None
            if row is None or owner is None:
                raise _no_token(token_id)
            return _to_token(row, owner.name)

    def mark_token_used(self, token_id: int, now: datetime, unless_since: datetime) -> None:
        """Store `now` as the last use, unless a later use than `unless_since` is stored."""
        due = or_(ApiTokenRow.last_used_at.is_(None), ApiTokenRow.last_used_at <= unless_since)
        with self._transactions() as session:
            session.execute(update(ApiTokenRow).where(ApiTokenRow.id == token_id, due).values(last_used_at=now))


def _to_token(row: ApiTokenRow, user_name: str) -> ApiToken:
    return ApiToken(
        id=row.id,
        user_id=row.user_id,
        user_name=user_name,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _no_token(token_id: int) -> NotFound:
    return NotFound(f"there is no API token {token_id}", hint="`pgproof token list` shows all tokens with numbers.")
