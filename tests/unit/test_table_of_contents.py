"""Which entries of an archive a chosen table needs."""

import pytest

from pgproof.adapters.postgres.contents import parse, render_list
from pgproof.domain.errors import Conflict, NotFound
from pgproof.domain.table_of_contents import TableOfContents

LISTING = """;
; Archive created at 2025-01-01 00:00:00 UTC
;
3376; 0 0 ENCODING - ENCODING
3379; 1262 16421 DATABASE - shop postgres
7; 2615 16400 SCHEMA - app owner
843; 1247 16423 TYPE app mood owner
;\tdepends on: 7
220; 1255 16445 FUNCTION app f() owner
;\tdepends on: 7
214; 1259 16425 TABLE app parents odd owner
;\tdepends on: 843 7
216; 1259 16432 TABLE app children owner
;\tdepends on: 7
300; 1259 16500 TABLE app heirs owner
;\tdepends on: 214
3381; 0 0 ACL app TABLE parents owner
;\tdepends on: 214
215; 1259 16430 SEQUENCE app parents_id_seq owner
;\tdepends on: 7 214
3382; 0 0 SEQUENCE OWNED BY app parents_id_seq owner
;\tdepends on: 215
217; 1259 16440 VIEW app v owner
;\tdepends on: 214
3218; 2604 16431 DEFAULT app parents id owner
;\tdepends on: 215 214
3372; 0 16432 TABLE DATA app children owner
;\tdepends on: 216
3370; 0 16425 TABLE DATA app name with
a line break owner
;\tdepends on: 214
3383; 0 0 SEQUENCE SET app parents_id_seq owner
;\tdepends on: 215
3220; 2606 16429 CONSTRAINT app parents parents_pkey owner
;\tdepends on: 214
3226; 2620 16446 TRIGGER app parents tr owner
;\tdepends on: 214 220
3225; 2606 16435 FK CONSTRAINT app children children_fkey owner
;\tdepends on: 214 216 3220
"""


@pytest.fixture
def contents() -> TableOfContents:
    return parse(LISTING.splitlines())


def test_every_entry_is_read_with_its_kind_and_needs(contents: TableOfContents) -> None:
    entries = {entry.dump_id: entry for entry in contents.entries}
    assert len(entries) == 19
    assert (entries[3225].kind, entries[3225].needs) == ("FK CONSTRAINT", (214, 216, 3220))
    assert (entries[214].kind, entries[214].label) == ("TABLE", "app parents odd owner")
    assert contents.tables == {16425, 16432}


def test_a_table_comes_with_all_that_belongs_to_it_and_all_that_it_uses(contents: TableOfContents) -> None:
    selected = contents.select({16425: "app.parents"})
    assert selected == (3376, 7, 843, 220, 214, 3381, 215, 3382, 3218, 3370, 3383, 3220, 3226)


def test_a_foreign_key_comes_only_with_both_of_its_tables(contents: TableOfContents) -> None:
    assert 3225 not in contents.select({16432: "app.children"})
    assert 3225 in contents.select({16432: "app.children", 16425: "app.parents"})


def test_a_table_that_needs_another_is_refused_without_it(contents: TableOfContents) -> None:
    with pytest.raises(Conflict, match="TABLE app heirs owner needs TABLE app parents"):
        contents.select({16500: "app.heirs"})
    assert 300 in contents.select({16500: "app.heirs", 16425: "app.parents"})


def test_in_a_database_that_holds_the_rest_only_what_belongs_to_the_table_comes(contents: TableOfContents) -> None:
    own = contents.select_own({16425: "app.parents"}, ["owner"])
    assert own == (3376, 214, 3381, 215, 3382, 3218, 3370, 3383, 3220, 3226)
    assert 3225 in contents.select_own({16432: "app.children"}, ["owner"])


def test_a_table_that_the_archive_does_not_hold_is_not_found(contents: TableOfContents) -> None:
    with pytest.raises(NotFound, match=r"app\.other"):
        contents.select({1: "app.other", 16425: "app.parents"})


def test_a_selection_is_written_as_pg_restore_takes_it() -> None:
    assert render_list([3, 1]) == "3;\n1;\n"
