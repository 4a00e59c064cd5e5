"""A restore that replaces a database's contents in one transaction: pg_restore writes a script, psql runs it.

The transaction commits only if psql reads the COMMIT that we send last. A pipe that ends early, because
pg_restore failed or this process died, ends psql's session, and the server rolls back.
"""

import json
import subprocess
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from psycopg import sql

from pgproof.adapters.postgres import comparing, first_state
from pgproof.adapters.postgres.failures import restore_failure
from pgproof.adapters.postgres.process import Command, ToolProcess
from pgproof.adapters.postgres.script import understood
from pgproof.adapters.postgres.transaction_number import keep_numbers
from pgproof.domain.errors import FingerprintMismatch, PgproofError, RestoreFailed
from pgproof.domain.fingerprint import Fingerprint
from pgproof.domain.properties import DatabaseProperties
from pgproof.services.ports import TRANSACTION_MARK, RestoreRequest, Watch

_COMMIT = b"\nCOMMIT;\n"
# Whoever loads does so without waiting for the disk, as may be the server's own setting; what we report as done must
# survive a crash all the same.
_COMMIT_FOR_GOOD = "SET LOCAL synchronous_commit = on;\nCOMMIT;\n"
_TAIL = 1 << 16
_MARK_SECONDS = 60

# Each part finds what to drop in the server's catalog and has the server quote it. Members of extensions go with
# their extension, and an extension that is not ours to drop stays, as on managed servers. Objects of PostgreSQL's
# own have OIDs below 16384. What one DROP takes along by CASCADE the next finds gone, hence IF EXISTS.
_DROP = """
DO $pgproof_drop$
DECLARE
    doomed record;
    mine oid := (SELECT n.oid FROM pg_catalog.pg_namespace n
                 WHERE n.nspname = pg_catalog.current_setting('pgproof.kept'));
BEGIN
    PERFORM pg_catalog.lo_unlink(m.oid) FROM pg_catalog.pg_largeobject_metadata m;
    FOR doomed IN SELECT evtname AS name FROM pg_catalog.pg_event_trigger WHERE oid >= 16384 LOOP
        EXECUTE pg_catalog.format('DROP EVENT TRIGGER IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT pubname AS name FROM pg_catalog.pg_publication LOOP
        EXECUTE pg_catalog.format('DROP PUBLICATION IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT s.subname AS name FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d
        ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database() LOOP
        -- Its slot stays with the publisher, for the subscription of that name that the backup holds.
        EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I DISABLE', doomed.name);
        EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', doomed.name);
        EXECUTE pg_catalog.format('DROP SUBSCRIPTION %I', doomed.name);
    END LOOP;
    FOR doomed IN SELECT nspname AS name FROM pg_catalog.pg_namespace n
        WHERE n.oid >= 16384 AND n.oid IS DISTINCT FROM mine AND nspname !~ '^pg_' AND nspname <> 'public'
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::regclass
                          AND d.objid = n.oid AND d.deptype = 'e') LOOP
        EXECUTE pg_catalog.format('DROP SCHEMA IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT extname AS name FROM pg_catalog.pg_extension
        WHERE extname <> 'plpgsql' AND pg_catalog.pg_has_role(extowner, 'USAGE') LOOP
        EXECUTE pg_catalog.format('DROP EXTENSION IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT o.type, o.identity FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_namespace n ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid
        CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) o
        WHERE n.nspname = 'public' AND d.deptype = 'n' AND d.objid >= 16384
          AND d.classid <> 'pg_catalog.pg_extension'::regclass
          -- Key columns of a partitioned table are internal to it: only what the whole object belongs to counts.
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classid AND e.objid = d.objid
                          AND e.objsubid = 0 AND e.deptype IN ('e', 'i')) LOOP
        BEGIN
            EXECUTE pg_catalog.format('DROP %s IF EXISTS %s CASCADE',
                CASE doomed.type WHEN 'statistics object' THEN 'statistics' ELSE doomed.type END, doomed.identity);
        EXCEPTION WHEN undefined_object OR undefined_function OR undefined_table THEN
            NULL; -- its type went before it
        END;
    END LOOP;
    FOR doomed IN SELECT pg_catalog.format_type(c.castsource, NULL) AS source,
                         pg_catalog.format_type(c.casttarget, NULL) AS target
        FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'e') LOOP
        EXECUTE pg_catalog.format('DROP CAST IF EXISTS (%s AS %s) CASCADE', doomed.source, doomed.target);
    END LOOP;
    FOR doomed IN SELECT t.trftype::regtype::text AS type, l.lanname AS name FROM pg_catalog.pg_transform t
        JOIN pg_catalog.pg_language l ON l.oid = t.trflang
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = t.oid
                          AND d.classid = 'pg_catalog.pg_transform'::regclass) LOOP
        EXECUTE pg_catalog.format('DROP TRANSFORM IF EXISTS FOR %s LANGUAGE %I CASCADE', doomed.type, doomed.name);
    END LOOP;
    FOR doomed IN SELECT l.lanname AS name FROM pg_catalog.pg_language l
        WHERE l.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
            AND d.objid = l.oid AND d.classid = 'pg_catalog.pg_language'::regclass) LOOP
        EXECUTE pg_catalog.format('DROP LANGUAGE IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT a.amname AS name FROM pg_catalog.pg_am a
        WHERE a.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
            AND d.objid = a.oid AND d.classid = 'pg_catalog.pg_am'::regclass) LOOP
        EXECUTE pg_catalog.format('DROP ACCESS METHOD IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT srvname AS name FROM pg_catalog.pg_foreign_server LOOP
        EXECUTE pg_catalog.format('DROP SERVER IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT f.fdwname AS name FROM pg_catalog.pg_foreign_data_wrapper f
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = f.oid
                          AND d.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass) LOOP
        EXECUTE pg_catalog.format('DROP FOREIGN DATA WRAPPER IF EXISTS %I CASCADE', doomed.name);
    END LOOP;
    FOR doomed IN SELECT pg_catalog.pg_get_userbyid(a.defaclrole) AS role, n.nspname AS schema,
               CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                    WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END
               AS kind, x.grantee, x.privilege_type AS privilege
        FROM pg_catalog.pg_default_acl a LEFT JOIN pg_catalog.pg_namespace n ON n.oid = a.defaclnamespace
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.defaclacl) x
        WHERE x.grantee <> a.defaclrole LOOP
        EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s REVOKE %s ON %s FROM %s', doomed.role,
            CASE WHEN doomed.schema IS NULL THEN '' ELSE pg_catalog.format('IN SCHEMA %I', doomed.schema) END,
            doomed.privilege, doomed.kind, CASE WHEN doomed.grantee = 0 THEN 'PUBLIC'
                ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(doomed.grantee)) END);
    END LOOP;
    -- What had been taken away from PostgreSQL's own defaults would be taken from everything that is restored.
    FOR doomed IN SELECT pg_catalog.pg_get_userbyid(a.defaclrole) AS role,
               CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                    WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END
               AS kind, a.defaclobjtype IN ('f', 'T') AS public
        FROM pg_catalog.pg_default_acl a WHERE a.defaclnamespace = 0 LOOP
        EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT ALL ON %s TO %I%s',
            doomed.role, doomed.kind, doomed.role, CASE WHEN doomed.public THEN ', PUBLIC' ELSE '' END);
    END LOOP;
END
$pgproof_drop$;
"""

