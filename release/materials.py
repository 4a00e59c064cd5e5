"""The bill of materials (CycloneDX) and the licences of all that is installed together with pgproof.

Both are taken from a fresh environment with the built wheel in it: what a user gets, and nothing of ours beside it.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

DIST = Path(__file__).parents[1] / "dist"

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
_TOOLS = {"pip", "setuptools", "wheel"}  # of the environment, not of pgproof


def main() -> None:
    """Write `sbom.json` and `licences.md` beside the wheel. Raises `SystemExit` without one."""
    wheels = sorted(DIST.glob("pgproof-*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"{DIST} holds {len(wheels)} wheels instead of one; make it with: make dist")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", f"{wheels[0]}[embedded]"], check=True)
        cyclonedx = Path(sys.executable).with_name("cyclonedx-py")
        target = ["--output-format", "JSON", "--output-file", str(DIST / "sbom.json")]
        subprocess.run([str(cyclonedx), "environment", "--output-reproducible", *target, str(python)], check=True)
        listed = subprocess.run([python, "-c", _LIST], check=True, capture_output=True, text=True).stdout
    (DIST / "licences.md").write_text(licences(json.loads(listed)), "utf-8")


def licences(found: dict[str, tuple[str, str]]) -> str:
    """A table, by name. A package that names no licence stands out."""
    rows = [
        f"| {name} | {version} | {licence or '**not named**'} |"
        for name, (version, licence) in sorted(found.items(), key=lambda item: item[0].lower())
        if name.lower() not in _TOOLS
    ]
    return "\n".join(["# Licences", "", "| package | version | licence |", "|---|---|---|", *rows, ""])


if __name__ == "__main__":
    main()
