"""Replace a database's contents in one transaction: for roles that may not create databases."""

from collections.abc import Callable
from dataclasses import replace

from pgproof.domain.restore import RestoreStep
from pgproof.services.ports import TRANSACTION_MARK
from pgproof.services.restoring import loading
from pgproof.services.restoring.preflight import Plan
from pgproof.services.restoring.work import Work


def replace_contents(work: Work, plan: Plan) -> None:
    """Load, compare and commit at once; afterwards collect statistics."""
    with loading.staged(work.world, work.log, work.backup, plan.manifest, work.cancelled) as place:
        work.begin(RestoreStep.REPLACE)
        request = loading.request(work, plan, place, work.live, jobs=1)
        if plan.manifest.comparable and not work.restore.options.selective:
            request = replace(request, properties=plan.properties)
        watching = loading.watch(work, plan)
        watching = replace(watching, on_line=_noting_transaction(work, watching.on_line))
        expected = plan.expected if plan.manifest.comparable else None
        work.world.tools.replace_contents(plan.client, request, expected, watching)
        if expected is None:
            work.log.log(loading.NOTHING_TO_COMPARE)
    if work.restore.options.run_analyze:
        work.begin(RestoreStep.ANALYZE)
        loading.analyze(work, work.live)
    work.note(timings=work.timings())


def _noting_transaction(work: Work, on_line: Callable[[str], None]) -> Callable[[str], None]:
    """Record the transaction's number before anything is changed: after a crash it tells what happened."""

    def hear(line: str) -> None:
        _, found, number = line.partition(TRANSACTION_MARK)
        if found and number.strip().isdigit():
            work.note(transaction=number.strip())
        on_line(line)

    return hear
