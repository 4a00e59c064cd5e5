"""Build the image without a container engine: each step of the Dockerfile in a clean Debian root."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.deploy.dockerfile import Instruction, build_context, parse, stages, substituted

MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
_TRUSTED_HERE = Path("/usr/local/share/ca-certificates")
_SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """A root file system and what the Dockerfile says about running it."""

    root: Path
    env: Mapping[str, str] = field(default_factory=lambda: {"PATH": _SEARCHED, "LANG": "C.UTF-8"})
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"
    volumes: Sequence[str] = ()
    ports: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    healthcheck: Sequence[str] = ()
    stop_signal: str = "SIGTERM"


def debian_root(suite: str, folder: Path) -> Path:
    """The smallest root of a Debian release. It knows the certificates that this machine trusts beside Debian's."""
    root = folder / suite
    if root.exists():
        return root
    argv = ["debootstrap", "--variant=minbase", suite, str(root), MIRROR]
    made = subprocess.run(argv, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-2000:] + made.stderr
    if _TRUSTED_HERE.is_dir():
        shutil.copytree(_TRUSTED_HERE, root / _TRUSTED_HERE.relative_to("/"), dirs_exist_ok=True)
    return root


def build(source: Path, bases: Mapping[str, Path], folder: Path, arguments: Mapping[str, str]) -> Image:
    """Run every instruction of the Dockerfile in `source`; `bases` has the root of each image that it starts from.

    What `folder` holds of an earlier build is taken as it is, for whoever works on the tests and not on the image.
    """
    built: dict[str, Image] = {}
    last = ""
    for last, base, instructions in stages(parse((source / "Dockerfile").read_text())):
        root = folder / f"stage-{last}"
        left = [one for one in instructions if one.name not in ("RUN", "COPY")] if root.exists() else instructions
        if not root.exists():
            copy_root(bases[base], root)
        built[last] = _Stage(source, built, Image(root), arguments).run(left)
    return built[last]


def run_as_root(image: Image, script: str, environment: Mapping[str, str]) -> None:
    """Run shell commands in an image, to change it. Each must end well."""
    words = [f"{name}={value}" for name, value in {"HOME": "/root", **image.env, **environment}.items()]
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    place = [f"--root={image.root}", f"--wd={image.folder}"]
    argv = [*namespaces, *place, "env", "-i", *words, "/bin/sh", "-e", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def copy_root(base: Path, root: Path) -> None:
    """A root of one's own, which knows the names that this machine knows."""
    subprocess.run(["cp", "--archive", "--reflink=auto", str(base), str(root)], check=True)
    shutil.copyfile("/etc/resolv.conf", root / "etc" / "resolv.conf")


class _Stage:
    def __init__(self, source: Path, built: Mapping[str, Image], image: Image, arguments: Mapping[str, str]) -> None:
        self._source = source
        self._built = built
        self._image = image
        self._given = arguments
        self._arguments: dict[str, str] = {}

    def run(self, instructions: Sequence[Instruction]) -> Image:
        for instruction in instructions:
            getattr(self, f"_{instruction.name.lower()}")(instruction)
        return self._image

    def _set(self, **values: object) -> None:
        self._image = replace(self._image, **values)  # type: ignore[arg-type]

    def _value(self, instruction: Instruction) -> str:
        return substituted(instruction.value, {**self._image.env, **self._arguments})

    def _pairs(self, instruction: Instruction) -> dict[str, str]:
        return replace(instruction, value=self._value(instruction)).pairs

    def _run(self, instruction: Instruction) -> None:
        assert self._image.user == "0:0", "what is built as the service's user could be changed by it"
        run_as_root(self._image, instruction.value, self._arguments)

    def _copy(self, instruction: Instruction) -> None:
        *sources, target = instruction.words
        into = self._image.root / (Path(self._image.folder) / target).as_posix().lstrip("/")
        if "from" in instruction.options:
            other = self._built[instruction.options["from"]].root
            (one,) = sources
            subprocess.run(["cp", "--archive", str(other / one.lstrip("/")), str(into)], check=True)
            return
        let_in = build_context(self._source)
        for name in sources:
            self._copy_context(name.rstrip("/"), into, let_in)

    def _copy_context(self, name: str, into: Path, let_in: set[str]) -> None:
        wanted = [one for one in let_in if one == name or one.startswith(f"{name}/")]
        assert wanted, f".dockerignore keeps out {name}, which the Dockerfile copies"
        for one in wanted:
            copy = into / (Path(one).relative_to(name) if one != name else Path(name).name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._source / one, copy)

    def _arg(self, instruction: Instruction) -> None:
        name = instruction.words[0].partition("=")[0]
        self._arguments |= {**instruction.pairs, **({name: self._given[name]} if name in self._given else {})}

    def _env(self, instruction: Instruction) -> None:
        self._set(env={**self._image.env, **self._pairs(instruction)})

    def _label(self, instruction: Instruction) -> None:
        self._set(labels={**self._image.labels, **self._pairs(instruction)})

    def _workdir(self, instruction: Instruction) -> None:
        (self._image.root / instruction.value.lstrip("/")).mkdir(parents=True, exist_ok=True)
        self._set(folder=instruction.value)

    def _user(self, instruction: Instruction) -> None:
        self._set(user=instruction.value)

    def _volume(self, instruction: Instruction) -> None:
        self._set(volumes=instruction.words)

    def _expose(self, instruction: Instruction) -> None:
        self._set(ports=instruction.words)

    def _stopsignal(self, instruction: Instruction) -> None:
        self._set(stop_signal=instruction.value)

    def _healthcheck(self, instruction: Instruction) -> None:
        self._set(healthcheck=instruction.words)

    def _entrypoint(self, instruction: Instruction) -> None:
        self._set(entrypoint=instruction.words, command=())

    def _cmd(self, instruction: Instruction) -> None:
        self._set(command=instruction.words)
