"""What the files of a deployment promise, as far as it can be read from them."""

import re
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from pgproof.entrypoints.cli.app import app
from pgproof.settings import NAMES, load_settings
from tests.deploy.dockerfile import build_context, parse, stages
from tests.deploy.files import (
    COMPOSE,
    ROOT,
    SHELL,
    TIMERS,
    UNITS,
    Unit,
    compose,
    env_file,
    manifest,
    manifests,
    pgproof_commands,
)
from tests.deploy.needs import lacking
from tests.deploy.services import interpolated

PROD = compose("docker-compose.prod.yml")
OURS = ("api", "backup-cron")
DOCKERFILE = parse((ROOT / "Dockerfile").read_text())
FINAL = list(stages(DOCKERFILE))[-1][2]
# What every unit must have, or have none of.
HARDENING = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictSUIDSGID": "yes",
    "MemoryDenyWriteExecute": "yes",
    "User": "pgproof",
    "UMask": "0077",
}


def containers(name: str) -> Mapping[str, Any]:
    pod: Mapping[str, Any] = manifest("Deployment", name)["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize(("where", "words"), list(pgproof_commands()))
def test_every_command_that_is_named_exists(where: str, words: list[str]) -> None:
    found: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(found, "commands"):
            break
        found = found.commands[word]
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


class TestCompose:
    @pytest.mark.parametrize("name", COMPOSE)
    def test_what_is_named_is_declared_and_what_is_declared_is_used(self, name: str) -> None:
        said = compose(name)
        services = said["services"].values()
        volumes = {one.split(":")[0] for service in services for one in service.get("volumes", []) if one[0] != "."}
        networks = {one for service in services for one in service.get("networks", [])}
        secrets = {one for service in services for one in service.get("secrets", [])}
        assert volumes == set(said["volumes"])
        assert networks == set(said.get("networks", ()))
        assert secrets == set(said.get("secrets", ()))

    @pytest.mark.parametrize("name", COMPOSE)
    def test_files_of_the_checkout_that_are_mounted_are_there(self, name: str) -> None:
        for service in compose(name)["services"].values():
            for volume in service.get("volumes", []):
                if volume.startswith("./"):
                    assert (ROOT / volume.split(":")[0]).is_file()

    @pytest.mark.parametrize("name", COMPOSE)
    def test_only_what_has_tls_listens_beyond_this_machine(self, name: str) -> None:
        services = compose(name)["services"]
        published = {(service, port) for service, said in services.items() for port in said.get("ports", [])}
        open_to_all = {service for service, port in published if not port.startswith("127.0.0.1:")}
        assert open_to_all <= {"tls"}

    def test_every_service_comes_back_has_limits_and_can_be_asked_how_it_is(self) -> None:
        for name, service in PROD["services"].items():
            assert service["restart"] == "unless-stopped", name
            assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys(), name
            assert "healthcheck" in service or name == "tls"

    @pytest.mark.parametrize("service", OURS)
    def test_pgproof_can_do_no_more_than_it_needs(self, service: str) -> None:
        said = PROD["services"][service]
        assert said["read_only"] is True
        assert said["cap_drop"] == ["ALL"]
        assert said["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in said
        assert "privileged" not in said

    def test_databases_are_on_networks_without_a_way_out(self) -> None:
        networks = PROD["networks"]
        for service in ("db", "scratch"):
            for name in PROD["services"][service]["networks"]:
                assert networks[name]["internal"] is True
        assert not set(PROD["services"]["scratch"]["networks"]) & set(PROD["services"]["db"]["networks"])

    @pytest.mark.parametrize("service", OURS)
    def test_no_secret_stands_in_the_file(self, service: str) -> None:
        environment = PROD["services"][service]["environment"]
        mounted = {f"/run/secrets/{name}" for name in PROD["services"][service]["secrets"]}
        from_files = {name: value for name, value in environment.items() if name.endswith("_FILE")}
        assert set(from_files.values()) == mounted
        assert not [name for name in environment if re.search(r"PASSWORD$|KEY$|_URL$", name)]

    @pytest.mark.parametrize("service", OURS)
    def test_its_settings_are_settings_and_valid(self, service: str, tmp_path: Path) -> None:
        environment = interpolated(PROD["services"][service]["environment"])
        check_settings(environment, tmp_path)
        assert environment["BACKUP_SCHEDULE"] == "0 2 * * *"
        assert environment["BACKUP_CLEANUP_SCHEDULE"] == "5 2 * * *"
        assert environment["BACKUP_RETENTION_DAYS"] == "7"

    def test_the_secrets_are_made_once_and_are_those_that_it_names(self, tmp_path: Path) -> None:
        folder = tmp_path / "secrets"
        argv = [str(ROOT / "deploy" / "make-secrets.sh"), str(folder)]
        subprocess.run(argv, check=True, capture_output=True)
        made = {path.name: path.read_text() for path in folder.iterdir()}
        assert {f"./secrets/{name}" for name in made} == {said["file"] for said in PROD["secrets"].values()}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        # Read by another user in the container, and kept from others by the folder.
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
        assert made["catalog_url"] == f"postgresql://postgres:{made['postgres_password']}@db:5432/pgproof"
        assert len(set(made.values())) == len(made)
        assert len(made["secret_key"]) == 64
        (folder / "scratch_url").unlink()
        subprocess.run(argv, check=True, capture_output=True)
        assert {path.name: path.read_text() for path in folder.iterdir()} == made

    def test_the_first_try_needs_a_key_of_its_own(self) -> None:
        key = compose("docker-compose.yml")["services"]["all-in-one"]["environment"]["BACKUP_SECRET_KEY"]
        assert key.startswith("${BACKUP_SECRET_KEY:?")


def check_settings(environment: Mapping[str, str], folder: Path) -> None:
    """Every variable is a setting, and all of them together are valid."""
    names = {name for name in environment if name.startswith("BACKUP_")}
    assert names <= set(NAMES)
    secret = folder / "secret"
    secret.write_text("a secret of the tests, long enough")
    url = folder / "url"
    url.write_text("postgresql://a:b@c:5432/d")
    given = {name: environment[name] for name in names}
    given |= {name: str(url if name.endswith("_URL_FILE") else secret) for name in names if name.endswith("_FILE")}
    assert load_settings(given, folder).warnings == ()


class TestImage:
    def test_everything_that_is_copied_is_let_in_and_nothing_else(self) -> None:
        copied = [word for one in DOCKERFILE if one.name == "COPY" and not one.options for word in one.words[:-1]]
        for name in build_context(ROOT):
            assert any(name == one or name.startswith(one) for one in copied), name
        for one in copied:
            assert any(name == one or name.startswith(one) for name in build_context(ROOT)), one

    @pytest.mark.parametrize(
        "name",
        [".env", ".git/config", "secrets/secret_key", "backups/shop/manifest.json", "tests/conftest.py", "x.dump"],
    )
    def test_what_is_nobodys_business_stays_out(self, name: str, tmp_path: Path) -> None:
        (tmp_path / ".dockerignore").write_text((ROOT / ".dockerignore").read_text())
        for one in (name, "src/pgproof/__init__.py", "src/pgproof/__pycache__/x.pyc"):
            (tmp_path / one).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / one).touch()
        assert build_context(tmp_path) == {"src/pgproof/__init__.py"}

    def test_it_runs_as_an_ordinary_user_with_somebody_to_reap_what_it_leaves(self) -> None:
        last = {one.name: one for one in FINAL}
        assert last["USER"].value == "10001:10001"
        assert last["ENTRYPOINT"].words == ["/usr/bin/tini", "--", "pgproof"]
        assert last["STOPSIGNAL"].value == "SIGTERM"
        assert [one.name for one in FINAL].index("USER") > max(i for i, one in enumerate(FINAL) if one.name == "RUN")

    def test_it_has_a_client_for_every_version_that_is_supported(self) -> None:
        arguments = {key: value for one in FINAL if one.name == "ARG" for key, value in one.pairs.items()}
        assert arguments["POSTGRESQL_CLIENTS"].split() == [f"postgresql-client-{major}" for major in range(13, 19)]

    @pytest.mark.parametrize("name", ["build", "runtime", "embedded", "deploy"])
    def test_what_is_installed_is_pinned_with_hashes(self, name: str) -> None:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        pins = re.findall(r"^[a-z0-9][\w.-]*==\S+.*?\n((?: {4}--hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-zA-Z0-9]", text, re.MULTILINE)) > 0

    @pytest.mark.parametrize("name", ["runtime", "embedded"])
    def test_what_runs_there_is_what_was_tested_here(self, name: str) -> None:
        pins = re.compile(r"^([a-z0-9][\w.-]*==\S+)", re.MULTILINE)
        installed = set(pins.findall((ROOT / "requirements" / f"{name}.txt").read_text()))
        assert installed <= set(pins.findall((ROOT / "requirements" / "dev.txt").read_text()))


