"""Progress: enough to know that it goes on, never so much that a log fills up."""

import io

from pgproof.entrypoints.cli import progress
from pgproof.services.ports import Progress
from tests.command_line import FakeClock, Terminal

MB = 1024**2


def written(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_without_a_terminal_each_step_is_a_line() -> None:
    stream = io.StringIO()
    with progress.lines(stream, FakeClock()) as observer:
        observer.step("create_shadow")
        observer.step("checksum of backup_20260301_123000_2.dump")
    assert written(stream) == ["create shadow", "checksum of backup_20260301_123000_2.dump"]


def test_a_long_step_says_a_line_every_ten_seconds_and_no_more() -> None:
    stream, clock = io.StringIO(), FakeClock()
    with progress.lines(stream, clock) as observer:
        observer.step("dump")
        for second in range(1, 31):
            clock.seconds = float(second)
            observer.progress(Progress(second * MB, 40 * MB, second // 10, 5))
    assert written(stream) == [
        "dump",
        "dump, 10.0 MB of 40.0 MB, 1 of 5 tables",
        "dump, 20.0 MB of 40.0 MB, 2 of 5 tables",
        "dump, 30.0 MB of 40.0 MB, 3 of 5 tables",
    ]


def test_a_total_that_nobody_knows_is_not_invented() -> None:
    stream, clock = io.StringIO(), FakeClock()
    with progress.lines(stream, clock) as observer:
        observer.step("dump")
        clock.seconds = 10
        observer.progress(Progress(bytes_done=512))
    assert written(stream)[-1] == "dump, 512 bytes"


def test_warnings_of_the_job_are_shown_and_its_chatter_is_not() -> None:
    stream = io.StringIO()
    with progress.lines(stream, FakeClock()) as observer:
        observer.log("pg_dump: dumping contents of table a")
        observer.log("warning: 'shop' holds no tables: is it the right database?")
    assert written(stream) == ["warning: 'shop' holds no tables: is it the right database?"]


def test_a_terminal_gets_a_bar_with_bytes_tables_and_time() -> None:
    stream = Terminal()
    with progress.bars(stream) as observer:
        observer.step("dump")
        observer.progress(Progress(10 * MB, 40 * MB, 1, 5))
        observer.step("read_back")
        observer.progress(Progress(tables_done=2))
        observer.log("warning: it is empty")
    shown = stream.getvalue()
    for part in ("dump", "10.0 MB of 40.0 MB, 1 of 5 tables", "read back", "2 tables", "left", "warning: it is empty"):
        assert part in shown


def test_an_estimate_that_was_too_low_does_not_break_the_bar() -> None:
    stream = Terminal()
    with progress.bars(stream) as observer:
        observer.progress(Progress(1, 1))
        observer.step("dump")
        observer.progress(Progress(50 * MB, 40 * MB))
    assert "50.0 MB of 40.0 MB" in stream.getvalue()
