"""Settings: one place reads the environment, and says everything that is wrong with it."""

import re
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from pgproof.domain.archive import ArchiveFormat, Compression
from pgproof.domain.errors import ConfigurationError
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.domain.secret import Secret
from pgproof.settings import FALLBACKS, LATER, NAMES, LogFormat, LogLevel, Settings, load_settings
from pgproof.settings.model import default_home
from pgproof.settings.names import MAY_BE_EMPTY

ROOT = Path(__file__).parents[2]


def load(folder: Path, **environ: str) -> Settings:
    return load_settings(environ, folder)


def test_without_any_variable_every_setting_has_its_documented_default(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.dir == Path("backups").absolute()
    assert settings.storage_location == str(settings.dir)
    assert settings.home == default_home()
    assert settings.staging_folder == settings.home / "staging"
    assert (settings.retention_days, settings.undo_hours, settings.max_size_gb) == (7, 24, 100)
    assert (settings.compression, settings.compression_level) == (Compression.ZSTD, 6)
    assert (settings.format, settings.parallel_jobs) == (ArchiveFormat.CUSTOM, 2)
    assert settings.log_tables == ("system_logs", "audit_logs")
    assert settings.cache_tables == ("cache_entries",)
    assert (settings.timezone, settings.lock_wait_seconds) == (UTC, 60)
    assert (settings.log_level, settings.log_format) == (LogLevel.WARNING, None)
    assert settings.first_database is None
    assert settings.catalog_url is None
    assert settings.warnings == ()


def test_every_variable_reaches_its_setting(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        BACKUP_DIR="/srv/b",
        BACKUP_STORAGE_URL="file:///srv/c%20d",
        BACKUP_HOME="/srv/home",
        BACKUP_STAGING_DIR="/scratch",
        BACKUP_TOKEN_MINUTES="5",
        BACKUP_REFRESH_DAYS="30",
        BACKUP_CATALOG_URL="postgresql://u:p@h/catalog",
        BACKUP_TEST_SERVER_URL="postgresql://u:p@tests/postgres",
        BACKUP_SECRET_KEY="0123456789abcdef",
        BACKUP_POSTGRES_HOST="db",
        BACKUP_POSTGRES_PORT="6432",
        BACKUP_POSTGRES_USER="app",
        BACKUP_POSTGRES_PASSWORD="pass word",
        BACKUP_POSTGRES_DB='we"ird',
        BACKUP_FORMAT="directory",
        BACKUP_COMPRESSION="gzip",
        BACKUP_COMPRESSION_LEVEL="9",
        BACKUP_PARALLEL_JOBS="8",
        BACKUP_FINGERPRINT="content",
        BACKUP_LOG_TABLES='logs.*, "odd,name".t',
        BACKUP_CACHE_TABLES="cache_*",
        BACKUP_LOCK_WAIT_SECONDS="5",
        BACKUP_RETENTION_DAYS="30",
        BACKUP_KEEP_LAST="3",
        BACKUP_KEEP_DAILY="14",
        BACKUP_KEEP_WEEKLY="8",
        BACKUP_KEEP_MONTHLY="12",
        BACKUP_KEEP_YEARLY="5",
        BACKUP_MINIMUM_REDUNDANCY="2",
        BACKUP_CLEANUP_MAX_SHARE="0.25",
        BACKUP_UNDO_HOURS="48",
        BACKUP_HISTORY_DAYS="0",
        BACKUP_MAX_SIZE_GB="0.5",
        BACKUP_SCHEDULE="30 1 * * *",
        BACKUP_CLEANUP_SCHEDULE="@weekly",
        BACKUP_NOTIFY_URLS="json://a/b,c mailto://u:p@h",
        BACKUP_HEARTBEAT_URL="https://beats/token",
        BACKUP_TIMEZONE="Europe/Berlin",
        BACKUP_WORKER_JOBS="4",
        BACKUP_SHUTDOWN_SECONDS="0",
        BACKUP_PG_BIN="/usr/lib/postgresql/18/bin",
        BACKUP_LOG_LEVEL="debug",
        BACKUP_LOG_FORMAT="json",
    )
    assert set(type(settings).model_fields) == settings.model_fields_set
    assert settings.storage_location == "file:///srv/c%20d"
    assert settings.staging_folder == Path("/scratch")
    assert settings.catalog_url == Secret("postgresql://u:p@h/catalog")
    assert settings.fingerprint is FingerprintLevel.CONTENT
    assert settings.log_tables == ("logs.*", '"odd,name".t')
    assert settings.timezone == ZoneInfo("Europe/Berlin")
    assert settings.log_format is LogFormat.JSON
    assert settings.retention_policy == RetentionPolicy(30, 3, 14, 8, 12, 5, 2, ZoneInfo("Europe/Berlin"))
    assert settings.cleanup_max_share == 0.25
    assert (settings.token_minutes, settings.refresh_days) == (5, 30)
    assert (settings.schedule, settings.cleanup_schedule) == ("30 1 * * *", "@weekly")
    assert settings.notify_urls == (Secret("json://a/b,c"), Secret("mailto://u:p@h"))
    assert settings.heartbeat_url == Secret("https://beats/token")
    assert {*settings.notify_urls, settings.heartbeat_url} <= {*settings.secrets}
    database = settings.first_database
    assert database is not None
    assert (database.host, database.port, database.user, database.dbname) == ("db", 6432, "app", 'we"ird')
    assert database.password == Secret("pass word")


def test_zero_is_a_value_and_an_empty_text_is_none(tmp_path: Path) -> None:
    settings = load(tmp_path, BACKUP_COMPRESSION_LEVEL="0", BACKUP_UNDO_HOURS="0", BACKUP_RETENTION_DAYS="")
    assert (settings.compression_level, settings.undo_hours, settings.retention_days) == (0, 0, 7)


def test_no_log_or_cache_tables_can_be_said(tmp_path: Path) -> None:
    settings = load(tmp_path, BACKUP_LOG_TABLES="", BACKUP_CACHE_TABLES="")
    assert (settings.log_tables, settings.cache_tables) == ((), ())
    (tmp_path / ".env").write_text("BACKUP_LOG_TABLES=\nBACKUP_CACHE_TABLES=cache_*\n")
    assert load(tmp_path).log_tables == ()
    assert load(tmp_path, BACKUP_CACHE_TABLES="").cache_tables == ()
    given = load_settings({}, tmp_path / "empty", given={"log_tables": (), "cache_tables": None})
    assert (given.log_tables, given.cache_tables) == ((), ("cache_entries",))


@pytest.mark.parametrize("name", sorted(set(NAMES) - MAY_BE_EMPTY))
def test_an_empty_value_of_any_other_setting_is_none(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, **{name: ""}) == load(tmp_path)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# ours\nBACKUP_DIR=/from/file\nexport BACKUP_PARALLEL_JOBS='4'\nBACKUP_POSTGRES_DB=\"a ${b} c\"\n"
    )
    settings = load(tmp_path, BACKUP_DIR="/from/environment")
    assert settings.dir == Path("/from/environment")
    assert settings.parallel_jobs == 4
    assert settings.postgres_db == "a ${b} c"


