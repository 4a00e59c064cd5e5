"""The trial itself: on a server that runs, load the backup into a database of its own, and compare."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from pgproof.domain.database import ConnectionInfo, Server, ServerVersion
from pgproof.domain.definitions import Comparison, Definitions, compare, parse
from pgproof.domain.errors import PostgresError, RestoreFailed, ServerUnreachable
from pgproof.domain.fingerprint import Fingerprint, differences
from pgproof.domain.manifest import Manifest
from pgproof.domain.properties import DatabaseProperties
from pgproof.domain.restore_test import RestoreTestOutcome, RestoreTestStep, Verdict, scratch_name
from pgproof.domain.tuning import restore_settings
from pgproof.domain.wording import counted, listed
from pgproof.services.dump_progress import TableProgress
from pgproof.services.ports import ClientTools, RestoreRequest, Scratch, Watch
from pgproof.services.restore_testing.lacking import lacking_behind
from pgproof.services.restore_testing.roles import bring_roles, missing_roles
from pgproof.services.restore_testing.work import TrialWork
from pgproof.services.restoring import loading
from pgproof.services.restoring.clashes import may_be_a_clash


@dataclass(frozen=True)
class Trial:
    """One backup on one server. Without `owners` objects belong to whoever restores, and nobody gets grants."""

    work: TrialWork
    manifest: Manifest
    scratch: Scratch
    server: Server
    client: ClientTools
    owners: bool = True
    remarks: tuple[str, ...] = ()

    def with_roles(self) -> "Trial":
        """Make the roles on a server of our own; on somebody else's, see which there are."""
        if self.scratch.throwaway:
            bring_roles(self.work, self.manifest, self.scratch)
            return self
        missing = missing_roles(self.work, self.manifest, self.scratch)
        if self.server.is_superuser and not missing:
            return self
        why = f"it lacks the roles {listed(missing)}" if missing else "our role there is no superuser"
        return replace(self, owners=False, remarks=(f"owners and grants were left out of the test: {why}",))

    def create_database(self) -> tuple[str, ...]:
        """Make an empty database like the original; what the server lacks for that."""
        name = self._place.dbname
        if not self.scratch.throwaway:
            self.work.note(database_name=name, system_identifier=self.server.system_identifier)
        try:
            oid = self.work.world.server.create_shadow(self._place, name, self._properties())
        except ServerUnreachable:
            raise
        except PostgresError as error:
            known = lacking_behind(error, self.server, throwaway=self.scratch.throwaway)
            return known or (f"a database with the encoding and locale of the original: {error.detail}",)
        if not self.scratch.throwaway:
            self.work.note(database_oid=oid)
        unknown = self.work.world.server.apply_settings(self._place, name, self._properties())
        for setting, reason in unknown.items():
            self.work.log.log(f"the setting {setting.name} of the database is left out: {reason}")
        return ()

    def run(self) -> Verdict:
        """Load and compare. Raises what a damaged backup, or the server, has to say."""
        work, world = self.work, self.work.world
        work.begin(RestoreTestStep.UNPACK)
        with loading.staged(world, work.log, work.backup, self.manifest, work.cancelled) as archive:
            work.begin(RestoreTestStep.LOAD)
            request = self._request(archive, work.jobs)
            try:
                world.tools.restore(self.client, request, self._watch())
            except RestoreFailed as error:
                if not may_be_a_clash(error, work.jobs):
                    raise
                work.log.log(f"the load with {work.jobs} jobs failed and is done again with one: {error.detail}")
                self._start_over()
                request = self._request(archive, jobs=1)
                world.tools.restore(self.client, request, self._watch())
            world.server.validate_indexes(self._place)
            archived = self._read(world.tools.archive_schema(self.client, request, self._quiet()))
        work.begin(RestoreTestStep.COMPARE_CONTENTS)
        recorded = self.manifest.fingerprint
        found = differences(recorded, world.server.fingerprint(self._place, recorded.level))
        work.begin(RestoreTestStep.COMPARE_DEFINITIONS)
        restored = self._read(world.tools.database_schema(self.client, request, self._quiet()))
        defined = compare(archived, restored, same_version=self._same_version)
        every = (*found, *defined.differences)
        for difference in every:
            work.log.log(f"difference: {difference}")
        return Verdict(
            outcome=RestoreTestOutcome.FAILED if every else RestoreTestOutcome.PASSED,
            differences=every,
            compared={**_counts(recorded), "definitions": defined.compared},
            remarks=(*self.remarks, *self._remarks(defined)),
        )

    @property
    def _place(self) -> ConnectionInfo:
        name = scratch_name(self.work.test.id, self.work.world.catalog.installation())
        place = self.scratch.connection.to_database(name)
        # A login trigger that came back with the backup must not write while the backup is being compared.
        silent = self.server.is_superuser and self.server.version.major >= 17
        return place.with_settings({"event_triggers": "off"} if silent else {})

    def _properties(self) -> DatabaseProperties:
        bare = replace(self.manifest.properties, tablespace="pg_default")
        if self.owners:
            return bare
        settings = tuple(setting for setting in bare.settings if setting.role is None)
        return replace(bare, owner=self.server.role, grants=None, settings=settings)

    @property
    def _same_version(self) -> bool:
        """Whether this server and these tools write definitions as those did that made the archive."""
        taken_on, taken_by = (
            ServerVersion.parse(text) for text in (self.manifest.server_version, self.manifest.client_version)
        )
        return (self.server.version.major, self.client.version.major) == (taken_on.major, taken_by.major)

    def _start_over(self) -> None:
        server = self.work.world.server
        oid = server.list_databases(server.maintenance(self._place))[self._place.dbname]
        server.drop_database(self._place, self._place.dbname, oid)
        if not self.scratch.throwaway:
            self.work.note(database_oid=None)
        self.create_database()  # it lacked nothing the first time

    def _request(self, archive: Path, jobs: int) -> RestoreRequest:
        return RestoreRequest(
            staged=archive,
            connection=self._place,
            jobs=jobs,
            no_owner=not self.owners,
            no_acl=not self.owners,
            no_tablespaces=True,
            server_version=self.server.version,
            settings=restore_settings(self.work.world.server.memory(self._place), jobs),
        )

    def _watch(self) -> Watch:
        self.work.log.update(part="", bytes_done=0, bytes_total=None)
        progress = TableProgress(self.work.log, len(self.manifest.fingerprint.tables))
        return Watch(self.work.log.reader(progress.hear), self.work.cancelled)

    def _quiet(self) -> Watch:
        return Watch(self.work.log.log, self.work.cancelled)

    @staticmethod
    def _read(schema: Generator[bytes, None, None]) -> Definitions:
        with closing(schema):
            script = b"".join(schema)
        # In the database's own encoding: bytes that are no UTF-8 stay told apart from all others.
        return parse(script.decode(errors="backslashreplace"))

    def _remarks(self, defined: Comparison) -> Iterator[str]:
        if not self._same_version:
            yield (
                f"definitions were compared by kind and name alone: PostgreSQL {self.server.version.major} does not "
                f"write all of them as PostgreSQL {ServerVersion.parse(self.manifest.server_version).major} does"
            )
        elif defined.respelled:
            yield f"{counted(defined.respelled, 'definition')} came back in other words for the same"


def _counts(recorded: Fingerprint) -> dict[str, int]:
    """What there was to compare, by kind."""
    counts = {
        "tables": len(recorded.tables.keys() | recorded.schema_only),
        "rows": recorded.rows,
        "digests": len(recorded.digests),
        "sequences": len(recorded.sequences),
        "extensions": len(recorded.extensions),
        "large_objects": recorded.large_objects,
    }
    return {kind: number for kind, number in counts.items() if number or kind in ("tables", "rows")}
