"""Signing in, and knowing who is calling."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from pgproof.domain.access import Permission, Principal, RefreshSession, User, lower_of
from pgproof.domain.credentials import API_TOKEN_PREFIX, LONGEST_BEARER, usable_password
from pgproof.domain.errors import NotAllowed, NotAuthenticated
from pgproof.domain.secret import Secret
from pgproof.services.api_tokens import token_hash
from pgproof.services.audit import AuditTrail
from pgproof.services.ports import Clock
from pgproof.services.ports.access import (
    AccessClaims,
    AccessRecords,
    Account,
    PasswordHasher,
    Randomness,
    TokenSigner,
)
from pgproof.services.sign_in_limiting import SignInAttempt, SignInLimiter

SOMEBODY = "unknown"

_USE_IS_STORED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class SignedIn:
    """What a sign-in gives: a short-lived access token, a refresh token for one use; `expires_in` in seconds."""

    access_token: Secret
    refresh_token: Secret
    expires_in: int
    principal: Principal


class AccessService:
    """Access tokens live for `token_minutes`; after `refresh_days` the password is asked for again.

    Sign-ins are written to the audit trail here, since only here it is known whose they would have been.
    """

    def __init__(
        self,
        records: AccessRecords,
        hasher: PasswordHasher,
        signer: TokenSigner,
        randomness: Randomness,
        clock: Clock,
        audit: AuditTrail,
        *,
        token_minutes: int,
        refresh_days: int,
    ) -> None:
        self._records = records
        self._hasher = hasher
        self._signer = signer
        self._randomness = randomness
        self._clock = clock
        self._audit = audit
        self._limiter = SignInLimiter(records, signer, clock)
        self._token_life = timedelta(minutes=token_minutes)
        self._session_life = timedelta(days=refresh_days)

    def sign_in(
        self, name: str, password: str, *, address: str | None = None, request_id: str | None = None
    ) -> SignedIn:
        """Begin a session. Raises `NotAuthenticated` with one message for every reason, and `TooManyAttempts`.

        The attempt counts as failed from the start, so that many at once are not one.
        """
        attempt = self._limiter.begin(name, address)
        user = self._user_with(name, password)
        signed_in = self._begin(user, attempt, address) if user else None
        if user is None or signed_in is None:
            self._audit_failure(name, attempt, address, request_id)
            raise NotAuthenticated
        self._limiter.succeeded(attempt)
        self._audit.record(user.name, "sign_in", object=user.name, address=address, request_id=request_id)
        return signed_in

    def refresh(self, token: str, *, address: str | None = None, request_id: str | None = None) -> SignedIn:
        """Exchange a refresh token for new tokens; it can be used once.

        A second use means that somebody else has it: the session ends, for whoever holds its newest token too.
        """
        now, text = self._clock.now(), self._randomness.token()
        rotation = self._records.rotate_session(token_hash(token), token_hash(text), now)
        if rotation is None:
            raise NotAuthenticated
        if rotation.reused:
            self._audit.record(
                rotation.user.name,
                "refresh_token_reused",
                object=rotation.user.name,
                outcome="session_ended",
                address=address,
                request_id=request_id,
                details={"session": rotation.session.id, "signed_in_from": rotation.session.address},
            )
            raise NotAuthenticated
        return self._signed_in(rotation.user, rotation.session, text, now)

    def sign_out(self, refresh_token: str, *, address: str | None = None, request_id: str | None = None) -> None:
        """End a session, and with it its access tokens. One that has ended already is no error."""
        ended = self._records.end_session(token_hash(refresh_token))
        user = self._records.user_by_id(ended.user_id) if ended else None
        if user is not None:
            self._audit.record(user.name, "sign_out", object=user.name, address=address, request_id=request_id)

    def authenticate(self, bearer: str, *, address: str | None = None) -> Principal:  # noqa: ARG002 - see the design
        """Who sends this access token or API token, with the role of this moment. Raises `NotAuthenticated`."""
        if not bearer.isascii() or len(bearer) > LONGEST_BEARER:
            raise NotAuthenticated
        return self._by_api_token(bearer) if bearer.startswith(API_TOKEN_PREFIX) else self._by_access_token(bearer)

    def check(self, principal: Principal, permission: Permission) -> None:
        """Raise `NotAllowed` unless the principal may."""
        if not principal.may(permission):
            raise NotAllowed(
                f"the role {principal.role} does not include: {permission}",
                hint="Ask an administrator of this pgproof.",
            )

    def _user_with(self, name: str, password: str) -> User | None:
        """The user, if name and password fit. Takes the same steps for a name that nobody has."""
        nobody = self._nobody  # made the first time, whether or not it is needed: that would show
        account = self._records.find_account(name)
        given = usable_password(password)
        fits, renewed = self._hasher.verify(given or "", account.password_hash if account else nobody)
        if account is None or given is None or not fits or not account.user.active:
            return None
        self._renew(account, renewed)
        return account.user

    def _renew(self, account: Account, renewed: Secret | None) -> None:
        if renewed is not None:
            self._records.renew_hash(account.user.id, account.password_hash, renewed)

    @cached_property
    def _nobody(self) -> Secret:
        """A hash that no password fits, made as all others are: comparing with it takes as long."""
        return self._hasher.hash(self._randomness.token())

    def _begin(self, user: User, attempt: SignInAttempt, address: str | None) -> SignedIn | None:
        now, text = self._clock.now(), self._randomness.token()
        session = self._records.begin_session(
            user, token_hash(text), address=address, origin=attempt.origin, now=now, expires_at=now + self._session_life
        )
        return self._signed_in(user, session, text, now) if session else None

    def _signed_in(self, user: User, session: RefreshSession, refresh_text: str, now: datetime) -> SignedIn:
        # Not beyond the session: what is signed must not outlive what it was signed for.
        life = min(self._token_life, session.expires_at - now)
        return SignedIn(
            access_token=self._signer.sign(AccessClaims(session.id, user.id, user.epoch, now, now + life)),
            refresh_token=Secret(refresh_text),
            expires_in=int(life.total_seconds()),
            principal=Principal(user.name, user.role, user.id),
        )

    def _by_access_token(self, text: str) -> Principal:
        claims = self._signer.read(text, self._clock.now())
        found = self._records.find_session(claims.session_id)
        if found is None:
            raise NotAuthenticated
        _, user = found
        if not user.active or (user.id, user.epoch) != (claims.user_id, claims.epoch):
            raise NotAuthenticated
        return Principal(user.name, user.role, user.id)

    def _by_api_token(self, text: str) -> Principal:
        now, found = self._clock.now(), self._records.find_token(token_hash(text))
        if found is None:
            raise NotAuthenticated
        token, user = found
        if not token.is_valid(now) or not user.active:
            raise NotAuthenticated
        due = now - _USE_IS_STORED_EVERY
        if token.last_used_at is None or token.last_used_at <= due:
            self._records.mark_token_used(token.id, now, due)
        return Principal(user.name, lower_of(token.role, user.role), user.id, token.id)

    def _audit_failure(self, name: str, attempt: SignInAttempt, address: str | None, request_id: str | None) -> None:
        # Passwords are typed into the field of the name now and then, and the trail keeps what it has for ever.
        account = self._records.find_account(name)
        self._audit.record(
            SOMEBODY,
            "sign_in",
            object=account.user.name if account else "",
            outcome=NotAuthenticated.code,
            address=address,
            request_id=request_id,
            details={"origin": attempt.origin},
        )
