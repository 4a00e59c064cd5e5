"""Callers of the API, one for each role."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx
from fastapi import FastAPI

from pgproof.bootstrap import App, open_app
from pgproof.domain.access import Role
from pgproof.domain.backup import Backup, BackupOptions, BackupStatus, BackupTrigger
from pgproof.domain.database import ConnectionInfo
from pgproof.domain.job import Job
from pgproof.entrypoints.http.app import create_app
from pgproof.settings import load_settings
from tests.http.running import running
from tests.servers import Server, to_url

PASSWORD = "a long enough password"
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@contextmanager
def opened(folder: Path, server: Server, template: ConnectionInfo, **settings: str) -> Iterator[App]:
    """An application with a catalog of its own."""
    catalog = server.create_database(template=template.dbname)
    environment = {
        "BACKUP_HOME": str(folder / "home"),
        "BACKUP_DIR": str(folder / "backups"),
        "BACKUP_CATALOG_URL": to_url(catalog),
        "BACKUP_LOCK_WAIT_SECONDS": "3",
        **settings,
    }
    with open_app(load_settings(environment, directory=folder)) as app:
        yield app


class Api:
    """The API of an application. Users of a role are made when a test speaks as one."""

    def __init__(self, app: App, fastapi: FastAPI, client: httpx.Client) -> None:
        self.app = app
        self.fastapi = fastapi
        self.client = client
        self._tokens: dict[Role, str] = {}

    @classmethod
    @contextmanager
    def of(cls, app: App) -> Iterator[Self]:
        fastapi = create_app(app)
        with running(fastapi) as url, httpx.Client(base_url=url, timeout=120) as client:
            yield cls(app, fastapi, client)

    def token(self, role: Role) -> str:
        if role not in self._tokens:
            self.app.users.add(role.value, role, PASSWORD)
            self._tokens[role] = self.app.access.sign_in(role.value, PASSWORD).access_token.reveal()
        return self._tokens[role]

    def as_admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(Role.ADMIN)}"}

    def call(
        self,
        method: str,
        path: str,
        *,
        role: Role | None = Role.ADMIN,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {self.token(role)}"
        return self.client.request(method, path, headers=sent, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.call("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.call("POST", path, **more)

    def put(self, path: str, **more: Any) -> httpx.Response:
        return self.call("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        return self.call("DELETE", path, **more)

    def ended(self, answer: httpx.Response) -> Job:
        """The job of an answer, when it has ended."""
        assert answer.status_code == 202, answer.text
        return self.app.jobs.wait(int(answer.headers["location"].rpartition("/")[2]), 60)

    def row(
        self,
        database: str = "shop",
        status: BackupStatus = BackupStatus.COMPLETED,
        *,
        minutes: float = 0,
        trigger: BackupTrigger = BackupTrigger.MANUAL_API,
        description: str | None = None,
        **fields: Any,
    ) -> Backup:
        """A backup of the catalog, without anything in the storage."""
        catalog, at = self.app.catalog, NOW + timedelta(minutes=minutes)
        options = BackupOptions(description=description)
        url = self.app.storage.url
        made = catalog.create_backup(database, storage_url=url, options=options, trigger=trigger, now=at)
        if status is BackupStatus.PENDING:
            return made
        running = replace(made, status=BackupStatus.RUNNING, started_at=at)
        catalog.save_backup(running, expected=BackupStatus.PENDING)
        if status is BackupStatus.RUNNING:
            return running
        path = [status] if status in {BackupStatus.FAILED, BackupStatus.CANCELLED} else [BackupStatus.COMPLETED, status]
        done = replace(running, completed_at=at + timedelta(seconds=75), duration_seconds=75, **fields)
        for before, after in zip([BackupStatus.RUNNING, *path], dict.fromkeys(path), strict=False):
            done = replace(done, status=after)
            catalog.save_backup(done, expected=before)
        return done


def problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem details of an answer that must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["detail"]
    assert found["request_id"] == answer.headers["x-request-id"]
    assert code in (None, found["code"])
    return found
