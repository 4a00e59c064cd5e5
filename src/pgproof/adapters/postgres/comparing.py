"""The comparison as a script: for a restore in place, which compares inside of the transaction that it commits.

It holds a database to the same figures as `domain.fingerprint.differences`, which sees them from outside.
"""

import json

from psycopg import sql

from pgproof.adapters.postgres.digest import PIECE_BYTES, PIECES, STATEMENTS, WRITTEN_PLAINLY
from pgproof.domain.fingerprint import Fingerprint

MISMATCH = "pgproof fingerprint mismatch: "

# The expected figures travel as a setting of the transaction, so that no name becomes part of the code.
_COMPARE = f"""
DO $pgproof_compare$
DECLARE
    expected jsonb := pg_catalog.current_setting('pgproof.expected')::jsonb;
    wanted record;
    rows bigint;
    position bigint;
    called boolean;
    content text;
    sums numeric[] := '{{0,0}}';
    start bigint := 0;
    more oid[];
    found text[] := '{{}}';
BEGIN
    FOR wanted IN SELECT key AS name, value::bigint AS rows, expected -> 'digests' ->> key AS content
                  FROM pg_catalog.jsonb_each_text(expected -> 'tables') LOOP
        IF pg_catalog.to_regclass(wanted.name) IS NULL THEN
            found := found || pg_catalog.format('table %s is missing', wanted.name);
            CONTINUE;
        ELSIF wanted.rows IS NULL THEN
            CONTINUE;
        ELSIF wanted.content IS NULL THEN
            EXECUTE pg_catalog.format('SELECT count(*) FROM ONLY %s', pg_catalog.to_regclass(wanted.name)) INTO rows;
        ELSE
            EXECUTE (SELECT s.statement FROM ({STATEMENTS}) AS s WHERE s.oid = pg_catalog.to_regclass(wanted.name))
                INTO rows, content;
        END IF;
        IF rows <> wanted.rows THEN
            found := found || pg_catalog.format('table %s: expected %s rows, found %s rows',
                                                wanted.name, wanted.rows, rows);
        ELSIF content <> wanted.content THEN
            found := found || pg_catalog.format('table %s: expected content %s, found content %s',
                                                wanted.name, wanted.content, content);
        END IF;
    END LOOP;
    FOR wanted IN SELECT key AS name, (value ->> 0)::bigint AS last, (value ->> 1)::boolean AS called
                  FROM pg_catalog.jsonb_each(expected -> 'sequences') LOOP
        IF pg_catalog.to_regclass(wanted.name) IS NULL THEN
            found := found || pg_catalog.format('sequence %s is missing', wanted.name);
            CONTINUE;
        END IF;
        EXECUTE pg_catalog.format('SELECT last_value, is_called FROM %s', pg_catalog.to_regclass(wanted.name))
            INTO position, called;
        IF (position, called) IS DISTINCT FROM (wanted.last, wanted.called) THEN
            found := found || pg_catalog.format('sequence %s: expected at %s, found at %s',
                                                wanted.name, wanted.last, position);
        END IF;
    END LOOP;
    IF expected ->> 'large_objects' IS NOT NULL THEN
        LOOP
            EXECUTE $pieces${PIECES}$pieces$ INTO content, more USING start, {PIECE_BYTES}, more;
            sums := ARRAY[sums[1] + pg_catalog.split_part(content, ':', 1)::numeric,
                          sums[2] + pg_catalog.split_part(content, ':', 2)::numeric];
            EXIT WHEN more IS NULL;
            start := start + {PIECE_BYTES};
        END LOOP;
        content := pg_catalog.concat(sums[1], ':', sums[2]);
        IF content <> expected ->> 'large_objects' THEN
            found := found || pg_catalog.format('large objects content: expected %s, found %s',
                                                expected ->> 'large_objects', content);
        END IF;
    END IF;
    IF pg_catalog.cardinality(found) > 0 THEN
        RAISE EXCEPTION '{MISMATCH}%', pg_catalog.array_to_string(found, '; ');
    END IF;
END
$pgproof_compare$;
"""


def script(expected: Fingerprint) -> str:
    """SQL that ends the transaction's session with `MISMATCH` and every difference, if there is one."""
    body = {
        "tables": {**expected.tables, **dict.fromkeys(expected.schema_only, 0)},
        "digests": dict(expected.digests),
        "large_objects": expected.large_objects_digest,
        "sequences": {
            name: [position.last_value, position.is_called]
            for name, position in expected.sequences.items()
            if position.settled
        },
    }
    settings = {**WRITTEN_PLAINLY, "pgproof.expected": json.dumps(body)}
    established = ", ".join(
        f"pg_catalog.set_config({sql.Literal(name).as_string()}, {sql.Literal(value).as_string()}, true)"
        for name, value in settings.items()
    )
    return f"SELECT {established};\n{_COMPARE}"
