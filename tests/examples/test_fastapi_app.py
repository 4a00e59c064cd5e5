"""The example application, as a process of its own: its users, its database, our backups."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from pgproof.domain.database import ConnectionInfo
from tests.servers import Server, to_url

FOLDER = Path(__file__).parents[2] / "examples" / "fastapi_app"
START_LIMIT = 60  # seconds
BACKUPS = "/api/admin/backups"


@dataclass
class Shop:
    client: httpx.Client
    process: "subprocess.Popen[bytes]"
    log: Path

    def sign_in(self, email: str, password: str) -> dict[str, str]:
        answer = self.client.post("/login", data={"username": email, "password": password})
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, server18: Server, catalog_template: ConnectionInfo
) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop")
    catalog = server18.create_database(template=catalog_template.dbname)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "SHOP_DATABASE_URL": to_url(server18.create_database()).replace("postgresql:", "postgresql+psycopg:"),
        "SHOP_SECRET": "a secret of the tests, long enough for HS256",
        "SHOP_ADMIN_PASSWORD": "an admin of the shop",
        "SHOP_CUSTOMER_PASSWORD": "a customer of the shop",
        "BACKUP_HOME": str(folder / "home"),
        "BACKUP_DIR": str(folder / "backups"),
        "BACKUP_CATALOG_URL": to_url(catalog),
    }
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "--factory", "shop.main:create_app", "--port", str(port)],
            cwd=FOLDER,
            env=environment,
            stdout=written,
            stderr=written,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            ready = Shop(client, process, log)
            _wait(ready)
            yield ready
    finally:
        process.kill()
        process.wait()


def _wait(shop: Shop) -> None:
    deadline = monotonic() + START_LIMIT
    while True:
        try:
            shop.client.get("/docs").raise_for_status()
        except httpx.TransportError:
            if shop.process.poll() is not None or monotonic() > deadline:
                pytest.fail(f"the shop did not start:\n{shop.log.read_text()}")
            sleep(0.1)
        else:
            return


def test_a_mistake_in_the_shop_is_undone_by_its_admin(shop: Shop) -> None:
    client = shop.client
    ann, ben = (
        shop.sign_in("ann@shop.example", "an admin of the shop"),
        shop.sign_in("ben@shop.example", "a customer of the shop"),
    )
    assert client.post("/orders", params={"item": "tea"}, headers=ben).status_code == 201

    for method, path in (("GET", BACKUPS), ("POST", f"{BACKUPS}/create"), ("POST", f"{BACKUPS}/restore/1")):
        refused = client.request(method, path, headers=ben)
        assert (refused.status_code, refused.json()) == (403, {"detail": "admins only"})
        assert client.request(method, path).status_code == 401
    assert client.get(BACKUPS, headers=ann).json()["total"] == 0

    wait = {"Prefer": "wait=30"}
    created = client.post(f"{BACKUPS}/create", headers={**ann, **wait}, json={"description": "before the mistake"})
    assert created.status_code == 201, created.text
    number = created.json()["id"]
    [listed] = client.get(BACKUPS, headers=ann).json()["backups"]
    assert (listed["id"], listed["status"], listed["description"]) == (number, "completed", "before the mistake")

    assert client.delete("/orders", headers=ben).status_code == 204
    assert client.get("/orders", headers=ben).json() == []
    restored = client.post(f"{BACKUPS}/restore/{number}", headers={**ann, **wait})
    assert restored.status_code == 200, restored.text
    assert restored.json()["success"] is True
    assert client.get("/orders", headers=ben).json() == ["tea"]

    entries = client.get("/api/admin/audit", headers=ann).json()["entries"]
    assert [(entry["actor"], entry["action"]) for entry in entries] == [
        ("host:ann@shop.example", "backup.restore"),
        ("host:ann@shop.example", "backup.create"),
    ]


def test_the_guide_can_be_followed_with_curl(shop: Shop) -> None:
    ben = shop.sign_in("ben@shop.example", "a customer of the shop")
    before = shop.client.get("/orders", headers=ben).json()
    guide = (FOLDER / "README.md").read_text()
    [steps] = re.findall(r"^## Try it\n\n```sh\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    script = steps.replace("http://127.0.0.1:8000", str(shop.client.base_url).rstrip("/"))
    passwords = "SHOP_ADMIN_PASSWORD='an admin of the shop' SHOP_CUSTOMER_PASSWORD='a customer of the shop'"
    done = subprocess.run(["bash", "-euc", f"{passwords}\n{script}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '{"detail":"admins only"}' in done.stdout
    assert '"success":true' in done.stdout
    assert done.stdout.endswith('"tea"]')
    assert shop.client.get("/orders", headers=ben).json() == [*before, "tea"]


def test_the_shops_document_has_one_way_to_sign_in(shop: Shop) -> None:
    document = shop.client.get("/openapi.json").json()
    assert list(document["components"]["securitySchemes"]) == ["OAuth2PasswordBearer"]
    assert document["paths"][f"{BACKUPS}/create"]["post"]["security"] == [{"OAuth2PasswordBearer": []}]


def test_the_shop_ends_when_it_is_asked_to(shop: Shop) -> None:
    shop.process.send_signal(signal.SIGTERM)
    assert shop.process.wait(60) in {0, -signal.SIGTERM}
    log = shop.log.read_text()
    assert "Application shutdown complete" in log
    assert "Traceback" not in log
