"""`/api/admin/databases`: the protected databases."""

from fastapi import APIRouter

from pgproof.domain.errors import InvalidInput
from pgproof.entrypoints.http.dependencies import Configurer, Looker
from pgproof.entrypoints.http.fields import PathName
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.backups import Message
from pgproof.entrypoints.http.schemas.databases import (
    AddDatabase,
    ChangeDatabase,
    DatabaseCheckView,
    DatabaseList,
    DatabaseRow,
    database_check,
    database_row,
)

router = APIRouter(prefix="/api/admin/databases", tags=["databases"])


@router.get("")
def list_databases(context: Looker) -> DatabaseList:
    """List the registered databases by name."""
    return DatabaseList(databases=[database_row(found) for found in context.app.databases.list()])


@router.post("", status_code=201, responses=problems(409, 413, 502))
def add_database(context: Configurer, body: AddDatabase) -> DatabaseRow:
    """Register a database. Its password is stored encrypted, and never shown again."""
    with context.audited("database.add", body.name, group=body.group):
        return database_row(context.app.databases.add(body.name, body.url, body.group))


@router.post("/{name:path}/check", responses=problems(404, 502))
def check_database(context: Configurer, name: PathName) -> DatabaseCheckView:
    """Connect to a registered database, and see what a backup would need."""
    return database_check(context.app.databases.check(_registered(context, name)))


@router.get("/{name:path}", responses=problems(404))
def get_database(context: Looker, name: PathName) -> DatabaseRow:
    """A registered database, without its password."""
    return database_row(context.app.catalog.get_database(name))


@router.put("/{name:path}", responses=problems(404, 409, 413, 502))
def change_database(context: Configurer, name: PathName, body: ChangeDatabase) -> DatabaseRow:
    """Store another URL or another worker group; the name, the backups and the restores stay."""
    if body.url is None and body.group is None:
        raise InvalidInput("nothing was said that should change", hint="Send a url, a group, or both.")
    with context.audited("database.change", name, url_changed=body.url is not None, group=body.group):
        return database_row(context.app.databases.update(name, body.url, body.group))


@router.delete("/{name:path}", responses=problems(404, 409))
def remove_database(context: Configurer, name: PathName) -> Message:
    """Forget a database. Its backups stay. While jobs that need it have not ended that is a conflict."""
    with context.audited("database.remove", name):
        context.app.databases.remove(name)
    return Message(message=f"{name} is no longer registered; its backups stay")


def _registered(context: Configurer, name: str) -> str:
    # `check` would take a URL as well, and connect to wherever it leads.
    return context.app.catalog.get_database(name).name
