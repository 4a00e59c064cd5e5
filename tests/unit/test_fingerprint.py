"""Equal means equal: every difference between two fingerprints is found and named."""

from dataclasses import replace

import pytest

from pgproof.domain.fingerprint import Fingerprint, SequencePosition, differences

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


def test_rows_are_summed() -> None:
    assert RECORDED.rows == 3
