"""What a route asks for: a permission, and with it the context of the request."""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from pgproof.domain.access import Permission
from pgproof.entrypoints.http.context import Context, context_of


class Requires:
    """A dependency that lets only those in who may. A route has exactly one.

    Without `query` the route has no parameters there, and any that come are an error.
    """

    def __init__(self, permission: Permission, *, query: bool = False) -> None:
        self.permission = permission
        self._query = query

    # Not in a thread of its own: it looks at what is in memory.
    async def __call__(self, request: Request) -> Context:
        """The context of a request whose caller may."""
        context = _context(request)
        context.app.access.check(context.principal, self.permission)
        if not self._query:
            _refuse_query(request)
        return context


class Public:
    """A dependency that lets everybody in, for the few routes where that is right."""

    async def __call__(self, request: Request) -> Context:
        """The context of any request."""
        _refuse_query(request)
        return _context(request)


def _refuse_query(request: Request) -> None:
    if request.query_params:
        raise RequestValidationError(
            [
                {"loc": ("query", name), "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}
                for name in request.query_params
            ]
        )


def _context(request: Request) -> Context:
    found = context_of(request)
    if found is None:
        raise RuntimeError("no context was put into the request")
    return found


def requires(permission: Permission, *, query: bool = False) -> Any:
    """For the annotation of a route's parameter."""
    return Depends(Requires(permission, query=query))


Anybody = Annotated[Context, Depends(Public())]
Looker = Annotated[Context, requires(Permission.LOOK)]
Searcher = Annotated[Context, requires(Permission.LOOK, query=True)]
Operator = Annotated[Context, requires(Permission.BACK_UP)]
Verifier = Annotated[Context, requires(Permission.VERIFY)]
Tester = Annotated[Context, requires(Permission.TEST)]
Holder = Annotated[Context, requires(Permission.HOLD)]
Canceller = Annotated[Context, requires(Permission.CANCEL)]
Restorer = Annotated[Context, requires(Permission.RESTORE)]
Deleter = Annotated[Context, requires(Permission.DELETE)]
Cleaner = Annotated[Context, requires(Permission.DELETE, query=True)]
Downloader = Annotated[Context, requires(Permission.DOWNLOAD)]
Configurer = Annotated[Context, requires(Permission.CONFIGURE)]
RuleRemover = Annotated[Context, requires(Permission.CONFIGURE, query=True)]
UserManager = Annotated[Context, requires(Permission.MANAGE_USERS)]
TokenManager = Annotated[Context, requires(Permission.MANAGE_USERS, query=True)]
Auditor = Annotated[Context, requires(Permission.AUDIT, query=True)]
