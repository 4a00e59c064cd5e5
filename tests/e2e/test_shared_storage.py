"""Two installations that share a storage and take backups of one name at once: what either has stored stays."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.errors import Conflict
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

AT_TWO = datetime(2026, 3, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Installation:
    """An application with a catalog of its own, and its first backup of `shop`, to be taken at 02:00."""

    app: App
    backup: Backup

    def take(self, observer: Recorder | None = None) -> Backup:
        return self.app.backups.take(self.backup.id, observer or Recorder())

    def row(self) -> Backup:
        return self.app.catalog.get_backup(self.backup.id)

    def verify(self) -> None:
        self.app.backups.verify(self.backup.id, Recorder())

    def objects(self) -> set[str]:
        return {item.key for item in self.app.storage.list()}


@pytest.fixture
def installations(make_app: Callable[..., App], server18: Server) -> tuple[Installation, Installation]:
    def install() -> Installation:
        place = server18.create_database()
        server18.sql(place, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
        app = make_app(BACKUP_CATALOG_URL=to_url(server18.create_database()))
        app.databases.add("shop", to_url(place))
        backup = app.catalog.create_backup(
            "shop",
            storage_url=app.storage.url,
            options=BackupOptions(),
            trigger=BackupTrigger.SCHEDULED_CRON,
            now=AT_TWO,
        )
        return Installation(app, backup)

    one, other = install(), install()
    assert one.backup.folder == other.backup.folder
    return one, other


class Meanwhile(Recorder):
    """Something happens as soon as a step begins."""

    def __init__(self, step: str, happens: Callable[[], object]) -> None:
        super().__init__()
        self._step, self._happens = step, happens

    def step(self, name: str) -> None:
        super().step(name)
        if name == self._step:
            self._happens()


def test_the_second_fails_and_the_first_stays_whole(installations: tuple[Installation, Installation]) -> None:
    one, other = installations
    one.take()
    stored = one.objects()
    with pytest.raises(Conflict) as refused:
        other.take()
    assert "BACKUP_STORAGE_URL" in refused.value.hint
    assert (other.row().status, other.row().being_deleted) == (BackupStatus.FAILED, False)
    assert one.objects() == stored
    assert len(stored) == 5
    one.verify()


@pytest.mark.parametrize("step", ["dump", "globals", "read back", "manifest"])
def test_nothing_is_mixed_while_the_first_is_at_work(
    installations: tuple[Installation, Installation], step: str
) -> None:
    one, other = installations

    def both() -> None:
        with pytest.raises(Conflict):
            other.take()

    seen = Meanwhile(step, both)
    assert one.take(seen).status is BackupStatus.COMPLETED
    assert step in seen.steps
    assert len(one.objects()) == 5
    one.verify()


@pytest.mark.parametrize("step", ["dump", "read back", None])
def test_the_recovery_of_the_second_takes_nothing_of_the_first(
    installations: tuple[Installation, Installation], step: str | None
) -> None:
    one, other = installations
    # Its process died before it did anything.
    other.app.catalog.change_backup(other.backup.id, lambda row: replace(row, status=BackupStatus.RUNNING))

    def settle() -> None:
        (line,) = other.app.recovery.settle()
        assert "its process died" in line

    one.take(Meanwhile(step, settle) if step else None)
    if step is None:
        settle()
    assert other.row().status is BackupStatus.FAILED
    one.verify()


def test_who_deletes_a_backup_that_failed_takes_nothing_of_the_other(
    installations: tuple[Installation, Installation],
) -> None:
    one, other = installations
    one.take()
    with pytest.raises(Conflict):
        other.take()
    assert other.app.backups.delete(other.backup.id).status is BackupStatus.DELETED
    one.verify()


def test_what_the_second_has_asked_for_and_called_off_takes_nothing(
    installations: tuple[Installation, Installation],
) -> None:
    one, other = installations
    one.take()
    other.app.backups.delete(other.backup.id)
    one.verify()
