"""Restore into a shadow database, compare it, and give it the name. A new database is a swap with nothing to keep."""

from pgproof.domain.errors import SwapFailed
from pgproof.domain.restore import RestoreStep
from pgproof.services.completing import happened
from pgproof.services.restoring import loading
from pgproof.services.restoring.preflight import Plan
from pgproof.services.restoring.work import Work


def build(work: Work, plan: Plan) -> None:
    """Create the shadow, load it, collect its statistics, compare it."""
    server = work.world.server
    work.begin(RestoreStep.CREATE_SHADOW)
    shadow, name = work.shadow(plan.session_settings), work.restore.shadow_database
    work.note(shadow_oid=server.create_shadow(work.database.connection, name, plan.properties))
    server.check_properties(work.database.connection, name, plan.properties)
    server.apply_settings(work.database.connection, name, plan.properties)
    work.begin(RestoreStep.LOAD)
    with loading.staged(work.world, work.log, work.backup, plan.manifest) as place:
        request = loading.request(work, plan, place, shadow)
        work.world.tools.restore(plan.client, request, loading.watch(work, plan))
    for index in server.validate_indexes(shadow):
        work.log.log(f"the index {index} had been left invalid by jobs that met, and is valid now")
    if work.restore.options.run_analyze:
        work.begin(RestoreStep.ANALYZE)
        loading.analyze(work, shadow)
    work.begin(RestoreStep.COMPARE)
    loading.compare(work, plan, shadow)
    work.begin(RestoreStep.PROPERTIES)
    server.apply_properties(work.database.connection, name, plan.properties)


def swap_in(work: Work) -> None:
    """The switch. Raises `SwapFailed` only if the renames are known not to have happened."""
    work.begin(RestoreStep.SWAP)
    try:
        seconds = work.world.server.swap(
            work.database.connection,
            live=work.restore.dbname,
            incoming=work.restore.shadow_database,
            outgoing=work.restore.previous_database,
        )
    except SwapFailed:
        # A connection that breaks at the commit leaves the answer to the server's catalog.
        if not happened(work.world.server, work.database, work.restore):
            raise
        seconds = work.timings()[RestoreStep.SWAP]
    work.note(timings={**work.timings(), "refused": round(seconds, 3)})
