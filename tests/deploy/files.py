"""The files of a deployment, read."""

import configparser
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = {name: ROOT / name for name in ("docker-compose.yml", "docker-compose.prod.yml")}
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
TIMERS = sorted((ROOT / "deploy" / "systemd").glob("*.timer"))
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
SHELL = sorted([*(ROOT / "scripts" / "backup").glob("*.sh"), *(ROOT / "deploy").glob("*.sh")])
OTHER_SHELL = [ROOT / ".ci" / "run", ROOT / "examples" / "curl.sh"]


def compose(name: str) -> Mapping[str, Any]:
    """A compose file."""
    found: Mapping[str, Any] = yaml.safe_load(COMPOSE[name].read_text())
    return found


def manifests() -> Iterator[Mapping[str, Any]]:
    """Every object of the Kubernetes manifests."""
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def manifest(kind: str, name: str) -> Mapping[str, Any]:
    """One object of the Kubernetes manifests."""
    (found,) = (one for one in manifests() if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return found


class Unit:
    """A unit of systemd. A key may stand there several times."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self._lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]

    def __getitem__(self, key: str) -> list[str]:
        return [line.partition("=")[2] for line in self._lines if line.startswith(f"{key}=")]

    @property
    def command(self) -> list[str]:
        """The words of its one command."""
        (line,) = self["ExecStart"]
        return shlex.split(line)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sets by itself."""
        return dict(word.split("=", 1) for line in self["Environment"] for word in shlex.split(line))


def env_file(path: Path) -> dict[str, str]:
    """The variables of a file for `EnvironmentFile`."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string("[all]\n" + path.read_text())
    return dict(parser["all"])


def pgproof_commands() -> Iterator[tuple[str, Sequence[str]]]:
    """Where a command of pgproof is named, and its words without the program."""
    for name in COMPOSE:
        for service, said in compose(name)["services"].items():
            if "command" in said and said["image"].startswith("pgproof"):
                yield f"{name}: {service}", said["command"]
            test = said.get("healthcheck", {}).get("test", [])
            if "pgproof" in test:
                yield f"{name}: health of {service}", test[test.index("pgproof") + 1 :]
    for path in UNITS:
        yield path.name, Unit(path).command[1:]
    for deployment in ("worker", "api"):
        yield from _commands_of(deployment)


def _commands_of(deployment: str) -> Iterator[tuple[str, Sequence[str]]]:
    (container,) = manifest("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
    yield f"kubernetes: {deployment}", container["args"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if words := container.get(probe, {}).get("exec", {}).get("command", []):
            yield f"kubernetes: {probe} of {deployment}", words[1:]
