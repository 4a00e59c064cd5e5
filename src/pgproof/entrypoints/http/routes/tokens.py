"""`/api/admin/tokens`: API tokens, for scripts."""

from typing import Annotated

from fastapi import APIRouter, Query

from pgproof.entrypoints.http.dependencies import TokenManager, UserManager
from pgproof.entrypoints.http.fields import PathId
from pgproof.entrypoints.http.responses import problems
from pgproof.entrypoints.http.schemas.access import (
    CreatedToken,
    CreateToken,
    TokenList,
    TokenQuery,
    TokenRow,
    token_row,
)

router = APIRouter(prefix="/api/admin/tokens", tags=["access"])


@router.get("", responses=problems(404))
def list_tokens(context: TokenManager, query: Annotated[TokenQuery, Query()]) -> TokenList:
    """List API tokens, the revoked ones too, the newest first."""
    return TokenList(tokens=[token_row(token) for token in context.app.api_tokens.list(query.user)])


@router.post("", status_code=201, responses=problems(404, 409, 413))
def create_token(context: UserManager, body: CreateToken) -> CreatedToken:
    """Make an API token. Its text is in this answer and nowhere else."""
    owner = body.user or context.principal.name
    with context.audited("token.create", body.name, user=owner, role=body.role, expires_at=body.expires_at) as notes:
        made, text = context.app.api_tokens.create(owner, body.name, body.role, body.expires_at)
        notes["number"] = made.id
    return CreatedToken(**token_row(made).model_dump(), token=text.reveal())


@router.delete("/{token_id}", responses=problems(404))
def revoke_token(context: UserManager, token_id: PathId) -> TokenRow:
    """Void an API token at once and for ever."""
    with context.audited("token.revoke", token_id):
        return token_row(context.app.api_tokens.revoke(token_id))
