"""Table patterns mean to us what they mean to pg_dump."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.adapters.postgres.patterns import TablePattern, exact, parse
from pgproof.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("pattern", "schema", "table"),
    [
        ("audit_logs", None, "^(audit_logs)$"),
        ("Audit_Logs", None, "^(audit_logs)$"),
        ('"Audit.Logs"', None, r"^(Audit\.Logs)$"),
        ("log*", None, "^(log.*)$"),
        ("log?", None, "^(log.)$"),
        ("app.log[0-9]", "^(app)$", "^(log[0-9])$"),
        ("*.cache", "^(.*)$", "^(cache)$"),
        ('"a""b".c', '^(a"b)$', "^(c)$"),
        ('"*"', None, r"^(\*)$"),
        ("a$b", None, r"^(a\$b)$"),
    ],
)
def test_a_pattern_is_read_by_the_rules_of_psql(pattern: str, schema: str | None, table: str) -> None:
    assert parse(pattern) == TablePattern(schema, table)


@pytest.mark.parametrize("pattern", ["", "a.b.c", '"open', "schema.", '""'])
def test_what_is_no_pattern_is_refused_with_a_hint(pattern: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(pattern)
    assert "double quotes" in refused.value.hint


@given(schema=st.text(min_size=1), table=st.text(min_size=1))
def test_an_exact_pattern_has_every_part_in_quotes_and_survives_reading(schema: str, table: str) -> None:
    read = parse(exact(schema, table))
    assert read.schema is not None
    for part, expression in ((schema, read.schema), (table, read.table)):
        literal = expression.removeprefix("^(").removesuffix(")$")
        assert literal.replace("\\", "") == part.replace("\\", "")
