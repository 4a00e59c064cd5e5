"""The bill of materials (CycloneDX) and the licences of all that is installed together with pgproof.

Both are taken from a fresh environment with the built wheel in it: what a user gets, and nothing of ours beside it.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"

_LIST = """
import importlib.metadata as metadata, json, sys
found = {}
for one in metadata.distributions():
    about = one.metadata
    classifiers = about.get_all("Classifier") or ()
    classified = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License ::")]
    told = about.get("License-Expression") or ", ".join(classified) or (about.get("License") or "").split("\\n")[0]
    found[about["Name"]] = [one.version, told]
json.dump(found, sys.stdout)
"""


def main() -> None:
    """Write `sbom.json` and `licences.md` beside the wheel. Raises `SystemExit` without one."""
    wheels = sorted(DIST.glob("pgproof-*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"{DIST} holds {len(wheels)} wheels instead of one; make it with: make dist")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder)
        python = Path(folder) / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", f"{wheels[0]}[embedded]"], check=True)
        cyclonedx = Path(sys.executable).with_name("cyclonedx-py")
        about = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "--output-reproducible"]
        target = ["--output-format", "JSON", "--output-file", str(DIST / "sbom.json")]
        subprocess.run([str(cyclonedx), "environment", *about, *target, str(python)], check=True)
        listed = subprocess.run([python, "-c", _LIST], check=True, capture_output=True, text=True).stdout
    found = json.loads(listed)
    (DIST / "licences.md").write_text(licences(found), "utf-8")
    bill = DIST / "sbom.json"
    bill.write_text(with_version(bill.read_text("utf-8"), found["pgproof"][0]), "utf-8")


def with_version(bill: str, version: str) -> str:
    """The bill with the version of what it is of: the tool does not look for one outside of pyproject.toml."""
    told = json.loads(bill)
    told["metadata"]["component"]["version"] = version
    return json.dumps(told, indent=2) + "\n"


def licences(found: dict[str, tuple[str, str]]) -> str:
    """A table, by name. A package that names no licence stands out."""
    rows = [
        f"| {name} | {version} | {licence or '**not named**'} |"
        for name, (version, licence) in sorted(found.items(), key=lambda item: item[0].lower())
    ]
    return "\n".join(["# Licences", "", "| package | version | licence |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    main()
