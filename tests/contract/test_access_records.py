"""What all records of users and rights promise: the same in memory and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from pgproof.adapters.catalog import AccessRecords as PostgresAccessRecords
from pgproof.adapters.catalog import PostgresCatalog
from pgproof.domain.access import RefreshSession, Role, User
from pgproof.domain.errors import Conflict, NotFound, TooManyAttempts
from pgproof.domain.secret import Secret
from pgproof.domain.sign_in_limit import Failures, Subject
from pgproof.services.ports.access import AccessRecords, AuditFilter, NewAuditEntry
from tests.fakes.access import MemoryAccessRecords

NOW = datetime(2025, 3, 30, 1, 59, 59, 123456, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
HASH, OTHER_HASH = Secret("a hash"), Secret("another hash")
PAIR, ADDRESS = Subject("mark", "10.0.0.1"), Subject("", "10.0.0.1")


@pytest.fixture(params=["memory", "postgres"])
def records(request: pytest.FixtureRequest) -> Iterator[AccessRecords]:
    if request.param == "memory":
        yield MemoryAccessRecords()
    else:
        catalog: PostgresCatalog = request.getfixturevalue("catalog")
        yield PostgresAccessRecords(catalog.transactions)


@pytest.fixture
def ann(records: AccessRecords) -> User:
    return records.add_user("Ann", HASH, Role.ADMIN, NOW)


@pytest.fixture
def bob(records: AccessRecords) -> User:
    return records.add_user("bob", HASH, Role.OPERATOR, NOW)


def begin(records: AccessRecords, user: User, token: bytes, now: datetime = NOW) -> RefreshSession | None:
    return records.begin_session(user, token, address="10.0.0.1", origin="10.0.0.1", now=now, expires_at=now + 14 * DAY)


def test_a_new_user_is_active_and_has_never_signed_in(records: AccessRecords, ann: User) -> None:
    assert ann == User(ann.id, "Ann", Role.ADMIN, active=True, epoch=1, created_at=NOW)
    assert records.get_user("Ann") == records.user_by_id(ann.id) == ann
    found = records.find_account("Ann")
    assert found
    assert (found.user, found.password_hash) == (ann, HASH)


@pytest.mark.parametrize("spelling", ["ann", "ANN", "Ann", "\N{FULLWIDTH LATIN CAPITAL LETTER A}nn"])
def test_names_are_one_whatever_their_case(records: AccessRecords, ann: User, spelling: str) -> None:
    assert records.get_user(spelling) == ann
    with pytest.raises(Conflict):
        records.add_user(spelling, HASH, Role.VIEWER, NOW)
    assert records.list_users() == [ann]


@pytest.mark.parametrize("name", ["", "cyd", "a\0b", "\ud800", "x" * 1_000_000], ids=range(5))
def test_a_name_that_nobody_has_is_not_found(records: AccessRecords, ann: User, name: str) -> None:
    assert records.find_account(name) is None
    assert not records.has_signed_in_from(name, "10.0.0.1", NOW)
    with pytest.raises(NotFound) as refused:
        records.get_user(name)
    assert len(refused.value.detail) < 1_000
    with pytest.raises(NotFound):
        records.remove_user(name)


@pytest.mark.parametrize("number", [0, -1, 77, 2**63, 10**30])
def test_a_number_that_nobody_has_is_not_found(records: AccessRecords, number: int) -> None:
    assert records.user_by_id(number) is None
    assert records.find_session(number) is None
    with pytest.raises(NotFound):
        records.revoke_token(number, NOW)


def test_users_are_listed_by_name(records: AccessRecords) -> None:
    for name in ("bob", "Cyd", "ann"):
        records.add_user(name, HASH, Role.VIEWER, NOW)
    assert [user.name for user in records.list_users()] == ["ann", "bob", "Cyd"]


def test_a_first_user_is_added_only_where_there_is_none(records: AccessRecords) -> None:
    first = records.add_first_user("admin", HASH, Role.ADMIN, NOW)
    assert first is not None
    assert records.add_first_user("root", HASH, Role.ADMIN, NOW) is None
    assert records.list_users() == [first]


def test_of_two_first_users_at_the_same_time_one_is_added(records: AccessRecords) -> None:
    together = Barrier(4)

    def add(number: int) -> User | None:
        together.wait()
        return records.add_first_user(f"admin{number}", HASH, Role.ADMIN, NOW)

    with ThreadPoolExecutor(4) as pool:
        added = [user for user in pool.map(add, range(4)) if user]
    assert records.list_users() == added
    assert len(added) == 1


def test_a_change_ends_what_was_signed_before(records: AccessRecords, ann: User, bob: User) -> None:
    assert begin(records, bob, b"bobs")
    assert begin(records, ann, b"anns")
    changed = records.change_user("BOB", lambda stored: replace(stored, role=Role.VIEWER, name="ignored"))
    assert (changed.role, changed.epoch, changed.name, changed.id) == (Role.VIEWER, bob.epoch + 1, "bob", bob.id)
    assert records.get_user("bob") == changed
    assert records.rotate_session(b"bobs", b"next", NOW) is None
    assert records.rotate_session(b"anns", b"next", NOW) is not None


def test_a_change_of_nothing_ends_nothing(records: AccessRecords, bob: User) -> None:
    session = begin(records, bob, b"bobs")
    assert session
    assert records.change_user("bob", lambda stored: stored).epoch == bob.epoch
    assert records.find_session(session.id) is not None


def test_a_new_password_is_stored_and_ends_sessions(records: AccessRecords, bob: User) -> None:
    assert begin(records, bob, b"bobs")
    changed = records.change_user("bob", lambda stored: stored, password_hash=OTHER_HASH)
    found = records.find_account("bob")
    assert found
    assert (found.password_hash, found.user.epoch) == (OTHER_HASH, bob.epoch + 1)
    assert changed.epoch == bob.epoch + 1
    assert records.rotate_session(b"bobs", b"next", NOW) is None


def test_a_hash_is_renewed_only_while_the_password_is_the_same(records: AccessRecords, bob: User) -> None:
    records.renew_hash(bob.id, OTHER_HASH, Secret("late"))
    assert (found := records.find_account("bob"))
    assert found.password_hash == HASH
    records.renew_hash(bob.id, HASH, OTHER_HASH)
    assert (found := records.find_account("bob"))
    assert (found.password_hash, found.user.epoch) == (OTHER_HASH, bob.epoch)


@pytest.mark.parametrize("change", ["demote", "disable", "remove"])
def test_the_last_active_admin_stays(records: AccessRecords, ann: User, bob: User, change: str) -> None:
    records.add_user("idle", HASH, Role.ADMIN, NOW)
    records.change_user("idle", lambda stored: replace(stored, active=False))
    with pytest.raises(Conflict, match="only active admin"):
        take_away(records, "ann", change)
    assert records.get_user("ann") == ann
    records.change_user("bob", lambda stored: replace(stored, role=Role.ADMIN))
    take_away(records, "ann", change)
    assert not any(user.is_active_admin for user in records.list_users() if user.id == ann.id)


def take_away(records: AccessRecords, name: str, change: str) -> None:
    match change:
        case "demote":
            records.change_user(name, lambda stored: replace(stored, role=Role.OPERATOR))
        case "disable":
            records.change_user(name, lambda stored: replace(stored, active=False))
        case _:
            records.remove_user(name)


@pytest.mark.parametrize("change", ["demote", "disable", "remove"])
def test_of_admins_who_take_each_other_away_at_the_same_time_one_stays(records: AccessRecords, change: str) -> None:
    names = [f"admin{number}" for number in range(4)]
    for name in names:
        records.add_user(name, HASH, Role.ADMIN, NOW)
    together = Barrier(len(names))

    def other(name: str) -> bool:
        together.wait()
        try:
            take_away(records, name, change)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(len(names)) as pool:
        taken = list(pool.map(other, names))
    assert taken.count(True) == len(names) - 1
    assert sum(user.is_active_admin for user in records.list_users()) == 1


def test_what_a_removed_user_had_is_gone(records: AccessRecords, ann: User, bob: User) -> None:
    session = begin(records, bob, b"bobs")
    token = records.add_token(bob, "ci", Role.VIEWER, b"token", now=NOW, expires_at=None)
    assert session
    assert records.remove_user("Bob").id == bob.id
    assert records.find_session(session.id) is None
    assert records.rotate_session(b"bobs", b"next", NOW) is None
    assert records.find_token(b"token") is None
    assert records.list_tokens() == []
    with pytest.raises(NotFound):
        records.revoke_token(token.id, NOW)
    assert not records.has_signed_in_from("bob", "10.0.0.1", NOW)
    again = records.add_user("bob", HASH, Role.ADMIN, NOW)
    assert again.id != bob.id


def test_a_session_is_found_with_its_user(records: AccessRecords, bob: User) -> None:
    session = begin(records, bob, b"bobs")
    assert session == RefreshSession(session.id if session else 0, bob.id, NOW, NOW + 14 * DAY, "10.0.0.1")
    found = records.find_session(session.id)
    assert found == (session, replace(bob, last_sign_in_at=NOW))


def test_a_user_who_was_changed_meanwhile_begins_no_session(records: AccessRecords, ann: User, bob: User) -> None:
    records.change_user("bob", lambda stored: stored, password_hash=OTHER_HASH)
    assert begin(records, bob, b"late") is None
    records.remove_user("bob")
    assert begin(records, bob, b"later") is None
    assert not records.has_signed_in_from("bob", "10.0.0.1", NOW)


def test_where_a_user_signed_in_from_is_remembered(records: AccessRecords, ann: User, bob: User) -> None:
    begin(records, bob, b"1", NOW - DAY)
    begin(records, bob, b"2", NOW)
    assert records.has_signed_in_from("BOB", "10.0.0.1", NOW)
    assert not records.has_signed_in_from("bob", "10.0.0.1", NOW + SECOND)
    assert not records.has_signed_in_from("bob", "10.0.0.2", NOW)
    assert not records.has_signed_in_from("ann", "10.0.0.1", NOW)


def test_a_refresh_token_is_exchanged_for_the_next(records: AccessRecords, bob: User) -> None:
    session = begin(records, bob, b"1")
    for number in range(1, 5):
        rotation = records.rotate_session(bytes([48 + number]), bytes([49 + number]), NOW + number * SECOND)
        assert rotation
        assert (rotation.session, rotation.user.id, rotation.reused) == (session, bob.id, False)


def test_an_exchanged_token_ends_its_session_for_the_newest_token_too(records: AccessRecords, bob: User) -> None:
    session, other = begin(records, bob, b"1"), begin(records, bob, b"other")
    assert session
    assert other
    records.rotate_session(b"1", b"2", NOW)
    records.rotate_session(b"2", b"3", NOW)
    stolen = records.rotate_session(b"1", b"x", NOW)
    assert stolen
    assert stolen.reused
    assert records.rotate_session(b"3", b"4", NOW) is None
    assert records.find_session(session.id) is None
    assert records.find_session(other.id) is not None
    assert records.rotate_session(b"1", b"y", NOW) is None


def test_of_two_who_show_one_token_at_the_same_time_one_is_a_reuse(records: AccessRecords, bob: User) -> None:
    begin(records, bob, b"shared")
    together = Barrier(2)

    def show(name: bytes) -> bool:
        together.wait()
        rotation = records.rotate_session(b"shared", name, NOW)
        assert rotation
        return rotation.reused

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(show, [b"one", b"two"])) == [False, True]
    assert records.rotate_session(b"one", b"three", NOW) is None
    assert records.rotate_session(b"two", b"three", NOW) is None


def test_an_expired_session_gives_nothing_more_and_is_forgotten(records: AccessRecords, bob: User) -> None:
    session = begin(records, bob, b"old")
    assert session
    assert records.rotate_session(b"old", b"next", session.expires_at) is None
    assert records.find_session(session.id) is not None
    begin(records, replace(bob, last_sign_in_at=NOW), b"new", session.expires_at)
    assert records.find_session(session.id) is None


def test_a_session_ends_once(records: AccessRecords, bob: User) -> None:
    session = begin(records, bob, b"1")
    records.rotate_session(b"1", b"2", NOW)
    assert records.end_session(b"2") == session
    assert records.end_session(b"2") is None
    assert records.end_session(b"never") is None
    assert records.rotate_session(b"2", b"3", NOW) is None


def test_tokens_are_found_by_their_hash_and_listed_newest_first(records: AccessRecords, ann: User, bob: User) -> None:
    one = records.add_token(ann, "ci", Role.VIEWER, b"one", now=NOW, expires_at=None)
    two = records.add_token(bob, "ci", Role.OPERATOR, b"two", now=NOW + SECOND, expires_at=NOW + DAY)
    assert records.find_token(b"two") == (two, bob)
    assert (two.user_id, two.user_name, two.expires_at, two.last_used_at) == (bob.id, "bob", NOW + DAY, None)
    assert records.find_token(b"three") is None
    assert records.list_tokens() == [two, one]
    assert records.list_tokens("ANN") == [one]


def test_no_token_is_made_for_a_user_who_is_gone(records: AccessRecords, ann: User, bob: User) -> None:
    records.remove_user("bob")
    with pytest.raises(NotFound):
        records.add_token(bob, "ci", Role.VIEWER, b"token", now=NOW, expires_at=None)


def test_a_token_is_revoked_for_ever(records: AccessRecords, ann: User) -> None:
    token = records.add_token(ann, "ci", Role.VIEWER, b"token", now=NOW, expires_at=None)
    revoked = records.revoke_token(token.id, NOW + SECOND)
    assert revoked == replace(token, revoked_at=NOW + SECOND)
    assert records.revoke_token(token.id, NOW + DAY) == revoked
    assert records.find_token(b"token") == (revoked, ann)


def test_a_use_is_stored_unless_a_recent_one_is(records: AccessRecords, ann: User) -> None:
    token = records.add_token(ann, "ci", Role.VIEWER, b"token", now=NOW, expires_at=None)
    records.mark_token_used(token.id, NOW, NOW - DAY)
    records.mark_token_used(token.id, NOW + SECOND, NOW - SECOND)
    assert [found.last_used_at for found in records.list_tokens()] == [NOW]
    records.mark_token_used(token.id, NOW + DAY, NOW)
    assert [found.last_used_at for found in records.list_tokens()] == [NOW + DAY]
    records.mark_token_used(token.id + 1, NOW, NOW)


def test_attempts_are_counted_for_each_subject(records: AccessRecords) -> None:
    seen = []

    def count(counted: object) -> dict[Subject, Failures]:
        seen.append(counted)
        return {PAIR: Failures(len(seen), NOW), ADDRESS: Failures(7, NOW - DAY)}

    records.change_failures([PAIR, ADDRESS], count)
    records.change_failures([ADDRESS, PAIR], count)
    assert seen == [{}, {PAIR: Failures(1, NOW), ADDRESS: Failures(7, NOW - DAY)}]
    assert counted(records, PAIR) == {PAIR: Failures(2, NOW)}


def counted(records: AccessRecords, *subjects: Subject) -> dict[Subject, Failures]:
    found: dict[Subject, Failures] = {}

    def look(present: object) -> dict[Subject, Failures]:
        assert isinstance(present, dict)
        found.update(present)
        return present

    records.change_failures(subjects, look)
    return found


def test_what_a_change_leaves_out_is_forgotten(records: AccessRecords) -> None:
    records.change_failures([PAIR, ADDRESS], lambda _: {PAIR: Failures(1, NOW), ADDRESS: Failures(1, NOW)})
    records.change_failures([PAIR, ADDRESS], lambda _: {ADDRESS: Failures(2, NOW)})
    assert counted(records, PAIR, ADDRESS) == {ADDRESS: Failures(2, NOW)}


def test_a_refused_attempt_is_not_counted(records: AccessRecords) -> None:
    records.change_failures([PAIR], lambda _: {PAIR: Failures(5, NOW)})

    def refuse(_: object) -> dict[Subject, Failures]:
        raise TooManyAttempts("wait")

    with pytest.raises(TooManyAttempts):
        records.change_failures([PAIR, ADDRESS], refuse)
    assert counted(records, PAIR, ADDRESS) == {PAIR: Failures(5, NOW)}


def test_attempts_at_the_same_time_are_all_counted(records: AccessRecords) -> None:
    together = Barrier(8)
    subjects = [PAIR, ADDRESS]

    def one(number: int) -> None:
        together.wait()
        records.change_failures(
            subjects if number % 2 else subjects[::-1],
            lambda found: {key: Failures(found[key].number + 1 if key in found else 1, NOW) for key in subjects},
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    assert counted(records, *subjects) == {PAIR: Failures(8, NOW), ADDRESS: Failures(8, NOW)}


def test_attempts_of_a_name_are_forgotten_everywhere(records: AccessRecords) -> None:
    elsewhere, other = Subject("mark", "10.0.0.2"), Subject("other", "10.0.0.1")
    everything = {subject: Failures(3, NOW) for subject in (PAIR, ADDRESS, elsewhere, other)}
    records.change_failures(everything.keys(), lambda _: everything)
    records.forget_failures("mark")
    assert counted(records, *everything).keys() == {ADDRESS, other}


def test_old_attempts_are_forgotten(records: AccessRecords) -> None:
    records.change_failures([PAIR, ADDRESS], lambda _: {PAIR: Failures(3, NOW), ADDRESS: Failures(3, NOW - SECOND)})
    records.forget_old_failures(NOW)
    assert counted(records, PAIR, ADDRESS) == {PAIR: Failures(3, NOW)}


def entry(action: str, at: datetime = NOW, actor: str = "ann", subject: str = "backup 1") -> NewAuditEntry:
    return NewAuditEntry(at, actor, action, subject, "done", "10.0.0.1", "req-1", {"a": [1, None], "b": "ä"})


def test_every_field_of_an_audit_entry_is_kept(records: AccessRecords) -> None:
    added = records.add_entry(entry("hold"))
    assert records.list_entries(AuditFilter()) == [added]
    assert (added.at, added.actor, added.action, added.object, added.outcome) == (
        NOW,
        "ann",
        "hold",
        "backup 1",
        "done",
    )
    assert (added.address, added.request_id, added.details) == ("10.0.0.1", "req-1", {"a": [1, None], "b": "ä"})


def test_the_trail_is_paged_from_the_newest_on(records: AccessRecords) -> None:
    for number in range(5):
        records.add_entry(entry(f"action{number}"))
    pages, cursor = [], None
    while page := records.list_entries(AuditFilter(limit=2, cursor=cursor)):
        pages.append([found.action for found in page])
        cursor = page[-1].id
    assert pages == [["action4", "action3"], ["action2", "action1"], ["action0"]]
    assert records.list_entries(AuditFilter(cursor=-(10**30))) == []
    assert len(records.list_entries(AuditFilter(cursor=10**30))) == 5


def test_the_trail_is_filtered_by_all_that_is_given(records: AccessRecords) -> None:
    records.add_entry(entry("hold", NOW - DAY))
    wanted = records.add_entry(entry("hold"))
    records.add_entry(entry("hold", NOW + DAY))
    records.add_entry(entry("delete"))
    records.add_entry(entry("hold", actor="bob"))
    records.add_entry(entry("hold", subject="backup 2"))
    filtered = AuditFilter(actor="ann", action="hold", object="backup 1", since=NOW, until=NOW + DAY)
    assert records.list_entries(filtered) == [wanted]


def test_the_trail_outlives_the_user(records: AccessRecords, ann: User, bob: User) -> None:
    records.add_entry(entry("hold", actor="bob"))
    records.remove_user("bob")
    assert [found.actor for found in records.list_entries(AuditFilter())] == ["bob"]
