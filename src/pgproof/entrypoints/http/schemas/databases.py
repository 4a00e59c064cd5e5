"""Protected databases as the API shows them: never with a password."""

from typing import Annotated

from pydantic import BaseModel, Field

from pgproof.domain.database import Database
from pgproof.entrypoints.http.fields import Name, Request, Text
from pgproof.services.databases import DatabaseCheck

_Url = Annotated[Text, Field(min_length=1, max_length=4000, examples=["postgresql://app:secret@db.example:5432/shop"])]
_Group = Annotated[Name, Field(description="The worker group that does its jobs.", examples=["default"])]


class AddDatabase(Request):
    """A database to protect. The password of the URL is stored encrypted, and never shown again."""

    name: Name = Field(description="How it is called from now on.", examples=["shop"])
    url: _Url = Field(description="`postgresql://user:password@host:port/dbname`, with libpq's parameters.")
    group: _Group = Field(default="default", description="Only workers of this group work on it.")


class ChangeDatabase(Request):
    """What is to be another; what is left out stays."""

    url: _Url | None = Field(default=None, description="Where it is now.")
    group: _Group | None = Field(default=None, description="Only workers of this group work on it.")


class DatabaseRow(BaseModel):
    """A registered database. Its options hold no secrets."""

    name: str
    host: str
    port: int
    user: str
    dbname: str
    options: dict[str, str]
    group: str
    from_settings: bool


class DatabaseList(BaseModel):
    """All registered databases by name."""

    databases: list[DatabaseRow]


class DatabaseCheckView(BaseModel):
    """What a backup of the database would find."""

    name: str
    server_version: str
    system_identifier: str
    role: str
    is_superuser: bool
    can_create_databases: bool
    database_size_bytes: int
    tables_count: int
    unreadable: list[str]
    client_version: str
    client_folder: str


def database_row(database: Database) -> DatabaseRow:
    """A registered database, without its password."""
    place = database.connection
    return DatabaseRow(
        name=database.name,
        host=place.host,
        port=place.port,
        user=place.user,
        dbname=place.dbname,
        options=dict(place.options),
        group=database.group,
        from_settings=database.from_settings,
    )


def database_check(found: DatabaseCheck) -> DatabaseCheckView:
    """What a look at a database has found."""
    server, facts, tools = found.server, found.facts, found.tools
    return DatabaseCheckView(
        name=found.database.name,
        server_version=str(server.version),
        system_identifier=server.system_identifier,
        role=server.role,
        is_superuser=server.is_superuser,
        can_create_databases=server.can_create_databases,
        database_size_bytes=facts.size,
        tables_count=len(facts.tables),
        unreadable=list(facts.unreadable),
        client_version=str(tools.version),
        client_folder=str(tools.folder),
    )