def test_a_line_of_the_file_that_means_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BACKUP_DIR=/a\n'oops\n")
    with pytest.raises(ConfigurationError, match=r"line 2 of .*\.env is not of the form NAME=value"):
        load(tmp_path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigurationError, match=r"unable to read .*\.env: Is a directory"):
        load(tmp_path)


def test_all_problems_are_told_at_once_with_their_fixes(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(
            tmp_path,
            BACKUP_COMPRESSION_LEVEL="10",
            BACKUP_PARALLEL_JOBS="many",
            BACKUP_TIMEZONE="Mars/Olympus",
            BACKUP_SECRET_KEY_FILE="/nowhere/key",
        )
    assert sorted(caught.value.facts["problems"]) == [
        "BACKUP_COMPRESSION_LEVEL is '10', but must be a whole number from 0 (none) to 9 (smallest)",
        "BACKUP_PARALLEL_JOBS is 'many', but must be a whole number from 1 to 64",
        "BACKUP_SECRET_KEY_FILE is '/nowhere/key', but must be a readable file (No such file or directory)",
        "BACKUP_TIMEZONE is 'Mars/Olympus', but must be the name of a time zone, such as UTC or Europe/Berlin",
    ]
    assert all(problem in caught.value.detail for problem in caught.value.facts["problems"])
    assert ".env" in caught.value.hint


BAD_VALUES = {
    "BACKUP_STORAGE_URL": "s3://bucket",
    "BACKUP_CATALOG_URL": "mysql://h/db",
    "BACKUP_SECRET_KEY": "short",
    "BACKUP_POSTGRES_PORT": "70000",
    "BACKUP_FORMAT": "plain",
    "BACKUP_COMPRESSION": "lz4",
    "BACKUP_COMPRESSION_LEVEL": "-1",
    "BACKUP_PARALLEL_JOBS": "0",
    "BACKUP_LOG_TABLES": 'a,"b',
    "BACKUP_CACHE_TABLES": '"',
    "BACKUP_LOCK_WAIT_SECONDS": "0",
    "BACKUP_RETENTION_DAYS": "0",
    "BACKUP_KEEP_LAST": "-1",
    "BACKUP_KEEP_DAILY": "a week",
    "BACKUP_KEEP_WEEKLY": "1.5",
    "BACKUP_KEEP_MONTHLY": "100001",
    "BACKUP_KEEP_YEARLY": "-1",
    "BACKUP_MINIMUM_REDUNDANCY": "-1",
    "BACKUP_CLEANUP_MAX_SHARE": "50",
    "BACKUP_UNDO_HOURS": "-1",
    "BACKUP_MAX_SIZE_GB": "nan",
    "BACKUP_TIMEZONE": "../../etc/passwd",
    "BACKUP_LOG_LEVEL": "loud",
    "BACKUP_LOG_FORMAT": "xml",
}


@pytest.mark.parametrize(("name", "value"), BAD_VALUES.items(), ids=list(BAD_VALUES))
def test_a_bad_value_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    extra = {"BACKUP_POSTGRES_DB": "app"} if name == "BACKUP_POSTGRES_PORT" else {}
    with pytest.raises(ConfigurationError, match=rf"^{name} is '.*', but must be \w+"):
        load(tmp_path, **{name: value}, **extra)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BACKUP_SECRET_KEY", "geheim"),
        ("BACKUP_CATALOG_URL", "mysql://u:geheim@h/db"),
        ("BACKUP_STORAGE_URL", "s3://u:geheim@h/bucket"),
    ],
)
def test_no_error_shows_a_secret(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, **{name: value})
    chain: BaseException | None = caught.value
    assert "geheim" not in f"{chain}{caught.value.hint}{caught.value.facts}"
    assert caught.value.__suppress_context__, "a traceback would print what the library's error quotes"


