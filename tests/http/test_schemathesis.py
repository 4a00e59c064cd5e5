"""Thousands of requests that follow from the OpenAPI document, right ones and wrong ones, as admin.

Nothing may answer with a 500, nor with a status, a media type or a body that the document does not have, and what
breaks the document's rules must be refused.
"""

import subprocess
import sys
from pathlib import Path

from pgproof.domain.access import Role
from pgproof.domain.backup import BackupStatus
from tests.http.world import PASSWORD, Api

_SECONDS = 75
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)


def test_what_the_document_says_is_what_happens(api: Api, tmp_path: Path) -> None:
    for number in range(20):  # the document's examples speak of number 17
        api.row(status=BackupStatus.FAILED if number % 5 == 0 else BackupStatus.COMPLETED)
    api.app.users.add("caller", Role.ADMIN, PASSWORD)
    _, token = api.app.api_tokens.create("caller", "schemathesis")
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(
        "[headers]\n"
        f'Authorization = "Bearer {token.reveal()}"\n'
        "[parameters]\n"
        'prefer = "wait=0"\n'  # nobody does the jobs
        "[checks]\n"
        'not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "502", "503"]\n'
        # 413: what is too long for its field may be too long for a body. 429: too many failed to sign in before.
        "negative_data_rejection.expected-statuses = "
        '["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"]\n'
    )
    options = [
        "--phases", "coverage,fuzzing", "--max-examples", "5", "--max-time", str(_SECONDS), "--workers", "2",
        "--request-timeout", "60", "--seed", "1", "--checks", ",".join(_CHECKS),
    ]  # fmt: skip
    document = f"{api.client.base_url}/openapi.json"
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", settings, "run", document, *options],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert api.get("/api/auth/me").json()["role"] == "admin"
