"""Users, tokens and the audit trail as the API shows them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from pgproof.domain.access import ApiToken, Permission, Principal, Role, User
from pgproof.domain.audit import AuditEntry
from pgproof.entrypoints.http.fields import Identifier, Limit, Moment, Name, Request, Text, Truth
from pgproof.services.access import SignedIn

_Password = Annotated[Text, Field(min_length=1, max_length=1024, examples=["correct horse battery"])]
_Token = Annotated[Text, Field(min_length=1, max_length=4096)]


class SignIn(Request):
    """The form of OAuth2's password grant (RFC 6749, 4.3)."""

    username: Text = Field(min_length=1, max_length=1000, description="The user's name.", examples=["admin"])
    password: Text = Field(
        min_length=1, max_length=4096, description="The user's password.", examples=["correct horse battery"]
    )
    grant_type: Literal["password"] = Field(default="password", description="RFC 6749 has clients send it.")
    scope: Text = Field(default="", max_length=1000, description="Not used: the user's role decides.")
    client_id: Annotated[Text, Field(max_length=1000)] | None = Field(default=None, description="Not used.")
    client_secret: Annotated[Text, Field(max_length=1000)] | None = Field(default=None, description="Not used.")


class RefreshToken(Request):
    """A refresh token, which can be used once."""

    refresh_token: _Token = Field(description="The last one that was given.")


class Tokens(BaseModel):
    """What a sign-in gives. The access token lives for `expires_in` seconds."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - RFC 6749's word
    expires_in: int
    refresh_token: str


class Me(BaseModel):
    """Who calls, and what the caller may do."""

    name: str
    role: Role
    permissions: list[Permission]
    token_id: int | None


class AddUser(Request):
    """A user to add."""

    name: Name = Field(description="The name to sign in with.", examples=["ann"])
    role: Role = Field(description="What the user may do.")
    password: _Password = Field(description="Only its hash is stored.")


class ChangeUser(Request):
    """What is to be another; every session of the user ends."""

    role: Role | None = Field(default=None, description="What the user may do.")
    active: Truth | None = Field(default=None, description="False shuts the user out at once.")


class NewPassword(Request):
    """Another password; every session of the user ends."""

    password: _Password = Field(description="Only its hash is stored.")


class UserRow(BaseModel):
    """A user."""

    id: int
    name: str
    role: Role
    active: bool
    created_at: datetime
    last_sign_in_at: datetime | None


class UserList(BaseModel):
    """All users by name."""

    users: list[UserRow]


class CreateToken(Request):
    """An API token to make."""

    name: Name = Field(description="What it is for.", examples=["nightly report"])
    user: Name | None = Field(default=None, description="Whose it is; else the caller's.")
    role: Role | None = Field(default=None, description="The user's or a lower one.")
    expires_at: Moment | None = Field(
        default=None, description="Else it does not expire.", examples=["2031-01-01T00:00:00Z"]
    )


class TokenQuery(Request):
    """Which API tokens to list."""

    user: Annotated[Text, Field(max_length=200)] | None = Field(default=None, description="Only those of this user.")


class TokenRow(BaseModel):
    """An API token, without its text."""

    id: int
    name: str
    user: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokenList(BaseModel):
    """All API tokens, the revoked ones too, the newest first."""

    tokens: list[TokenRow]


class CreatedToken(TokenRow):
    """A new API token. `token` is its text, which is shown this once."""

    token: str


class AuditQuery(Request):
    """Which entries to list, newest first."""

    limit: Limit = 50
    cursor: Identifier | None = Field(default=None, description="`next_cursor` of the answer before.")
    actor: Annotated[Text, Field(max_length=200)] | None = Field(default=None, description="Who did it.")
    action: Annotated[Text, Field(max_length=200)] | None = Field(
        default=None, description="What was done.", examples=["backup.download"]
    )
    object: Annotated[Text, Field(max_length=1000)] | None = Field(
        default=None, description="What it was done to.", examples=["17"]
    )
    since: Moment | None = Field(default=None, description="Not before this time.")
    until: Moment | None = Field(default=None, description="Before this time.")


class AuditRow(BaseModel):
    """Who did what, from where, and how it ended: `done`, or the code of the error."""

    id: int
    at: datetime
    actor: str
    action: str
    object: str
    outcome: str
    address: str | None
    request_id: str | None
    details: dict[str, Any]


class AuditList(BaseModel):
    """A page of the audit trail."""

    entries: list[AuditRow]
    next_cursor: int | None


def tokens(found: SignedIn) -> Tokens:
    """What a sign-in gives."""
    return Tokens(
        access_token=found.access_token.reveal(),
        refresh_token=found.refresh_token.reveal(),
        expires_in=found.expires_in,
    )


def me(principal: Principal) -> Me:
    """Who calls."""
    allowed = [permission for permission in Permission if principal.may(permission)]
    return Me(name=principal.name, role=principal.role, permissions=allowed, token_id=principal.token_id)


def user_row(user: User) -> UserRow:
    """A user."""
    return UserRow(
        id=user.id,
        name=user.name,
        role=user.role,
        active=user.active,
        created_at=user.created_at,
        last_sign_in_at=user.last_sign_in_at,
    )


def token_row(token: ApiToken) -> TokenRow:
    """An API token, without its text."""
    return TokenRow(
        id=token.id,
        name=token.name,
        user=token.user_name,
        role=token.role,
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        revoked_at=token.revoked_at,
    )


def audit_row(entry: AuditEntry) -> AuditRow:
    """An entry of the audit trail."""
    return AuditRow(**{**vars(entry), "details": dict(entry.details)})
