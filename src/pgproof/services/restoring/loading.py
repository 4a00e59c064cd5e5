"""Handing an archive to pg_restore, with its bytes checked on the way."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

from pgproof.domain.archive import WRITTEN, ArchiveFormat, Compression
from pgproof.domain.backup import Backup
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import Cancelled, FingerprintMismatch
from pgproof.domain.fingerprint import differences
from pgproof.domain.manifest import Manifest
from pgproof.domain.tuning import restore_settings
from pgproof.domain.wording import counted
from pgproof.services import contents
from pgproof.services.dump_progress import TableProgress
from pgproof.services.job_log import JobLog
from pgproof.services.measured import Measured
from pgproof.services.ports import RestoreRequest, Watch
from pgproof.services.restoring.preflight import Plan
from pgproof.services.restoring.work import Work, World

_OWN_SCHEMA = "pgproof"

NOTHING_TO_COMPARE = "nothing was compared: this is an imported dump, and nobody recorded what the database held"


@contextmanager
def staged(world: World, log: JobLog, backup: Backup, manifest: Manifest, cancelled: Event) -> Iterator[Path]:
    """The archive where tools can read it, its checksum proven. Raises `ChecksumMismatch` and `Cancelled`."""

    def passed(size: int) -> None:
        if cancelled.is_set():
            raise Cancelled("the job was cancelled")
        log.update(bytes_done=size)

    storage, archive = world.storage, manifest.archive
    key = f"{backup.folder}/{archive.name}"
    direct = archive.compression is Compression.NONE and manifest.options.format is not ArchiveFormat.DIRECTORY
    path = storage.local_path(key) if direct else None
    if path is not None:
        contents.check_object(storage, backup.folder, archive, passed)
    log.update(part="unpack", bytes_total=archive.size)
    stored = Measured(storage.read(key), passed)
    with (
        closing(world.streams.decompress(stored, archive.compression)) as stream,
        world.tools.stage(stream, manifest.options.format, path) as place,
    ):
        if path is None:
            contents.compare(key, archive, stored)
        yield place


def jobs(work: Work, plan: Plan) -> int:
    """With how many jobs it can be loaded: a tar archive and a script are read from their beginning to their end."""
    return work.restore.options.parallel_jobs if plan.manifest.options.format in WRITTEN else 1


def request(work: Work, plan: Plan, place: Path, target: ConnectionInfo, jobs: int) -> RestoreRequest:
    """What is to be done with so many jobs, by pg_restore or, with a plain dump, by psql."""
    options = work.restore.options
    return RestoreRequest(
        staged=place,
        connection=target,
        jobs=jobs,
        script=plan.manifest.options.format is ArchiveFormat.PLAIN,
        entries=plan.entries,
        no_owner=options.no_owner,
        no_acl=options.no_acl,
        role_map=options.role_map,
        no_tablespaces=options.tablespace is not None,
        server_version=plan.server.version,
        settings=restore_settings(work.world.server.memory(target), jobs),
        kept_schema=_OWN_SCHEMA if plan.keeps_catalog else None,
        autovacuum=options.autovacuum,
        replaced=(*plan.expected.tables, *plan.expected.schema_only) if options.selective else None,
    )


def watch(work: Work, plan: Plan) -> Watch:
    """Progress and log of pg_restore."""
    work.log.update(part="", bytes_done=0, bytes_total=None)
    progress = TableProgress(work.log, len(plan.expected.tables))
    return Watch(work.log.reader(progress.hear), work.cancelled)


def analyze(work: Work, target: ConnectionInfo) -> None:
    """Collect statistics, and say of which tables there are none."""
    for reason in work.world.server.analyze(target):
        work.log.log(f"warning: no statistics of {reason}")


def compare(work: Work, plan: Plan, target: ConnectionInfo) -> None:
    """Hold what came back to what was recorded. Raises `FingerprintMismatch`."""
    if not plan.manifest.comparable:
        work.log.log(NOTHING_TO_COMPARE)
        return
    found = differences(plan.expected, work.world.server.fingerprint(target, plan.expected.level))
    if work.restore.options.selective:
        # Beside the chosen tables stand what they use, and sequences that belong to none.
        found = tuple(one for one in found if one.kind == "table" and one.expected is not None)
    if found:
        places = f"{counted(len(found), 'place')}: {'; '.join(map(str, found[:3]))}"
        raise FingerprintMismatch(
            f"what came back differs from what was there in {places}",
            hint="The live database was not touched. Verify the backup, see the log, or restore another one.",
            facts={"differences": [str(difference) for difference in found]},
        )
