"""Users: who may sign in, and with which role."""

from collections.abc import Sequence
from dataclasses import replace

from pgproof.domain.access import Role, User
from pgproof.domain.credentials import check_password, check_user_name, name_key
from pgproof.domain.errors import InvalidInput, NotFound
from pgproof.services.ports import Clock
from pgproof.services.ports.access import AccessRecords, PasswordHasher, Randomness, TokenSigner

FIRST_ADMIN = "admin"


class UserService:
    """Names are compared without regard to case. The last active admin stays: it is refused to take one away."""

    def __init__(
        self,
        records: AccessRecords,
        hasher: PasswordHasher,
        signer: TokenSigner,
        randomness: Randomness,
        clock: Clock,
    ) -> None:
        self._records = records
        self._hasher = hasher
        self._signer = signer
        self._randomness = randomness
        self._clock = clock

    def add(self, name: str, role: Role, password: str) -> User:
        """A new user. Raises `InvalidInput`, and `Conflict` if the name is taken."""
        checked = check_user_name(name)
        hashed = self._hasher.hash(check_password(password, name=checked))
        return self._records.add_user(checked, hashed, role, self._clock.now())

    def list(self) -> Sequence[User]:
        """All users by name."""
        return self._records.list_users()

    def get(self, name: str) -> User:
        """The user of that name, or `NotFound`."""
        return self._records.get_user(name)

    def by_id(self, user_id: int) -> User:
        """The user of that number, or `NotFound`."""
        found = self._records.user_by_id(user_id)
        if found is None:
            raise NotFound(f"there is no user {user_id}", hint="`pgproof user list` shows all users.")
        return found

    def change(self, name: str, *, role: Role | None = None, active: bool | None = None) -> User:
        """Change the role, or whether the user may sign in. Every session of the user ends with a change.

        Raises `NotFound`, `InvalidInput` if there is nothing to change, and `Conflict` for the last active admin.
        """
        if role is None and active is None:
            raise InvalidInput("nothing was given to change", hint="Give a role, or disable or enable the user.")

        def changed(stored: User) -> User:
            return replace(
                stored,
                role=stored.role if role is None else role,
                active=stored.active if active is None else active,
            )

        return self._records.change_user(name, changed)

    def set_password(self, name: str, password: str) -> User:
        """Store a new password. Every session of the user ends; API tokens stay, and waits for the name are over."""
        user = self._records.get_user(name)
        hashed = self._hasher.hash(check_password(password, name=user.name))
        changed = self._records.change_user(user.name, lambda stored: stored, password_hash=hashed)
        self._records.forget_failures(self._signer.mark(name_key(user.name)))
        return changed

    def remove(self, name: str) -> User:
        """Forget a user, with sessions and API tokens; the audit trail keeps the name. Returns who it was."""
        return self._records.remove_user(name)

    def ensure_admin(self) -> str | None:
        """If there is no user at all, make ``admin`` and return the generated password: it is not shown again."""
        if self._records.list_users():
            return None
        password = self._randomness.password()
        hashed = self._hasher.hash(check_password(password, name=FIRST_ADMIN))
        made = self._records.add_first_user(FIRST_ADMIN, hashed, Role.ADMIN, self._clock.now())
        return password if made else None
