"""The image, built once for all tests that run it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.deploy.containers import Network, network
from tests.deploy.database import Database, database
from tests.deploy.files import ROOT, compose
from tests.deploy.guide import installation
from tests.deploy.roots import Image, build, debian_root
from tests.servers import missing

# The repository of the PostgreSQL project is the base image's. Debian's own has one client, which stands for all.
CLIENTS_OF_DEBIAN = "postgresql-client"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's. DEPLOY_TEST_FOLDER keeps one for the next run."""
    if "DEPLOY_TEST_FOLDER" in os.environ:
        yield Path(os.environ["DEPLOY_TEST_FOLDER"])
        return
    made = Path(mkdtemp(prefix="pgproof-deploy-", dir="/var/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def base(folder: Path) -> Path:
    """A clean Debian root in the place of the official image."""
    if os.geteuid() != 0:
        missing("building a root file system needs root")
    for tool in ("debootstrap", "unshare", "nsenter", "setpriv", "ip"):
        if shutil.which(tool) is None:
            missing(f"{tool} is not installed (Debian packages debootstrap, util-linux and iproute2)")
    return debian_root("trixie", folder)


def _build(base: Path, folder: Path, **arguments: str) -> Image:
    folder.mkdir(exist_ok=True)
    return build(ROOT, {"postgres:18-trixie": base}, folder, {"POSTGRESQL_CLIENTS": CLIENTS_OF_DEBIAN, **arguments})


@pytest.fixture(scope="session")
def image(base: Path, folder: Path) -> Image:
    """The Dockerfile's last stage, each step of it run in that root."""
    return _build(base, folder / "image", VERSION="1.2.3")


@pytest.fixture(scope="session")
def image_with_server(base: Path, folder: Path) -> Image:
    """The same with an embedded server in it, as docker-compose.yml builds it."""
    return _build(base, folder / "demo", **compose("docker-compose.yml")["services"]["all-in-one"]["build"]["args"])


@pytest.fixture(scope="session")
def installed(base: Path, folder: Path) -> Image:
    """A machine with systemd on which somebody has typed what the deployment guide says."""
    return installation(base, folder / "machine")


@dataclass(frozen=True)
class Site:
    """A network with the server `db` in it, and the secrets that make-secrets.sh made for both."""

    network: Network
    db: Database
    state: Path


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    """A deployment's surroundings, new for each test."""
    state = Path(mkdtemp(dir=folder))
    state.chmod(0o755)
    argv = [str(ROOT / "deploy" / "make-secrets.sh"), str(state / "secrets")]
    subprocess.run(argv, check=True, capture_output=True)
    password = state / "secrets" / "postgres_password"
    # One server plays both; the tests of the files see to it that these are two.
    scratch = state / "secrets" / "scratch_url"
    scratch.write_text(f"postgresql://postgres:{password.read_text()}@scratch:5432/postgres")
    with network() as place, database(place, password.read_text()) as db:
        db.sql("postgres", "CREATE DATABASE app")
        db.sql("app", "CREATE TABLE items AS SELECT i AS id FROM generate_series(1, 1000) AS i")
        yield Site(place, db, state)
