"""Who may do what: roles and permissions, users and what stands for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a user may do as a whole; each one may all that those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """One kind of thing that may be allowed."""

    LOOK = "look"
    BACK_UP = "back_up"
    VERIFY = "verify"
    TEST = "test"
    HOLD = "hold"
    CANCEL = "cancel"
    RESTORE = "restore"
    DELETE = "delete"
    DOWNLOAD = "download"
    CONFIGURE = "configure"
    MANAGE_USERS = "manage_users"
    AUDIT = "audit"


_LOOKING = frozenset({Permission.LOOK})
_OPERATING = _LOOKING | {
    Permission.BACK_UP,
    Permission.VERIFY,
    Permission.TEST,
    Permission.HOLD,
    Permission.CANCEL,
}

# A download takes all data out of the house and a restore replaces it: neither is an operator's.
PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {Role.VIEWER: _LOOKING, Role.OPERATOR: _OPERATING, Role.ADMIN: frozenset(Permission)}
)


def allows(role: Role, permission: Permission) -> bool:
    """Whether somebody of that role may."""
    return permission in PERMISSIONS[role]


def lower_of(one: Role, other: Role) -> Role:
    """The role that may less."""
    return one if PERMISSIONS[one] <= PERMISSIONS[other] else other


@dataclass(frozen=True)
class Principal:
    """Who acts: a user, by a password or by an API token, or somebody whom another application knows."""

    name: str
    role: Role
    user_id: int | None = None
    token_id: int | None = None

    def may(self, permission: Permission) -> bool:
        """Whether it is allowed."""
        return allows(self.role, permission)

    @property
    def actor(self) -> str:
        """The name for the audit trail. A user's own name has no colon, so nobody can be called like this."""
        return self.name if self.token_id is None else f"{self.name}:token:{self.token_id}"


@dataclass(frozen=True)
class User:
    """Somebody who may sign in while `active`.

    `epoch` grows with each change of role, password or activity; what was signed for an earlier one is void.
    """

    id: int
    name: str
    role: Role
    active: bool
    epoch: int
    created_at: datetime
    last_sign_in_at: datetime | None = None

    @property
    def is_active_admin(self) -> bool:
        """Whether this user keeps the installation manageable."""
        return self.active and self.role is Role.ADMIN


@dataclass(frozen=True)
class ApiToken:
    """Stands for its user in scripts, with a role of its own; its secret text is not kept.

    `last_used_at` is exact to the minute. An `expires_at` of ``None`` is never.
    """

    id: int
    user_id: int
    user_name: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it may still be used."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class RefreshSession:
    """One sign-in that goes on by refresh tokens, each good for one use, until `expires_at`."""

    id: int
    user_id: int
    created_at: datetime
    expires_at: datetime
    address: str | None = None