def test_nor_does_printing_the_settings(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        BACKUP_SECRET_KEY="geheim-geheim-geheim",
        BACKUP_CATALOG_URL="postgresql://u:geheim@h/db",
        BACKUP_POSTGRES_DB="app",
        BACKUP_POSTGRES_PASSWORD="geheim",
    )
    assert "geheim" not in f"{settings!r} {settings}"
    assert len(settings.secrets) == 3


def test_a_secret_may_come_from_a_file_that_ends_in_a_newline(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b" two words \r\n")
    (tmp_path / "key").write_text("0123456789abcdef\n\n")
    settings = load(
        tmp_path,
        BACKUP_POSTGRES_DB="app",
        BACKUP_POSTGRES_PASSWORD_FILE=str(tmp_path / "password"),
        BACKUP_SECRET_KEY_FILE=str(tmp_path / "key"),
    )
    assert settings.postgres_password == Secret(" two words ")
    assert settings.secret_key == Secret("0123456789abcdef\n"), "one newline is the file's, not two"


def test_a_secret_given_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BACKUP_SECRET_KEY=0123456789abcdef\n")
    with pytest.raises(ConfigurationError, match="BACKUP_SECRET_KEY and BACKUP_SECRET_KEY_FILE are both set"):
        load(tmp_path, BACKUP_SECRET_KEY_FILE="/run/secrets/key")


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
def test_an_empty_secret_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"BACKUP_SECRET_KEY_FILE is .* that file is empty"):
        load(tmp_path, BACKUP_SECRET_KEY_FILE=str(tmp_path / "key"))


def test_the_database_may_be_named_as_the_postgres_images_name_it(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("geheim\n")
    settings = load(
        tmp_path,
        POSTGRES_USER="app",
        POSTGRES_PASSWORD_FILE=str(tmp_path / "password"),
        POSTGRES_DB="shop",
        BACKUP_POSTGRES_DB="shop2",
    )
    database = settings.first_database
    assert database is not None
    assert (database.host, database.user, database.dbname) == ("localhost", "app", "shop2")
    assert database.password == Secret("geheim")


def test_a_database_is_called_like_its_role_unless_it_has_a_name(tmp_path: Path) -> None:
    database = load(tmp_path, POSTGRES_USER="app").first_database
    assert database is not None
    assert database.dbname == "app"


@pytest.mark.parametrize("name", ["BACKUP_POSTGRES_HOST", "BACKUP_POSTGRES_PORT", "POSTGRES_PASSWORD"])
def test_a_server_without_a_database_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="BACKUP_POSTGRES_DB is not set"):
        load(tmp_path, **{name: "5433"})


