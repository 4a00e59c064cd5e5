"""What schedules want done: which jobs, for which databases."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.job import JobKind, NewJob
from pgproof.domain.schedule import Schedule, Task
from pgproof.domain.schedule_options import backup_options
from pgproof.domain.wording import in_quotes
from pgproof.services.ports import WantedBackup

OF_A_BACKUP: Mapping[Task, JobKind] = {Task.VERIFY: JobKind.VERIFY, Task.RESTORE_TEST: JobKind.RESTORE_TEST}

Wanted = WantedBackup | NewJob


class ScheduledWork:
    """One look at schedules, databases and backups, from which the jobs of any schedule follow.

    `groups` are the worker groups of the protected databases, `newest` the newest usable backup of each that has one.
    """

    def __init__(
        self,
        schedules: Sequence[Schedule],
        groups: Mapping[str, str],
        newest: Mapping[str, int],
        defaults: BackupOptions,
    ) -> None:
        self._groups = groups
        self._newest = newest
        self._defaults = defaults
        self._with_own: dict[Task, set[str]] = {task: set() for task in Task}
        for schedule in schedules:
            if schedule.database is not None:
                self._with_own[schedule.task].add(schedule.database)

    def wanted(self, schedule: Schedule, *, by: str, now: datetime) -> Sequence[Wanted]:
        """The jobs of a schedule. Raises `NotFound` if its database is not registered, `Conflict` without a backup."""
        if schedule.task is Task.CLEANUP:
            return [NewJob(JobKind.CLEANUP, by, now, options={"force": False}, schedule_id=schedule.id)]
        names = self.databases(schedule)
        if schedule.task is Task.BACKUP:
            options = backup_options(self._defaults, schedule.options)
            trigger = BackupTrigger.SCHEDULED_CRON
            return [WantedBackup(name, self._groups[name], options, trigger, by, schedule.id) for name in names]
        with_backup = [name for name in names if name in self._newest]
        if schedule.database is not None and not with_backup:
            raise Conflict(
                f"the database {in_quotes(schedule.database)} has no usable backup",
                hint="Take one first; `pgproof list` shows what became of the last ones.",
            )
        kind = OF_A_BACKUP[schedule.task]
        return [
            NewJob(kind, by, now, self._groups[name], name, self._newest[name], schedule_id=schedule.id)
            for name in with_backup
        ]

    def databases(self, schedule: Schedule) -> Sequence[str]:
        """The databases that a schedule is for. Raises `NotFound` if the one that it names is not registered."""
        if schedule.database is None:
            return sorted(self._groups.keys() - self._with_own[schedule.task])
        if schedule.database not in self._groups:
            raise NotFound(
                f"the database {in_quotes(schedule.database)} is not registered any more",
                hint=f"Register it again, or remove the schedule: pgproof schedule remove {schedule.id}",
            )
        return [schedule.database]
