"""Why a load failed, and how it is divided where autovacuum is to stay away."""

import pytest
from psycopg import sql

from pgproof.adapters.postgres import autovacuum
from pgproof.adapters.postgres.autovacuum import Held
from pgproof.domain.errors import InvalidInput, RestoreFailed
from pgproof.domain.restore import RestoreMode, RestoreOptions
from pgproof.domain.table_of_contents import Entry, TableOfContents
from pgproof.services.restoring.clashes import may_be_a_clash


def failed(*stderr: str) -> RestoreFailed:
    return RestoreFailed("pg_restore ended with exit status 1", facts={"stderr": list(stderr)})


@pytest.mark.parametrize(
    "said",
    [
        'trigger "aaa" for table "p11" does not exist',
        "deadlock detected",
        "tuple concurrently updated",
        'relation "x" already exists',
    ],
)
def test_what_jobs_do_to_each_other_may_be_a_clash_unless_there_was_one_job(said: str) -> None:
    error = failed(
        'pg_restore: creating TABLE "public.invalid must be"', f"pg_restore: error: could not: ERROR:  {said}"
    )
    assert may_be_a_clash(error, jobs=2)
    assert not may_be_a_clash(error, jobs=1)


@pytest.mark.parametrize(
    "line",
    [
        "pg_restore: error: could not read from input file: end of file",
        "pg_restore: error: could not execute query: ERROR:  could not extend file: No space left on device",
        "pg_restore: error: could not execute query: server closed the connection unexpectedly",
        "pg_restore: error: query failed: FATAL:  terminating connection due to administrator command",
        "pg_restore: error: could not execute query: ERROR:  canceling statement due to statement timeout",
        'pg_restore: error: COPY failed for table "t": ERROR:  new row for relation "t" violates check constraint "c"',
        "pg_restore: error: could not execute query: ERROR:  permission denied for schema app",
        'pg_restore: error: could not execute query: ERROR:  extension "vector" is not available',
        'pg_restore: error: could not execute query: ERROR:  cannot attach index "a" as a partition of index "b"',
        "pg_restore: error: a worker process died unexpectedly",
    ],
)
def test_what_one_job_would_meet_again_is_no_clash(line: str) -> None:
    assert not may_be_a_clash(failed(line), jobs=4)


def test_definitions_come_first_then_rows_and_grants_and_event_triggers_last() -> None:
    contents = TableOfContents(
        (
            Entry(1, 1259, 1, "TABLE", "public t postgres"),
            Entry(2, 0, 0, "ACL", "public TABLE t postgres", (1,)),
            Entry(3, 0, 1, "TABLE DATA", "public t postgres", (1,)),
            Entry(4, 2606, 2, "CONSTRAINT", "public t t_pkey postgres", (1,)),
            Entry(5, 3466, 3, "EVENT TRIGGER", "- listener postgres"),
            Entry(6, 0, 0, "COMMENT", "- EVENT TRIGGER listener postgres", (5,)),
        )
    )
    divided = autovacuum.stages(contents, frozenset({1}), None)
    assert (divided.definitions, divided.most, divided.last) == ((1,), (2, 3, 4), (5, 6))
    part = autovacuum.stages(contents, frozenset({1}), (1, 3))
    assert (part.definitions, part.most, part.last) == ((1,), (3,), ())


def test_parameters_that_a_table_had_are_set_anew_in_their_order() -> None:
    none = autovacuum.give_back(Held("s", "t", view=False)).as_string()
    assert none == 'ALTER TABLE "s"."t" RESET ("autovacuum_enabled"), RESET (toast."autovacuum_enabled")'
    own = Held("s", "t", view=False, options=("autovacuum_enabled=true", "fillfactor=70"), toast_options=("x=1",))
    assert autovacuum.give_back(own).as_string() == (
        'ALTER TABLE "s"."t" RESET ("autovacuum_enabled", "fillfactor"), '
        'SET ("autovacuum_enabled" = \'true\', "fillfactor" = \'70\'), RESET (toast."autovacuum_enabled")'
    )
    assert isinstance(autovacuum.keep_away(own), sql.Composed)
    assert autovacuum.keep_away(Held("s", "v", view=True)).as_string().startswith('ALTER MATERIALIZED VIEW "s"."v" SET')


def test_in_place_there_is_nothing_to_keep_autovacuum_away_from() -> None:
    with pytest.raises(InvalidInput, match="not committed"):
        RestoreOptions(mode=RestoreMode.IN_PLACE, autovacuum=False)
