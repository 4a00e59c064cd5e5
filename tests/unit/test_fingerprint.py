"""Equal means equal: every difference between two fingerprints is found and named."""

from dataclasses import replace

import pytest

from pgproof.domain.fingerprint import Fingerprint, FingerprintLevel, SequencePosition, differences

RECORDED = Fingerprint(
    tables={"public.a": 3, "public.b": 0},
    schema_only=frozenset({"public.log"}),
    sequences={"public.s": SequencePosition(5, True)},
    extensions={"plpgsql": "1.0"},
    large_objects=2,
)
RESTORED = replace(RECORDED, tables={"public.a": 3, "public.b": 0, "public.log": 0}, schema_only=frozenset())


def test_a_database_that_came_back_whole_has_no_difference() -> None:
    assert differences(RECORDED, RESTORED) == ()
    assert differences(RECORDED, replace(RESTORED, extensions={"plpgsql": "1.1"})) == ()


@pytest.mark.parametrize(
    ("actual", "said"),
    [
        (replace(RESTORED, tables={**RESTORED.tables, "public.a": 2}), "table public.a: expected 3 rows, found 2 rows"),
        (replace(RESTORED, tables={"public.a": 3, "public.log": 0}), "table public.b is missing"),
        (replace(RESTORED, tables={**RESTORED.tables, "public.c": 0}), "table public.c was not there before"),
        (replace(RESTORED, tables={**RESTORED.tables, "public.log": 1}), "expected 0 rows, found 1 rows"),
        (replace(RESTORED, sequences={}), "sequence public.s is missing"),
        (replace(RESTORED, sequences={"public.s": SequencePosition(5, False)}), "sequence public.s"),
        (replace(RESTORED, sequences={"public.s": SequencePosition(4, True)}), "expected at 5, found at 4"),
        (replace(RESTORED, extensions={}), "extension plpgsql is missing"),
        (replace(RESTORED, large_objects=1), "large objects count: expected 2, found 1"),
    ],
)
def test_each_difference_is_found_and_said(actual: Fingerprint, said: str) -> None:
    found = differences(RECORDED, actual)
    assert len(found) == 1
    assert said in str(found[0])


@pytest.mark.parametrize(
    ("increment", "restored", "accepted"), [(1, 5, True), (1, 9, True), (1, 4, False), (-1, 4, True), (-1, 6, False)]
)
def test_a_sequence_that_moved_during_the_dump_may_be_ahead_but_never_behind(
    increment: int, restored: int, accepted: bool
) -> None:
    moved = SequencePosition(5, True, increment, settled=False)
    assert moved.accepts(SequencePosition(restored, True, increment)) is accepted


DIGESTED = replace(
    RECORDED,
    level=FingerprintLevel.CONTENT,
    digests={"public.a": "1:2", "public.b": "0:0"},
    large_objects_digest="7:8",
)


def test_a_digest_is_compared_where_one_was_recorded() -> None:
    back = replace(DIGESTED, tables=RESTORED.tables, schema_only=frozenset())
    assert differences(DIGESTED, back) == ()
    other = replace(back, digests={**back.digests, "public.a": "1:3"})
    assert [str(found) for found in differences(DIGESTED, other)] == [
        "table public.a: expected content 1:2, found content 1:3"
    ]
    objects = replace(back, large_objects_digest="7:9")
    assert [str(found) for found in differences(DIGESTED, objects)] == [
        "large objects content: expected 7:8, found 7:9"
    ]
    assert differences(RECORDED, other) == ()


def test_tables_that_nobody_counted_are_only_looked_for() -> None:
    uncounted = replace(RECORDED, level=FingerprintLevel.NONE, tables={"public.a": None, "public.b": None})
    assert differences(uncounted, RESTORED) == ()
    assert uncounted.rows == 0
    also = replace(uncounted, tables={**uncounted.tables, "public.log": None}, schema_only=frozenset())
    assert differences(uncounted, also) == ()
    lacking = replace(RESTORED, tables={"public.a": 3, "public.log": 0})
    assert [str(found) for found in differences(uncounted, lacking)] == ["table public.b is missing"]


def test_what_was_recorded_is_never_held_to_less() -> None:
    with pytest.raises(ValueError, match="content was recorded"):
        differences(DIGESTED, RESTORED)


def test_what_is_recorded_of_some_tables_is_all_of_them_and_nothing_else() -> None:
    only = DIGESTED.of_tables(frozenset({"public.a", "public.log"}))
    assert only == Fingerprint(
        tables={"public.a": 3},
        schema_only=frozenset({"public.log"}),
        level=FingerprintLevel.CONTENT,
        digests={"public.a": "1:2"},
    )


def test_rows_are_summed() -> None:
    assert RECORDED.rows == 3