class TestSystemd:
    @pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
    def test_every_unit_is_shut_in_alike(self, path: Path) -> None:
        unit, first = Unit(path), UNITS[0].read_text()
        for key, value in HARDENING.items():
            assert unit[key] == [value], key
        # Whoever changes one of them changes all.
        shared = re.compile(r"^User=.*?^UMask=\d+$", re.MULTILINE | re.DOTALL)
        assert shared.findall(path.read_text()) == shared.findall(first) != []

    @pytest.mark.parametrize("path", TIMERS, ids=lambda path: path.name)
    def test_every_timer_starts_something(self, path: Path) -> None:
        assert path.with_suffix(".service") in UNITS
        assert "[Install]" in path.read_text()

    def test_their_settings_are_settings_and_valid(self, tmp_path: Path) -> None:
        common = env_file(ROOT / "deploy" / "systemd" / "pgproof.env")
        for path in UNITS:
            unit = Unit(path)
            check_settings({**common, **unit.environment}, tmp_path)
            loaded = {f"%d/{line.split(':')[0]}" for line in unit["LoadCredential"]}
            assert {value for name, value in unit.environment.items() if name.endswith("_FILE")} == loaded

    def test_a_backup_says_that_a_timer_asked_for_it(self) -> None:
        for path in UNITS:
            words = Unit(path).command
            assert ("backup" in words) == (words[-3:-1] == ["--trigger", "scheduled_cron"])


