"""A restore through a script: only what the server does not know is left out, and only in the header."""

import pytest

from pgproof.adapters.postgres.in_place import without_commit
from pgproof.adapters.postgres.script import needed, understood
from pgproof.domain.database import ServerVersion
from pgproof.domain.errors import RestoreFailed

LINE = b"SET transaction_timeout = 0;\n"


def version(text: str) -> ServerVersion:
    return ServerVersion.parse(text)


@pytest.mark.parametrize(
    ("client", "server", "expected"),
    [("18.1", "15.2", True), ("17.0", "16.9", True), ("18.1", "17.0", False), ("16.1", "15.1", False)],
)
def test_a_script_is_needed_where_pg_restore_sets_what_the_server_does_not_know(
    client: str, server: str, expected: bool
) -> None:
    assert needed(version(client), version(server)) is expected


def test_the_first_such_line_is_left_out_and_a_row_that_reads_the_same_stays() -> None:
    script = [b"SET lock_timeout = 0;\n" + LINE + b"x" * 9000, b"COPY t FROM stdin;\n" + LINE]
    assert b"".join(understood(script, version("15.1"))) == b"SET lock_timeout = 0;\n" + b"x" * 9000 + script[1]
    assert b"".join(understood(script, version("17.1"))) == b"".join(script)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_the_last_commit_is_cut_off_and_those_before_it_stay(size: int) -> None:
    body = b"BEGIN;\nCREATE PROCEDURE p() AS $$\nCOMMIT;\n$$;\n" + b"row\n" * 50_000
    script = body + b"COMMIT;\n\n-- complete\n"
    chunks = [script[start : start + size] for start in range(0, len(script), size)] if size > 1 else [script]
    assert b"".join(without_commit(chunks)) == body


def test_a_script_without_an_end_is_refused() -> None:
    with pytest.raises(RestoreFailed, match="no end"):
        list(without_commit([b"BEGIN;\nCREATE TABLE t ();\n"]))
