"""A process may die while it begins a load anew, too: between two shadows, of which only one is ever recorded."""

import pytest

from tests.e2e.test_loading import CLASHES
from tests.faults.stage import Stage
from tests.faults.test_kills import MakeStage, count_points, home, kill_at, make_stage, zygote
from tests.servers import Server

__all__ = ["home", "make_stage", "zygote"]


class Clashing(Stage):
    """One whose content lets a load with two jobs fail."""

    def set_content(self, mark: str, rows: int, _: int, more: bool) -> None:
        super().set_content(mark, rows, _, more)
        place = self.server.connection.to_database(self.dbname)
        if mark == "new":
            self.server.sql(place, CLASHES[0].replace("CREATE", "CREATE OR REPLACE", 1))
            self.server.sql(place, "CREATE INDEX ON t (alone(i))")


@pytest.mark.slow
def test_a_kill_at_every_point_between_the_load_that_failed_and_the_next(
    make_stage: MakeStage,
    server18: Server,
) -> None:
    stage = Clashing(**vars(make_stage("swap", server18)))
    points = count_points(stage)
    loads = [number for number, point in enumerate(points, 1) if point == "before tools.restore"]
    assert len(loads) == 2
    chosen = list(range(loads[0], loads[1] + 1))
    assert kill_at(stage, points, chosen) == len(chosen) > 10
