"""Every command, healthcheck and path that the files name, run as they say, by an ordinary user on a read-only root."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.deploy.conftest import Site
from tests.deploy.containers import Container, Running, children
from tests.deploy.files import ROOT, TIMERS, UNITS, Unit, compose, manifest
from tests.deploy.roots import Image
from tests.deploy.services import from_compose, from_manifest, from_unit

pytestmark = pytest.mark.deploy

PROD = compose("docker-compose.prod.yml")

# MemoryDenyWriteExecute, as far as the kernel offers it to somebody other than systemd (PR_SET_MDWE, Linux 6.3).
NO_NEW_CODE = (
    "/usr/bin/python3",
    "-c",
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])",
)


@contextmanager
def started(container: Container, site: Site, name: str) -> Iterator[Running]:
    with container.running(site.state / f"{name}.log") as running:
        yield running


def triggers(running: Running) -> list[str]:
    """Who asked for the backups that there are, the newest first."""
    listed = running.exec("pgproof", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return [line.split('"')[3] for line in listed.stdout.splitlines() if '"trigger_source"' in line]


class TestCompose:
    @pytest.fixture
    def services(self, image: Image, site: Site) -> Iterator[dict[str, Running]]:
        """Both services of pgproof, healthy."""
        with ExitStack() as stack:
            running = {}
            for name in ("backup-cron", "api"):
                container = from_compose(image, site.network, PROD, name, site.state)
                running[name] = stack.enter_context(started(container, site, name))
            for one in running.values():
                one.wait_until_healthy()
            yield running

    def test_both_services_are_well_and_see_the_same(self, services: dict[str, Running]) -> None:
        for one in services.values():
            done = one.exec("pgproof", "doctor")
            assert done.returncode == 0, done.stdout + done.stderr
        taken = services["api"].exec("pgproof", "backup")
        assert taken.returncode == 0, taken.stderr
        assert triggers(services["backup-cron"]) == ["manual_cli"]

    def test_a_backup_is_proven_on_the_scratch_server(self, services: dict[str, Running]) -> None:
        worker = services["backup-cron"]
        for argv in (["backup"], ["restore-test", "1"], ["cleanup", "--yes"]):
            done = worker.exec("pgproof", *argv, limit=120)
            assert done.returncode == 0, done.stdout + done.stderr

    def test_whatever_writes_finds_its_place_on_a_read_only_root(self, services: dict[str, Running]) -> None:
        worker = services["backup-cron"]
        for argv in (
            ["backup", "--format", "directory", "--parallel-jobs", "2"],
            ["verify", "1"],
            ["restore-test", "1"],
            ["restore", "1", "--yes"],
            ["undo", "1", "--yes"],
            ["restore", "1", "--mode", "new-database", "--to", "copy"],
            ["catalog", "export"],
        ):
            done = worker.exec("pgproof", *argv, limit=120)
            assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}{worker.log.read_text()}"
        assert worker.health().returncode == 0

    def test_what_is_told_to_end_ends_by_itself_and_is_missed(self, services: dict[str, Running]) -> None:
        assert services["api"].exec("pgproof", "health").returncode == 0
        assert services["backup-cron"].end() == 0, services["backup-cron"].log.read_text()
        missed = services["api"].exec("pgproof", "health")
        assert missed.returncode == 13
        assert "no worker" in missed.stdout
        assert services["api"].end() == 0, services["api"].log.read_text()

    def test_a_worker_that_stands_still_is_unhealthy_though_its_process_is_there(
        self, services: dict[str, Running], site: Site
    ) -> None:
        worker, api = services["backup-cron"], services["api"]
        frozen = children(worker.first_pid)
        assert frozen
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            site.db.sql(
                "pgproof", "UPDATE pgproof.procrastinate_workers SET last_heartbeat = now() - interval '2 minutes'"
            )
            assert worker.health().returncode == 13
            assert api.exec("pgproof", "health", "--alive").returncode == 13
            # Signs of life alone are not enough: somebody must start what is due.
            site.db.sql(
                "pgproof",
                "UPDATE pgproof.procrastinate_workers SET last_heartbeat = now()",
                "UPDATE pgproof.schedules SET settled_until = now() - interval '2 days'",
            )
            stuck = worker.health()
            assert stuck.returncode == 13
            assert "nobody has started it" in stuck.stdout
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)

    def test_a_scheduler_that_hangs_is_unhealthy_though_its_worker_gives_signs_of_life(
        self, services: dict[str, Running], site: Site
    ) -> None:
        worker = services["backup-cron"]
        with psycopg.connect(host=str(site.db.socket), user="postgres", dbname="pgproof") as holding:
            # What a started run is recorded in; the thread that raises alerts reads it too, and hangs as well.
            holding.execute("LOCK TABLE pgproof.schedule_runs IN ACCESS EXCLUSIVE MODE")
            site.db.sql("pgproof", "UPDATE pgproof.schedules SET settled_until = now() - interval '2 days'")
            stuck = worker.health()
            assert stuck.returncode == 13
            assert "nobody has started it" in stuck.stdout
            assert "1 worker at work" in stuck.stdout
            assert worker.exec("pgproof", "health", "--alive").returncode == 13
        worker.wait_until_healthy()
        assert worker.process.poll() is None, "it goes on by itself"

    def test_a_late_backup_is_unhealthy_and_no_reason_for_a_restart(
        self, services: dict[str, Running], site: Site
    ) -> None:
        worker = services["backup-cron"]
        assert worker.exec("pgproof", "backup").returncode == 0
        assert worker.health().returncode == 0
        site.db.sql(
            "pgproof",
            "UPDATE pgproof.databases SET created_at = now() - interval '9 days'",
            "UPDATE pgproof.schedules SET created_at = now() - interval '9 days', last_due_at = now()",
            "UPDATE pgproof.backup_jobs SET completed_at = now() - interval '3 days'",
        )
        late = worker.health()
        assert late.returncode == 13
        assert "has not come" in late.stdout
        assert worker.exec("pgproof", "health", "--alive").returncode == 0
        assert worker.exec("pgproof", "backup").returncode == 0
        assert worker.health().returncode == 0

    def test_an_api_that_does_not_answer_is_unhealthy(self, services: dict[str, Running]) -> None:
        api = services["api"]
        assert api.health().returncode == 0
        assert api.exec("pgproof", "health", "--api", "http://127.0.0.1:8001").returncode == 13

    def test_secrets_come_from_files_and_stand_in_no_environment(
        self, services: dict[str, Running], site: Site
    ) -> None:
        secrets = [path.read_text() for path in (site.state / "secrets").iterdir()]
        for one in services.values():
            environment = Path(f"/proc/{one.first_pid}/environ").read_text()
            command = Path(f"/proc/{one.first_pid}/cmdline").read_text()
            assert not [secret for secret in secrets if secret in environment + command + one.log.read_text()]


class TestSystemd:
    def test_every_unit_does_what_it_is_for(self, installed: Image, site: Site) -> None:
        units = machine(replace(installed, entrypoint=NO_NEW_CODE), site)
        health = units["pgproof-health.service"].command
        address = [PGPROOF, "health", "--api", "http://127.0.0.1:8000"]
        with ExitStack() as stack:
            for name, asked in (("pgproof-worker.service", health), ("pgproof-api.service", address)):
                running = stack.enter_context(started(replace(units[name], healthcheck=asked), site, name))
                running.wait_until_healthy()
            for name in ("pgproof-backup.service", "pgproof-backup@.service", "pgproof-cleanup.service"):
                words = [word.replace("%I", "app") for word in units[name].command]
                done = units[name].run(*words)
                assert done.returncode == 0, name + done.stdout + done.stderr
            listed = units["pgproof-backup.service"].run(PGPROOF, "list", "--json")
            assert listed.stdout.count('"scheduled_cron"') == 2
        assert units.keys() == {
            "pgproof-worker.service", "pgproof-api.service", "pgproof-health.service",
            "pgproof-backup.service", "pgproof-backup@.service", "pgproof-cleanup.service",
        }  # fmt: skip

    def test_the_guide_leaves_a_machine_that_starts_them(self, installed: Image) -> None:
        units = installed.root / "etc/systemd/system"
        assert {path.name for path in [*UNITS, *TIMERS]} <= {path.name for path in units.iterdir()}
        wanted = {path.name for path in units.glob("*.target.wants/pgproof*")}
        assert wanted == {"pgproof-worker.service", "pgproof-api.service", "pgproof-health.timer"}
        secrets = installed.root / "etc/pgproof"
        assert (secrets.stat().st_mode & 0o777, secrets.stat().st_uid) == (0o700, 0)
        assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
        loaded = {line.partition(":")[2] for path in UNITS for line in Unit(path)["LoadCredential"]}
        assert {f"/etc/pgproof/{path.name}" for path in secrets.iterdir()} == {*loaded, "/etc/pgproof/pgproof.env"}

    def test_the_installation_is_roots_and_nobody_elses_to_write_to(self, installed: Image) -> None:
        for path in (installed.root / "opt/pgproof").rglob("*"):
            found = path.lstat()
            assert (found.st_uid, found.st_gid) == (0, 0), path
            assert path.is_symlink() or not found.st_mode & 0o022, path

    @pytest.mark.parametrize("name", ["worker", "api", "backup"])
    def test_the_filter_of_system_calls_lets_through_what_is_called(
        self, installed: Image, site: Site, tmp_path: Path, name: str
    ) -> None:
        unit = machine(replace(installed, entrypoint=()), site)[f"pgproof-{name}.service"]
        calls = tmp_path / "calls"
        watched = ["strace", "--follow-forks", "--summary-only", "--summary-columns=name", f"--output={calls}"]
        # A service is told to end; what ends by itself does so before.
        done = unit.run("timeout", "20", *unit.command, under=watched)
        assert done.returncode == (124 if name in ("worker", "api") else 0), done.stdout + done.stderr
        _, table, _ = re.split(r"^-+\n", calls.read_text(), flags=re.MULTILINE)
        called = set(table.split())
        assert {"execve", "openat", "connect"} <= called
        assert called - allowed_calls() <= PREPARING_CALLS


PGPROOF = "/opt/pgproof/bin/pgproof"
# What makes the place in which a test runs a unit, and the user: systemd does that before it shuts the door.
PREPARING_CALLS = {"capset", "chroot", "mount", "setgroups", "setresgid", "setresuid", "unshare"}


def machine(installed: Image, site: Site) -> dict[str, Container]:
    """The units on that machine; its settings name the site's server."""
    settings = site.state / "pgproof.env"
    text = (installed.root / "etc/pgproof/pgproof.env").read_text()
    settings.write_text(text.replace("BACKUP_POSTGRES_HOST=localhost", "BACKUP_POSTGRES_HOST=db"))
    return {path.name: from_unit(installed, site.network, Unit(path), settings, site.state) for path in UNITS}


