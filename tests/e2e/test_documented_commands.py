"""What the documents tell people to type does what they say: every block of shell commands is run.

A block that cannot run here has `<!-- not run: REASON -->` on the line before it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pgproof.adapters.embedded.account import server_account
from tests.mail_server import MailServer, mail_server
from tests.servers import Server, private_folder, to_url

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>[^\n]+?) -->\n)?^(?P<indent> *)```sh\n(?P<commands>.*?)^(?P=indent)```",
    re.MULTILINE | re.DOTALL,
)
# Documents that go on from a backup of this number; the others begin with nothing.
FIRST_BACKUP = {
    "docs/restoring.md": 17,
    "docs/restore-tests.md": 17,
    "docs/retention.md": 1,
    "docs/disaster-recovery.md": 1,
}
# Stands in for the person who answers the question.
_PGPROOF = """#!/bin/sh
case "$1 $*" in
    *--dry-run*|*--yes*) ;;
    "restore "*|"undo "*|"cleanup "*) exec {python} -m pgproof "$@" --yes ;;
esac
exec {python} -m pgproof "$@"
"""


@dataclass(frozen=True)
class Block:
    """Commands of a document; with a `reason` they are not run."""

    commands: str
    reason: str | None


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text()
    return [Block(textwrap.dedent(found["commands"]), found["reason"]) for found in _BLOCK.finditer(text)]


RUN = {document: [one for one in blocks(document) if one.reason is None] for document in DOCUMENTS}


def test_every_block_is_seen() -> None:
    for document in DOCUMENTS:
        assert len(blocks(document)) == len(re.findall(r"^ *```sh$", (ROOT / document).read_text(), re.MULTILINE))


def test_what_is_not_run_says_why_and_is_the_smaller_part() -> None:
    every = [one for document in DOCUMENTS for one in blocks(document)]
    left_out = [one for one in every if one.reason is not None]
    sys.stdout.write(f"{len(every) - len(left_out)} of {len(every)} blocks are run\n")
    for one in left_out:
        sys.stdout.write(f"not run, {one.reason}: {one.commands.splitlines()[0]}\n")
    assert all(len(one.reason or "") > len("because") for one in left_out)
    assert len(left_out) < len(every) / 2


class Reader:
    """Somebody who types what stands there, in an empty home, with one server that answers to every name.

    What is mailed reaches `mail`.
    """

    def __init__(self, home: Path, server: Server, mail: MailServer) -> None:
        self.home = home
        self.server = server
        self.mail = mail
        tools = home / "bin"
        tools.mkdir()
        (tools / "pgproof").write_text(_PGPROOF.format(python=shlex.quote(sys.executable)))
        (tools / "pgproof").chmod(0o755)
        catalog = server.create_database()
        self.catalog = catalog
        self.environ = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": os.pathsep.join([str(tools), str(server.bin), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT / "src"),
            "BACKUP_HOME": str(home / "own"),
            "BACKUP_CATALOG_URL": to_url(catalog),
        }

    def types(self, commands: str) -> str:
        done = subprocess.run(
            ["sh", "-e", "-c", self._here(commands)], cwd=self.home, env=self.environ, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _here(self, commands: str) -> str:
        place = self.server.connection
        address = f"{place.host}:{place.port}"
        for name in ("localhost", "newhost", "testserver"):
            commands = re.sub(rf"@{name}(:5432)?/", f"@{address}/", commands)
        mail = f"@127.0.0.1:{self.mail.port}?from=user@example.com&to=user@example.com"
        commands = re.sub(r"(mailto://[^@\s]*)@example\.com", lambda found: found[1] + mail, commands)
        commands = commands.replace(
            "POSTGRES_HOST=localhost", f"POSTGRES_HOST={place.host}\nBACKUP_POSTGRES_PORT={place.port}"
        )
        return commands.replace("/srv/", f"{self.home}/srv/")

    def begins_with(self, number: int) -> None:
        self.types("pgproof database add shop postgresql://shop:secret@localhost:5432/shop")
        self.server.sql(self.catalog, f"SELECT setval('pgproof.backup_jobs_id_seq', {number}, false)")
        self.types("pgproof backup shop")


@pytest.fixture
def home() -> Iterator[Path]:
    """A place that the user of embedded servers can pass through, also when root runs the tests."""
    with private_folder(server_account()) as folder:
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def reader(server18: Server, home: Path) -> Iterator[Reader]:
    for role in ("shop", "admin", "tester"):
        if not server18.sql(server18.connection, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
            server18.create_role(role, password="secret", attributes="LOGIN SUPERUSER")
    shop = server18.create_database("shop")
    server18.sql(
        shop,
        "CREATE TABLE customers (id serial PRIMARY KEY, name text)",
        "CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers)",
        "INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 100) i",
        "INSERT INTO orders (customer) SELECT 1 + i % 100 FROM generate_series(1, 500) i",
    )
    dumps(server18, home / "srv")
    with mail_server() as mail:
        mail.password = "password"
        yield Reader(home, server18, mail)
    left = server18.sql(server18.connection, "SELECT datname FROM pg_database WHERE datname LIKE 'shop%'")
    for (name,) in left:
        server18.drop_database(name)


def dumps(server: Server, folder: Path) -> None:
    """What other tools would have left there."""
    url = to_url(server.connection.to_database("shop"))
    pg_dump = [str(server.bin / "pg_dump"), f"--dbname={url}"]
    for name in ("dumps", "databasus", "pgbackweb", "postgres-backup-local/last"):
        (folder / name).mkdir(parents=True)
    subprocess.run([*pg_dump, "--format=custom", f"--file={folder}/dumps/shop-2026-01-01.dump"], check=True)
    server.sql(server.connection.to_database("shop"), "INSERT INTO customers (name) VALUES ('one more')")
    subprocess.run([*pg_dump, "--format=custom", f"--file={folder}/databasus/4f1c"], check=True)
    local = folder / "postgres-backup-local"
    plain = local / "last" / "shop-20260101.sql"
    subprocess.run([*pg_dump, f"--file={plain}"], check=True)
    subprocess.run(["gzip", plain], check=True)
    shutil.copytree(local / "last", local / "daily")
    with zipfile.ZipFile(folder / "pgbackweb" / "dump-1.zip", "w") as packed:
        script = subprocess.run([*pg_dump, "--no-comments"], check=True, capture_output=True).stdout
        packed.writestr("dump.sql", script + b"-- by another tool\n")


@pytest.mark.slow
@pytest.mark.parametrize("document", [name for name in DOCUMENTS if RUN[name]])
def test_a_reader_who_types_all_of_it_meets_no_error(document: str, reader: Reader) -> None:
    if document in FIRST_BACKUP:
        reader.begins_with(FIRST_BACKUP[document])
    for block in RUN[document]:
        # Each look at a restored copy begins without the copy of the look before.
        for name in ("shop_look", "shop_part"):
            reader.server.drop_database(name)
        reader.types(block.commands)
    told_to_mail = any("notify test" in block.commands for block in RUN[document])
    assert bool(reader.mail.mails) == told_to_mail
    shop = reader.server.connection.to_database("shop")
    assert reader.server.sql(shop, "SELECT count(*) > 0 FROM customers") == [(True,)]
