"""API tokens: what stands for a user in scripts."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from pgproof.domain.access import ApiToken, Role, lower_of
from pgproof.domain.credentials import API_TOKEN_PREFIX, check_token_name
from pgproof.domain.errors import Conflict, InvalidInput
from pgproof.domain.secret import Secret
from pgproof.domain.wording import in_quotes
from pgproof.services.ports import Clock
from pgproof.services.ports.access import AccessRecords, Randomness

# A day before the calendar's last: in another zone that would be in a year that cannot be written.
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)


def token_hash(text: str) -> bytes:
    """SHA-256: of 32 random bytes no guess is likely, so a slow hash or a salt would add nothing but time."""
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _is_to_come(moment: datetime, now: datetime) -> bool:
    """Whether it is later, and one that can be read again in any time zone."""
    return moment.tzinfo is not None and now < moment < _LATEST


class ApiTokenService:
    """Tokens never outlive their user, and never may more: both are looked at whenever one is used."""

    def __init__(self, records: AccessRecords, randomness: Randomness, clock: Clock) -> None:
        self._records = records
        self._randomness = randomness
        self._clock = clock

    def create(
        self, user: str, name: str, role: Role | None = None, expires_at: datetime | None = None
    ) -> tuple[ApiToken, Secret]:
        """A new token of a user (by default with the user's role) and its text, which is shown this once.

        Raises `NotFound`, `Conflict` if the user is disabled, and `InvalidInput` for a role above the user's or a
        time that is past.
        """
        checked, now = check_token_name(name), self._clock.now()
        owner = self._records.get_user(user)
        if not owner.active:
            raise Conflict(f"the user {in_quotes(owner.name)} is disabled", hint="Enable the user first.")
        wanted = owner.role if role is None else role
        if lower_of(wanted, owner.role) is not wanted:
            raise InvalidInput(
                f"the user {in_quotes(owner.name)} is {owner.role}, so a token cannot be {wanted}",
                hint=f"Ask for {owner.role} or less, or give the user the role first.",
            )
        if expires_at is not None and not _is_to_come(expires_at, now):
            raise InvalidInput(
                f"a token cannot expire at {expires_at.isoformat()}", hint="Give a time to come, with its time zone."
            )
        text = API_TOKEN_PREFIX + self._randomness.token()
        made = self._records.add_token(owner, checked, wanted, token_hash(text), now=now, expires_at=expires_at)
        return made, Secret(text)

    def list(self, user: str | None = None) -> Sequence[ApiToken]:
        """All tokens, the revoked ones too, the newest first; of one user where a name is given, or `NotFound`."""
        return self._records.list_tokens(None if user is None else self._records.get_user(user).name)

    def revoke(self, token_id: int) -> ApiToken:
        """Void a token at once and for ever. Raises `NotFound`."""
        return self._records.revoke_token(token_id, self._clock.now())
