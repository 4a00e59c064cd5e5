"""What a request knows beside what it says: the application, who calls, from where, under which number."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import Scope

from pgproof.bootstrap import App
from pgproof.domain.access import Principal
from pgproof.domain.errors import NotAuthenticated, PgproofError
from pgproof.entrypoints.http.waiting import Waiters

_KEY = "pgproof"
_UNEXPECTED = "unexpected"


@dataclass(frozen=True)
class Context:
    """Of one request. `address` is the caller's, as the server or a trusted proxy tells it.

    `locate` finds the path of a route by name, where the whole application is not ours to be asked.
    """

    app: App
    request_id: str
    address: str | None = None
    caller: Principal | None = None
    waiters: Waiters = field(default_factory=Waiters)
    locate: Callable[..., str] | None = None

    @property
    def principal(self) -> Principal:
        """Who calls. Raises `NotAuthenticated` if nobody knows."""
        if self.caller is None:
            raise NotAuthenticated
        return self.caller

    @property
    def actor(self) -> str:
        """The caller's name for records."""
        return self.principal.actor

    def audit(self, action: str, subject: object = "", *, outcome: str = "done", **details: Any) -> None:
        """Write to the audit trail that the caller did something."""
        self.app.audit.record(
            self.actor,
            action,
            object=str(subject),
            outcome=outcome,
            address=self.address,
            request_id=self.request_id,
            details=details,
        )

    @contextmanager
    def audited(self, action: str, subject: object = "", **details: Any) -> Iterator[dict[str, Any]]:
        """Write to the audit trail how a `with` block ends; what is put into the dict becomes part of it."""
        notes: dict[str, Any] = dict(details)
        try:
            yield notes
        except Exception as error:
            code = error.code if isinstance(error, PgproofError) else _UNEXPECTED
            self.audit(action, subject, outcome=code, **notes)
            raise
        self.audit(action, notes.pop("subject", subject), **notes)


def put_context(scope: Scope, context: Context) -> None:
    """Let everything further in see it."""
    scope.setdefault("state", {})[_KEY] = context


def context_of(connection: HTTPConnection | Scope) -> Context | None:
    """What `put_context` has put there."""
    scope: Mapping[str, Any] = connection.scope if isinstance(connection, HTTPConnection) else connection
    found = scope.get("state", {}).get(_KEY)
    return found if isinstance(found, Context) else None
