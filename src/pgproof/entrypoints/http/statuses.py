"""From errors to HTTP statuses: one table for our errors, one for the framework's."""

from collections.abc import Iterator, Mapping

from pgproof.domain.errors import (
    AccessDenied,
    Cancelled,
    CatalogError,
    CatalogUnreachable,
    ConfigurationError,
    Conflict,
    IntegrityError,
    InvalidInput,
    JobError,
    NotAuthenticated,
    NotFound,
    PgproofError,
    PostgresError,
    StorageError,
    TimedOut,
    TooManyAttempts,
)

UNEXPECTED = 500

# The nearest class in an error's ancestry decides.
STATUSES: Mapping[type[PgproofError], int] = {
    PgproofError: UNEXPECTED,
    InvalidInput: 422,
    NotFound: 404,
    Conflict: 409,
    AccessDenied: 403,
    NotAuthenticated: 401,
    TooManyAttempts: 429,
    ConfigurationError: 503,
    PostgresError: 502,
    CatalogError: 502,
    CatalogUnreachable: 503,
    StorageError: 502,
    IntegrityError: 502,
    JobError: 502,
    TimedOut: 504,
    Cancelled: 409,
}

# What the framework says by itself, in our words.
FRAMEWORK_CODES: Mapping[int, str] = {
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_input",
}


def status_of(error: type[PgproofError]) -> int:
    """The HTTP status for a kind of error."""
    return next(STATUSES[cls] for cls in error.__mro__ if cls in STATUSES)


def status_of_code(code: str | None) -> int:
    """The HTTP status for the code that a failed job has recorded."""
    return _BY_CODE.get(code or "", UNEXPECTED)


def _family(root: type[PgproofError]) -> Iterator[type[PgproofError]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


_BY_CODE: Mapping[str, int] = {error.code: status_of(error) for error in _family(PgproofError)}