def allowed_calls() -> set[str]:
    """What `SystemCallFilter` of the units lets through."""
    allowed: set[str] = set()
    for line in Unit(UNITS[0])["SystemCallFilter"]:
        group = calls_of(line.removeprefix("~"))
        allowed = allowed - group if line.startswith("~") else allowed | group
    return allowed


def calls_of(group: str) -> set[str]:
    argv = ["systemd-analyze", "syscall-filter", group]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines()[1:]
    names = {line.strip() for line in lines if line.strip() and not line.strip().startswith("#")}
    return {call for name in names for call in (calls_of(name) if name.startswith("@") else {name})}


class TestKubernetes:
    def test_both_deployments_answer_their_probes(self, image: Image, site: Site) -> None:
        with ExitStack() as stack:
            for name in ("worker", "api"):
                container = from_manifest(image, site.network, name, site.state)
                (said,) = manifest("Deployment", name)["spec"]["template"]["spec"]["containers"]
                probes = [said[probe] for probe in ("startupProbe", "livenessProbe", "readinessProbe") if probe in said]
                commands = [
                    probe["exec"]["command"]
                    if "exec" in probe
                    else ["python3", "-c", _GET, f"http://127.0.0.1:8000{probe['httpGet']['path']}"]
                    for probe in probes
                ]
                running = stack.enter_context(started(replace(container, healthcheck=commands[-1]), site, name))
                running.wait_until_healthy()
                for command in commands:
                    done = running.exec(*command)
                    assert done.returncode == 0, done.stdout + done.stderr


