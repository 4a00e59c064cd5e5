"""`pgproof job` and the worker groups of databases, on a real catalog."""

import json
from pathlib import Path

import pytest

from pgproof.bootstrap import open_app
from pgproof.domain.backup import BackupOptions, BackupTrigger
from pgproof.entrypoints.cli.auditing import actor
from pgproof.entrypoints.worker import Worker
from pgproof.settings import load_settings
from tests.e2e.command_line import CommandLine, filled
from tests.servers import to_url


def queue(pgproof: CommandLine, folder: Path, *, work: bool = False) -> int:
    """A job for a backup; with `work` a worker does it."""
    with open_app(load_settings(pgproof.environ, folder)) as app:
        _, job = app.jobs.request_backup(None, BackupOptions(), BackupTrigger.MANUAL_API, by="ann")
        if work:
            worker = Worker(app)
            worker.start()
            assert not app.jobs.wait(job.id, 60).unfinished
            worker.stop()
        return job.id


def test_a_queued_job_is_listed_shown_and_cancelled(pgproof: CommandLine, tmp_path: Path) -> None:
    number = queue(pgproof, tmp_path)
    (listed,) = json.loads(pgproof("job", "list", "--json").out)["jobs"]
    assert (listed["id"], listed["kind"], listed["status"], listed["requested_by"]) == (
        number,
        "backup",
        "queued",
        "ann",
    )
    assert f"backup  {pgproof.database.dbname}  queued" in pgproof("job", "list").out
    done = pgproof("job", "cancel", str(number))
    assert (done.status, done.out) == (0, f"job {number} is cancelled\n")
    shown = json.loads(pgproof("job", "show", str(number), "--json").out)
    assert (shown["status"], shown["log"]) == ("cancelled", [f"to be cancelled: {actor()} asked for it"])
    assert json.loads(pgproof("list", "--json").out)["backups"][0]["status"] == "cancelled"
    refused = pgproof.fails(5, "job", "cancel", str(number))
    assert refused.error["detail"] == f"job {number} has ended: it is cancelled"


def test_a_job_that_is_done_shows_its_result_and_its_log(pgproof: CommandLine, tmp_path: Path) -> None:
    number = queue(pgproof, tmp_path, work=True)
    shown = pgproof("job", "show", str(number)).out
    for words in ("status        succeeded", "attempt       1 of 5", "asked for by  ann", "backup id", "step: dump"):
        assert words in shown
    assert json.loads(pgproof("job", "list", "--json", "--status", "succeeded", "--kind", "backup").out)["jobs"]
    assert pgproof("job", "list", "--status", "failed").out == "no jobs\n"
    for argv in (("job", "list"), ("list",), ("list", "--restores"), ("schedule", "list")):
        unknown = pgproof.fails(4, *argv, "--database", "nobody")
        assert "pgproof database list" in unknown.error["hint"]


def test_a_job_that_is_not_there_is_not_found(pgproof: CommandLine) -> None:
    for words in (("show", "77"), ("cancel", "77")):
        assert pgproof.fails(4, "job", *words).error["detail"] == "the catalog has no job 77"


def test_a_database_is_bound_to_a_worker_group(pgproof: CommandLine) -> None:
    place = to_url(filled(pgproof.server))
    assert pgproof("database", "add", "shop", place, "--group", "near").status == 0
    assert json.loads(pgproof("database", "list", "--json").out)["databases"][0]["group"] == "near"
    assert pgproof("database", "update", "shop", "--group", "far").status == 0
    (stored,) = json.loads(pgproof("database", "list", "--json").out)["databases"]
    assert (stored["group"], to_url(pgproof.server.connection.to_database(stored["dbname"]))) == ("far", place)
    assert pgproof("database", "update", "shop", place).status == 0
    assert "far" in pgproof("database", "list").out


@pytest.mark.parametrize(
    "words",
    [
        ("add", "shop", "postgresql://localhost/x", "--group", "A b"),
        ("update", "shop", "--group", "ä"),
        ("update", "shop"),
    ],
)
def test_a_group_that_cannot_be_one_and_an_update_of_nothing_are_refused(
    pgproof: CommandLine, words: tuple[str, ...]
) -> None:
    pgproof("database", "add", "shop", to_url(filled(pgproof.server)))
    pgproof.fails(2, "database", *words)
