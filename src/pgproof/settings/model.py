"""The settings, their defaults and their limits."""

import os
import sys
from datetime import UTC
from enum import StrEnum
from pathlib import Path

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field

from pgproof.domain.archive import JOBS, LEVELS, WRITTEN, ArchiveFormat, Compression
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.fingerprint import FingerprintLevel
from pgproof.domain.retention_policy import RetentionPolicy
from pgproof.domain.secret import Secret
from pgproof.settings.values import (
    SHORTEST_KEY,
    Cron,
    Folder,
    Password,
    Patterns,
    SecretKey,
    ServerUrl,
    StorageUrl,
    Urls,
    WebUrl,
    WrittenFormat,
    Zone,
)


class LogLevel(StrEnum):
    """How much the log tells."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """For people or for machines."""

    CONSOLE = "console"
    JSON = "json"


def default_home() -> Path:
    """Where the service keeps its own files unless ``BACKUP_HOME`` says otherwise."""
    if sys.platform == "linux" and os.geteuid() == 0:
        return Path("/var/lib/pgproof")
    return user_data_path("pgproof", appauthor=False)


# A description completes "must be ...": it is the fix that an error names.
_FOLDER = "the path of a folder"
_TABLES = "table patterns as pg_dump takes them, separated by commas, or empty for no such tables"
_CRON = "a cron expression such as 0 2 * * *, or empty for no such schedule"
_MOST_KEPT = 100_000
_KEPT = f"a whole number from 0 (no such rule) to {_MOST_KEPT}"


class Settings(BaseModel):
    """Every setting, checked. `load_settings` makes it; `warnings` tells of variables that nothing reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dir: Folder = Field(Path("backups"), validate_default=True, description=_FOLDER)
    storage_url: StorageUrl | None = Field(None, description="the path of a folder, or file:///absolute/path")
    home: Folder = Field(default_factory=default_home, description=_FOLDER)
    staging_dir: Folder | None = Field(None, description=_FOLDER)
    catalog_url: ServerUrl | None = Field(None, description="a postgresql:// URL")
    test_server_url: ServerUrl | None = Field(None, description="a postgresql:// URL")
    secret_key: SecretKey | None = Field(
        None, description=f"at least {SHORTEST_KEY} characters (this makes some: openssl rand -base64 32)"
    )
    postgres_host: str | None = Field(None, description="a host name, an address, or the folder of a socket")
    postgres_port: int = Field(5432, ge=1, le=65_535, description="a port number from 1 to 65535")
    postgres_user: str | None = Field(None, description="the name of a role")
    postgres_password: Password | None = Field(None, description="a password")
    postgres_db: str | None = Field(None, description="the name of a database")
    format: WrittenFormat = Field(ArchiveFormat.CUSTOM, description=" or ".join(WRITTEN))
    compression: Compression = Field(Compression.ZSTD, description="zstd, gzip or none")
    compression_level: int = Field(
        6, ge=LEVELS.start, lt=LEVELS.stop, description="a whole number from 0 (none) to 9 (smallest)"
    )
    parallel_jobs: int = Field(
        2, ge=JOBS.start, lt=JOBS.stop, description=f"a whole number from {JOBS.start} to {JOBS.stop - 1}"
    )
    fingerprint: FingerprintLevel = Field(FingerprintLevel.COUNTS, description="none, counts or content")
    log_tables: Patterns = Field(("system_logs", "audit_logs"), description=_TABLES)
    cache_tables: Patterns = Field(("cache_entries",), description=_TABLES)
    lock_wait_seconds: int = Field(60, ge=1, description="a whole number of seconds, at least 1")
    retention_days: int = Field(7, ge=1, le=36_500, description="a whole number of days from 1 to 36500")
    keep_last: int = Field(0, ge=0, le=_MOST_KEPT, description=_KEPT)
    keep_daily: int = Field(0, ge=0, le=_MOST_KEPT, description=_KEPT)
    keep_weekly: int = Field(0, ge=0, le=_MOST_KEPT, description=_KEPT)
    keep_monthly: int = Field(0, ge=0, le=_MOST_KEPT, description=_KEPT)
    keep_yearly: int = Field(0, ge=0, le=_MOST_KEPT, description=_KEPT)
    minimum_redundancy: int = Field(1, ge=0, le=_MOST_KEPT, description=f"a whole number from 0 to {_MOST_KEPT}")
    cleanup_max_share: float = Field(0.5, ge=0, le=1, description="a number from 0 to 1, such as 0.5 for half")
    undo_hours: int = Field(24, ge=0, le=87_600, description="a whole number of hours from 0 to 87600")
    history_days: int = Field(90, ge=0, le=36_500, description="a whole number of days from 0 (for ever) to 36500")
    max_size_gb: float = Field(100.0, gt=0, allow_inf_nan=False, description="a number above 0")
    schedule: Cron = Field("0 2 * * *", description=_CRON)
    cleanup_schedule: Cron = Field("5 2 * * *", description=_CRON)
    notify_urls: Urls = Field((), description="URLs as Apprise takes them, separated by spaces")
    heartbeat_url: WebUrl | None = Field(None, description="an http:// or https:// URL")
    timezone: Zone = Field(UTC, description="the name of a time zone, such as UTC or Europe/Berlin")
    token_minutes: int = Field(15, ge=1, le=1_440, description="a whole number of minutes from 1 to 1440")
    refresh_days: int = Field(14, ge=1, le=365, description="a whole number of days from 1 to 365")
    worker_jobs: int = Field(2, ge=1, le=64, description="a whole number of jobs from 1 to 64")
    shutdown_seconds: int = Field(60, ge=0, le=86_400, description="a whole number of seconds from 0 to 86400")
    pg_bin: str | None = Field(None, description="the folder that holds pg_dump")
    log_level: LogLevel = Field(LogLevel.WARNING, description="debug, info, warning or error")
    log_format: LogFormat | None = Field(None, description="console or json")

    warnings: tuple[str, ...] = ()

    @property
    def storage_location(self) -> str:
        """The path or URL of the place that holds the backups."""
        return self.storage_url or str(self.dir)

    @property
    def staging_folder(self) -> Path:
        """Where an archive is unpacked for a parallel restore."""
        return self.staging_dir or self.home / "staging"

    @property
    def first_database(self) -> ConnectionInfo | None:
        """The protected database that the settings name, if they name one."""
        given = {"postgres_host", "postgres_port", "postgres_user", "postgres_password", "postgres_db"}
        if not given & self.model_fields_set:
            return None
        user = self.postgres_user or "postgres"
        return ConnectionInfo(
            dbname=self.postgres_db or user,
            host=self.postgres_host or "localhost",
            port=self.postgres_port,
            user=user,
            password=self.postgres_password,
        )

    @property
    def retention_policy(self) -> RetentionPolicy:
        """What to keep of each database."""
        return RetentionPolicy(
            keep_days=self.retention_days,
            keep_last=self.keep_last,
            keep_daily=self.keep_daily,
            keep_weekly=self.keep_weekly,
            keep_monthly=self.keep_monthly,
            keep_yearly=self.keep_yearly,
            minimum_redundancy=self.minimum_redundancy,
            zone=self.timezone,
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret among the settings, for the log to mask."""
        values = (
            self.catalog_url,
            self.test_server_url,
            self.secret_key,
            self.postgres_password,
            self.heartbeat_url,
            *self.notify_urls,
        )
        return tuple(value for value in values if value is not None)
