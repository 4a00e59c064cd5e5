"""A plain dump is read as psql reads it: what pg_dump writes passes, what could do harm does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.errors import ArchiveUnreadable, InvalidInput
from pgproof.domain.script import ScriptReader

HEAD = b"""--
-- PostgreSQL database dump
--

\\restrict abc123

-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 16.4

SET standard_conforming_strings = on;
"""
END = b"""--
-- PostgreSQL database dump complete
--

\\unrestrict abc123

"""
ROWS = b"""CREATE TABLE public.items (
    id integer
);
COPY public.items (id, name) FROM stdin;
1\tback\\\\slash \\N ' " $$ -- /*
2\tline\\nbreak
\\.
"""


def read(script: bytes, *, alone: bool = False, size: int = 1 << 20) -> bytes:
    reader = ScriptReader(alone=alone)
    return b"".join(reader.passed(script[start : start + size] for start in range(0, len(script), size)))


def test_tables_rows_and_versions_are_told() -> None:
    reader = ScriptReader()
    for _ in reader.passed([HEAD, ROWS, END]):
        pass
    assert [(entry.kind, entry.label) for entry in reader.contents.entries] == [
        ("TABLE", "public.items"),
        ("TABLE DATA", "public.items"),
    ]
    assert reader.contents.origin.server_version.startswith("15.18")
    assert reader.contents.origin.client_version == "16.4"


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_everything_but_the_locks_passes_unchanged_whatever_the_chunks(size: int) -> None:
    script = HEAD + ROWS + END
    expected = script.replace(b"\\restrict abc123", b"").replace(b"\\unrestrict abc123", b"")
    assert read(script, size=size).strip() == expected.strip()


@pytest.mark.parametrize(
    "part",
    [
        b"\\! touch /tmp/owned\n",
        b"SELECT 1 \\! touch /tmp/owned\n",
        b"\\o |sh\n",
        b"SELECT 1 \\g |sh\n",
        b"\\i /etc/passwd\n",
        b"COPY x (a) FROM stdin;\n\\! touch /tmp/owned\n\\.\n",
        b"SELECT (1;\nCOPY x (a) FROM stdin;\n\\! touch /tmp/owned\n\\.\n",
        b"SELECT E'a\\' ' \\! touch /tmp/owned\n '';\n",
        b"SELECT 'a' || $x$ ' $x$ \\! touch /tmp/owned\n",
        b"SET standard_conforming_strings = off;\n",
        b"SET standard_conforming_strings TO 'off';\n",
        b"\\connect other\n",
        b"ROLLBACK;\n",
        b"SELECT 1; commit; SELECT 2;\n",
        b"END;\n",
    ],
)
def test_what_pg_dump_would_not_write_is_refused(part: bytes) -> None:
    for size in (1, 1 << 20):
        with pytest.raises(InvalidInput) as refused:
            read(HEAD + part + END, size=size)
        assert refused.value.hint


@pytest.mark.parametrize(
    "part",
    [
        b"INSERT INTO t VALUES ('it''s \\! only text', E'a\\'\\\\! b');\n",
        b"COMMENT ON TABLE t IS 'COMMIT; ROLLBACK;\n\\! text';\n",
        b'CREATE TABLE "odd \\! ""name""" (\n    i integer\n);\n',
        b"CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_$BEGIN COMMIT; END;\n\\!$_$;\n",
        b"CREATE FUNCTION g() RETURNS integer LANGUAGE sql\n    BEGIN ATOMIC\n SELECT 1;\nEND;\n",
        b"-- a comment with \\! and 'one quote\n/* and \\! /* nested */ */ SELECT 1;\n",
        b"CREATE TABLE t (commit_id integer, rollback text, a$b$c integer);\n",
        b"BEGIN;\nSELECT pg_catalog.lo_open('16400', 131072);\nCOMMIT;\n",
    ],
)
def test_what_pg_dump_writes_passes(part: bytes) -> None:
    for size in (1, 1 << 20):
        assert part.strip() in read(HEAD + part + END, size=size)


def test_alone_leaves_out_the_transactions_around_large_objects_and_nothing_else() -> None:
    part = b"BEGIN;\nSELECT 1;\nCOMMIT;\nCOMMENT ON TABLE t IS '\nCOMMIT;\n';\n"
    kept = read(HEAD + part + END, alone=True)
    assert b"\nSELECT 1;\n" in kept
    assert kept.count(b"COMMIT;") == 1
    assert b"BEGIN;" not in kept


@pytest.mark.parametrize(
    "script",
    [
        b"",
        HEAD,
        HEAD + ROWS,
        HEAD + b"COPY t (a) FROM stdin;\n1\n",
        HEAD + b"SELECT '\n" + END,
        (HEAD + ROWS + END)[:-90],
    ],
)
def test_a_script_that_was_cut_short_is_not_whole(script: bytes) -> None:
    with pytest.raises(ArchiveUnreadable):
        read(script)


@given(st.text(alphabet="ab'\"$\\;\n()-*/ E", max_size=60), st.integers(1, 20))
def test_the_size_of_chunks_never_decides(text: str, size: int) -> None:
    script = HEAD + text.encode() + b"\n" + END

    def outcome(chunk: int) -> bytes | type[Exception]:
        try:
            return read(script, size=chunk)
        except (InvalidInput, ArchiveUnreadable) as error:
            return type(error)

    assert outcome(size) == outcome(1 << 20)
