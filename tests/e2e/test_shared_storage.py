"""Two installations that share a storage and take backups of one name at once: what either has stored stays."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg
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
    catalog_url: str

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
        catalog_url = to_url(server18.create_database())
        app = make_app(BACKUP_CATALOG_URL=catalog_url)
        app.databases.add("shop", to_url(place))
        backup = app.catalog.create_backup(
            "shop",
            storage_url=app.storage.url,
            options=BackupOptions(),
            trigger=BackupTrigger.SCHEDULED_CRON,
            now=AT_TWO,
        )
        return Installation(app, backup, catalog_url)

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


@pytest.mark.parametrize("status", [BackupStatus.PENDING, BackupStatus.RUNNING])
def test_a_catalog_from_before_a_backup_finds_it_whole_instead_of_taking_it_again(
    installations: tuple[Installation, Installation], status: BackupStatus
) -> None:
    one, _ = installations
    taken = one.take()
    before = replace(one.backup, status=status)
    with psycopg.connect(one.catalog_url) as catalog:
        catalog.execute(
            "UPDATE pgproof.backup_jobs SET status = %s, completed_at = NULL, started_at = NULL, file_size = NULL, "
            "checksum_sha256 = NULL, verified_at = NULL WHERE id = %s",
            [status, before.id],
        )
    if status is BackupStatus.PENDING:
        seen = Recorder()
        assert one.take(seen).status is BackupStatus.COMPLETED
        assert "dump" not in seen.steps
    else:
        (line,) = one.app.recovery.settle()
        assert "the backup is whole" in line
    row = one.row()
    assert (row.status, row.file_size, row.checksum_sha256) == (taken.status, taken.file_size, taken.checksum_sha256)
    assert row.taken_at <= (row.completed_at or AT_TWO)
    one.verify()


def test_what_a_catalog_from_before_cannot_use_stays_and_is_told(
    installations: tuple[Installation, Installation],
) -> None:
    one, _ = installations
    one.take()
    stored = one.objects()
    one.app.storage.delete(f"{one.backup.folder}/SHA256SUMS")
    with psycopg.connect(one.catalog_url) as catalog:
        catalog.execute("UPDATE pgproof.backup_jobs SET status = 'pending' WHERE id = %s", [one.backup.id])
    with pytest.raises(Conflict, match="has not stored"):
        one.take()
    assert one.row().status is BackupStatus.FAILED
    one.app.backups.delete(one.backup.id)
    assert one.objects() == stored - {f"{one.backup.folder}/SHA256SUMS"}