def test_an_unknown_name_is_a_warning_with_the_nearest_known_one(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BACKUP_RETENTION_DAY=3\n")
    settings = load(tmp_path, BACKUP_QQQQQQQQQQ="1", PATH="/bin")
    assert settings.warnings == (
        "BACKUP_QQQQQQQQQQ is not a setting",
        "BACKUP_RETENTION_DAY is not a setting; did you mean BACKUP_RETENTION_DAYS?",
    )


def test_settings_of_later_parts_are_no_mistake(tmp_path: Path) -> None:
    later = dict.fromkeys(LATER, "x")
    assert load(tmp_path, BACKUP_COPY_URLS_FILE="/x", **later).warnings == ()


def test_without_a_word_about_schedules_there_are_two_and_an_empty_value_is_none(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.schedule, settings.cleanup_schedule) == ("0 2 * * *", "5 2 * * *")
    (tmp_path / ".env").write_text("BACKUP_SCHEDULE=\nBACKUP_CLEANUP_SCHEDULE=0 5 * * *\n")
    settings = load(tmp_path)
    assert (settings.schedule, settings.cleanup_schedule) == (None, "0 5 * * *")
    assert load(tmp_path, BACKUP_CLEANUP_SCHEDULE="").cleanup_schedule is None


@pytest.mark.parametrize(
    ("urls", "count"),
    [
        ("json://a", 1),
        ("json://a,b/c?x=1,2", 1),
        ("json://a, mailto://b", 2),
        ("json://a mailto://b\nslack://c\n", 3),
    ],
)
def test_urls_are_separated_by_spaces_or_by_commas_before_the_next(tmp_path: Path, urls: str, count: int) -> None:
    (tmp_path / "urls").write_text(urls)
    assert len(load(tmp_path, BACKUP_NOTIFY_URLS=urls).notify_urls) == count
    assert len(load(tmp_path, BACKUP_NOTIFY_URLS_FILE=str(tmp_path / "urls")).notify_urls) == count


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("BACKUP_SCHEDULE", "0 2 30 2 *", "'0 2 30 2 *', but must be a cron expression"),
        ("BACKUP_CLEANUP_SCHEDULE", "daily", "a cron expression such as 0 2"),
        ("BACKUP_NOTIFY_URLS", "hunter2", "'***', but must be URLs as Apprise takes them"),
        ("BACKUP_HEARTBEAT_URL", "ftp://hunter2", "'***', but must be an http:// or https:// URL"),
        ("BACKUP_HEARTBEAT_URL", "https:///hunter2", "'***', but must be"),
    ],
)
def test_a_bad_schedule_or_url_is_named_and_a_secret_is_not_shown(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)) as caught:
        load(tmp_path, **{name: value})
    assert "hunter2" not in caught.value.detail


def test_variables_of_libpq_that_would_lead_elsewhere_are_reported_together_and_without_their_values(
    tmp_path: Path,
) -> None:
    settings = load(tmp_path, PGPASSWORD="hunter2", PGHOST="db", PGPASSFILE="/x", PGTZ="UTC")
    assert settings.warnings == (
        "PGHOST, PGPASSWORD count for libpq, not for pgproof; say it in BACKUP_POSTGRES_* or in the database's URL",
    )
    assert settings.first_database is None


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load(tmp_path).dir = Path("/elsewhere")


@pytest.mark.parametrize("document", ["docs/configuration.md", ".env.example"])
def test_every_setting_is_documented(document: str) -> None:
    text = (ROOT / document).read_text()
    missing = [name for name in (*NAMES, *FALLBACKS.values()) if not re.search(rf"\b{name}\b", text)]
    assert not missing


def test_the_example_names_no_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert named <= {*NAMES, *FALLBACKS.values()}


def test_the_example_as_it_is_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert load(tmp_path) == load(tmp_path / "empty")


def test_the_example_states_the_defaults(tmp_path: Path) -> None:
    commented = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(re.sub(r"^#(BACKUP_\w+=)(?=.)", r"\1", commented, flags=re.MULTILINE))
    stated, default = load(tmp_path, BACKUP_POSTGRES_DB="app"), load(tmp_path / "empty", BACKUP_POSTGRES_DB="app")
    told = stated.model_fields_set - {"warnings"}
    assert {name: getattr(stated, name) for name in told} == {name: getattr(default, name) for name in told}
    assert {"retention_days", "compression_level", "log_tables", "timezone"} <= told
