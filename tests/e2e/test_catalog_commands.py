"""`pgproof catalog`: a lost catalog comes back, and dumps of others become backups."""

import gzip
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import zstandard

from pgproof.adapters.postgres.connect import parse_url
from pgproof.adapters.postgres.dump_files import LocalDumpFiles
from pgproof.adapters.streams import CompressedStreams
from pgproof.bootstrap import App
from pgproof.domain.backup import BackupStatus
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.errors import StorageFull
from pgproof.services.cataloguing.importing import ImportService
from pgproof.services.ports import BackupFilter
from tests.e2e.command_line import CommandLine, filled
from tests.e2e.conftest import Recorder
from tests.fakes.storage import MemoryStorage
from tests.servers import Server, to_url

pytestmark = pytest.mark.usefixtures("_logs_as_before")

FORMS = ["custom", "directory", "tar", "plain", "plain.gz", "plain.zst", "custom.gz", "inserts"]


@pytest.fixture
def dump(pgproof: CommandLine, tmp_path: Path) -> Callable[[str], Path]:
    """Make a dump of the protected database with pg_dump alone."""

    def make(form: str) -> Path:
        kind, _, packing = form.partition(".")
        path = tmp_path / f"old.{kind}"
        flags = ["--format=plain", "--inserts"] if kind == "inserts" else [f"--format={kind}"]
        run_pg_dump(pgproof, *flags, f"--file={path}")
        if not packing:
            return path
        pack = gzip.compress if packing == "gz" else zstandard.compress
        packed = path.with_name(f"{path.name}.{packing}")
        packed.write_bytes(pack(path.read_bytes()))
        return packed

    return make


def run_pg_dump(pgproof: CommandLine, *flags: str, tool: str = "pg_dump") -> None:
    url = to_url(pgproof.database)
    subprocess.run([pgproof.server.bin / tool, *flags, f"--dbname={url}"], check=True, capture_output=True)


def imported(pgproof: CommandLine, path: Path) -> int:
    done = pgproof("catalog", "import", str(path), "--json")
    assert done.status == 0, done.err
    (row,) = json.loads(done.out)["backups"]
    assert (row["status"], row["trigger_source"]) == ("completed", "imported")
    return int(row["id"])


def disorder(pgproof: CommandLine) -> None:
    pgproof.server.sql(
        pgproof.database, "DELETE FROM items", "CREATE TABLE newer (i int)", "SELECT lo_from_bytea(0, 'new')"
    )


def is_as_before(pgproof: CommandLine, place: ConnectionInfo | None = None) -> bool:
    query = (
        "SELECT (SELECT count(*) FROM items), (SELECT count(*) FROM audit_logs), to_regclass('newer') IS NULL,"
        " (SELECT count(*) FROM pg_largeobject_metadata)"
    )
    return pgproof.server.sql(place or pgproof.database, query) == [(1000, 1, True, 1)]


def audited(pgproof: CommandLine) -> list[tuple[str, str, str]]:
    with psycopg.connect(pgproof.environ["BACKUP_CATALOG_URL"]) as session:
        return session.execute("SELECT action, object, outcome FROM pgproof.audit_trail ORDER BY id").fetchall()


@pytest.fixture
def _large_object(pgproof: CommandLine) -> None:
    pgproof.server.sql(pgproof.database, "SELECT lo_from_bytea(0, 'large')")


