"""Restore into a shadow database, compare it, and give it the name. A new database is a swap with nothing to keep."""

from dataclasses import replace
from pathlib import Path

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import RestoreFailed, SwapFailed
from pgproof.domain.restore import FAILED_LOAD, RestoreStep
from pgproof.services.completing import drop_shadow, happened
from pgproof.services.restoring import loading
from pgproof.services.restoring.clashes import may_be_a_clash
from pgproof.services.restoring.obstacles import check_swap_again
from pgproof.services.restoring.preflight import Plan
from pgproof.services.restoring.work import Work


def build(work: Work, plan: Plan) -> None:
    """Create the shadow, load it, collect its statistics, compare it."""
    server = work.world.server
    shadow, name = work.shadow(plan.session_settings), work.restore.shadow_database
    plan = _create(work, plan)
    _fill(work, plan, shadow)
    for index in server.validate_indexes(shadow):
        work.log.log(f"the index {index} had been left invalid by jobs that met, and is valid now")
    if work.restore.options.run_analyze:
        work.begin(RestoreStep.ANALYZE)
        loading.analyze(work, shadow)
    work.begin(RestoreStep.COMPARE)
    loading.compare(work, plan, shadow)
    work.begin(RestoreStep.PROPERTIES)
    server.apply_properties(work.database.connection, name, plan.properties)


def _create(work: Work, plan: Plan) -> Plan:
    """Make the shadow; the plan without the settings that this server does not know."""
    server, place, name = work.world.server, work.database.connection, work.restore.shadow_database
    work.begin(RestoreStep.CREATE_SHADOW)
    work.note(shadow_oid=server.create_shadow(place, name, plan.properties))
    unknown = server.apply_settings(place, name, plan.properties)
    for setting, reason in unknown.items():
        work.log.log(f"warning: the setting {setting.name} of the database is left out: {reason}")
    kept = tuple(setting for setting in plan.properties.settings if setting not in unknown)
    plan = replace(plan, properties=replace(plan.properties, settings=kept))
    server.check_properties(place, name, plan.properties)
    return plan


def _fill(work: Work, plan: Plan, shadow: ConnectionInfo) -> None:
    """Load with as many jobs as wanted; where these got into each other's way, once more with one."""
    work.begin(RestoreStep.LOAD)
    jobs = loading.jobs(work, plan)
    with loading.staged(work.world, work.log, work.backup, plan.manifest, work.cancelled) as place:
        try:
            _load(work, plan, place, shadow, jobs)
        except RestoreFailed as error:
            if not may_be_a_clash(error, jobs):
                raise
            work.log.log(f"the load with {jobs} jobs failed and is done again with one: {error.detail}")
            _start_over(work, plan)
            _load(work, plan, place, shadow, jobs=1)


def _load(work: Work, plan: Plan, place: Path, shadow: ConnectionInfo, jobs: int) -> None:
    request = loading.request(work, plan, place, shadow, jobs)
    work.world.tools.restore(plan.client, request, loading.watch(work, plan))


def _start_over(work: Work, plan: Plan) -> None:
    """An empty shadow in the place of the half loaded one. The time that was lost is noted."""
    work.note(timings={**work.restore.timings, FAILED_LOAD: work.timings()[RestoreStep.LOAD]})
    drop_shadow(work.world.server, work.database, work.restore)
    # Before there is another one: a process that finds this restore must not look for the old number.
    work.note(shadow_oid=None)
    _create(work, plan)
    work.begin(RestoreStep.LOAD)


def swap_in(work: Work) -> None:
    """The switch. Raises `SwapFailed` only if the renames are known not to have happened."""
    if work.restore.previous_database is not None:
        # Looked at before the load as well, but that may have been hours ago.
        check_swap_again(work.world.server, work.live)
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
