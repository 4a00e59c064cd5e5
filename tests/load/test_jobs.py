"""No job is lost and none is done twice, whatever becomes of the workers."""

from collections import Counter
from pathlib import Path

import pytest
from bench.jobs import Figures, Load, run

from pgproof.domain.database import ConnectionInfo
from tests.servers import Server, to_url


@pytest.fixture
def tiny(server18: Server) -> list[ConnectionInfo]:
    places = [server18.create_database() for _ in range(5)]
    for place in places:
        server18.sql(place, "CREATE TABLE t AS SELECT generate_series(1, 100) AS i")
    return places


def check(found: Figures, load: Load) -> None:
    assert found.statuses == Counter(succeeded=load.databases)
    assert (found.manifests, found.folders) == (load.databases, load.databases)
    assert (found.finished_twice, found.left_in_queue) == (0, 0)
    # What a killed worker had counts until it is settled.
    assert found.together <= load.workers * load.jobs_each + load.jobs_each


def test_thirty_databases_with_workers_that_are_killed(
    server18: Server, tiny: list[ConnectionInfo], tmp_path: Path
) -> None:
    # Fewer kills than a backup has attempts: so none can fail for that reason.
    load = Load(to_url(server18.create_database()), tmp_path, tiny, databases=30, kill_every=2.5, kills=4)
    found = run(load)
    print(found.render(load))  # noqa: T201 - the figures asked for
    check(found, load)
    assert found.kills > 0


@pytest.mark.slow
def test_a_thousand_databases_at_one_moment(server18: Server, tiny: list[ConnectionInfo], tmp_path: Path) -> None:
    load = Load(to_url(server18.create_database()), tmp_path, tiny, databases=1000, kill_every=20)
    found = run(load)
    print(found.render(load))  # noqa: T201 - the figures asked for
    check(found, load)