class TestKubernetes:
    @pytest.mark.parametrize("name", ["worker", "api", "scratch"])
    def test_no_container_is_root_or_can_change_its_image(self, name: str) -> None:
        pod = containers(name)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in container["resources"]["limits"]
            assert "readinessProbe" in container

    @pytest.mark.parametrize("name", ["worker", "api"])
    def test_the_user_is_the_images(self, name: str) -> None:
        context = containers(name)["securityContext"]
        user = next(one.value for one in FINAL if one.name == "USER")
        assert f"{context['runAsUser']}:{context['runAsGroup']}" == user
        assert context["fsGroup"] == context["runAsGroup"]

    @pytest.mark.parametrize("name", ["worker", "api"])
    def test_every_folder_that_is_written_is_mounted(self, name: str) -> None:
        pod = containers(name)
        (container,) = pod["containers"]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        volumes = next(one.words for one in FINAL if one.name == "VOLUME")
        staging = manifest("ConfigMap", "pgproof")["data"]["BACKUP_STAGING_DIR"]
        assert mounts.keys() == {*volumes, staging, "/tmp", "/run/secrets/pgproof"}
        assert set(mounts.values()) == {volume["name"] for volume in pod["volumes"]}

    @pytest.mark.parametrize("name", ["worker", "api"])
    def test_every_secret_that_a_setting_names_is_mounted_and_in_the_example(self, name: str) -> None:
        (mounted,) = (one["secret"] for one in containers(name)["volumes"] if "secret" in one)
        settings = manifest("ConfigMap", "pgproof")["data"]
        named = {value.rpartition("/")[2] for key, value in settings.items() if key.endswith("_FILE")}
        assert named == {item["path"] for item in mounted["items"]}
        assert named <= manifest("Secret", "pgproof")["stringData"].keys()

    def test_the_example_holds_no_secret(self) -> None:
        assert all("CHANGE-ME" in value for value in manifest("Secret", "pgproof")["stringData"].values())

    def test_its_settings_are_settings_and_valid(self, tmp_path: Path) -> None:
        check_settings(manifest("ConfigMap", "pgproof")["data"], tmp_path)

    def test_services_and_rules_lead_to_pods_that_exist(self) -> None:
        pods = [one["spec"]["template"]["metadata"]["labels"] for one in manifests() if one["kind"] == "Deployment"]
        for one in manifests():
            if one["kind"] == "Service":
                assert one["spec"]["selector"] in pods
            if one["kind"] == "NetworkPolicy":
                assert one["spec"]["podSelector"]["matchLabels"] in pods

    def test_a_late_backup_does_not_restart_the_worker(self) -> None:
        (worker,) = containers("worker")["containers"]
        assert "--alive" in worker["livenessProbe"]["exec"]["command"]
        assert "--alive" not in worker["readinessProbe"]["exec"]["command"]


@pytest.mark.parametrize("path", SHELL, ids=lambda path: path.name)
def test_scripts_can_be_executed_and_are_for_every_shell(path: Path) -> None:
    if path.name != "common.sh":
        assert path.stat().st_mode & 0o111
        assert path.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(path)], capture_output=True).returncode == 0


def test_who_wants_to_run_these_tests_is_told_what_is_missing() -> None:
    assert lacking({"sh": "dash"}, user=0) == []
    packages, how, who = lacking({"sh": "dash", "no-such-program": "a-package", "nor-this": "b"}, user=1000)
    assert packages.endswith(": a-package b")
    assert how.endswith("apt-get install --no-install-recommends a-package b")
    assert "root" in who
