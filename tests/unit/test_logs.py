"""Logs: readable for people or machines, on standard error, and without secrets."""

import ast
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from pgproof.domain.secret import Secret
from pgproof.logs import configure_logs

SOURCE = Path(__file__).parents[2] / "src"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def test_machines_get_one_json_object_per_event() -> None:
    stream = io.StringIO()
    configure_logs(level="info", stream=stream)
    structlog.get_logger().info("backup_completed", backup_id=12, note="größer")
    record = json.loads(stream.getvalue())
    assert record.pop("timestamp").endswith("Z")
    assert record == {"event": "backup_completed", "level": "info", "backup_id": 12, "note": "größer"}


def test_people_get_a_line() -> None:
    stream = Terminal()
    configure_logs(level="info", stream=stream)
    structlog.get_logger().info("backup_completed", backup_id=12)
    assert "backup_completed" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize("machine_readable", [True, False])
def test_nothing_that_is_logged_steers_a_terminal(machine_readable: bool) -> None:
    stream = io.StringIO()
    configure_logs(level="info", stream=stream, machine_readable=machine_readable)
    structlog.get_logger().info("request", path="/\x1b[2J\x9b31m\u2028\u202eevil")
    logging.getLogger("other").warning("said \x1b]0;evil\x07")
    lines = stream.getvalue()
    assert len(lines.splitlines()) == 2
    assert all(char.isprintable() or char == "\n" for char in lines)
    assert "evil" in lines


def test_the_form_can_be_chosen() -> None:
    stream = Terminal()
    configure_logs(level="info", stream=stream, machine_readable=True)
    structlog.get_logger().info("backup_completed")
    assert json.loads(stream.getvalue())["event"] == "backup_completed"


def test_events_below_the_level_are_silent() -> None:
    stream = io.StringIO()
    configure_logs(level="warning", stream=stream)
    structlog.get_logger().info("backup_started")
    logging.getLogger("a.library").info("chatter")
    assert stream.getvalue() == ""


def test_libraries_log_in_the_same_form() -> None:
    stream = io.StringIO()
    configure_logs(level="info", stream=stream, secrets=[Secret("hunter2")])
    logging.getLogger("a.library").warning("connecting with %s", "hunter2")
    assert json.loads(stream.getvalue())["event"] == "connecting with ***"


def test_no_secret_is_written_wherever_it_hides() -> None:
    stream = io.StringIO()
    configure_logs(level="info", stream=stream, secrets=[Secret("hunter2")])
    structlog.get_logger().error(
        "database_added",
        text="psql said hunter2 twice: hunter2",
        url="postgresql://app:geheim@db:5432/shop?application_name=x",
        conninfo="host=db password='geheim geheim' dbname=shop",
        nested={"deep": [{"api_token": "geheim", "names": ("hunter2", "ok")}]},
        password="geheim",
        db_password_file="geheim",
        secretKey="geheim",
        tokens=["geheim"],
        pin_key=4711,
    )
    written = stream.getvalue()
    assert "geheim" not in written
    assert "hunter2" not in written
    assert "4711" not in written
    assert json.loads(written)["url"] == "postgresql://app:***@db:5432/shop?application_name=x"


def test_what_only_looks_like_a_secrets_name_is_kept() -> None:
    stream = io.StringIO()
    configure_logs(level="info", stream=stream)
    structlog.get_logger().info("tables_counted", monkey="a", keyboard="b", tables=3, password=None)
    record = json.loads(stream.getvalue())
    assert (record["monkey"], record["keyboard"], record["tables"], record["password"]) == ("a", "b", 3, None)


@pytest.mark.parametrize("machine_readable", [True, False])
def test_a_traceback_shows_no_secret_either(machine_readable: bool) -> None:
    stream = io.StringIO()
    configure_logs(level="info", stream=stream, secrets=[Secret("hunter2")], machine_readable=machine_readable)
    try:
        int("connection to postgresql://u:geheim@h failed: hunter2")
    except ValueError:
        structlog.get_logger().exception("job_failed")
    assert "ValueError: " in stream.getvalue()
    assert "connection to postgresql://u:***@h failed: ***" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_logs_go_to_standard_error() -> None:
    program = (
        "from pgproof.logs import *; import structlog; configure_logs(level='info'); structlog.get_logger().info('x')"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == ""
    assert json.loads(result.stderr)["event"] == "x"


def test_event_names_in_the_code_are_static() -> None:
    dynamic = [
        f"{path.name}:{call.lineno}"
        for path in SOURCE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"log", "logger"}
        and not (call.args and isinstance(call.args[0], ast.Constant))
    ]
    assert dynamic == []
