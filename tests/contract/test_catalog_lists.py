"""Lists of any length: their places, their words, their counts; the same on the fake and on PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from pgproof.domain.backup import BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.restore import RestoreOptions
from pgproof.services.ports import BackupFilter, Catalog, Position
from tests.contract.test_catalog import NOW, advance, completed, new_backup
from tests.fakes.catalog import MemoryCatalog, listed


@pytest.fixture(params=["memory", "postgres"])
def any_catalog(request: pytest.FixtureRequest) -> Iterator[Catalog]:
    if request.param == "memory":
        yield MemoryCatalog()
    else:
        yield request.getfixturevalue("catalog")


def test_a_list_goes_on_behind_any_backup_also_among_those_of_one_moment(any_catalog: Catalog) -> None:
    made = [new_backup(any_catalog, now=NOW + timedelta(seconds=number // 3)) for number in range(10)]
    everything = [backup.id for backup in any_catalog.list_backups(BackupFilter())]
    assert everything == [backup.id for backup in reversed(made)]
    for number, last in enumerate(reversed(made)):
        behind = any_catalog.list_backups(BackupFilter(limit=4, after=Position(last.created_at, last.id)))
        assert [backup.id for backup in behind] == everything[number + 1 : number + 5]


def test_a_list_goes_on_behind_a_backup_that_never_was(any_catalog: Catalog) -> None:
    older, newer = new_backup(any_catalog), new_backup(any_catalog, now=NOW + timedelta(hours=1))
    between = Position(NOW + timedelta(minutes=1), 1)
    assert any_catalog.list_backups(BackupFilter(after=between)) == [older]
    assert any_catalog.list_backups(BackupFilter(after=Position(NOW + timedelta(hours=2), 1))) == [newer, older]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nightly", {"a", "b"}),
        ("NIGHT", {"a", "b"}),
        ("before upgrade", {"b"}),
        ("upgrade before", {"b"}),
        ("shop-prod", {"c"}),
        ("pro", {"c"}),
        ("rod", set()),
        ("Zürich", {"c"}),
        ("backup_20250330", {"a", "b", "c"}),
        ("it's 100%", {"c"}),
        ("100% 'quoted' \\ & | ! ( ) : *", set()),
        ("'", set()),
        ("\0", set()),
        ("", set()),
        ("nightly & !before", {"b"}),
    ],
)
def test_a_text_finds_the_beginnings_of_words(any_catalog: Catalog, text: str, found: set[str]) -> None:
    named = {
        new_backup(any_catalog, "shop", options=BackupOptions(description="the nightly run")).id: "a",
        new_backup(any_catalog, "shop", options=BackupOptions(description="nightly, before the upgrade")).id: "b",
        new_backup(any_catalog, "shop-prod", options=BackupOptions(description="It's 100% of Zürich")).id: "c",
    }
    wanted = BackupFilter(text=text)
    assert {named[backup.id] for backup in any_catalog.list_backups(wanted)} == found
    assert any_catalog.backup_page(wanted).total == len(found)


@pytest.mark.parametrize("description", ["x" * 100_000, "word " * 50_000, "", "\N{PILE OF POO}" * 3000])
def test_any_description_can_be_stored_and_searched(any_catalog: Catalog, description: str) -> None:
    stored = new_backup(any_catalog, "shop", options=BackupOptions(description=description))
    assert any_catalog.list_backups(BackupFilter(text="shop")) == [stored]


def test_the_count_follows_every_change_whatever_the_limit(any_catalog: Catalog) -> None:
    def count(**wanted: object) -> int:
        given = BackupFilter(limit=1, **wanted)  # type: ignore[arg-type]
        page = any_catalog.backup_page(given)
        counted = page.total
        assert page.backups == [listed(backup) for backup in any_catalog.list_backups(given)]
        assert counted == len(any_catalog.list_backups(BackupFilter(limit=1000, **wanted)))  # type: ignore[arg-type]
        return counted

    assert count() == 0
    pending = new_backup(any_catalog, "shop")
    new_backup(any_catalog, "shop", trigger=BackupTrigger.MANUAL_API)
    done = completed(any_catalog, "crm")
    assert (count(), count(database="shop"), count(database="none")) == (3, 2, 0)
    assert count(status=BackupStatus.PENDING) == 2
    assert count(trigger_source=BackupTrigger.MANUAL_API) == 1
    assert count(database="crm", status=BackupStatus.COMPLETED, trigger_source=BackupTrigger.MANUAL_CLI) == 1
    advance(any_catalog, pending, path=(BackupStatus.RUNNING, BackupStatus.FAILED))
    assert (count(status=BackupStatus.PENDING), count(status=BackupStatus.FAILED)) == (1, 1)
    advance(any_catalog, done, path=(BackupStatus.DELETED,))
    assert (count(), count(status=BackupStatus.DELETED), any_catalog.backup_stats().total_size) == (3, 1, 0)


def test_restores_and_restore_tests_go_on_behind_any_of_them(any_catalog: Catalog) -> None:
    backup = completed(any_catalog)
    restores = [any_catalog.create_restore(backup, "shop", RestoreOptions(), NOW) for _ in range(3)]
    tests = [any_catalog.create_restore_test(backup, NOW) for _ in range(3)]
    behind = any_catalog.list_restores(after=Position(NOW, restores[2].id))
    assert [one.id for one in behind] == [restores[1].id, restores[0].id]
    behind_tests = any_catalog.list_restore_tests(after=Position(NOW, tests[1].id))
    assert [one.id for one in behind_tests] == [tests[0].id]
