"""A script is taken apart where PostgreSQL would, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgproof.domain.statements import pieces


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("SELECT 1; SELECT 2;\n", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b', 'it''s;'; SELECT 2", ["SELECT 'a;b', 'it''s;'", "SELECT 2"]),
        (r"SELECT E'a\';b'; SELECT 2;", [r"SELECT E'a\';b'", "SELECT 2"]),
        (r"SELECT 'a\'; SELECT 2;", [r"SELECT 'a\'", "SELECT 2"]),
        (r"SELECT table'a\'; SELECT 2;", [r"SELECT table'a\'", "SELECT 2"]),
        ('ALTER TABLE "a;""b" OWNER TO x;', ['ALTER TABLE "a;""b" OWNER TO x']),
        ("DO $$ a; b $$; DO $x$ $$;$$ $x$;", ["DO $$ a; b $$", "DO $x$ $$;$$ $x$"]),
        ("SELECT a$1$b; SELECT 2;", ["SELECT a$1$b", "SELECT 2"]),
        ("-- one; 'two\nSELECT 1;\n-- three", ["-- one; 'two", "SELECT 1", "-- three"]),
        ("SELECT 1 -- a; 'b\n, 2;", ["SELECT 1 -- a; 'b\n, 2"]),
        ("SELECT 1 /* a; 'b */, 2;", ["SELECT 1 /* a; 'b */, 2"]),
        ("\\restrict abc\n\nSET a = 1;\n\\unrestrict abc\n", ["SET a = 1"]),
        ("--\n-- Name: t\n--\n\nSELECT 1;", ["--", "-- Name: t", "--", "SELECT 1"]),
        ("SELECT 'never closed; SELECT 2;", ["SELECT 'never closed; SELECT 2;"]),
        ("", []),
        (" ;; ", []),
    ],
)
def test_a_semicolon_ends_a_statement_only_outside_of_everything_else(script: str, expected: list[str]) -> None:
    assert list(pieces(script)) == expected


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_whatever_a_literal_or_a_name_holds_it_stays_whole(texts: list[str]) -> None:
    statements = ["SELECT '{}', \"{}\"".format(text.replace("'", "''"), text.replace('"', '""')) for text in texts]
    assert list(pieces(";\n".join(statements))) == statements