@pytest.mark.usefixtures("_large_object")
class TestImport:
    @pytest.mark.parametrize("form", FORMS)
    def test_a_dump_of_any_kind_comes_back_in_every_mode_and_says_that_nothing_was_compared(
        self, pgproof: CommandLine, dump: Callable[[str], Path], form: str
    ) -> None:
        number = imported(pgproof, dump(form))
        for mode in ("swap", "in-place"):
            disorder(pgproof)
            restored = pgproof("restore", str(number), "--mode", mode, "--no-safety-backup", "--yes")
            assert restored.status == 0, restored.err
            assert "nothing was compared" in restored.out
            assert is_as_before(pgproof), mode
        beside = f"{pgproof.database.dbname}_beside"
        restored = pgproof("restore", str(number), "--mode", "new-database", "--to", beside, "--yes")
        assert restored.status == 0, restored.err
        assert is_as_before(pgproof, pgproof.database.to_database(beside))
        assert pgproof("verify", str(number)).status == 0
        pgproof.server.drop_database(beside)

    def test_the_dump_stays_where_it_is_and_its_bytes_are_stored_as_they_are(
        self, pgproof: CommandLine, dump: Callable[[str], Path]
    ) -> None:
        path = dump("custom")
        before = path.read_bytes()
        number = imported(pgproof, path)
        shown = json.loads(pgproof("show", str(number), "--json").out)
        assert path.read_bytes() == before
        assert (pgproof.storage / shown["file_path"]).read_bytes() == before
        assert shown["manifest"]["imported_from"] == path.name
        assert shown["manifest"]["fingerprint"] == "none"
        assert shown["manifest"]["tables"] == {"public.audit_logs": None, "public.items": None}
        assert shown["manifest"]["system_identifier"] == ""

    def test_a_folder_keeps_its_files(self, pgproof: CommandLine, dump: Callable[[str], Path]) -> None:
        path = dump("directory")
        before = {item.name: item.read_bytes() for item in path.iterdir()}
        imported(pgproof, path)
        assert {item.name: item.read_bytes() for item in path.iterdir()} == before

    @pytest.mark.parametrize("form", ["custom", "directory"])
    def test_the_same_dump_is_not_imported_twice(
        self, pgproof: CommandLine, dump: Callable[[str], Path], form: str
    ) -> None:
        path = dump(form)
        number = imported(pgproof, path)
        stored = pgproof.stored()
        refused = pgproof.fails(5, "catalog", "import", str(path))
        assert f"pgproof show {number}" in refused.error["hint"]
        assert pgproof.stored() == stored

    @pytest.mark.parametrize("form", ["custom", "tar", "plain", "plain.gz", "plain.zst"])
    def test_a_dump_that_was_cut_short_never_becomes_a_backup(
        self, pgproof: CommandLine, dump: Callable[[str], Path], form: str
    ) -> None:
        path = dump(form)
        whole = path.read_bytes()
        for size in (len(whole) // 2, len(whole) - len(whole) // 5):
            path.write_bytes(whole[:size])
            pgproof.fails(12, "catalog", "import", str(path))
        assert pgproof.stored() == []
        assert json.loads(pgproof("list", "--json").out)["backups"] == []

    def test_output_of_pg_dumpall_and_of_others_is_refused(self, pgproof: CommandLine, tmp_path: Path) -> None:
        everything = tmp_path / "all.sql"
        run_pg_dump(pgproof, "--globals-only", f"--file={everything}", tool="pg_dumpall")
        assert "pg_dumpall" in pgproof.fails(2, "catalog", "import", str(everything)).error["detail"]
        other = tmp_path / "other"
        other.write_bytes(b"hello\n")
        pgproof.fails(2, "catalog", "import", str(other))
        other.write_bytes(b"")
        pgproof.fails(2, "catalog", "import", str(other))
        pgproof.fails(4, "catalog", "import", str(tmp_path / "missing"))
        pgproof.fails(2, "catalog", "import", str(tmp_path))

    def test_of_several_dumps_those_that_can_be_are_imported(
        self, pgproof: CommandLine, dump: Callable[[str], Path], tmp_path: Path
    ) -> None:
        whole, broken = dump("custom"), tmp_path / "broken"
        broken.write_bytes(whole.read_bytes()[:300])
        done = pgproof("catalog", "import", str(broken), str(whole), str(whole), "--json")
        told = json.loads(done.out)
        assert done.status == 12
        assert len(told["backups"]) == 1
        assert [one["path"] for one in told["failed"]] == [str(broken), str(whole)]
        assert f"imported from  {whole.name}" in " ".join(
            pgproof("show", str(told["backups"][0]["id"])).out.splitlines()
        )

    def test_a_script_that_starts_programs_is_refused_and_starts_none(
        self, pgproof: CommandLine, dump: Callable[[str], Path], tmp_path: Path
    ) -> None:
        path, mark = dump("plain"), tmp_path / "owned"
        path.write_bytes(path.read_bytes().replace(b"SET row_security", f"\\! touch {mark}\nSET row_security".encode()))
        assert "psql" in pgproof.fails(2, "catalog", "import", str(path)).error["detail"]
        assert not mark.exists()

    def test_one_that_was_changed_in_the_storage_is_not_restored(
        self, pgproof: CommandLine, dump: Callable[[str], Path]
    ) -> None:
        number = imported(pgproof, dump("plain"))
        stored = pgproof.storage / json.loads(pgproof("show", str(number), "--json").out)["file_path"]
        stored.write_bytes(stored.read_bytes().replace(b"item 7\n", b"item 8\n"))
        disorder(pgproof)
        pgproof.fails(12, "restore", str(number), "--no-safety-backup", "--yes")
        assert pgproof.rows() == 0

    def test_chosen_tables_come_back_from_an_archive_and_not_from_a_script(
        self, pgproof: CommandLine, dump: Callable[[str], Path]
    ) -> None:
        archive, script = imported(pgproof, dump("custom")), imported(pgproof, dump("plain"))
        disorder(pgproof)
        chosen = ("--table", "public.items", "--mode", "in-place", "--no-safety-backup", "--yes")
        pgproof.fails(5, "restore", str(script), *chosen)
        assert pgproof("restore", str(archive), *chosen).status == 0
        assert pgproof.rows() == 1000
        assert pgproof.server.sql(pgproof.database, "SELECT to_regclass('newer') IS NULL") == [(False,)]

    @pytest.mark.parametrize("form", ["tar", "custom"])
    def test_an_archive_loads_with_jobs_and_without_autovacuum_and_a_script_cannot(
        self, pgproof: CommandLine, dump: Callable[[str], Path], form: str
    ) -> None:
        archive, script = imported(pgproof, dump(form)), imported(pgproof, dump("plain"))
        disorder(pgproof)
        how = ("--no-autovacuum", "--jobs", "4", "--no-safety-backup", "--yes")
        pgproof.fails(5, "restore", str(script), *how)
        assert pgproof.rows() == 0
        restored = pgproof("restore", str(archive), *how)
        assert restored.status == 0, restored.err
        assert is_as_before(pgproof)

    def test_in_place_the_settings_of_the_database_stay_since_a_dump_has_none(
        self, pgproof: CommandLine, dump: Callable[[str], Path]
    ) -> None:
        number = imported(pgproof, dump("custom"))
        name = pgproof.database.dbname
        pgproof.server.sql(pgproof.database, f"ALTER DATABASE {name} SET work_mem = '7MB'")
        disorder(pgproof)
        restored = pgproof("restore", str(number), "--mode", "in-place", "--no-safety-backup", "--yes")
        assert restored.status == 0, restored.err
        assert pgproof.server.sql(pgproof.database, "SHOW work_mem") == [("7MB",)]
        assert is_as_before(pgproof)

    def test_an_import_is_in_the_audit_trail_whether_it_succeeds_or_not(
        self, pgproof: CommandLine, dump: Callable[[str], Path]
    ) -> None:
        path = dump("custom")
        number = imported(pgproof, path)
        pgproof.fails(5, "catalog", "import", str(path))
        assert audited(pgproof) == [("backup.import", str(number), "done"), ("backup.import", "", "conflict")]

    def test_a_failing_script_in_place_changes_nothing(
        self, pgproof: CommandLine, dump: Callable[[str], Path], tmp_path: Path
    ) -> None:
        path = tmp_path / "bad.sql"
        path.write_bytes(dump("plain").read_bytes().replace(b"SELECT pg_catalog.setval", b"SELECT pg_catalog.setvol"))
        number = imported(pgproof, path)
        disorder(pgproof)
        pgproof.fails(10, "restore", str(number), "--mode", "in-place", "--no-safety-backup", "--yes")
        assert pgproof.rows() == 0
        assert pgproof.server.sql(pgproof.database, "SELECT to_regclass('newer') IS NULL") == [(False,)]

    def test_a_restore_test_says_that_it_has_nothing_to_go_by(
        self, pgproof: CommandLine, dump: Callable[[str], Path]
    ) -> None:
        tested = pgproof("restore-test", str(imported(pgproof, dump("custom"))), "--json")
        assert tested.status == 5
        assert json.loads(tested.out)["outcome"] == "not_testable"

    def test_an_old_dump_is_as_old_as_it_is_and_can_be_held(
        self, pgproof: CommandLine, dump: Callable[[str], Path], tmp_path: Path
    ) -> None:
        old, held = tmp_path / "a", tmp_path / "b"
        for path, text in ((old, b"-- a\n"), (held, b"-- b\n")):
            path.write_bytes(dump("plain").read_bytes() + text)
            subprocess.run(["touch", "--date=2020-01-01", str(path)], check=True)
        first = pgproof("catalog", "import", str(old), "--json")
        assert json.loads(first.out)["backups"][0]["completed_at"].startswith("2020-01-01")
        assert pgproof("catalog", "import", str(held), "--hold").status == 0
        rows = {one["id"]: one for one in json.loads(pgproof("list", "--json").out)["backups"]}
        by_age = json.loads(first.out)["backups"][0]["id"]
        (kept,) = rows.keys() - {by_age}
        # A newer one, so that the old ones are not the last of their database.
        assert pgproof("backup").status == 0
        plan = json.loads(pgproof("cleanup", "--dry-run", "--json").out)
        decided = {one["id"]: one["action"] for one in plan["decisions"]}
        assert (decided[by_age], decided[kept]) == ("expire", "keep")
        assert pgproof("cleanup", "--yes", "--force").status == 0
        left = {one["id"]: one["status"] for one in json.loads(pgproof("list", "--json").out)["backups"]}
        assert (left[by_age], left[kept]) == ("expired", "completed")

    def test_a_storage_that_runs_full_keeps_nothing_of_it(
        self, app: App, pgproof: CommandLine, dump: Callable[[str], Path], recorder: Recorder
    ) -> None:
        storage = MemoryStorage(capacity=1000)
        service = ImportService(
            catalog=app.catalog,
            storage=storage,
            streams=CompressedStreams(),
            tools=app.tools,
            files=LocalDumpFiles(),
            clock=app.clock,
            product_version="0",
        )
        database = app.databases.add("shop", to_url(pgproof.database))
        with pytest.raises(StorageFull):
            service.bring_in(dump("custom"), database, recorder)
        (failed,) = app.catalog.list_backups(BackupFilter())
        assert failed.status is BackupStatus.FAILED
        assert storage.objects == {}

    def test_dumps_of_every_version_come_back(self, server: Server, tmp_path: Path) -> None:
        pgproof = CommandLine(tmp_path, server, filled(server))
        server.sql(pgproof.database, "SELECT lo_from_bytea(0, 'large')")
        for form in ("plain", "tar"):
            path = tmp_path / f"old.{form}"
            run_pg_dump(pgproof, f"--format={form}", f"--file={path}")
            number = imported(pgproof, path)
            for mode in ("swap", "in-place"):
                disorder(pgproof)
                restored = pgproof("restore", str(number), "--mode", mode, "--no-safety-backup", "--yes")
                assert restored.status == 0, restored.err
                assert is_as_before(pgproof), (form, mode)


class TestRebuild:
    def lose_the_catalog(self, pgproof: CommandLine) -> None:
        pgproof.environ["BACKUP_CATALOG_URL"] = to_url(pgproof.server.create_database())
        time.sleep(1)  # the next backup may have the same number: its folder is told apart by the second

    def test_every_backup_comes_back_with_its_number_and_restores(self, pgproof: CommandLine) -> None:
        for form in ("custom", "directory"):
            assert pgproof("backup", "--format", form).status == 0
        before = json.loads(pgproof("list", "--json").out)["backups"]
        self.lose_the_catalog(pgproof)
        planned = json.loads(pgproof("catalog", "rebuild", "--dry-run", "--json").out)
        assert json.loads(pgproof("list", "--json").out)["backups"] == []
        done = json.loads(pgproof("catalog", "rebuild", "--json").out)
        assert [one["id"] for one in planned["rebuilt"]] == [one["id"] for one in done["rebuilt"]] == [1, 2]
        after = json.loads(pgproof("list", "--json").out)["backups"]
        for key in ("id", "filename", "file_size_mb", "status", "trigger_source", "description"):
            assert [one[key] for one in before] == [one[key] for one in after]
        assert all(json.loads(pgproof("show", str(number), "--json").out)["held"] for number in (1, 2))
        pgproof.server.sql(pgproof.database, "DELETE FROM items")
        assert pgproof("restore", "1", "--no-safety-backup", "--yes").status == 0
        assert pgproof.rows() == 1000
        assert json.loads(pgproof("backup", "--json").out)["id"] == 3

    def test_backups_of_another_installation_are_told_with_what_becomes_of_them(self, pgproof: CommandLine) -> None:
        assert pgproof("backup").status == 0
        installation = json.loads(pgproof("catalog", "export").out)["installation"]
        self.lose_the_catalog(pgproof)
        assert pgproof("backup").status == 0
        for words in (["--dry-run"], []):
            (other,) = json.loads(pgproof("catalog", "rebuild", *words, "--json").out)["other_installations"]
            assert (other["installation"], other["backups"]) == (installation, 1)
            assert other["databases"] == [pgproof.database.dbname]
            for part in ("After 7 days", "a copy of the storage", "BACKUP_RETENTION_DAYS=36500"):
                assert part in other["warning"]
        assert json.loads(pgproof("catalog", "rebuild", "--json").out)["other_installations"] == []

    def test_a_person_is_warned_of_another_installation_and_not_of_this_one(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        catalog = parse_url(pgproof.environ["BACKUP_CATALOG_URL"])
        pgproof.server.sql(catalog, "TRUNCATE pgproof.backup_jobs CASCADE")
        ours = pgproof("catalog", "rebuild")
        assert "1 backup were added" in ours.out
        assert "WARNING" not in ours.out
        self.lose_the_catalog(pgproof)
        assert "WARNING: 1 backup (" in pgproof("catalog", "rebuild", "--dry-run").out
        manifest = next(pgproof.storage.rglob("manifest.json"))
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "installation": None}))
        assert "by an installation that the manifests do not name." in pgproof("catalog", "rebuild").out

    def test_a_rebuild_is_in_the_audit_trail_and_a_dry_run_is_not(self, pgproof: CommandLine) -> None:
        assert pgproof("catalog", "rebuild", "--dry-run").status == 0
        assert pgproof("catalog", "rebuild").status == 0
        assert audited(pgproof) == [("catalog.rebuild", "", "done")]

    def test_a_second_run_adds_nothing_and_changes_nothing(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        self.lose_the_catalog(pgproof)
        pgproof("catalog", "rebuild")
        pgproof("release", "1")
        again = json.loads(pgproof("catalog", "rebuild", "--json").out)
        assert (again["rebuilt"], again["known"]) == ([], 1)
        assert json.loads(pgproof("show", "1", "--json").out)["held"] is False

    def test_a_number_that_is_taken_is_given_anew(self, pgproof: CommandLine) -> None:
        pgproof("backup")
        self.lose_the_catalog(pgproof)
        pgproof("backup", "--description", "the new first one")
        planned = json.loads(pgproof("catalog", "rebuild", "--dry-run", "--json").out)["rebuilt"]
        done = json.loads(pgproof("catalog", "rebuild", "--json").out)["rebuilt"]
        assert [(one["id"], one["found_as"]) for one in planned] == [(2, 1)]
        assert [(one["id"], one["found_as"]) for one in done] == [(2, 1)]
        assert json.loads(pgproof("show", "1", "--json").out)["description"] == "the new first one"
        assert pgproof("verify", "2").status == 0
        assert pgproof("restore", "2", "--no-safety-backup", "--yes").status == 0

    def test_what_does_not_read_is_listed_and_keeps_nothing_else_back(self, pgproof: CommandLine) -> None:
        for _ in range(5):
            pgproof("backup")
        self.lose_the_catalog(pgproof)
        folders = sorted(path.parent for path in pgproof.storage.rglob("manifest.json"))
        (folders[0] / "manifest.json").write_text("{")
        archive = next(path for path in folders[1].iterdir() if ".dump" in path.name)
        archive.write_bytes(archive.read_bytes()[:-1])
        (folders[2] / "manifest.json").unlink()
        shutil.copytree(folders[3], folders[3].parent.parent / "copy" / folders[3].name)
        done = json.loads(pgproof("catalog", "rebuild", "--json").out)
        assert len(done["rebuilt"]) == 2
        assert len(done["unreadable"]) == 3
        assert all(one["reason"] and one["hint"] for one in done["unreadable"])
        assert len(done["unfinished"]) == 1

    def test_databases_come_back_from_an_export_without_their_passwords(
        self, pgproof: CommandLine, server18: Server, tmp_path: Path
    ) -> None:
        other = filled(server18)
        for name in ("BACKUP_POSTGRES_HOST", "BACKUP_POSTGRES_PORT", "BACKUP_POSTGRES_USER"):
            del pgproof.environ[name]
        del pgproof.environ["BACKUP_POSTGRES_PASSWORD"], pgproof.environ["BACKUP_POSTGRES_DB"]
        assert pgproof("database", "add", "shop", to_url(other)).status == 0
        assert pgproof("backup", "shop").status == 0
        export = tmp_path / "export.json"
        assert pgproof("catalog", "export", "--output", str(export)).status == 0
        assert other.password is not None
        assert other.password.reveal() not in export.read_text()
        self.lose_the_catalog(pgproof)
        bare = json.loads(pgproof("catalog", "rebuild", "--dry-run", "--json").out)
        assert bare["to_register"] == ["shop"]
        done = pgproof("catalog", "rebuild", "--databases", str(export))
        assert "pgproof database update shop URL" in done.out
        assert json.loads(pgproof("database", "list", "--json").out)["databases"][0]["dbname"] == other.dbname
        assert pgproof("database", "update", "shop", to_url(other)).status == 0
        assert pgproof("restore", "1", "--no-safety-backup", "--yes").status == 0

    def test_an_imported_dump_comes_back_too(self, pgproof: CommandLine, dump: Callable[[str], Path]) -> None:
        imported(pgproof, dump("plain.gz"))
        self.lose_the_catalog(pgproof)
        assert pgproof("catalog", "rebuild").status == 0
        pgproof.server.sql(pgproof.database, "DELETE FROM items")
        assert pgproof("restore", "1", "--no-safety-backup", "--yes").status == 0
        assert pgproof.rows() == 1000


def test_a_backup_that_was_replaced_in_the_storage_with_all_its_checksums_is_noticed(pgproof: CommandLine) -> None:
    pgproof("backup", "--compression-level", "0")
    shown = json.loads(pgproof("show", "1", "--json").out)
    archive = pgproof.storage / shown["file_path"]
    forged = archive.read_bytes().replace(b"item 77\n", b"item 78\n")
    new = hashlib.sha256(forged).hexdigest()
    archive.write_bytes(forged)
    manifest, sums = archive.with_name("manifest.json"), archive.with_name("SHA256SUMS")
    old = hashlib.sha256(manifest.read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(shown["checksum_sha256"], new))
    text = sums.read_text().replace(shown["checksum_sha256"], new)
    sums.write_text(text.replace(old, hashlib.sha256(manifest.read_bytes()).hexdigest()))
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=archive.parent, check=True)
    for command in (["verify", "1"], ["restore", "1", "--no-safety-backup", "--yes"]):
        assert "replaced the backup" in pgproof.fails(12, *command).error["hint"]
    assert pgproof.rows() == 1000


