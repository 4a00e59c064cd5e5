"""The part of the catalog that knows users and rights."""

from pgproof.adapters.catalog.api_token_records import ApiTokenRecords
from pgproof.adapters.catalog.audit_records import AuditRecords
from pgproof.adapters.catalog.failure_records import FailureRecords
from pgproof.adapters.catalog.session_records import SessionRecords
from pgproof.adapters.catalog.user_records import UserRecords


class AccessRecords(UserRecords, SessionRecords, ApiTokenRecords, FailureRecords, AuditRecords):
    """See the port `AccessRecords`."""
