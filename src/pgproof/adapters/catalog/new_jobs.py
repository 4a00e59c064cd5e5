"""New jobs in a transaction that somebody else began: what is asked for and why it was become visible together."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pgproof.adapters.catalog.access_models import UserRow
from pgproof.adapters.catalog.job_models import JobRow
from pgproof.adapters.catalog.job_rows import job_values
from pgproof.adapters.catalog.models import BackupRow
from pgproof.adapters.catalog.rows import backup_values, new_backup
from pgproof.domain.backup import Backup
from pgproof.domain.job import Job, NewJob
from pgproof.services.ports import WantedBackup


def insert_jobs(session: Session, wanted: Sequence[NewJob]) -> Sequence[Job]:
    """Queued jobs, which are not in the queue yet."""
    numbers = _numbers(session, "jobs", wanted)
    return [_insert(session, number, one) for number, one in zip(numbers, wanted, strict=True)]


def insert_backup_jobs(
    session: Session, wanted: Sequence[WantedBackup], storage_url: str, now: datetime
) -> Sequence[tuple[Backup, Job]]:
    """Pending backups with their queued jobs."""
    made = []
    backup_ids = _numbers(session, "backup_jobs", wanted)
    job_ids = _numbers(session, "jobs", wanted)
    for one, backup_id, job_id in zip(wanted, backup_ids, job_ids, strict=True):
        backup = new_backup(backup_id, one.database, storage_url, one.options, one.trigger, now)
        # Looked up, since the user may have been removed a moment ago.
        asker = select(UserRow.id).where(UserRow.id == one.user_id).scalar_subquery()
        session.add(BackupRow(id=backup.id, created_by_id=asker, **backup_values(backup)))
        made.append((backup, _insert(session, job_id, one.job_for(backup))))
    return made


def _insert(session: Session, number: int, wanted: NewJob) -> Job:
    job = wanted.queued(number)
    session.add(JobRow(id=job.id, **job_values(job)))
    return job


def _numbers(session: Session, table: str, wanted: Sequence[object]) -> Sequence[int]:
    """New numbers of a table, as many as are wanted, in their order."""
    counted = func.generate_series(1, len(wanted))
    return sorted(session.scalars(select(func.nextval(f"pgproof.{table}_id_seq")).select_from(counted)))
