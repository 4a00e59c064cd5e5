"""Progress: enough to know that it goes on, never so much that a log fills up."""

import io

import pytest
from rich.console import Console

from pgproof.domain.archive import ArchiveFormat
from pgproof.entrypoints.cli import progress
from pgproof.entrypoints.cli.bars import BarPerStep, bars, layout
from pgproof.services.dump_progress import DumpProgress
from pgproof.services.job_log import JobLog
from pgproof.services.ports import Lock, Progress
from tests.command_line import FakeClock, Terminal
from tests.fakes.catalog import MemoryCatalog

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
            observer.progress(Progress(second * MB, 40 * MB, second // 10, 5, estimated=True))
    assert written(stream) == [
        "dump",
        "dump, 10.0 of about 40.0 MB, table 1 of 5",
        "dump, 20.0 of about 40.0 MB, table 2 of 5",
        "dump, 30.0 of about 40.0 MB, table 3 of 5",
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


class Screen:
    """What a terminal of some width shows at any moment."""

    def __init__(self, width: int = 80) -> None:
        self.console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
        self.clock = FakeClock()
        self.bars = layout(self.console, self.clock.monotonic)
        self.observer = BarPerStep(self.bars)

    def shown(self) -> list[str]:
        with self.console.capture() as captured:
            self.console.print(self.bars.get_renderable())
        return [line.rstrip() for line in captured.get().splitlines()]


def test_a_terminal_gets_a_bar_with_bytes_tables_and_the_time_left() -> None:
    screen = Screen()
    screen.observer.step("dump")
    for second in (1, 2):
        screen.clock.seconds = second
        screen.observer.progress(Progress(second * 10 * MB, 40 * MB, 1 + second, 5))
    (line,) = screen.shown()
    assert line.startswith("dump ")
    assert line.endswith("20.0/40.0 MB, table 3/5 0:02 left")


def test_what_a_stream_gets_ends_in_what_was_done() -> None:
    stream = Terminal()
    with bars(stream) as observer:
        observer.step("dump")
        observer.progress(Progress(20 * MB, 40 * MB, 3, 5))
        observer.step("read_back")
        observer.log("warning: it is empty")
    for part in ("20.0 MB, 3 tables", "read back", "warning: it is empty"):
        assert part in stream.getvalue()


def test_a_guess_is_called_one_and_given_up_when_it_is_passed() -> None:
    screen = Screen()
    screen.observer.step("dump")
    for second in (1, 2):
        screen.clock.seconds = second
        screen.observer.progress(Progress(second * 10 * MB, 40 * MB, 1, 5, estimated=True))
    assert screen.shown()[0].endswith("20.0/~40.0 MB, table 1/5 ~0:02 left")
    screen.clock.seconds = 5
    screen.observer.progress(Progress(50 * MB, 40 * MB, 5, 5, estimated=True))
    assert screen.shown()[0].endswith("50.0 MB, table 5/5 0:05")


def test_at_the_very_beginning_no_time_left_is_promised() -> None:
    screen = Screen()
    screen.observer.step("dump")
    for second in (1, 2):
        screen.clock.seconds = second
        screen.observer.progress(Progress(second, 400 * MB))
    assert "left" not in screen.shown()[0]


def test_where_no_bytes_are_known_no_time_left_is_promised() -> None:
    screen = Screen()
    screen.observer.step("load")
    for table in range(1, 7):
        screen.clock.seconds = table
        screen.observer.progress(Progress(tables_begun=table, tables_total=7))
    assert screen.shown()[0].endswith("table 6/7 0:06")


def test_a_step_that_is_over_has_done_what_it_began() -> None:
    screen = Screen()
    screen.observer.step("dump")
    screen.observer.progress(Progress(30 * MB, 40 * MB, 5, 5, estimated=True))
    screen.clock.seconds = 61
    screen.observer.step("globals")
    assert screen.shown()[0].endswith("30.0 MB, 5 tables 1:01")


def test_unpacking_has_a_bar_of_its_own_and_is_not_the_load() -> None:
    screen = Screen()
    screen.observer.step("load")
    screen.observer.progress(Progress(bytes_total=4 * MB, part="unpack"))
    screen.observer.progress(Progress(4 * MB, 4 * MB, part="unpack"))
    screen.observer.progress(Progress(tables_begun=2, tables_total=7))
    unpack, load = screen.shown()
    assert unpack.startswith("unpack")
    assert "4.0 MB" in unpack
    assert load.startswith("load")
    assert load.endswith("table 2/7 0:00")


def test_what_a_part_of_a_step_does_is_said_in_lines_too() -> None:
    stream, clock = io.StringIO(), FakeClock()
    with progress.lines(stream, clock) as observer:
        observer.step("load")
        clock.seconds = 10
        observer.progress(Progress(MB, 4 * MB, part="unpack"))
    assert written(stream) == ["load", "load: unpack, 1.0 of 4.0 MB"]


@pytest.mark.parametrize("width", [60, 80])
def test_everything_fits_the_terminal(width: int) -> None:
    screen = Screen(width)
    screen.observer.step("checksum of backup_20260301_123000_2.dump.zst")
    for second in (1992, 2000):
        screen.clock.seconds = second
        screen.observer.progress(Progress(second * MB // 8, 999 * MB, second, 9999, estimated=True))
    (line,) = screen.shown()
    assert len(line) <= width
    assert line.startswith("checksum of ")
    assert line.endswith(" 250.0/~999.0 MB, table 2000/9999 ~1:39:52 left"), "nothing of it is cut off"


def test_a_step_without_figures_shows_how_long_it_takes() -> None:
    screen = Screen()
    screen.observer.step("create_shadow")
    screen.clock.seconds = 3725
    (line,) = screen.shown()
    assert line.startswith("create shadow")
    assert line.endswith(" 1:02:05")


class TestDumpProgress:
    def told(self, form: ArchiveFormat) -> list[Progress]:
        told: list[Progress] = []

        class Watching(progress.Nobody):
            def progress(self, progress: Progress) -> None:
                told.append(progress)

        log = JobLog(MemoryCatalog(), FakeClock(), Lock.BACKUP, 1, Watching())
        dump = DumpProgress(log, form, tables=3, bytes_expected=4 * MB)
        dump.hear("pg_dump: reading schemas")
        dump.hear('pg_dump: dumping contents of table "public.a"')
        dump.hear('pg_dump: dumping contents of table "public.b"')
        dump.passed(MB)
        return told

    def test_a_table_that_has_begun_is_not_called_done(self) -> None:
        assert self.told(ArchiveFormat.CUSTOM)[-1] == Progress(MB, 4 * MB, 2, 3, estimated=True)

    def test_the_directory_format_tells_no_bytes_before_it_is_packed(self) -> None:
        *before, packing = self.told(ArchiveFormat.DIRECTORY)
        assert {(one.bytes_done, one.bytes_total) for one in before} == {(0, None)}
        assert packing == Progress(bytes_done=MB, part="pack")
