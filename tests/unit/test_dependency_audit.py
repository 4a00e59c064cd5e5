"""Findings fail; nobody to ask is said, and is no finding; a tool that breaks is neither."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import socket
from threading import Thread
from typing import Any

import pytest
from release.audit import NO_ANSWER, audit, findings, unanswered

ROOT = Path(__file__).parents[2]
WELL = json.dumps({"info": {}, "vulnerabilities": []}).encode()
CLEAN = {"dependencies": [{"name": "zstd", "version": "1.0", "vulns": []}], "fixes": []}
WEAK: Mapping[str, Any] = {
    "dependencies": [
        {"name": "zstd", "version": "1.0", "vulns": []},
        {
            "name": "urllib3",
            "version": "1.26.0",
            "vulns": [
                {"id": "PYSEC-2021-108", "aliases": ["CVE-2021-33503"], "fix_versions": ["1.26.5"]},
                {"id": "GHSA-1", "aliases": [], "fix_versions": []},
            ],
        },
    ]
}


@contextmanager
def service(status: int, body: bytes) -> Iterator[str]:
    """Something that answers like the package index."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/zstd/1.0/json" else 400)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    path = tmp_path / "pins.txt"
    path.write_text("# what runs\nzstd==1.0 ; python_version < '4' \\\n    --hash=sha256:00\nother==2\n")
    return path


@pytest.fixture
def nobody() -> str:
    with socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


def tool(status: int, out: str, err: str = "") -> Sequence[str]:
    """A stand-in for pip-audit."""
    script = f"import sys; sys.stdout.write({out!r}); sys.stderr.write({err!r}); sys.exit({status})"
    return [sys.executable, "-c", script]


class TestAsking:
    def test_a_service_that_knows_of_weaknesses_answers(self, pins: Path) -> None:
        with service(200, WELL) as url:
            assert unanswered(url, pins) is None

    @pytest.mark.parametrize(
        ("status", "body", "why"),
        [
            (404, b"", "status 404"),
            (503, WELL, "status 503"),
            (200, b"<html>sign in here</html>", "not JSON"),
            (200, b"\xff\xfe\x00", "not JSON"),
            (200, b"{}", "says nothing of weaknesses"),
            (200, b"[]", "says nothing of weaknesses"),
        ],
    )
    def test_a_mirror_with_packages_only_does_not(self, pins: Path, status: int, body: bytes, why: str) -> None:
        with service(status, body) as url:
            told = unanswered(url, pins)
        assert told is not None
        assert told.startswith(f"{url}/zstd/1.0/json does not answer: ")
        assert why in told

    def test_a_machine_without_a_network_does_not(self, pins: Path, nobody: str) -> None:
        told = unanswered(nobody, pins)
        assert told is not None
        assert "does not answer: " in told

    def test_a_service_that_takes_the_question_and_is_silent_is_not_waited_for(self, pins: Path) -> None:
        with socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            told = unanswered(f"http://127.0.0.1:{silent.getsockname()[1]}", pins, seconds=0.05)
        assert told is not None
        assert "timed out" in told

    def test_a_file_that_pins_nothing_is_a_mistake(self, tmp_path: Path) -> None:
        (tmp_path / "empty.txt").touch()
        with pytest.raises(ValueError, match="pins nothing"):
            unanswered("http://127.0.0.1:1", tmp_path / "empty.txt")


class TestLooking:
    def test_nothing_known_is_status_0(self, pins: Path, nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert audit(tool(0, json.dumps(CLEAN)), nobody, pins) == 0
        assert capsys.readouterr().out == "audit: no weakness is known (1 pinned packages)\n"

    def test_a_finding_is_status_1_whoever_answers_now(
        self, pins: Path, nobody: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert audit(tool(1, json.dumps(WEAK)), nobody, pins) == 1
        assert capsys.readouterr().out.splitlines() == [f"audit: {line}" for line in findings(WEAK)]

    def test_a_finding_says_which_what_and_where_it_is_mended(self) -> None:
        assert list(findings(WEAK)) == [
            "urllib3 1.26.0: PYSEC-2021-108, CVE-2021-33503 (mended in 1.26.5)",
            "urllib3 1.26.0: GHSA-1 (mended in no version)",
        ]

    def test_a_finding_that_the_tool_did_not_count_is_one(self, pins: Path, nobody: str) -> None:
        assert audit(tool(0, json.dumps(WEAK)), nobody, pins) == 1

    def test_a_service_that_fell_silent_is_said(
        self, pins: Path, nobody: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert audit(tool(1, "", "connection refused"), nobody, pins) == NO_ANSWER
        assert capsys.readouterr().out.startswith("audit: not run, ")

    @pytest.mark.parametrize(("status", "out"), [(1, ""), (0, ""), (2, "usage"), (0, "[]"), (1, json.dumps(CLEAN))])
    def test_a_tool_that_breaks_while_the_service_answers_is_a_failure(
        self, pins: Path, capsys: pytest.CaptureFixture[str], status: int, out: str
    ) -> None:
        with service(200, WELL) as url:
            assert audit(tool(status, out, "it broke"), url, pins) == 1
        told = capsys.readouterr()
        assert f"pip-audit ended with status {status}" in told.out
        assert "it broke" in told.err


class TestTheTarget:
    """`make check`, with stand-ins for the tools: they write down what they were asked, and end as they are told."""

    @pytest.fixture
    def check(self, tmp_path: Path) -> "Checked":
        return Checked(tmp_path)

    def test_what_was_asked_and_answered_is_looked_at(self, check: "Checked") -> None:
        assert check(asking=0, looking=0).returncode == 0
        assert check.calls[-2:] == ["-m release.audit --ask", "-m release.audit"]

    def test_nobody_to_ask_is_no_failure_and_nothing_is_installed_for_it(self, check: "Checked") -> None:
        assert check(asking=NO_ANSWER, looking=1).returncode == 0
        assert check.calls[-1] == "-m release.audit --ask"

    def test_a_service_that_falls_silent_is_no_failure(self, check: "Checked") -> None:
        assert check(asking=0, looking=NO_ANSWER).returncode == 0

    @pytest.mark.parametrize(("asking", "looking"), [(0, 1), (0, 2), (1, 0), (2, 0)])
    def test_a_finding_and_a_defect_fail(self, check: "Checked", asking: int, looking: int) -> None:
        assert check(asking=asking, looking=looking).returncode != 0


class Checked:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for venv in ("venv", "release"):
            (folder / venv / "bin").mkdir(parents=True)
            (folder / venv / ".installed").touch()
        for name in ("ruff", "mypy", "lint-imports"):
            self._stand_in(folder / "venv" / "bin" / name, "exit 0")
        python = f'echo "$*" >>{folder}/calls; case "$*" in *--ask) exit $ASKING ;; *) exit $LOOKING ;; esac'
        for venv in ("venv", "release"):
            self._stand_in(folder / venv / "bin" / "python", python)

    @staticmethod
    def _stand_in(path: Path, script: str) -> None:
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def __call__(self, *, asking: int, looking: int) -> "subprocess.CompletedProcess[str]":
        variables = [f"VENV={self._folder}/venv", f"RELEASE={self._folder}/release"]
        environ = {"PATH": os.environ["PATH"], "ASKING": str(asking), "LOOKING": str(looking)}
        argv = ["make", "--silent", "check", *variables]
        return subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True)

    @property
    def calls(self) -> list[str]:
        return (self._folder / "calls").read_text().splitlines()
