"""Users and API tokens: what is taken, what is refused, and what nobody gets to see."""

from datetime import datetime, timedelta

import pytest

from pgproof.domain.access import PERMISSIONS, Permission, Principal, Role, allows, lower_of
from pgproof.domain.credentials import LONGEST_PASSWORD, check_password, check_user_name, name_key
from pgproof.domain.errors import Conflict, InvalidInput, NotFound
from pgproof.services.api_tokens import ApiTokenService
from pgproof.services.users import UserService
from tests.fakes.access import CountingRandomness, MemoryAccessRecords, PlainSigner, QuickHasher, SetClock

PASSWORD = "correct horse battery"


@pytest.fixture
def records() -> MemoryAccessRecords:
    return MemoryAccessRecords()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def users(records: MemoryAccessRecords, clock: SetClock) -> UserService:
    return UserService(records, QuickHasher(), PlainSigner(), CountingRandomness(), clock)


@pytest.fixture
def tokens(records: MemoryAccessRecords, clock: SetClock) -> ApiTokenService:
    return ApiTokenService(records, CountingRandomness(), clock)


def test_each_role_may_all_that_the_one_before_it_may() -> None:
    assert PERMISSIONS[Role.VIEWER] < PERMISSIONS[Role.OPERATOR] < PERMISSIONS[Role.ADMIN] == frozenset(Permission)
    assert lower_of(Role.ADMIN, Role.VIEWER) is lower_of(Role.VIEWER, Role.ADMIN) is Role.VIEWER
    assert lower_of(Role.OPERATOR, Role.OPERATOR) is Role.OPERATOR


@pytest.mark.parametrize(
    "permission",
    [
        Permission.RESTORE,
        Permission.DELETE,
        Permission.DOWNLOAD,
        Permission.CONFIGURE,
        Permission.MANAGE_USERS,
        Permission.AUDIT,
    ],
)
def test_what_can_lose_or_give_away_data_is_the_admins_alone(permission: Permission) -> None:
    assert [role for role in Role if allows(role, permission)] == [Role.ADMIN]
    assert Principal("ann", Role.ADMIN).may(permission)
    assert not Principal("bob", Role.OPERATOR).may(permission)


def test_a_viewer_may_only_look() -> None:
    assert [permission for permission in Permission if allows(Role.VIEWER, permission)] == [Permission.LOOK]


def test_a_user_is_added_and_found_whatever_the_case(users: UserService) -> None:
    added = users.add("Ann", Role.VIEWER, PASSWORD)
    assert users.get("aNN") == users.by_id(added.id) == added
    with pytest.raises(Conflict):
        users.add("ANN", Role.ADMIN, PASSWORD)
    with pytest.raises(NotFound):
        users.by_id(added.id + 1)


@pytest.mark.parametrize(
    "name",
    ["", " ", " ann", "ann ", "a\0b", "a\nb", "\x1b[31m", "\udcff", "x" * 101, "x" * 1_000_000, "cli:root", "\u200b"],
    ids=range(12),
)
def test_a_name_that_nobody_could_read_is_refused(users: UserService, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        users.add(name, Role.ADMIN, PASSWORD)
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) < 1_200
    assert users.list() == []


@pytest.mark.parametrize(
    "name", ["a", "x" * 100, "Ann O'Neil", "ann@example.com", "Jürgen", "\N{CJK UNIFIED IDEOGRAPH-6F22}", '"; --', "%s"]
)
def test_a_name_that_can_be_read_is_taken_as_it_is(users: UserService, name: str) -> None:
    assert users.add(name, Role.VIEWER, PASSWORD).name == name
    assert users.get(name).name == name


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ann", "aNN"), ("Jürgen", "Ju\u0308rgen"), ("STRASSE", "straße"), ("\N{ANGSTROM SIGN}", "å"), ("\ufb01t", "FIT")],
)
def test_two_spellings_of_a_name_are_one(users: UserService, one: str, other: str) -> None:
    users.add(one, Role.VIEWER, PASSWORD)
    with pytest.raises(Conflict):
        users.add(other, Role.VIEWER, PASSWORD)