def test_pgproof_takes_no_backups_in_formats_that_it_only_keeps(pgproof: CommandLine) -> None:
    for form in ("tar", "plain"):
        assert "catalog import" in pgproof.fails(2, "backup", "--format", form).error["hint"]
        assert "custom or directory" in pgproof.fails(3, "list", BACKUP_FORMAT=form).error["detail"]
    assert json.loads(pgproof("list", "--json").out)["backups"] == []


class TestExportAndUpgrade:
    def test_an_export_holds_everything_and_no_password(self, pgproof: CommandLine) -> None:
        pgproof("backup", "--description", "näme")
        pgproof("restore", "1", "--yes")
        document = json.loads(pgproof("catalog", "export").out)
        assert [one["name"] for one in document["databases"]] == [pgproof.database.dbname]
        assert document["databases"][0]["connection"]["password"] is None
        assert [one["id"] for one in document["backups"]] == [2, 1]
        assert document["backups"][1]["options"]["description"] == "näme"
        assert [one["backup_id"] for one in document["restores"]] == [1]
        assert document["restore_tests"] == []
        assert pgproof.environ["BACKUP_POSTGRES_PASSWORD"] not in json.dumps(document)

    def test_an_export_is_readable_by_its_owner_alone(self, pgproof: CommandLine, tmp_path: Path) -> None:
        target = tmp_path / "catalog.json"
        assert pgproof("catalog", "export", "--output", str(target)).status == 0
        assert target.stat().st_mode & 0o777 == 0o600
        pgproof.fails(2, "catalog", "rebuild", "--databases", str(tmp_path / "missing"))
        target.write_text("[]")
        pgproof.fails(2, "catalog", "rebuild", "--databases", str(target))

    def test_an_upgrade_tells_each_step_and_the_next_one_none(self, pgproof: CommandLine) -> None:
        first = json.loads(pgproof("catalog", "upgrade", "--json").out)
        second = json.loads(pgproof("catalog", "upgrade", "--json").out)
        assert first["before"] is None
        assert first["steps"][0].startswith("0001: ")
        assert all(len(step) > len("0001: ") for step in first["steps"])
        assert (second["before"], second["steps"]) == (first["after"], [])

    def test_an_upgrade_makes_the_catalog_database_where_there_is_none(
        self, pgproof: CommandLine, server18: Server
    ) -> None:
        place = server18.connection.to_database("catalog_to_be_made")
        pgproof.environ["BACKUP_CATALOG_URL"] = to_url(place)
        assert pgproof("catalog", "upgrade").status == 0
        assert server18.sql(place, "SELECT count(*) FROM pgproof.backup_jobs") == [(0,)]
        server18.drop_database(place.dbname)
        with pytest.raises(psycopg.OperationalError):
            server18.sql(place, "SELECT 1")
