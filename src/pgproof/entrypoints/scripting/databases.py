"""The protected databases, as a program sees them."""

from collections.abc import Sequence

from pgproof.bootstrap import App
from pgproof.domain.database import DEFAULT_GROUP, Database
from pgproof.domain.errors import InvalidInput
from pgproof.entrypoints.cli.auditing import audited
from pgproof.services.databases import DatabaseCheck

FACE = "python"


class Databases:
    """Registering, changing, checking and forgetting databases."""

    def __init__(self, app: App) -> None:
        self._app = app

    def add(self, name: str, url: str, *, group: str = DEFAULT_GROUP) -> Database:
        """Register a database; its password is stored sealed. Raises `Conflict` if either is known already."""
        with audited(self._app, "database.add", name, FACE, group=group):
            return self._app.databases.add(name, url, group)

    def update(self, name: str, url: str | None = None, *, group: str | None = None) -> Database:
        """Store another URL or worker group; what is not given stays."""
        if url is None and group is None:
            raise InvalidInput("there is nothing to store anew", hint="Give a url, a group, or both.")
        with audited(self._app, "database.change", name, FACE, url_changed=url is not None, group=group):
            return self._app.databases.update(name, url, group)

    def list(self) -> Sequence[Database]:
        """All registered databases by name."""
        return self._app.databases.list()

    def get(self, name: str) -> Database:
        """The registered database of that name. Raises `NotFound`."""
        return self._app.catalog.get_database(name)

    def check(self, name: str | None = None) -> DatabaseCheck:
        """Connect, and see what a backup would need."""
        return self._app.databases.check(name)

    def remove(self, name: str) -> None:
        """Forget a database. Its backups stay. Raises `Conflict` while jobs that need it have not ended."""
        with audited(self._app, "database.remove", name, FACE):
            self._app.databases.remove(name)
