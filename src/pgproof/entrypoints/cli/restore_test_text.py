"""Restore tests as people read them."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from pgproof.domain.restore_test import RestoreTest, RestoreTestOutcome, Verdict
from pgproof.entrypoints.cli import text

_SHOWN = 20
_OUTCOMES = {
    None: "no outcome",
    RestoreTestOutcome.PASSED: "passed",
    RestoreTestOutcome.FAILED: "FAILED",
    RestoreTestOutcome.NOT_TESTABLE: "not testable here",
}
_NOUNS = {
    "tables": "table",
    "digests": "content digest",
    "sequences": "sequence",
    "extensions": "extension",
    "large_objects": "large object",
    "definitions": "definition",
}


def summary(test: RestoreTest) -> str:
    """One line: what is known about the backup now."""
    verdict = test.verdict or Verdict(RestoreTestOutcome.NOT_TESTABLE)
    backup = f"backup {test.backup_id} of {text.plain(test.database)}"
    took = text.duration(test.duration_seconds)
    match verdict.outcome:
        case RestoreTestOutcome.PASSED:
            return f"{backup} is proven: it was restored, and what came back is what was there ({took})"
        case RestoreTestOutcome.NOT_TESTABLE:
            return f"{backup} cannot be tested here, so nothing is known about it"
    if verdict.differences:
        places = text.count(len(verdict.differences), "place")
        return f"{backup} FAILED its restore test: what came back differs from what was there in {places}"
    return f"{backup} FAILED its restore test: {text.plain(verdict.error_message)}"


def report(test: RestoreTest) -> str:
    """What was tested, what was found, and what to do about it."""
    verdict = test.verdict or Verdict(RestoreTestOutcome.NOT_TESTABLE)
    return "\n".join([summary(test), *_findings(test, verdict), *_ways_on(test, verdict)])


def table(found: Sequence[RestoreTest], zone: tzinfo) -> str:
    """The restore tests of a backup."""
    rows = [
        (
            str(test.id),
            text.moment(test.started_at, zone),
            _OUTCOMES[test.outcome] if test.outcome else f"{test.status.value} ({test.step.value.replace('_', ' ')})",
            text.duration(test.duration_seconds),
            text.plain(test.server),
            _why(test),
        )
        for test in found
    ]
    return text.columns(("TEST", "BEGUN", "OUTCOME", "TOOK", "SERVER", "WHY"), rows, right=frozenset({0, 3}))


def _why(test: RestoreTest) -> str:
    if test.verdict is None:
        return text.plain(test.error_message)
    verdict = test.verdict
    reasons = [*verdict.missing, *(str(one) for one in verdict.differences)]
    return text.plain(reasons[0] if reasons else verdict.error_message)


def _findings(test: RestoreTest, verdict: Verdict) -> Iterator[str]:
    yield from (f"  there is no {text.plain(one)}" for one in verdict.missing)
    yield from (f"  {text.plain(str(one))}" for one in verdict.differences[:_SHOWN])
    if len(verdict.differences) > _SHOWN:
        yield f"  (the first {_SHOWN} of {len(verdict.differences):,}; --json has all)"
    stderr = verdict.error_details.get("stderr")
    if isinstance(stderr, list | tuple):
        yield from (f"  {text.plain(str(line))}" for line in stderr[-_SHOWN:])
    if verdict.compared:
        yield f"compared: {', '.join(_compared(verdict))}"
    yield from (text.plain(remark) for remark in verdict.remarks)
    if test.server is not None:
        yield f"server: {text.plain(test.server)}"
    steps = ", ".join(f"{step.replace('_', ' ')} {seconds:.2f} s" for step, seconds in test.timings.items())
    yield f"steps: {steps}"


def _compared(verdict: Verdict) -> Iterator[str]:
    counts = verdict.compared
    if "rows" in counts:
        yield f"{text.count(counts['rows'], 'row')} in {text.count(counts.get('tables', 0), 'table')}"
    for kind, noun in _NOUNS.items():
        if kind in counts and (kind != "tables" or "rows" not in counts):
            yield text.count(counts[kind], noun)


def _ways_on(test: RestoreTest, verdict: Verdict) -> Iterator[str]:
    match verdict.outcome:
        case RestoreTestOutcome.FAILED:
            yield f"hint: Take another backup, and see what happened: pgproof log {test.id} --restore-test"
        case RestoreTestOutcome.NOT_TESTABLE:
            yield "hint: Name a server that has what is missing in BACKUP_TEST_SERVER_URL (docs/restore-tests.md)."
