"""Applications of other people, with users, tokens, errors and a lifespan of their own."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from pgproof.domain.database import ConnectionInfo
from pgproof.settings import SettingValues
from tests.http.running import running
from tests.servers import Server, to_url

bearer = HTTPBearer(scheme_name="hostBearer", auto_error=False)


def settings_of(folder: Path, server: Server, template: ConnectionInfo, **more: Any) -> SettingValues:
    """Settings with a catalog of the test's own."""
    catalog = server.create_database(template=template.dbname)
    values: SettingValues = {
        "home": folder / "home",
        "dir": folder / "backups",
        "catalog_url": to_url(catalog),
        "lock_wait_seconds": 3,
        "shutdown_seconds": 1,
        **more,  # type: ignore[typeddict-item]
    }
    return values


def dependency(users: Mapping[str, Any]) -> Callable[..., Any]:
    """Whoever shows one of these tokens is that user; ``outsider`` is known and may not."""

    def current_admin(token: Annotated[Any, Depends(bearer)]) -> Any:
        given: str = token.credentials if token else ""
        if given == "outsider":
            raise HTTPException(403, "admins only")
        if given not in users:
            raise HTTPException(401, "who are you?", headers={"WWW-Authenticate": "Host"})
        return users[given]

    return current_admin


class Note(BaseModel):
    text: str


def host(*routers: tuple[APIRouter, str], events: list[str] | None = None) -> FastAPI:
    """An application with routes, handlers, middleware and a lifespan of its own."""
    told = [] if events is None else events

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, str]]:
        told.append("host started")
        yield {"greeting": "hello"}
        told.append("host ended")

    app = FastAPI(title="host", lifespan=lifespan)

    @app.get("/ping")
    async def ping(request: Request) -> dict[str, str]:
        return {"greeting": request.state.greeting}

    @app.post("/notes")
    async def add_note(note: Note) -> dict[str, int]:
        return {"length": len(note.text)}

    @app.get("/jobs/{job_id}", name="get_job")
    async def get_job(job_id: int) -> dict[str, int]:
        return {"host": job_id}

    @app.exception_handler(HTTPException)
    async def handle(_request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"oops": error.detail}, error.status_code, dict(error.headers or {}))

    for router, prefix in routers:
        app.include_router(router, prefix=prefix)
    return app


class Caller:
    """Somebody who calls a host; ``token`` tells the host who."""

    def __init__(self, client: httpx.Client, token: str | None = "admin") -> None:
        self.client = client
        self.token = token

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return self.client.request(method, path, headers=headers, **more)

    def as_(self, token: str | None) -> "Caller":
        return Caller(self.client, token)


@contextmanager
def calling(app: FastAPI) -> Iterator[Caller]:
    """The host, served, with its lifespan."""
    with running(app) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield Caller(client)
