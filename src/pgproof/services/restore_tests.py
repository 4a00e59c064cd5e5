"""Restore tests: restore a backup where nobody uses it, and compare what came back with what was there."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from threading import Event

from pgproof.domain.backup import Backup
from pgproof.domain.database import ConnectionInfo, ServerVersion
from pgproof.domain.errors import (
    AuthenticationFailed,
    Cancelled,
    ConfigurationError,
    IntegrityError,
    ObjectMissing,
    PgproofError,
    PostgresError,
    VersionUnsupported,
    WorkerLost,
)
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.manifest import Manifest
from pgproof.domain.restore_test import (
    RestoreTest,
    RestoreTestOutcome,
    RestoreTestStatus,
    RestoreTestStep,
    Verdict,
    proven,
)
from pgproof.domain.wording import in_quotes
from pgproof.services import contents
from pgproof.services.backups import check_usable
from pgproof.services.describing import described
from pgproof.services.job_log import JobLog
from pgproof.services.ports import Lock, Observer, Scratch, ScratchServer
from pgproof.services.restore_testing.lacking import is_ours, lacking_behind, lacking_on, lacking_space
from pgproof.services.restore_testing.trial import Trial
from pgproof.services.restore_testing.work import TrialWork
from pgproof.services.restoring.work import World

_LOST = WorkerLost("the process that did the work died", hint="Start it again.")
# What a backup can be blamed for once the place has been found fit for it.
_BLAMED = (IntegrityError, ObjectMissing, PostgresError)


class RestoreTestService:
    """The use cases around one restore test. `parallel_jobs` load at once."""

    def __init__(self, *, world: World, scratch: ScratchServer, parallel_jobs: int) -> None:
        self._world = world
        self._scratch = scratch
        self._parallel_jobs = parallel_jobs

    def test(
        self,
        backup_id: int,
        observer: Observer,
        *,
        cancelled: Event | None = None,
        begun: Callable[[RestoreTest], None] | None = None,
    ) -> RestoreTest:
        """Prove a backup, or find that it does not come back, or that this place cannot tell.

        `begun` hears of its record before anything is done.
        Raises only for what says nothing about the backup: a server or a storage that does not answer, a
        cancelled job. No protected database is touched.
        """
        catalog, clock = self._world.catalog, self._world.clock
        with ExitStack() as stack:
            # A deletion owns the backup; it finds the test that is owned before the backup is given up again.
            with catalog.own(Lock.BACKUP, backup_id):
                backup = catalog.get_backup(backup_id)
                check_usable(backup)
                test = catalog.create_restore_test(backup, clock.now())
                stack.enter_context(catalog.own(Lock.RESTORE_TEST, test.id))
            log = stack.enter_context(JobLog(catalog, clock, Lock.RESTORE_TEST, test.id, observer))
            if begun is not None:
                begun(test)
            return self._run(TrialWork(test, backup, self._world, log, self._parallel_jobs, cancelled or Event()))

    def lost(self) -> list[RestoreTest]:
        """Unfinished tests that nobody owns."""
        catalog = self._world.catalog
        unfinished = catalog.unfinished_restore_tests()
        return [test for test in unfinished if not catalog.is_owned(Lock.RESTORE_TEST, test.id)]

    def settle(self, test_id: int) -> str:
        """End a lost test, and remove what it had made; a line that says so."""
        catalog = self._world.catalog
        backup_id = catalog.get_restore_test(test_id).backup_id
        with catalog.own(Lock.BACKUP, backup_id), catalog.own(Lock.RESTORE_TEST, test_id):
            test = catalog.get_restore_test(test_id)
            if test.status is not RestoreTestStatus.RUNNING:
                return "somebody else has settled it"
            if test.verdict is not None:
                self._conclude(test, test.verdict)
                return "its process died when the work was done; what it found is recorded"
            left = ""
            try:
                self._drop_database(test)
            except ConfigurationError as error:
                left = f"; {error.detail}"
            self._end(test, RestoreTestStatus.FAILED, _LOST)
            return f"its process died{left or '; what it had made was removed'}"

    def _run(self, work: TrialWork) -> RestoreTest:
        try:
            verdict = self._judge(work)
            self._drop_database(work.test)
        except BaseException as error:
            self._unwind(work, error)
            raise
        return self._record(work, verdict)

    def _judge(self, work: TrialWork) -> Verdict:
        work.begin(RestoreTestStep.PREFLIGHT)
        try:
            manifest = contents.read_manifest(self._world.storage, work.backup)
            contents.check_checksums(self._world.storage, work.backup.folder, manifest)
        except (IntegrityError, ObjectMissing) as error:
            return _failed(work, error)
        missing = [*_unrecorded(manifest), *lacking_space(manifest, self._scratch.free_bytes())]
        if missing:
            return _not_testable(work, tuple(missing))
        work.begin(RestoreTestStep.START_SERVER)
        with ExitStack() as stack:
            try:
                running = self._scratch.running(ServerVersion.parse(manifest.server_version))
                scratch = stack.enter_context(running)
            except VersionUnsupported as error:
                return _not_testable(work, (error.detail,))
            verdict = self._judge_on(work, manifest, scratch)
            work.enter(RestoreTestStep.CLEAN_UP)
            return verdict

    def _judge_on(self, work: TrialWork, manifest: Manifest, scratch: Scratch) -> Verdict:
        server = self._world.server.identify(scratch.connection)
        where = "one of its own" if scratch.throwaway else scratch.connection.address
        work.note(server=f"PostgreSQL {server.version}, {where}")
        offered = self._world.server.list_available_extensions(scratch.connection)
        missing = lacking_on(server, manifest, offered)
        if missing:
            return _not_testable(work, missing)
        client = None
        try:
            client = self._world.tools.for_server(server.version, ServerVersion.parse(manifest.client_version))
            work.begin(RestoreTestStep.CREATE_DATABASE)
            trial = Trial(work, manifest, scratch, server, client).with_roles()
            missing = trial.create_database()
            return _not_testable(work, missing) if missing else trial.run()
        except PgproofError as error:
            if is_ours(error):
                raise
            missing = lacking_behind(error, server, throwaway=scratch.throwaway)
            if missing:
                return _not_testable(work, missing)
            if isinstance(error, _BLAMED) and not isinstance(error, AuthenticationFailed):
                return _failed(work, error)
            raise

    def _record(self, work: TrialWork, verdict: Verdict) -> RestoreTest:
        work.check_ours()
        now = self._world.clock.now()
        work.note(
            step=RestoreTestStep.DONE,
            timings=work.timings(),
            completed_at=now,
            duration_seconds=(now - work.test.started_at).total_seconds(),
            verdict=verdict,
        )
        return self._conclude(work.test, verdict)

    def _conclude(self, test: RestoreTest, verdict: Verdict) -> RestoreTest:
        """Let the backup say what the test found, then end the test: a crash in between leaves it unfinished."""
        ended = replace(test, status=RestoreTestStatus.COMPLETED)
        found_at = test.completed_at or self._world.clock.now()

        def change(backup: Backup) -> Backup:
            return replace(backup, proven_at=proven(backup, verdict, found_at))

        self._world.catalog.change_backup(test.backup_id, change)
        self._world.catalog.save_restore_test(ended)
        return ended

    def _unwind(self, work: TrialWork, error: BaseException) -> None:
        """Record that the work ended early, without a word about the backup."""
        cancelled = isinstance(error, Cancelled | KeyboardInterrupt)
        work.log.log(f"{'cancelled' if cancelled else 'failed'}: {error}")
        try:
            self._drop_database(work.test)
            test = replace(work.test, timings=work.timings())
            self._end(test, RestoreTestStatus.CANCELLED if cancelled else RestoreTestStatus.FAILED, error)
        except PgproofError as left:
            # The row stays unfinished on purpose: recovery settles it later.
            work.log.log(f"left for recovery: {left}")

    def _end(self, test: RestoreTest, status: RestoreTestStatus, error: BaseException) -> None:
        now = self._world.clock.now()
        duration = (now - test.started_at).total_seconds()
        ended = replace(test, status=status, completed_at=now, duration_seconds=duration, **described(error))
        self._world.catalog.save_restore_test(ended)

    def _drop_database(self, test: RestoreTest) -> None:
        """Remove what a test has made on a server that others use too, and nothing else.

        One that was created while its OID could not be recorded any more is known by its name and by being empty.
        """
        name, server = test.database_name, self._world.server
        if name is None:
            return
        place = self._named_server(test).to_database(name)
        oid = server.list_databases(server.maintenance(place)).get(name)
        if oid is None:
            return
        if test.database_oid == oid or (test.database_oid is None and not server.user_objects(place)):
            server.drop_database(place, name, oid)

    def _named_server(self, test: RestoreTest) -> ConnectionInfo:
        named = self._scratch.named
        if named is None or self._world.server.identify(named).system_identifier != test.system_identifier:
            raise ConfigurationError(
                f"the settings do not name its server any more ({test.server}): look there for a database "
                f"{in_quotes(test.database_name or '')}, and drop it by hand",
                hint="BACKUP_TEST_SERVER_URL says where restore tests are done.",
            )
        return named


def _unrecorded(manifest: Manifest) -> tuple[str, ...]:
    if manifest.fingerprint.level is FingerprintLevel.NONE:
        return ("row counts of the original: the backup was taken without them",)
    return ()


def _not_testable(work: TrialWork, missing: tuple[str, ...]) -> Verdict:
    work.log.log(f"not testable here, there is no {'; no '.join(missing)}")
    return Verdict(RestoreTestOutcome.NOT_TESTABLE, missing=missing)


def _failed(work: TrialWork, error: PgproofError) -> Verdict:
    work.log.log(f"failed: {error}")
    return Verdict(RestoreTestOutcome.FAILED, **described(error))