# Without CASCADE: what depends on a table and was not chosen keeps the table from being dropped.
_DROP_TABLES = """
DO $pgproof_drop$
DECLARE
    doomed text := (SELECT pg_catalog.string_agg(pg_catalog.to_regclass(name)::text, ', ')
                    FROM pg_catalog.jsonb_array_elements_text(
                        pg_catalog.current_setting('pgproof.replaced')::jsonb) AS name);
BEGIN
    IF doomed IS NOT NULL THEN
        EXECUTE 'DROP TABLE ' || doomed;
    END IF;
END
$pgproof_drop$;
"""


def run(
    *,
    script: Command | Generator[bytes, None, None],
    psql: Command,
    expected: Fingerprint | None,
    request: RestoreRequest,
    afterwards: Sequence[str],
    lock_wait_seconds: int,
    watch: Watch,
) -> None:
    """Drop, restore, compare, commit. `script` is one, or the command that writes one.

    Raises `RestoreFailed` and `FingerprintMismatch`; then nothing changed.
    """
    marked = threading.Event()
    hearing = replace(watch, on_line=_marking(marked, request, watch))
    with (
        ToolProcess(psql, hearing, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as session,
        _source(script, request, watch) as source,
    ):
        reads = session.send(_opening(request, lock_wait_seconds).encode())
        for chunk in source:
            reads = reads and session.send(chunk)
            if not reads:
                break
        if reads:
            if not marked.wait(_MARK_SECONDS):
                raise RestoreFailed(
                    "the number of the transaction could not be recorded, so it was not committed",
                    hint="See the restore's log, then try again.",
                )
            compare = [] if expected is None else [comparing.script(expected)]
            session.send("\n".join(["", *afterwards, *compare, _COMMIT_FOR_GOOD]).encode())
        session.feed(iter(()))
        status = session.wait()
        if status != 0:
            raise _failure(psql, status, session.tail)


def _marking(marked: threading.Event, request: RestoreRequest, watch: Watch) -> Callable[[str], None]:
    """Pass lines on; the transaction's number only when it is sure to mean this one for ever."""

    def hear(line: str) -> None:
        if TRANSACTION_MARK not in line:
            watch.on_line(line)
            return
        keep_numbers(request.connection)
        watch.on_line(line)
        marked.set()

    return hear


@contextmanager
def _source(
    script: Command | Generator[bytes, None, None], request: RestoreRequest, watch: Watch
) -> Iterator[Iterator[bytes]]:
    """What psql is to read between our BEGIN and our COMMIT."""
    if not isinstance(script, Command):
        with closing(script) as source:
            yield source
        return
    with ToolProcess(script, watch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        yield _written(script, process, request)


def _written(script: Command, process: ToolProcess, request: RestoreRequest) -> Iterator[bytes]:
    yield from without_commit(understood(process.output(), request.server_version))
    status = process.wait()
    if status != 0:
        raise restore_failure(script.name, status, process.tail)


def without_commit(script: Iterable[bytes]) -> Iterator[bytes]:
    """pg_restore's script up to the COMMIT that ends it; the one before that, in a procedure say, stays."""
    held = b""
    for chunk in script:
        held += chunk
        if len(held) > _TAIL:
            yield held[:-_TAIL]
            held = held[-_TAIL:]
    end = held.rfind(_COMMIT)
    if end < 0:
        raise RestoreFailed("pg_restore's script has no end", hint="See the restore's log. Nothing was changed.")
    yield held[: end + 1]


def _failure(psql: Command, status: int, tail: list[str]) -> PgproofError:
    for line in tail:
        _, found, differences = line.partition(comparing.MISMATCH)
        if found:
            return FingerprintMismatch(
                f"what came back differs from what was there: {differences}",
                hint="The database was not changed. Verify the backup, see the log, or restore another one.",
                facts={"differences": differences.split("; ")},
            )
    return restore_failure(psql.name, status, tail)


def _opening(request: RestoreRequest, lock_wait_seconds: int) -> str:
    """Begin the transaction, say its number, and drop what is there: everything, or only some tables."""
    names = sql.Literal(json.dumps(request.replaced or ())).as_string()
    kept = sql.Literal(request.kept_schema or "").as_string()
    mark = sql.Literal(TRANSACTION_MARK + "%").as_string()
    return f"""
BEGIN;
SET LOCAL lock_timeout = {int(lock_wait_seconds) * 1000};
DO $$ BEGIN RAISE NOTICE {mark}, pg_catalog.pg_current_xact_id(); END $$;
SET LOCAL client_min_messages = warning;
SELECT pg_catalog.set_config('pgproof.replaced', {names}, true), pg_catalog.set_config('pgproof.kept', {kept}, true);
SET LOCAL search_path = '';
{_DROP_TABLES if request.replaced is not None else _DROP + _first_state(request.properties)}
"""


def _first_state(properties: DatabaseProperties | None) -> str:
    if properties is None:
        return first_state.RESET
    public = first_state.PUBLIC_SCHEMA if properties.has_public_schema else first_state.NO_PUBLIC_SCHEMA
    return public + first_state.RESET
