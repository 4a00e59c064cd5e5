"""How long a person waits for `pgproof --help`."""

from bench.clock import median, timed
from bench.place import Place


def help_seconds(place: Place, rounds: int = 5) -> float:
    """The median of some runs, after one to warm up."""
    runs = [timed(place.pgproof("--help"), place.environment("postgres"), place.folder) for _ in range(rounds + 1)]
    return median([run.seconds for run in runs[1:]])
