"""The services that the files of a deployment describe, as containers to run."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.containers import Container, Network
from tests.deploy.files import Unit, env_file, manifest
from tests.deploy.roots import Image

_INTERPOLATED = re.compile(r"\$\{(\w+):?-([^}]*)\}")


def interpolated(value: Any) -> Any:
    """A value of a compose file with the defaults of its variables."""
    if isinstance(value, str):
        return _INTERPOLATED.sub(lambda found: found[2], value)
    if isinstance(value, dict):
        return {key: interpolated(item) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item) for item in value]
    return value


def from_compose(image: Image, place: Network, compose: Mapping[str, Any], service: str, state: Path) -> Container:
    """The service of a compose file. Its volumes and the files of its secrets lie in `state`.

    Every other service has its own name, all at one address.
    """
    said = interpolated(compose["services"][service])
    fixed = {"/etc/hosts": _hosts(state, compose["services"])}
    for name in said.get("secrets", []):
        fixed[f"/run/secrets/{name}"] = state / compose["secrets"][name]["file"]
    mounts = {}
    for volume in said.get("volumes", []):
        name, target, *_ = volume.split(":")
        mounts[target] = _volume(state, name, image.root / target.lstrip("/"))
    return Container(
        image=image,
        network=place,
        command=said.get("command", image.command),
        env={**image.env, **said.get("environment", {})},
        mounts=mounts,
        read_only_mounts=fixed,
        tmpfs=[one.partition(":")[0] for one in said.get("tmpfs", [])],
        healthcheck=said["healthcheck"]["test"][1:] if "healthcheck" in said else image.healthcheck,
    )


def from_unit(image: Image, place: Network, unit: Unit, settings: Path, state: Path) -> Container:
    """The command of a unit of systemd, on a machine that has pgproof where the unit looks for it.

    Its credentials are the files of `state/secrets`; `settings` is what the unit calls /etc/pgproof/pgproof.env.
    """
    credentials = f"/run/credentials/{unit.name}"
    fixed = {"/etc/hosts": _hosts(state, ("db", "scratch"))}
    for line in unit["LoadCredential"]:
        name, _, source = line.partition(":")
        fixed[f"{credentials}/{name}"] = state / "secrets" / Path(source).name
    (home,) = unit["WorkingDirectory"]
    environment = {name: value.replace("%d", credentials) for name, value in unit.environment.items()}
    return Container(
        image=image,
        network=place,
        command=unit.command,
        env={"PATH": image.env["PATH"].partition(":")[2], "LANG": "C.UTF-8", **environment, **env_file(settings)},
        mounts={home: _state_directory(state, unit, image)},
        read_only_mounts=fixed,
        tmpfs=["/tmp"],
        healthcheck=(),
    )


def from_manifest(image: Image, place: Network, name: str, state: Path) -> Container:
    """The container of a deployment of Kubernetes, with the secrets of `state/secrets`."""
    pod = manifest("Deployment", name)["spec"]["template"]["spec"]
    (said,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    settings = dict(manifest("ConfigMap", "pgproof")["data"])
    mounts, fixed = {}, {"/etc/hosts": _hosts(state, ("db", "scratch", settings["BACKUP_POSTGRES_HOST"]))}
    for mount in said["volumeMounts"]:
        volume, target = volumes[mount["name"]], mount["mountPath"]
        if "secret" in volume:
            for item in volume["secret"]["items"]:
                fixed[f"{target}/{item['path']}"] = state / "secrets" / item["key"]
        else:
            mounts[target] = _volume(state, mount["name"], image.root / "var/lib/pgproof")
    return Container(
        image=image,
        network=place,
        command=said["args"],
        env={**image.env, **settings},
        mounts=mounts,
        read_only_mounts=fixed,
        tmpfs=[],
        healthcheck=said["readinessProbe"].get("exec", {}).get("command", ()),
    )


def _hosts(state: Path, names: Iterable[str]) -> Path:
    """Every service is at one address, because they share a network without any other."""
    hosts = state / "hosts"
    hosts.write_text("127.0.0.1 localhost " + " ".join(names) + "\n")
    return hosts


def _state_directory(state: Path, unit: Unit, image: Image) -> Path:
    """What systemd makes below /var/lib before it starts a unit."""
    user, _, group = image.user.partition(":")
    (names,), (mode,) = unit["StateDirectory"], unit["StateDirectoryMode"]
    first, *_ = folders = [state / "var-lib" / name for name in names.split()]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, int(user), int(group))
        folder.chmod(int(mode, 8))
    return first


def _volume(state: Path, name: str, like: Path) -> Path:
    """A volume; a new one belongs to whom the folder in the image belongs."""
    folder = state / "volumes" / name
    if not folder.exists():
        folder.mkdir(parents=True)
        found = like.stat()
        os.chown(folder, found.st_uid, found.st_gid)
        folder.chmod(found.st_mode & 0o7777)
    return folder
