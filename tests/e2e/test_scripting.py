"""`pgproof.open`: the Python API on a real database."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

import pgproof
from pgproof import errors
from pgproof.domain import errors as tree
from pgproof.domain.database import ConnectionInfo
from pgproof.scripting import BackupStatus, Pgproof, Progress, Restore, RestoreTestOutcome
from pgproof.services.ports.access import AuditFilter
from pgproof.settings import Settings, SettingValues
from tests.e2e.command_line import filled
from tests.servers import Server, to_url

ROOT = Path(__file__).parents[2]
PLACE = "postgresql://shop:secret@localhost:5432/shop"


@pytest.fixture
def shop(server18: Server) -> ConnectionInfo:
    return filled(server18)


def settings_of(folder: Path, server: Server, template: ConnectionInfo) -> SettingValues:
    catalog = server.create_database(template=template.dbname)
    return {
        "home": folder / "home",
        "dir": folder / "backups",
        "catalog_url": to_url(catalog),
        "test_server_url": to_url(server.connection),
        "log_tables": ["audit_logs"],
    }


@pytest.fixture
def opened(tmp_path: Path, server18: Server, catalog_template: ConnectionInfo) -> Iterator[Pgproof]:
    with pgproof.open(environ={}, **settings_of(tmp_path, server18, catalog_template)) as ready:
        yield ready


def test_a_program_backs_up_proves_restores_and_takes_back(
    opened: Pgproof, server18: Server, shop: ConnectionInfo
) -> None:
    steps: list[tuple[str, Progress]] = []
    assert opened.databases.add("shop", to_url(shop)).name == "shop"
    assert [one.name for one in opened.databases.list()] == ["shop"]
    assert opened.databases.check("shop").facts.size > 0
    taken = opened.back_up(
        "shop", description="by a program", compression="none", progress=lambda step, done: steps.append((step, done))
    )
    assert (taken.status, taken.description) == (BackupStatus.COMPLETED, "by a program")
    assert len({step for step, _ in steps}) > 2
    assert max(done.bytes_done for _, done in steps) > 0
    assert [one.id for one in opened.list(database="shop", status="completed", text="program")] == [taken.id]
    assert opened.list(status=BackupStatus.FAILED) == []
    assert opened.verify(taken.id).backup == opened.get(taken.id)
    assert opened.manifest(taken.id).excluded_data == ("public.audit_logs",)
    assert opened.test(taken.id).outcome is RestoreTestOutcome.PASSED
    assert opened.stats().completed_backups == 1
    assert opened.log(taken.id)

    server18.sql(shop, "DELETE FROM items")
    restored = opened.restore(taken.id, mode="swap", run_analyze=False)
    assert isinstance(restored, Restore)
    assert server18.sql(shop, "SELECT count(*) FROM items") == [(1000,)]
    assert [one.id for one in opened.restores(database="shop")] == [restored.id]
    opened.undo(restored.id)
    assert server18.sql(shop, "SELECT count(*) FROM items") == [(0,)]

    opened.hold(taken.id)
    with pytest.raises(errors.Conflict, match="held"):
        opened.delete(taken.id)
    opened.release(taken.id)
    assert opened.plan_cleanup().removals == []
    assert opened.cleanup().expired == []
    assert opened.delete(taken.id).status is BackupStatus.DELETED
    opened.databases.remove("shop")
    entries = opened._app.audit.list(AuditFilter(limit=100))
    assert {entry.actor.partition(":")[0] for entry in entries} == {"python"}
    assert {"backup.create", "backup.restore", "restore.undo", "backup.delete", "database.remove", "cleanup"} <= {
        entry.action for entry in entries
    }
    assert ("backup.delete", "conflict") in {(entry.action, entry.outcome) for entry in entries}


def test_a_progress_function_that_fails_does_not_end_the_work(opened: Pgproof, shop: ConnectionInfo) -> None:
    calls = []

    def fail(step: str, _progress: Progress) -> None:
        calls.append(step)
        raise RuntimeError("a defect of the caller's")

    assert opened.back_up(to_url(shop), progress=fail).usable
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda opened: opened.get(4711), errors.NotFound),
        (lambda opened: opened.log(4711), errors.NotFound),
        (lambda opened: opened.list(status="half"), errors.InvalidInput),
        (lambda opened: opened.restore(4711), errors.NotFound),
        (lambda opened: opened.restore(1, mode="drop"), errors.InvalidInput),
        (lambda opened: opened.restore(1, mode="swap", tables=["items"]), errors.InvalidInput),
        (lambda opened: opened.back_up("nothing"), errors.NotFound),
        (lambda opened: opened.back_up(compression_level=11), errors.InvalidInput),
        (lambda opened: opened.databases.update("nothing"), errors.InvalidInput),
        (lambda opened: opened.databases.get("nothing"), errors.NotFound),
    ],
)
def test_what_cannot_be_is_an_error_of_the_tree(opened: Pgproof, call: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        call(opened)
    assert isinstance(raised.value, errors.PgproofError)


def test_a_closed_client_says_so(tmp_path: Path, server18: Server, catalog_template: ConnectionInfo) -> None:
    opened = pgproof.open(environ={}, **settings_of(tmp_path, server18, catalog_template))
    assert opened.list() == []
    opened.close()
    opened.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        opened.list()


def test_settings_given_by_name_win_and_wrong_ones_are_all_told() -> None:
    given: Any = {"retention_days": 0, "retention_day": 3, "catalog_url": "mysql://ann:hush@db/x", "notify_urls": ["x"]}
    with pytest.raises(errors.ConfigurationError) as raised:
        pgproof.open(environ={"BACKUP_RETENTION_DAYS": "9", "BACKUP_KEEP_LAST": "many"}, **given)
    problems = raised.value.facts["problems"]
    assert "retention_day is not a setting" in problems
    for name in ("BACKUP_RETENTION_DAYS is '0'", "BACKUP_KEEP_LAST", "BACKUP_CATALOG_URL", "BACKUP_NOTIFY_URLS"):
        assert any(name in problem for problem in problems), name
    assert "hush" not in str(raised.value)


def test_every_setting_can_be_given_by_name() -> None:
    assert set(get_type_hints(SettingValues)) == set(Settings.model_fields) - {"warnings"}


def test_every_error_of_the_tree_can_be_caught() -> None:
    raised = {
        name: value
        for name, value in vars(tree).items()
        if isinstance(value, type) and issubclass(value, tree.PgproofError)
    }
    assert {name: getattr(errors, name) for name in errors.__all__} == raised


def run_python(code: str, **environ: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error::ResourceWarning", **environ}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_pgproof_brings_nothing_else_along() -> None:
    code = "import sys; before = set(sys.modules); import pgproof; print(*(set(sys.modules) - before))"
    loaded = {name.partition(".")[0] for name in run_python(code).split()}
    assert loaded <= {"pgproof", "typing", "importlib", "warnings", "contextlib", "collections", "functools", "re",
                      "copyreg", "enum", "keyword", "operator", "reprlib", "types", "sre_compile", "_collections",
                      "_functools", "_operator", "_sre", "_typing", "itertools", "_weakrefset", "abc"}  # fmt: skip


def test_the_examples_of_the_guide_run_as_they_stand(
    tmp_path: Path, server18: Server, catalog_template: ConnectionInfo, shop: ConnectionInfo
) -> None:
    guide = (ROOT / "docs" / "python.md").read_text()
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", guide, re.MULTILINE | re.DOTALL))
    assert PLACE in code
    catalog = server18.create_database(template=catalog_template.dbname)
    printed = run_python(
        code.replace(PLACE, to_url(shop)),
        BACKUP_HOME=str(tmp_path / "home"),
        BACKUP_DIR=str(tmp_path / "backups"),
        BACKUP_CATALOG_URL=to_url(catalog),
        BACKUP_TEST_SERVER_URL=to_url(server18.connection),
    )
    assert re.search(r"^1 backup_\w+\S* \d+$", printed, re.MULTILINE)
    assert re.search(r"^30$", printed, re.MULTILINE)
    assert "passed before the upgrade" in printed
    assert "not_found the catalog has no backup 4711" in printed
    assert server18.sql(shop, "SELECT count(*) FROM items") == [(1000,)]
