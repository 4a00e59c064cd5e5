"""The deployment guide's installation for systemd, typed into a clean Debian root."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

from tests.deploy.files import ROOT
from tests.deploy.roots import Image, copy_root, run_as_root

# What the guide asks for, and what a minimal root lacks of a machine.
_MACHINE = "ca-certificates openssl postgresql-client python3 python3-venv systemd"
_CHECKOUT = ("src", "deploy", "requirements", "pyproject.toml", "README.md", "LICENSE")
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> str:
    """What the guide tells to type."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    (found,) = _BLOCK.findall(text.partition("\n## systemd\n")[2].partition("\n## ")[0])[:1]
    return str(found)


def installation(base: Path, folder: Path) -> Image:
    """The machine afterwards; its services run as the user that was made there. An earlier one is taken as it is."""
    image = Image(folder / "root")
    if not folder.exists():
        folder.mkdir()
        copy_root(base, image.root)
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run_as_root(image, f"apt-get update && apt-get install --yes --no-install-recommends {_MACHINE}", quiet)
        for name in _CHECKOUT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            copy(ROOT / name, image.root / _made(image.root / "checkout") / name)
        # Its first process is not systemd: units are enabled, and nobody is there to start them now.
        typed = commands().replace("enable --now ", "enable ")
        run_as_root(replace(image, folder="/checkout"), typed, {"SYSTEMD_OFFLINE": "1"})
        shutil.rmtree(image.root / "checkout")
    user, group = account(image)
    return replace(image, user=f"{user}:{group}")


def account(image: Image) -> tuple[int, int]:
    """The service's user and group."""
    found = re.search(r"^pgproof:[^:]*:(\d+):(\d+):", (image.root / "etc" / "passwd").read_text(), re.MULTILINE)
    assert found, "the guide makes no user"
    return int(found[1]), int(found[2])


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
