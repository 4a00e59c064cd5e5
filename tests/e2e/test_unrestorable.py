"""What PostgreSQL restores from no archive is told when the backup is taken, not when it is needed."""

from dataclasses import replace

import pytest

from pgproof.bootstrap import App
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.domain.errors import RestoreFailed
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.services import doctor
from pgproof.services.contents import read_manifest
from tests.e2e.conftest import Recorder
from tests.servers import Server, to_url

SWAP = RestoreOptions(create_safety_backup=False)
WHAT = 'exclusion constraint ex on the partitioned table public."odd p"'


def test_an_exclusion_constraint_on_a_partitioned_table_is_warned_of_and_refused_beforehand(
    app: App, server18: Server, recorder: Recorder
) -> None:
    place = server18.create_database()
    server18.sql(
        place,
        'CREATE TABLE "odd p" (a int4range, r int4range) PARTITION BY LIST (a)',
        "CREATE TABLE p1 PARTITION OF \"odd p\" FOR VALUES IN ('[1,2)')",
        'ALTER TABLE "odd p" ADD CONSTRAINT ex EXCLUDE USING gist (a WITH =, r WITH &&)',
        "CREATE TABLE alone (r int4range, EXCLUDE USING gist (r WITH &&))",
        "CREATE TABLE other (a int)",
        "INSERT INTO other VALUES (1)",
    )
    database = app.databases.resolve(to_url(place))
    warned = [one.detail for one in doctor.look_at_database(app.databases, database.name) if one.check == "restore"]
    assert warned == [f'a backup of "{database.name}" does not restore as a whole because of the {WHAT}']
    backup = app.backups.back_up(database, BackupOptions(), BackupTrigger.MANUAL_CLI, recorder)
    assert f"warning: PostgreSQL restores no archive that holds the {WHAT}: see docs/restoring.md" in recorder.lines
    assert read_manifest(app.storage, backup).unrestorable == (WHAT,)

    for mode in (RestoreMode.SWAP, RestoreMode.IN_PLACE):
        with pytest.raises(RestoreFailed, match="restores no archive that holds the exclusion constraint"):
            app.restores.check(backup.id, replace(SWAP, mode=mode))
    # As soon as this succeeds, PostgreSQL has been mended, and the warning is to depend on its version.
    with pytest.raises(RestoreFailed, match="index definitions do not match"):
        app.restores.restore(backup.id, replace(SWAP, force=True), recorder)

    target = place.to_database(f"{place.dbname}_part")
    part = replace(
        SWAP, mode=RestoreMode.NEW_DATABASE, target_database=target.dbname, tables=("public.other", "public.alone")
    )
    app.restores.restore(backup.id, part, recorder)
    assert server18.sql(target, "SELECT a FROM other") == [(1,)]


def test_other_constraints_and_partitioned_tables_without_partitions_are_no_reason_to_warn(
    app: App, server18: Server, recorder: Recorder
) -> None:
    place = server18.create_database()
    server18.sql(
        place,
        "CREATE TABLE p (a int4range, EXCLUDE USING gist (a WITH =)) PARTITION BY LIST (a)",
        "CREATE TABLE q (a int PRIMARY KEY) PARTITION BY LIST (a)",
        "CREATE TABLE q1 PARTITION OF q FOR VALUES IN (1)",
    )
    backup = app.backups.back_up(
        app.databases.resolve(to_url(place)), BackupOptions(), BackupTrigger.MANUAL_CLI, recorder
    )
    assert read_manifest(app.storage, backup).unrestorable == ()
    app.restores.restore(backup.id, SWAP, recorder)
