"""Jobs, wired: their records, the queue, who asks and who runs."""

import os
import socket
from dataclasses import dataclass
from time import sleep

from pgproof.adapters.catalog import JobRecords as PostgresJobRecords
from pgproof.adapters.catalog import PostgresCatalog
from pgproof.adapters.queue import ProcrastinateQueue
from pgproof.services.backups import BackupService
from pgproof.services.databases import DatabaseService
from pgproof.services.expiry import ExpiryService
from pgproof.services.job_news import JobNews
from pgproof.services.job_running import JobRunner
from pgproof.services.job_work import JobWork
from pgproof.services.jobs import JobService
from pgproof.services.lost_jobs import LostJobs
from pgproof.services.ports import Clock, JobQueue, JobRecords, PostgresServer, Storage
from pgproof.services.recovery import RecoveryService
from pgproof.services.restore_tests import RestoreTestService
from pgproof.services.restores import RestoreService


@dataclass(frozen=True)
class JobParts:
    """What an application has for jobs."""

    queue: JobQueue
    records: JobRecords
    jobs: JobService
    runner: JobRunner
    lost: LostJobs
    news: JobNews


def job_records(catalog: PostgresCatalog) -> JobRecords:
    """The catalog's jobs."""
    return PostgresJobRecords(catalog.transactions)


def job_parts(
    *,
    catalog: PostgresCatalog,
    records: JobRecords,
    storage: Storage,
    server: PostgresServer,
    clock: Clock,
    databases: DatabaseService,
    backups: BackupService,
    restores: RestoreService,
    restore_tests: RestoreTestService,
    expiry: ExpiryService,
    recovery: RecoveryService,
) -> JobParts:
    """Wire them. The queue connects when it is first asked."""
    queue = ProcrastinateQueue(catalog.transactions.connection)
    news = JobNews()
    work = JobWork(
        catalog=catalog,
        records=records,
        backups=backups,
        restores=restores,
        restore_tests=restore_tests,
        expiry=expiry,
        recovery=recovery,
        clock=clock,
    )
    return JobParts(
        queue=queue,
        records=records,
        jobs=JobService(
            records=records,
            queue=queue,
            catalog=catalog,
            storage=storage,
            server=server,
            databases=databases,
            clock=clock,
            news=news,
            pause=sleep,
        ),
        runner=JobRunner(
            records=records,
            queue=queue,
            catalog=catalog,
            work=work,
            clock=clock,
            news=news,
            pause=sleep,
            worker=f"{socket.gethostname()}:{os.getpid()}",
        ),
        lost=LostJobs(records=records, queue=queue, catalog=catalog, work=work, clock=clock, news=news),
        news=news,
    )
