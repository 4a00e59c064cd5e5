"""Every error that pgproof raises on purpose.

::

    PgproofError
    ├── InvalidInput                 a value that the caller gave cannot be used
    ├── NotFound                     no such backup, restore or database
    ├── Conflict                     right request, wrong state: running, held, in use
    ├── AccessDenied                 the caller may not do this
    │   ├── NotAuthenticated         nobody knows who is calling; one message for every reason
    │   ├── NotAllowed               the caller is known, and the role is too low
    │   └── TooManyAttempts          too many failed attempts to sign in; see `retry_after`
    ├── ConfigurationError           a setting is missing or wrong
    │   ├── ClientMissing            no suitable pg_dump or pg_restore was found
    │   └── NotificationFailed       a message did not reach whom it was for
    ├── PostgresError                a PostgreSQL server or tool said no
    │   ├── ServerUnreachable        no answer, or not from a PostgreSQL server
    │   ├── AuthenticationFailed     wrong password, unknown role, pg_hba.conf
    │   ├── DatabaseMissing          the server has no database of that name
    │   ├── PrivilegeMissing         the role lacks a right that the operation needs
    │   ├── VersionUnsupported       server or tools too old, too new, or unequal
    │   ├── DumpFailed               pg_dump or pg_dumpall ended with an error
    │   ├── RestoreFailed            pg_restore ended with an error
    │   └── SwapFailed               the two renames did not commit; the live database is as it was
    ├── CatalogError                 pgproof's own catalog
    │   └── CatalogUnreachable
    ├── StorageError
    │   ├── StorageUnreachable
    │   ├── ObjectMissing
    │   ├── StorageDenied
    │   └── StorageFull
    ├── IntegrityError               what is stored is not what was stored
    │   ├── ChecksumMismatch
    │   ├── ManifestInvalid          missing, damaged, or from a newer pgproof
    │   ├── ArchiveUnreadable        the table of contents does not read, or lacks a table
    │   └── FingerprintMismatch      what came back differs from what was there
    └── JobError
        ├── TimedOut
        ├── Cancelled
        └── WorkerLost               the process that did the work died

A message says what happened, in lower case; the hint says what to do about it.
HTTP statuses and exit codes are tables at the edges, not properties of the errors.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

# Among the facts of `ServerUnreachable`: there is a server, but it takes no sessions now.
ANSWERED = "answered"


class PgproofError(Exception):
    """The root of the tree.

    ``code`` names the kind for machines, ``retryable`` says whether the same request may succeed
    later without anybody changing anything, ``facts`` holds details for logs and ``--json``.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, hint: str = "", facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.facts: dict[str, Any] = dict(facts or {})


class InvalidInput(PgproofError):
    """A value that the caller gave cannot be used."""

    code = "invalid_input"


class NotFound(PgproofError):
    """No such backup, restore or database."""

    code = "not_found"


class Conflict(PgproofError):
    """The request is right, the state is not."""

    code = "conflict"


class AccessDenied(PgproofError):
    """The caller may not do this."""

    code = "access_denied"


class NotAuthenticated(AccessDenied):
    """Nobody knows who is calling. Without a `detail` of its own it is the same for every reason."""

    code = "not_authenticated"

    def __init__(
        self,
        detail: str = "not signed in, or what was sent is wrong or no longer valid",
        *,
        hint: str = "Sign in with name and password, or send an API token that is valid.",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail, hint=hint, facts=facts)


class NotAllowed(AccessDenied):
    """The caller is known, and the role is too low."""

    code = "not_allowed"


class TooManyAttempts(AccessDenied):
    """Too many failed attempts to sign in."""

    code = "too_many_attempts"
    retryable = True

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next attempt is possible, at least 1."""
        return max(1, int(self.facts.get("retry_after", 1)))


class ConfigurationError(PgproofError):
    """A setting is missing or wrong."""

    code = "configuration"


class ClientMissing(ConfigurationError):
    """No suitable pg_dump or pg_restore was found."""

    code = "client_missing"


class NotificationFailed(ConfigurationError):
    """A message, or a heartbeat, did not reach whom it was for."""

    code = "notification_failed"
    retryable = True


class PostgresError(PgproofError):
    """A PostgreSQL server or tool said no."""

    code = "postgres"


class ServerUnreachable(PostgresError):
    """No answer, or not from a PostgreSQL server."""

    code = "server_unreachable"
    retryable = True


class AuthenticationFailed(PostgresError):
    """Wrong password, unknown role, or a rule of pg_hba.conf."""

    code = "authentication_failed"


class DatabaseMissing(PostgresError):
    """The server has no database of that name."""

    code = "database_missing"


class PrivilegeMissing(PostgresError):
    """The role lacks a right that the operation needs."""

    code = "privilege_missing"


class VersionUnsupported(PostgresError):
    """Server or tools are too old, too new, or do not fit each other."""

    code = "version_unsupported"


class DumpFailed(PostgresError):
    """pg_dump or pg_dumpall ended with an error."""

    code = "dump_failed"
    retryable = True


class RestoreFailed(PostgresError):
    """pg_restore ended with an error."""

    code = "restore_failed"


class SwapFailed(PostgresError):
    """The two renames did not commit; the live database is as it was."""

    code = "swap_failed"
    retryable = True


class CatalogError(PgproofError):
    """pgproof's own catalog."""

    code = "catalog"


class CatalogUnreachable(CatalogError):
    """The catalog's server does not answer."""

    code = "catalog_unreachable"
    retryable = True


class StorageError(PgproofError):
    """The place where archives live."""

    code = "storage"


class StorageUnreachable(StorageError):
    """The storage does not answer."""

    code = "storage_unreachable"
    retryable = True


class ObjectMissing(StorageError):
    """The storage holds no such object."""

    code = "object_missing"


class StorageDenied(StorageError):
    """The storage does not let us."""

    code = "storage_denied"


class StorageFull(StorageError):
    """No space left."""

    code = "storage_full"


class IntegrityError(PgproofError):
    """What is stored is not what was stored."""

    code = "integrity"


class ChecksumMismatch(IntegrityError):
    """Stored bytes do not have the recorded length or SHA-256."""

    code = "checksum_mismatch"


class ManifestInvalid(IntegrityError):
    """The manifest is missing, damaged, or from a newer pgproof."""

    code = "manifest_invalid"


class ArchiveUnreadable(IntegrityError):
    """The archive's table of contents does not read, or lacks what it must hold."""

    code = "archive_unreadable"


class FingerprintMismatch(IntegrityError):
    """What came back differs from what was there."""

    code = "fingerprint_mismatch"


class JobError(PgproofError):
    """The job itself ended early."""

    code = "job"


class TimedOut(JobError):
    """The job took longer than it may."""

    code = "timed_out"
    retryable = True


class Cancelled(JobError):
    """Somebody asked for the job to end."""

    code = "cancelled"


class WorkerLost(JobError):
    """The process that did the work died."""

    code = "worker_lost"
    retryable = True
