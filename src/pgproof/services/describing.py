"""Errors as records keep them."""

from typing import Any

from pgproof.domain.errors import PgproofError


def described(error: BaseException) -> dict[str, Any]:
    """An error as the catalog's columns hold it."""
    if isinstance(error, PgproofError):
        details = {"code": error.code, "hint": error.hint, **error.facts}
        return {"error_message": error.detail, "error_details": details}
    message = "interrupted" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    return {"error_message": message, "error_details": {"code": "unexpected"}}