def test_what_cannot_be_a_name_has_no_key() -> None:
    assert [name_key(name) for name in ("", "a:b ", " ", "\0", "x" * 500)] == ["", "", "", "", ""]
    assert check_user_name("Ju\u0308rgen") == "Jürgen"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "empty"),
        ("eleven char", "fewer than 12"),
        ("x" * 1_025, "more than 1,024 bytes"),
        ("ä" * 513, "more than 1,024 bytes"),
        ("x" * 10_000_000, "more than 1,024 bytes"),
        ("correct horse\0battery", "NUL"),
        ("correct horse\udcff", "UTF-8"),
        ("The Administrator", "name of the user"),
        ("THE ADMINISTRATOR", "name of the user"),
    ],
    ids=range(9),
)
def test_a_password_that_is_too_weak_or_unusable_is_refused_and_not_quoted(
    users: UserService, password: str, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        users.add("the administrator", Role.ADMIN, password)
    assert not password or password not in f"{refused.value.detail} {refused.value.hint}"
    users.add("the administrator", Role.ADMIN, PASSWORD)
    with pytest.raises(InvalidInput, match=reason):
        users.set_password("the administrator", password)


@pytest.mark.parametrize("password", ["twelve chars", "x" * LONGEST_PASSWORD, "ä" * 512, "pass word  with  ends "])
def test_any_other_password_is_taken(password: str) -> None:
    assert check_password(password, name="ann") == password


def test_accents_count_the_same_however_a_keyboard_sends_them() -> None:
    assert check_password("e\u0301" * 12, name="ann") == "é" * 12


def test_a_password_is_kept_only_as_a_hash(users: UserService, records: MemoryAccessRecords) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    account = records.find_account("ann")
    assert account
    assert PASSWORD not in repr(account)
    assert PASSWORD not in account.password_hash.reveal()
    assert account.password_hash.reveal() not in repr(account)


def test_nothing_to_change_is_refused(users: UserService) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    with pytest.raises(InvalidInput):
        users.change("ann")


def test_a_change_leaves_what_was_not_given(users: UserService) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    users.add("bob", Role.OPERATOR, PASSWORD)
    disabled = users.change("bob", active=False)
    assert (disabled.active, disabled.role) == (False, Role.OPERATOR)
    promoted = users.change("bob", role=Role.ADMIN)
    assert (promoted.active, promoted.role) == (False, Role.ADMIN)


def test_the_last_active_admin_stays(users: UserService) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    with pytest.raises(Conflict):
        users.remove("ann")
    with pytest.raises(Conflict):
        users.change("ann", active=False)
    with pytest.raises(Conflict):
        users.change("ann", role=Role.OPERATOR)
    assert users.get("ann").is_active_admin
    users.change("ann", role=Role.ADMIN, active=True)


def test_a_fresh_installation_gets_an_admin_once(users: UserService) -> None:
    password = users.ensure_admin()
    assert password
    assert users.get("admin").is_active_admin
    assert users.ensure_admin() is None
    assert [user.name for user in users.list()] == ["admin"]


def test_where_there_is_a_user_no_admin_is_made(users: UserService) -> None:
    users.add("ann", Role.VIEWER, PASSWORD)
    assert users.ensure_admin() is None
    assert [user.name for user in users.list()] == ["ann"]


def test_a_token_is_shown_once_and_kept_as_a_hash(
    users: UserService, tokens: ApiTokenService, records: MemoryAccessRecords
) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    made, secret = tokens.create("ANN", "ci")
    assert secret.reveal().startswith("pgp_")
    assert len(secret.reveal()) == len("pgp_") + 43
    assert (made.user_name, made.role, made.expires_at) == ("ann", Role.ADMIN, None)
    shown = repr((made, secret, tokens.list(), vars(records)))
    assert secret.reveal() not in shown


def test_a_token_above_its_user_is_refused(users: UserService, tokens: ApiTokenService) -> None:
    users.add("bob", Role.OPERATOR, PASSWORD)
    with pytest.raises(InvalidInput, match="operator"):
        tokens.create("bob", "ci", Role.ADMIN)
    assert tokens.list() == []


def test_no_token_is_made_for_who_is_disabled_or_unknown(users: UserService, tokens: ApiTokenService) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    users.add("bob", Role.OPERATOR, PASSWORD)
    users.change("bob", active=False)
    with pytest.raises(Conflict):
        tokens.create("bob", "ci")
    with pytest.raises(NotFound):
        tokens.create("cyd", "ci")
    with pytest.raises(NotFound):
        tokens.list("cyd")


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(seconds=-1), -timedelta(days=3_000)])
def test_a_token_that_has_expired_already_is_refused(
    users: UserService, tokens: ApiTokenService, clock: SetClock, ahead: timedelta
) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    with pytest.raises(InvalidInput):
        tokens.create("ann", "ci", expires_at=clock.now() + ahead)


def test_a_time_without_a_zone_is_refused(users: UserService, tokens: ApiTokenService) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    with pytest.raises(InvalidInput):
        tokens.create("ann", "ci", expires_at=datetime(2099, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("name", ["", " ", "a\0b", "\udcff", "x" * 101], ids=range(5))
def test_a_token_needs_a_name_that_can_be_read(users: UserService, tokens: ApiTokenService, name: str) -> None:
    users.add("ann", Role.ADMIN, PASSWORD)
    with pytest.raises(InvalidInput):
        tokens.create("ann", name)
