"""What the tools that know these formats say about our files. `make test-deploy` installs them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import COMPOSE, MANIFESTS, OTHER_SHELL, ROOT, SHELL, TIMERS, UNITS
from tests.servers import missing

pytestmark = pytest.mark.deploy

KUBERNETES = ("1.30", "1.33", "1.36")
# What `systemd-analyze security` makes of a unit: 0 is shut in, 10 is wide open.
MOST_EXPOSED = "2"


def tool(name: str, *argv: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a tool to its end, or say which package has it."""
    program = shutil.which(name)
    if program is None:
        missing(f"{name} is not installed: `make test-deploy` brings all but those of systemd")
    return subprocess.run([program, *map(str, argv)], capture_output=True, text=True)


def clean(done: "subprocess.CompletedProcess[str]") -> bool:
    sys.stdout.write(done.stdout + done.stderr)
    return done.returncode == 0


def test_the_dockerfile_is_as_hadolint_wants_it() -> None:
    done = tool("hadolint", ROOT / "Dockerfile")
    assert clean(done)
    assert done.stdout == ""


def test_hadolint_would_have_noticed(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && sudo apt-get install x\n")
    assert not clean(tool("hadolint", tmp_path / "Dockerfile"))


@pytest.mark.parametrize("path", [*SHELL, *OTHER_SHELL], ids=lambda path: path.name)
def test_the_scripts_are_as_shellcheck_wants_them(path: Path) -> None:
    assert clean(tool("shellcheck", "--external-sources", "--source-path=SCRIPTDIR", path))


@pytest.mark.parametrize("path", COMPOSE.values(), ids=lambda path: path.name)
def test_compose_files_fit_the_schema_of_the_compose_specification(path: Path) -> None:
    assert clean(tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path))


def test_the_schema_would_have_noticed(tmp_path: Path) -> None:
    text = COMPOSE["docker-compose.prod.yml"].read_text()
    assert "read_only: true" in text
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(text.replace("read_only: true", "readonly: true"))
    assert not clean(tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", wrong))


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_fit_the_schemas_of_kubernetes(path: Path, version: str) -> None:
    assert clean(tool("kubernetes-validate", "--kubernetes-version", version, "--strict", path))


def test_the_schemas_would_have_noticed_in_any_document(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "kubernetes" / "30-api.yaml").read_text()
    for right, wrong in (("readOnlyRootFilesystem", "readonlyRootFilesystem"), ("targetPort: http", "target: http")):
        assert right in text
        (tmp_path / "wrong.yaml").write_text(text.replace(right, wrong))
        assert not clean(tool("kubernetes-validate", "--strict", tmp_path / "wrong.yaml"))


def test_units_are_as_systemd_wants_them(tmp_path: Path) -> None:
    # The program is not installed on this machine; everything else is looked at as it is.
    for path in (*UNITS, *TIMERS):
        (tmp_path / path.name).write_text(path.read_text().replace("/opt/pgproof/bin/pgproof", "/bin/true"))
    names = sorted(tmp_path.iterdir())
    done = tool("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names)
    assert clean(done)
    assert done.stderr == ""


def test_systemd_would_have_noticed(tmp_path: Path) -> None:
    unit = tmp_path / "wrong.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nProtectSystm=strict\n")
    assert "ProtectSystm" in tool("systemd-analyze", "verify", "--man=no", unit).stderr


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_are_shut_in(path: Path) -> None:
    argv = ("security", "--offline=true", f"--threshold={MOST_EXPOSED}0", path)
    assert clean(tool("systemd-analyze", *argv))


def test_a_unit_that_is_wide_open_would_have_been_noticed(tmp_path: Path) -> None:
    unit = tmp_path / "open.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    assert not clean(tool("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}0", unit))
