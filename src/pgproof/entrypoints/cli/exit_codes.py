"""From errors to exit statuses: what a script can tell apart."""

from collections.abc import Mapping

from pgproof.domain.errors import (
    AccessDenied,
    CatalogError,
    ConfigurationError,
    Conflict,
    IntegrityError,
    InvalidInput,
    JobError,
    NotFound,
    PgproofError,
    PostgresError,
    StorageError,
)

DONE = 0
UNEXPECTED = 1
BAD_USAGE = 2

# The nearest class in an error's ancestry decides.
EXIT_CODES: Mapping[type[PgproofError], int] = {
    PgproofError: UNEXPECTED,
    InvalidInput: BAD_USAGE,
    ConfigurationError: 3,
    NotFound: 4,
    Conflict: 5,
    AccessDenied: 6,
    PostgresError: 10,
    CatalogError: 10,
    StorageError: 11,
    IntegrityError: 12,
    JobError: 13,
}


def exit_code(error: PgproofError) -> int:
    """The exit status for an error."""
    return next(EXIT_CODES[cls] for cls in type(error).__mro__ if cls in EXIT_CODES)
