"""Two schema dumps are held against each other object by object, by what they say and not by how."""

from typing import Any

import pytest

from pgproof.domain.definitions import compare, parse
from pgproof.domain.fingerprint import Difference


def entry(kind: str, name: str, *statements: str, schema: str = "app") -> str:
    text = ";\n".join(statements)
    return f"--\n-- Name: {name}; Type: {kind}; Schema: {schema}; Owner: me\n--\n\n{text};\n\n"


HEAD = "--\n-- PostgreSQL database dump\n--\n\n\\restrict 1a2b\n\nSET statement_timeout = 0;\n\n"
HEAP = "SET default_table_access_method = heap;\n\n"
TABLE = entry("TABLE", "t", "CREATE TABLE app.t (\n    a integer\n)", "ALTER TABLE app.t OWNER TO me")
VIEW = entry("VIEW", "v", "CREATE VIEW app.v AS\n SELECT 1")


def differences(one: str, other: str, **given: Any) -> tuple[Difference, ...]:
    return compare(parse(one), parse(other), **{"same_version": True, **given}).differences


def test_every_object_has_its_statements() -> None:
    found = parse(HEAD + HEAP + TABLE + entry("SCHEMA", "app", "CREATE SCHEMA app", schema="-"))
    assert found == {
        "TABLE app.t": "CREATE TABLE app.t (\n    a integer\n)\nUSING heap;\nALTER TABLE app.t OWNER TO me",
        "SCHEMA app": "CREATE SCHEMA app",
    }


def test_neither_order_nor_heading_nor_psqls_own_commands_count() -> None:
    other = HEAD.replace("1a2b", "9z") + VIEW + TABLE + "-- the end\n"
    result = compare(parse(HEAD + TABLE + VIEW), parse(other), same_version=True)
    assert (result.compared, result.respelled, result.differences) == (2, 0, ())


def test_what_is_missing_and_what_is_new_are_named_by_kind_and_name() -> None:
    missing, new = differences(HEAD + TABLE, HEAD + VIEW)
    assert str(missing) == "definition TABLE app.t is missing"
    assert str(new) == "definition VIEW app.v was not there before"


@pytest.mark.parametrize("same_version", [True, False])
def test_a_missing_object_is_a_difference_on_every_version(same_version: bool) -> None:
    assert len(differences(HEAD + TABLE + VIEW, HEAD + TABLE, same_version=same_version)) == 1


def test_a_definition_that_says_something_else_is_shown_where_it_differs() -> None:
    (found,) = differences(TABLE, TABLE.replace("a integer", "a bigint"))
    assert str(found) == "definition TABLE app.t: expected a integer, found a bigint"


def test_of_another_major_version_the_words_are_not_compared_but_counted() -> None:
    result = compare(parse(VIEW), parse(VIEW.replace("SELECT 1", "SELECT t.one")), same_version=False)
    assert (result.respelled, result.differences) == (1, ())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (
            "CHECK (((m)::text = ANY ((ARRAY['a'::character varying, 'b)'::character varying])::text[])))",
            "CHECK (((m)::text = ANY (ARRAY[('a'::character varying)::text, ('b)'::character varying)::text])))",
        ),
        ("SELECT (a)::timestamp(3) without time zone", "SELECT a"),
        ("SELECT a::public.mood[]", "SELECT (a)"),
        ('SELECT a::app."odd ""type"', "SELECT a"),
        ("CREATE TABLE c (\n b int,\n a int\n)\nINHERITS (p)", "CREATE TABLE c (\n a int,\n b int\n)\nINHERITS (p)"),
    ],
)
def test_the_same_words_are_the_same_definition(written: str, read: str) -> None:
    result = compare(parse(entry("TABLE", "t", written)), parse(entry("TABLE", "t", read)), same_version=True)
    assert (result.respelled, result.differences) == (1, ())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CHECK (a > 1)", "CHECK (a > 2)"),
        ("CHECK (a = 'x::text')", "CHECK (a = 'x')"),
        ("AS $$ SELECT (1)::int $$", "AS $$ SELECT 1 $$"),
        ("DEFAULT 'a'", "DEFAULT 'A'"),
        ("SELECT a", "SELECT a, a"),
        ('REFERENCES "T"', "REFERENCES T"),
    ],
)
def test_other_words_are_a_difference(one: str, other: str) -> None:
    assert len(differences(entry("TABLE", "t", one), entry("TABLE", "t", other))) == 1


def test_grants_have_no_order_and_statements_of_a_function_have() -> None:
    grants = ["GRANT SELECT ON TABLE app.t TO a", "GRANT SELECT ON TABLE app.t TO b"]
    assert differences(entry("ACL", "TABLE t", *grants), entry("ACL", "TABLE t", *grants[::-1])) == ()
    body = parse(entry("FUNCTION", "f()", "CREATE FUNCTION f() BEGIN ATOMIC\n SELECT 1", " SELECT 2", "END"))
    assert body == {"FUNCTION app.f()": "CREATE FUNCTION f() BEGIN ATOMIC\n SELECT 1;\nSELECT 2;\nEND"}


def test_a_table_in_another_access_method_is_another_table() -> None:
    other = HEAP.replace("heap", "columnar")
    assert len(differences(HEAD + HEAP + TABLE, HEAD + other + TABLE)) == 1
    parent = entry("TABLE", "p", "CREATE TABLE app.p (\n    a integer\n)\nPARTITION BY RANGE (a)")
    assert differences(HEAD + HEAP + parent, HEAD + other + parent) == ()


def test_what_only_one_of_the_tools_counts_among_the_definitions_is_left_out() -> None:
    refresh = entry("MATERIALIZED VIEW DATA", "m", "REFRESH MATERIALIZED VIEW app.m")
    assert differences(HEAD + TABLE + refresh, HEAD + TABLE) == ()


def test_grants_on_schema_public_follow_the_version_of_the_server() -> None:
    grant = entry("ACL", "SCHEMA public", "REVOKE USAGE ON SCHEMA public FROM PUBLIC", schema="-")
    assert differences(TABLE + grant, TABLE, same_version=False) == ()
    assert len(differences(TABLE + grant, TABLE)) == 1


def test_a_heading_inside_a_function_is_its_text() -> None:
    trap = entry("FUNCTION", "f()", f"CREATE FUNCTION app.f() AS $$\n{VIEW}$$")
    assert list(parse(HEAD + trap)) == ["FUNCTION app.f()"]
    assert len(differences(HEAD + trap, HEAD + trap.replace("SELECT 1", "SELECT 2"))) == 1


def test_a_long_definition_is_shortened_where_it_is_shown() -> None:
    (found,) = differences(entry("VIEW", "v", "SELECT " + "a" * 500), HEAD)
    assert found.expected is not None
    assert len(found.expected) == 203


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE USER MAPPING FOR app SERVER other OPTIONS (\n    password 'hunter2',\n    \"user\" 'app'\n)",
        f"CREATE USER MAPPING FOR app SERVER other OPTIONS (\n    {'a' * 180} 'x',\n    password 'hunter2'\n)",
        "CREATE SUBSCRIPTION copy CONNECTION 'host=a password=hunter2' PUBLICATION all_tables",
    ],
)
def test_a_difference_tells_no_password_of_another_server(definition: str) -> None:
    before = {"USER MAPPING app": definition}
    for after in ({}, {"USER MAPPING app": definition.replace("hunter2", "hunter22")}):
        found = compare(before, after, same_version=True)
        assert len(found.differences) == 1
        assert "hunter" not in str(found)
