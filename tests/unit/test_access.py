"""Signing in, and knowing who calls: what is let in, what is not, and what nobody learns."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from pgproof.domain.access import Permission, Principal, Role
from pgproof.domain.errors import NotAllowed, NotAuthenticated, TooManyAttempts
from pgproof.domain.secret import Secret
from pgproof.services.access import AccessService, SignedIn
from pgproof.services.api_tokens import ApiTokenService
from pgproof.services.audit import AuditTrail
from pgproof.services.ports.access import AuditFilter
from pgproof.services.users import UserService
from tests.fakes.access import CountingRandomness, MemoryAccessRecords, PlainSigner, QuickHasher, SetClock

PASSWORD = "correct horse battery"
HOME, OFFICE, ELSEWHERE = "10.0.0.1", "10.0.0.2", "203.0.113.7"


@dataclass
class World:
    """The services on fakes, with an admin `Ann` and an operator `bob`."""

    records: MemoryAccessRecords = field(default_factory=MemoryAccessRecords)
    hasher: QuickHasher = field(default_factory=QuickHasher)
    signer: PlainSigner = field(default_factory=PlainSigner)
    randomness: CountingRandomness = field(default_factory=CountingRandomness)
    clock: SetClock = field(default_factory=SetClock)

    def __post_init__(self) -> None:
        self.audit = AuditTrail(self.records, self.clock)
        self.users = UserService(self.records, self.hasher, self.signer, self.randomness, self.clock)
        self.tokens = ApiTokenService(self.records, self.randomness, self.clock)
        self.access = self.restarted()
        self.users.add("Ann", Role.ADMIN, PASSWORD)
        self.users.add("bob", Role.OPERATOR, PASSWORD)

    def restarted(self) -> AccessService:
        """Another process on the same catalog."""
        return AccessService(
            self.records,
            self.hasher,
            self.signer,
            self.randomness,
            self.clock,
            self.audit,
            token_minutes=15,
            refresh_days=14,
        )

    def bearer(self, name: str = "bob") -> str:
        return self.access.sign_in(name, PASSWORD, address=HOME).access_token.reveal()

    def is_let_in(self, bearer: str) -> bool:
        try:
            self.access.authenticate(bearer)
        except NotAuthenticated:
            return False
        return True

    def fail(self, name: str, address: str | None, times: int = 1) -> None:
        for _ in range(times):
            with pytest.raises(NotAuthenticated):
                self.access.sign_in(name, "wrong password", address=address)


@pytest.fixture
def world() -> World:
    return World()


def test_who_signs_in_is_known_until_the_token_expires(world: World) -> None:
    signed_in = world.access.sign_in("ANN", PASSWORD, address=HOME)
    ann = Principal("Ann", Role.ADMIN, world.users.get("ann").id)
    assert (signed_in.principal, signed_in.expires_in) == (ann, 15 * 60)
    bearer = signed_in.access_token.reveal()
    assert world.access.authenticate(bearer, address=OFFICE) == ann
    world.clock.advance(minutes=15)
    assert not world.is_let_in(bearer)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann", "wrong password"),
        ("nobody", PASSWORD),
        ("idle", PASSWORD),
        ("ann", ""),
        ("", ""),
        ("ann", PASSWORD + "\0"),
        ("ann\0", PASSWORD),
        ("ann", "\udcff" * 12),
        ("\udcff", PASSWORD),
        ("x" * 1_000_000, PASSWORD),
        ("ann", "x" * 1_000_000),
        ("ann", PASSWORD.upper()),
    ],
    ids=range(12),
)
def test_every_failure_looks_the_same_and_takes_the_same_path(world: World, name: str, password: str) -> None:
    world.users.add("idle", Role.VIEWER, PASSWORD)
    world.users.change("idle", active=False)
    fails_like_any_other(world, name, password)


def fails_like_any_other(world: World, name: str, password: str) -> None:
    before = world.hasher.verified
    with pytest.raises(NotAuthenticated) as refused:
        world.access.sign_in(name, password, address=HOME)
    assert str(refused.value) == str(NotAuthenticated())
    assert refused.value.hint == NotAuthenticated().hint
    assert refused.value.facts == {}
    assert world.hasher.verified == before + 1, "a hash is compared whether or not there is such a user"


def test_the_hash_that_nobody_has_is_made_at_the_first_sign_in_of_anybody(world: World) -> None:
    world.access.sign_in("ann", PASSWORD, address=HOME)
    made = world.hasher.hashed
    fails_like_any_other(world, "nobody", PASSWORD)
    assert world.hasher.hashed == made


def test_nothing_secret_shows_in_what_a_sign_in_gives(world: World) -> None:
    signed_in = world.access.sign_in("ann", PASSWORD)
    for secret in (signed_in.access_token.reveal(), signed_in.refresh_token.reveal()):
        assert secret not in repr(signed_in)
        assert secret not in str(signed_in)


def test_a_hash_of_an_older_kind_is_renewed_by_a_sign_in(world: World) -> None:
    world.hasher.kind = "newer"
    world.access.sign_in("ann", PASSWORD)
    found = world.records.find_account("ann")
    assert found
    assert found.password_hash.reveal().startswith("newer:")
    world.access.sign_in("ann", PASSWORD)


@pytest.mark.parametrize("change", ["disable", "demote", "promote", "password", "remove", "sign_out"])
def test_a_change_voids_access_and_refresh_tokens_at_once(world: World, change: str) -> None:
    signed_in = world.access.sign_in("bob", PASSWORD, address=HOME)
    bearer, refresh = signed_in.access_token.reveal(), signed_in.refresh_token.reveal()
    other = world.bearer("ann")
    assert world.is_let_in(bearer)
    match change:
        case "disable":
            world.users.change("bob", active=False)
        case "demote":
            world.users.change("bob", role=Role.VIEWER)
        case "promote":
            world.users.change("bob", role=Role.ADMIN)
        case "password":
            world.users.set_password("bob", "another password")
        case "remove":
            world.users.remove("bob")
        case _:
            world.access.sign_out(refresh)
    assert not world.is_let_in(bearer)
    with pytest.raises(NotAuthenticated):
        world.access.refresh(refresh)
    assert world.is_let_in(other)


def test_a_token_that_was_signed_for_another_epoch_or_user_is_void(world: World) -> None:
    signed_in = world.access.sign_in("bob", PASSWORD)
    claims = world.signer.read(signed_in.access_token.reveal(), world.clock.now())
    assert world.is_let_in(world.signer.sign(claims).reveal())
    for other in (
        replace(claims, epoch=claims.epoch - 1),
        replace(claims, epoch=claims.epoch + 1),
        replace(claims, user_id=world.users.get("ann").id),
        replace(claims, session_id=claims.session_id + 1),
    ):
        assert not world.is_let_in(world.signer.sign(other).reveal())


def test_a_user_who_is_enabled_again_has_to_sign_in_again(world: World) -> None:
    bearer = world.bearer()
    world.users.change("bob", active=False)
    world.users.change("bob", active=True)
    assert not world.is_let_in(bearer)
    assert world.is_let_in(world.bearer())


def test_a_token_of_a_user_who_is_gone_is_not_that_of_a_namesake(world: World) -> None:
    bearer = world.bearer()
    world.users.remove("bob")
    world.users.add("bob", Role.ADMIN, PASSWORD)
    assert not world.is_let_in(bearer)


def test_a_refresh_gives_new_tokens_of_the_same_user(world: World) -> None:
    first = world.access.sign_in("bob", PASSWORD, address=HOME)
    world.clock.advance(minutes=20)
    second = world.access.refresh(first.refresh_token.reveal(), address=OFFICE)
    assert second.principal == first.principal
    assert second.refresh_token != first.refresh_token
    assert world.is_let_in(second.access_token.reveal())


def test_a_refresh_token_that_is_used_again_ends_the_session_of_both(world: World) -> None:
    first = world.access.sign_in("bob", PASSWORD, address=HOME)
    other = world.access.sign_in("bob", PASSWORD, address=OFFICE)
    second = world.access.refresh(first.refresh_token.reveal())
    with pytest.raises(NotAuthenticated):
        world.access.refresh(first.refresh_token.reveal(), address=ELSEWHERE)
    with pytest.raises(NotAuthenticated):
        world.access.refresh(second.refresh_token.reveal())
    assert not world.is_let_in(second.access_token.reveal())
    assert world.access.refresh(other.refresh_token.reveal()).expires_in
    written = world.audit.list(AuditFilter(action="refresh_token_reused"))
    assert [(entry.object, entry.outcome, entry.address) for entry in written] == [("bob", "session_ended", ELSEWHERE)]


def test_a_session_ends_after_its_days_however_often_it_is_refreshed(world: World) -> None:
    current = world.access.sign_in("bob", PASSWORD)
    for _ in range(13):
        world.clock.advance(days=1)
        current = world.access.refresh(current.refresh_token.reveal())
    world.clock.advance(hours=23, minutes=55)
    current = world.access.refresh(current.refresh_token.reveal())
    assert current.expires_in == 5 * 60, "no token outlives its session"
    world.clock.advance(minutes=5)
    assert not world.is_let_in(current.access_token.reveal())
    with pytest.raises(NotAuthenticated):
        world.access.refresh(current.refresh_token.reveal())


@pytest.mark.parametrize("token", ["", "x", "pgp_x", "\0", "\udcff", "x" * 1_000_000], ids=range(6))
def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    assert not world.is_let_in(token)
    with pytest.raises(NotAuthenticated):
        world.access.refresh(token)
    world.access.sign_out(token)


def test_a_refresh_token_opens_nothing_by_itself(world: World) -> None:
    assert not world.is_let_in(world.access.sign_in("bob", PASSWORD).refresh_token.reveal())


def test_an_access_token_refreshes_nothing(world: World) -> None:
    with pytest.raises(NotAuthenticated):
        world.access.refresh(world.bearer())


def test_signing_out_twice_is_no_error(world: World) -> None:
    refresh = world.access.sign_in("bob", PASSWORD).refresh_token.reveal()
    world.access.sign_out(refresh)
    world.access.sign_out(refresh)
    assert [entry.object for entry in world.audit.list(AuditFilter(action="sign_out"))] == ["bob"]


def test_an_api_token_stands_for_its_user(world: World) -> None:
    token, secret = world.tokens.create("bob", "ci", Role.VIEWER)
    assert secret.reveal().startswith("pgp_")
    principal = world.access.authenticate(secret.reveal())
    assert principal == Principal("bob", Role.VIEWER, world.users.get("bob").id, token.id)
    assert principal.actor == f"bob:token:{token.id}"


def test_an_api_token_never_outranks_its_user(world: World) -> None:
    _, secret = world.tokens.create("bob", "ci", Role.OPERATOR)
    world.users.change("bob", role=Role.VIEWER)
    assert world.access.authenticate(secret.reveal()).role is Role.VIEWER
    world.users.change("bob", role=Role.ADMIN)
    assert world.access.authenticate(secret.reveal()).role is Role.OPERATOR


@pytest.mark.parametrize("end", ["revoke", "expire", "disable", "remove"])
def test_an_api_token_ends_at_once(world: World, end: str) -> None:
    token, secret = world.tokens.create("bob", "ci", expires_at=world.clock.now() + timedelta(days=1))
    assert world.is_let_in(secret.reveal())
    match end:
        case "revoke":
            world.tokens.revoke(token.id)
        case "expire":
            world.clock.advance(days=1)
        case "disable":
            world.users.change("bob", active=False)
        case _:
            world.users.remove("bob")
    assert not world.is_let_in(secret.reveal())


def test_a_new_password_leaves_api_tokens_alone(world: World) -> None:
    _, secret = world.tokens.create("bob", "ci")
    world.users.set_password("bob", "another password")
    assert world.is_let_in(secret.reveal())


def test_the_last_use_of_a_token_is_stored_at_most_once_a_minute(world: World) -> None:
    _, secret = world.tokens.create("bob", "ci")
    uses = []
    for _ in range(5):
        world.access.authenticate(secret.reveal())
        uses.append(world.tokens.list()[0].last_used_at)
        world.clock.advance(seconds=30)
    assert uses[0] == uses[1] != uses[2] == uses[3] != uses[4]


def test_only_a_role_that_includes_it_may(world: World) -> None:
    bob = world.access.authenticate(world.bearer())
    world.access.check(bob, Permission.BACK_UP)
    with pytest.raises(NotAllowed, match="operator"):
        world.access.check(bob, Permission.RESTORE)


def test_after_some_failures_one_has_to_wait_also_with_the_right_password(world: World) -> None:
    world.fail("ann", HOME, 5)
    with pytest.raises(TooManyAttempts) as refused:
        world.access.sign_in("ann", PASSWORD, address=HOME)
    assert refused.value.retry_after == 5
    world.clock.advance(seconds=5)
    assert world.access.sign_in("ann", PASSWORD, address=HOME).expires_in


def test_the_wait_grows_and_has_an_end(world: World) -> None:
    waits = []
    world.fail("ann", HOME, 5)
    for _ in range(12):
        with pytest.raises(TooManyAttempts) as refused:
            world.access.sign_in("ann", PASSWORD, address=HOME)
        waits.append(refused.value.retry_after)
        world.clock.advance(seconds=refused.value.retry_after)
        world.fail("ann", HOME)
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]


def test_failures_count_for_all_processes_together(world: World) -> None:
    for number in range(5):
        with pytest.raises(NotAuthenticated):
            (world.access if number % 2 else world.restarted()).sign_in("ann", "wrong password", address=HOME)
    with pytest.raises(TooManyAttempts):
        world.restarted().sign_in("ann", PASSWORD, address=HOME)


def test_a_refused_attempt_does_not_lengthen_the_wait(world: World) -> None:
    world.fail("ann", HOME, 5)
    for _ in range(20):
        with pytest.raises(TooManyAttempts):
            world.access.sign_in("ann", PASSWORD, address=HOME)
    world.clock.advance(seconds=5)
    assert world.access.sign_in("ann", PASSWORD, address=HOME).expires_in


def test_a_refused_attempt_compares_no_password(world: World) -> None:
    world.fail("ann", HOME, 5)
    before = world.hasher.verified
    with pytest.raises(TooManyAttempts):
        world.access.sign_in("ann", PASSWORD, address=HOME)
    assert world.hasher.verified == before


def test_a_success_begins_the_count_anew(world: World) -> None:
    for _ in range(10):
        world.fail("ann", HOME, 4)
        world.access.sign_in("ann", PASSWORD, address=HOME)


def test_a_day_without_a_failure_begins_the_count_anew(world: World) -> None:
    world.fail("ann", HOME, 5)
    world.clock.advance(days=1)
    world.fail("ann", HOME, 5)
    with pytest.raises(TooManyAttempts) as refused:
        world.access.sign_in("ann", PASSWORD, address=HOME)
    assert refused.value.retry_after == 5


def test_a_name_that_nobody_has_is_held_back_like_any_other(world: World) -> None:
    world.fail("nobody", HOME, 5)
    with pytest.raises(TooManyAttempts) as refused:
        world.access.sign_in("nobody", PASSWORD, address=HOME)
    assert refused.value.retry_after == 5


def test_trying_one_password_on_many_names_is_held_back(world: World) -> None:
    for number in range(30):
        world.fail(f"user{number}", ELSEWHERE)
    with pytest.raises(TooManyAttempts):
        world.access.sign_in("user31", PASSWORD, address=ELSEWHERE)
    assert world.access.sign_in("ann", PASSWORD, address=HOME).expires_in, "only that address has to wait"


def test_an_account_of_ones_own_does_not_wash_failures_away(world: World) -> None:
    for number in range(29):
        world.fail(f"user{number}", ELSEWHERE)
        world.access.sign_in("bob", PASSWORD, address=ELSEWHERE)
    world.fail("user30", ELSEWHERE)
    with pytest.raises(TooManyAttempts):
        world.access.sign_in("user31", PASSWORD, address=ELSEWHERE)


def test_nobody_locks_an_admin_out_from_elsewhere(world: World) -> None:
    world.access.sign_in("ann", PASSWORD, address=HOME)
    for number in range(300):
        address = f"203.0.{number // 100}.{number % 100}"
        with pytest.raises((NotAuthenticated, TooManyAttempts)):
            world.access.sign_in("ann", "wrong password", address=address)
    with pytest.raises(TooManyAttempts) as refused:
        world.access.sign_in("ann", PASSWORD, address=OFFICE)
    assert refused.value.retry_after <= 60, "where she never was she waits, but not for long"
    assert world.access.sign_in("ann", PASSWORD, address=HOME).expires_in, "where she was before she is let in at once"


def test_who_shares_an_address_with_an_attacker_is_let_in_where_known(world: World) -> None:
    world.access.sign_in("ann", PASSWORD, address=HOME)
    for number in range(30):
        world.fail(f"user{number}", HOME)
    assert world.access.sign_in("ann", PASSWORD, address=HOME).expires_in
    with pytest.raises(TooManyAttempts):
        world.access.sign_in("bob", PASSWORD, address=HOME)


def test_hosts_of_one_ipv6_network_are_one_caller(world: World) -> None:
    for number in range(5):
        world.fail("ann", f"2001:db8:1:2::{number}")
    with pytest.raises(TooManyAttempts):
        world.access.sign_in("ann", PASSWORD, address="2001:db8:1:2:ffff::1")
    assert world.access.sign_in("ann", PASSWORD, address="2001:db8:1:3::1").expires_in


def test_a_new_password_ends_the_wait(world: World) -> None:
    world.fail("ann", HOME, 5)
    world.users.set_password("ANN", "another password")
    assert world.access.sign_in("ann", "another password", address=HOME).expires_in


def test_a_sign_in_is_audited_with_its_outcome_and_never_with_what_was_typed(world: World) -> None:
    world.access.sign_in("ANN", PASSWORD, address=HOME, request_id="r1")
    world.fail("bob", ELSEWHERE)
    world.fail("my secret password", ELSEWHERE)
    entries = world.audit.list(AuditFilter(action="sign_in"))
    assert [(entry.actor, entry.object, entry.outcome, entry.address) for entry in entries] == [
        ("unknown", "", "not_authenticated", ELSEWHERE),
        ("unknown", "bob", "not_authenticated", ELSEWHERE),
        ("Ann", "Ann", "done", HOME),
    ]
    assert entries[-1].request_id == "r1"
    for typed in (PASSWORD, "wrong password", "my secret password"):
        assert typed not in repr(entries)


def test_a_user_who_changes_while_signing_in_is_not_let_in(world: World) -> None:
    class Interfering(QuickHasher):
        def verify(self, password: str, hashed: Secret) -> tuple[bool, Secret | None]:
            answer = super().verify(password, hashed)
            world.users.set_password("bob", "another password")
            return answer

    world.hasher = Interfering()
    with pytest.raises(NotAuthenticated):
        world.restarted().sign_in("bob", PASSWORD, address=HOME)


def test_a_sign_in_without_an_address_is_possible(world: World) -> None:
    assert isinstance(world.access.sign_in("bob", PASSWORD), SignedIn)
    world.fail("ann", None, 5)
    with pytest.raises(TooManyAttempts):
        world.access.sign_in("ann", PASSWORD)
