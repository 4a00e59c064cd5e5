"""`pgproof serve` as a process, and the first specification's calls against it with curl."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import ConfigurationError
from pgproof.entrypoints.http.serving import check_host
from tests.e2e.command_line import filled
from tests.servers import Server, missing, to_url

CURL = Path(__file__).parents[2] / "examples" / "curl.sh"


class Served:
    """A running `pgproof serve`, and what it has printed."""

    def __init__(self, process: "subprocess.Popen[str]", printed: list[str]) -> None:
        self.process = process
        self.printed = printed
        [self.url] = re.findall(r"http://\S+:\d+", printed[-1])

    @property
    def password(self) -> str:
        [found] = re.findall(r"password (\S+)", self.printed[0])
        return str(found)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


Serve = Callable[..., Served]


@pytest.fixture
def environment(tmp_path: Path, server18: Server, catalog_template: ConnectionInfo) -> dict[str, str]:
    shop = filled(server18)
    assert shop.password
    return {
        "PATH": os.environ["PATH"],
        "BACKUP_HOME": str(tmp_path / "home"),
        "BACKUP_DIR": str(tmp_path / "backups"),
        "BACKUP_CATALOG_URL": to_url(server18.create_database(template=catalog_template.dbname)),
        "BACKUP_POSTGRES_HOST": shop.host,
        "BACKUP_POSTGRES_PORT": str(shop.port),
        "BACKUP_POSTGRES_USER": shop.user,
        "BACKUP_POSTGRES_PASSWORD": shop.password.reveal(),
        "BACKUP_POSTGRES_DB": shop.dbname,
    }


@pytest.fixture
def serve(environment: dict[str, str], tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(started(environment, tmp_path, *options))


@contextmanager
def started(environment: dict[str, str], folder: Path, *options: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pgproof", "serve", "--port", "0", *options],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        printed = [process.stdout.readline()]
        while "listening on" not in printed[-1]:
            printed.append(process.stdout.readline())
            assert printed[-1], "the server ended"
        served = Served(process, printed)
        transport = httpx.HTTPTransport(retries=50)
        with httpx.Client(transport=transport, timeout=60) as client:
            assert client.get(f"{served.url}/health/live").status_code == 200
        yield served
    finally:
        process.kill()
        process.communicate()


def test_the_calls_of_the_first_specification_work_with_curl_as_written(
    serve: Serve, environment: dict[str, str], tmp_path: Path
) -> None:
    if shutil.which("curl") is None:
        missing("curl is not installed")
    served = serve()
    caller = {"PATH": os.environ["PATH"], "PGPROOF_USER": "admin", "PGPROOF_PASSWORD": served.password}
    done = subprocess.run([CURL, served.url], env=caller, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line]
    created, listed, stats, digest, restored, plan, cleaned = lines
    made = json.loads(created)
    assert {"id", "filename", "status", "created_at", "message"} <= set(made)
    assert made["status"] == "completed"
    [row] = json.loads(listed)["backups"]
    assert {"id", "filename", "file_size_mb", "status", "created_at", "completed_at", "duration_seconds",
            "description", "trigger_source"} <= set(row)  # fmt: skip
    assert (row["id"], row["description"], row["trigger_source"]) == (made["id"], "by curl", "manual_api")
    assert list(json.loads(stats)) == ["total_backups", "completed_backups", "total_size_gb", "latest_backup_date",
                                       "retention_days", "backup_directory"]  # fmt: skip
    [archive] = (tmp_path / "backups").rglob(made["filename"])
    assert digest in (archive.parent / "SHA256SUMS").read_text()
    done_restore = json.loads(restored)
    assert {"success", "backup_id", "duration_seconds", "safety_backup_id", "analyzed"} <= set(done_restore)
    assert (done_restore["success"], done_restore["backup_id"], done_restore["analyzed"]) == (True, made["id"], True)
    assert len(json.loads(plan)["decisions"]) == 2
    assert {"message", "retention_days"} <= set(json.loads(cleaned))
    assert served.end() == 0


def test_the_password_is_printed_by_the_first_start_and_by_no_other(serve: Serve, environment: dict[str, str]) -> None:
    first = serve("--no-worker")
    assert "sign in as admin with the password" in first.printed[0]
    assert len(first.password) >= 20
    assert first.end() == 0
    second = serve("--no-worker")
    assert not any("password" in line for line in second.printed)
    answer = httpx.post(f"{second.url}/api/auth/token", data={"username": "admin", "password": first.password})
    assert answer.status_code == 200
    assert second.end() == 0


def test_whoever_waits_is_answered_when_the_server_ends(serve: Serve) -> None:
    served = serve("--no-worker")
    signed_in = httpx.post(f"{served.url}/api/auth/token", data={"username": "admin", "password": served.password})
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}", "Prefer": "wait=300"}
    with httpx.Client(timeout=60) as client:
        request = client.build_request("POST", f"{served.url}/api/admin/backups/create", headers=headers)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.send, request)
            while not waiting.running() or not jobs_of(served, headers):
                pass
            assert served.end() == 0
            assert waiting.result().status_code == 202


def jobs_of(served: Served, headers: dict[str, str]) -> list[object]:
    found: list[object] = httpx.get(f"{served.url}/api/admin/jobs", headers=headers, timeout=60).json()["jobs"]
    return found


def test_a_port_that_is_taken_is_told_so(serve: Serve, environment: dict[str, str], tmp_path: Path) -> None:
    port = serve("--no-worker").url.rpartition(":")[2]
    argv = [sys.executable, "-m", "pgproof", "serve", "--port", port]
    done = subprocess.run(argv, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 3
    assert "address already in use" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "no such host"])
def test_nobody_beyond_this_machine_is_let_in_without_a_key(host: str) -> None:
    with pytest.raises(ConfigurationError, match="BACKUP_SECRET_KEY"):
        check_host(host, has_secret_key=False)
    check_host(host, has_secret_key=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_this_machine_needs_no_key(host: str) -> None:
    check_host(host, has_secret_key=False)