_GET = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)"


class TestCron:
    def test_both_scripts_run_beside_the_services(self, image: Image, site: Site) -> None:
        container = from_compose(image, site.network, PROD, "backup-cron", site.state)
        plain = replace(
            container,
            image=replace(image, entrypoint=()),
            env={**container.env, "PGPROOF_DIRECTORY": "/var/lib/pgproof"},
            read_only_mounts={**container.read_only_mounts, "/opt/scripts": ROOT / "scripts" / "backup"},
        )
        for argv in (["/opt/scripts/backup-database.sh"], ["/opt/scripts/cleanup-old-backups.sh"]):
            done = plain.run(*argv)
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
        log = (site.state / "volumes" / "home" / "backup.log").read_text().splitlines()
        assert [line.split()[2] for line in log] == ["ok", "ok"]


class TestFirstTry:
    def test_it_serves_backs_up_and_proves_the_backup_by_itself(self, image_with_server: Image, site: Site) -> None:
        said = compose("docker-compose.yml")
        password = said["services"]["db"]["environment"]["POSTGRES_PASSWORD"]
        site.db.sql("postgres", f"ALTER ROLE postgres PASSWORD '{password}'", "CREATE DATABASE shop")
        container = from_compose(image_with_server, site.network, said, "all-in-one", site.state)
        container = replace(container, env={**container.env, "BACKUP_SECRET_KEY": "k" * 44})
        with started(container, site, "pgproof") as running:
            running.wait_until_healthy()
            for argv in (["backup"], ["list"], ["restore-test", "1"]):
                done = running.exec("pgproof", *argv, limit=120)
                assert done.returncode == 0, done.stdout + done.stderr
            replace(running, container=replace(container, healthcheck=["pgproof", "health"])).wait_until_healthy()
            assert running.end() == 0, running.log.read_text()
