"""From a user of the host application to a principal: whoever its dependency lets in may do what the role says."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from fastapi import APIRouter, Depends, Request, params

from pgproof.domain.access import Principal, Role
from pgproof.domain.errors import ConfigurationError, NotAuthenticated
from pgproof.entrypoints.http.context import Context, put_context
from pgproof.entrypoints.router.naming import UserName, actor_name
from pgproof.entrypoints.router.route import base_of, number_of
from pgproof.entrypoints.router.service import Service

UserRole = Callable[[Any], Role | str]

ROUTE_NAMES = "pgproof_"

# Where FastAPI keeps what dependencies with `yield` have still to do.
_STACKS = ("fastapi_function_astack", "fastapi_inner_astack")


def everybody_is_admin(_user: Any) -> Role:
    """The host's dependency has decided already."""
    return Role.ADMIN


def check_host_parts(dependency: Any, functions: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` for what could only fail later, with each request."""
    if not isinstance(dependency, params.Depends) and not callable(dependency):
        raise ConfigurationError(
            f"the dependency for the current admin is a {type(dependency).__name__}, which cannot be called",
            hint="Give the function that your own routes have in Depends(...).",
        )
    for name, function in functions.items():
        if not callable(function) or inspect.iscoroutinefunction(function):
            raise ConfigurationError(
                f"{name} of the backup router is no plain function",
                hint="It gets the user and returns at once; what has to be awaited belongs into the dependency.",
            )


def make_admission(
    dependency: Any, *, service: Service, router: APIRouter, user_name: UserName, role: UserRole
) -> Sequence[params.Depends]:
    """The dependencies of our routes on the host's one, given as a callable or in `Depends` or `Security`."""
    current = dependency if isinstance(dependency, params.Depends) else Depends(dependency)

    # Not async: it may wait for the application to open, and a user's name may come out of a database.
    def admit(request: Request, user: Any = current) -> None:
        caller = _principal(user, user_name, role)
        base = base_of(request)

        def locate(name: str, **parameters: object) -> str:
            return base + router.url_path_for(ROUTE_NAMES + name, **parameters)

        opened = service.opened()
        put_context(
            request.scope,
            Context(
                app=opened.app,
                request_id=number_of(request),
                address=request.client.host if request.client else None,
                caller=caller,
                waiters=opened.waiters,
                locate=locate,
            ),
        )

    return Depends(admit), Depends(_release)


async def _release(request: Request) -> None:
    """Let the host's dependency end when it has said who calls.

    Its database session would stay open for as long as somebody waits or downloads, and a restore of the very database
    that it is connected to would end it.
    """
    for name in _STACKS:
        stack = request.scope.get(name)
        if isinstance(stack, AsyncExitStack):
            await stack.aclose()


def _principal(user: Any, user_name: UserName, role: UserRole) -> Principal:
    # A dependency for "whoever calls, if anybody" and one that only answers yes or no must not let everybody in.
    if user is None or user is False:
        raise NotAuthenticated(
            "the application's dependency named no user",
            hint="The dependency that backup_router gets must return the user, and raise for everybody else.",
        )
    wanted = role(user)
    try:
        known = Role(wanted)
    except ValueError:
        raise ConfigurationError(
            f"the application gave a user the role {str(wanted)[:100]!r}",
            hint="The function role of backup_router must return viewer, operator or admin.",
        ) from None
    return Principal(actor_name(user, user_name), known)
