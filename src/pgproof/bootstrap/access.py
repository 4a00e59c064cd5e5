"""Wires users and rights."""

from dataclasses import dataclass

from pgproof.adapters.catalog import AccessRecords, PostgresCatalog
from pgproof.adapters.passwords import Argon2Passwords
from pgproof.adapters.randomness import SystemRandomness
from pgproof.adapters.signer import JwtSigner
from pgproof.domain.secret import Secret
from pgproof.services.access import AccessService
from pgproof.services.api_tokens import ApiTokenService
from pgproof.services.audit import AuditTrail
from pgproof.services.ports import Clock
from pgproof.services.users import UserService
from pgproof.settings import Settings


@dataclass(frozen=True)
class AccessParts:
    """The services of users and rights."""

    access: AccessService
    users: UserService
    api_tokens: ApiTokenService
    audit: AuditTrail


def access_parts(settings: Settings, catalog: PostgresCatalog, secret_key: Secret, clock: Clock) -> AccessParts:
    """All of them, on one catalog."""
    records = AccessRecords(catalog.transactions)
    hasher, randomness = Argon2Passwords(), SystemRandomness()
    signer = JwtSigner(secret_key, catalog.installation())
    audit = AuditTrail(records, clock)
    return AccessParts(
        access=AccessService(
            records,
            hasher,
            signer,
            randomness,
            clock,
            audit,
            token_minutes=settings.token_minutes,
            refresh_days=settings.refresh_days,
        ),
        users=UserService(records, hasher, signer, randomness, clock),
        api_tokens=ApiTokenService(records, randomness, clock),
        audit=audit,
    )
