"""Whether a weakness is known in what pgproof depends on, as far as anybody answers who knows.

pip-audit asks the package index for each pinned version. Behind a mirror that has packages only, or without a network,
nobody answers: that is said, and is neither a finding nor the lack of one.
"""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PINS = ROOT / "requirements" / "dev.txt"
SERVICE = "https://pypi.org/pypi"
# As the makefile reads it: it may go on with this status, and with no other but 0.
NO_ANSWER = 75
_SECONDS = 5.0
_PIN = re.compile(r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


def main(argv: Sequence[str]) -> int:
    """Ask only (`--ask`), or have pip-audit look. Status 0: nothing is known; 1: a finding; 75: nobody answered."""
    if "--ask" in argv:
        silence = unanswered(SERVICE, PINS)
        return 0 if silence is None else _not_run(silence)
    tool = Path(sys.executable).with_name("pip-audit")
    options = ["--strict", "--require-hashes", "--disable-pip", "--progress-spinner=off", "--format=json"]
    return audit([str(tool), *options, "--requirement", str(PINS)], SERVICE, PINS)


def unanswered(service: str, pins: Path, seconds: float = _SECONDS) -> str | None:
    """Why the service tells nothing of weaknesses, or ``None`` if it does; `seconds` are for one answer."""
    first = _PIN.search(pins.read_text("utf-8"))
    if first is None:
        raise ValueError(f"{pins} pins nothing")
    url = f"{service}/{first[1]}/{first[2]}/json"
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        return f"{url} does not answer: status {error.code}"
    except (OSError, HTTPException) as error:
        return f"{url} does not answer: {getattr(error, 'reason', None) or repr(error)}"
    except ValueError:
        return f"{url} does not answer: what came is not JSON"
    if not isinstance(told, dict) or "vulnerabilities" not in told:
        return f"{url} does not answer: it says nothing of weaknesses"
    return None


def audit(command: Sequence[str], service: str, pins: Path) -> int:
    """Run pip-audit and say what it found. Its status 1 means a finding as well as a question without an answer."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = _report(done.stdout)
    found = [] if report is None else list(findings(report))
    for line in found:
        sys.stdout.write(f"audit: {line}\n")
    if found:
        return 1
    if done.returncode == 0 and report is not None:
        sys.stdout.write(f"audit: no weakness is known ({len(report['dependencies'])} pinned packages)\n")
        return 0
    silence = unanswered(service, pins)
    if silence is not None:
        return _not_run(silence)
    sys.stderr.write(done.stdout + done.stderr)
    sys.stdout.write(f"audit: failed, pip-audit ended with status {done.returncode}\n")
    return 1


def findings(report: Mapping[str, Any]) -> Iterator[str]:
    """A line for each known weakness of a report by pip-audit."""
    for package in report["dependencies"]:
        for one in package.get("vulns", ()):
            names = ", ".join([one["id"], *one.get("aliases", ())])
            mended = ", ".join(one.get("fix_versions", ())) or "no version"
            yield f"{package['name']} {package['version']}: {names} (mended in {mended})"


def _report(output: str) -> Mapping[str, Any] | None:
    try:
        report = json.loads(output)
    except ValueError:
        return None
    return report if isinstance(report, dict) and isinstance(report.get("dependencies"), list) else None


def _not_run(silence: str) -> int:
    sys.stdout.write(f"audit: not run, {silence}\n")
    return NO_ANSWER


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
