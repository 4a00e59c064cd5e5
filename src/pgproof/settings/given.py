"""Settings that a program gives: the same names, in the types that a program has."""

import os
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, TypedDict

_URLS = "notify_urls"
_CRONS = ("schedule", "cleanup_schedule")

Path = str | os.PathLike[str]


class SettingValues(TypedDict, total=False):
    """Every setting by name; docs/configuration.md says what each means.

    An empty text or ``None`` for a schedule is: no such schedule. Of all others ``None`` is the same as leaving it out.
    """

    dir: Path | None
    storage_url: str | None
    home: Path | None
    staging_dir: Path | None
    catalog_url: str | None
    test_server_url: str | None
    secret_key: str | None
    postgres_host: str | None
    postgres_port: int | None
    postgres_user: str | None
    postgres_password: str | None
    postgres_db: str | None
    format: str | None
    compression: str | None
    compression_level: int | None
    parallel_jobs: int | None
    fingerprint: str | None
    log_tables: Sequence[str] | None
    cache_tables: Sequence[str] | None
    lock_wait_seconds: int | None
    retention_days: int | None
    keep_last: int | None
    keep_daily: int | None
    keep_weekly: int | None
    keep_monthly: int | None
    keep_yearly: int | None
    minimum_redundancy: int | None
    cleanup_max_share: float | None
    undo_hours: int | None
    history_days: int | None
    max_size_gb: float | None
    schedule: str | None
    cleanup_schedule: str | None
    notify_urls: Sequence[str] | None
    heartbeat_url: str | None
    timezone: str | tzinfo | None
    token_minutes: int | None
    refresh_days: int | None
    worker_jobs: int | None
    shutdown_seconds: int | None
    pg_bin: Path | None
    log_level: str | None
    log_format: str | None


def as_values(given: Mapping[str, object]) -> dict[str, Any]:
    """Those that are given, as `Settings` takes them."""
    return {name: _value(name, value) for name, value in given.items() if value is not None or name in _CRONS}


def _value(name: str, value: object) -> object:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if name == _URLS and isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return tuple(value) if isinstance(value, list) else value
