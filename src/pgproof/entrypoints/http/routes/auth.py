"""`/api/auth`: signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Form, Response

from pgproof.entrypoints.http.dependencies import Anybody, Looker
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.access import Me, RefreshToken, SignIn, Tokens, me, tokens

router = APIRouter(prefix="/api/auth", tags=["access"])

# These need no token: who calls them has none yet, or shows another one in the body.
PUBLIC = frozenset({("POST", "/api/auth/token"), ("POST", "/api/auth/refresh"), ("POST", "/api/auth/sign-out")})


@router.post("/token", responses=problems(413, 429))
def sign_in(context: Anybody, form: Annotated[SignIn, Form()]) -> Tokens:
    """Sign in with name and password, as OAuth2's password grant has it (a form, not JSON)."""
    return tokens(
        context.app.access.sign_in(form.username, form.password, address=context.address, request_id=context.request_id)
    )


@router.post("/refresh", responses=problems(413))
def refresh(context: Anybody, body: RefreshToken) -> Tokens:
    """Exchange a refresh token for new tokens. It can be used once: a second use ends the session."""
    return tokens(
        context.app.access.refresh(body.refresh_token, address=context.address, request_id=context.request_id)
    )


@router.post("/sign-out", status_code=204, responses=problems(413))
def sign_out(context: Anybody, body: RefreshToken) -> Response:
    """End a session. One that has ended already, or never was, is no error."""
    context.app.access.sign_out(body.refresh_token, address=context.address, request_id=context.request_id)
    return Response(status_code=204)


@router.get("/me")
def get_me(context: Looker) -> Me:
    """Who calls, and what the caller may do."""
    return me(context.principal)
