"""`/api/admin/audit`: who did what. There is no way to change or remove an entry."""

from typing import Annotated

from fastapi import APIRouter, Query

from pgproof.entrypoints.http.dependencies import Auditor
from pgproof.entrypoints.http.schemas.access import AuditList, AuditQuery, audit_row
from pgproof.services.ports.access import AuditFilter

router = APIRouter(prefix="/api/admin/audit", tags=["access"])


@router.get("")
def list_audit(context: Auditor, query: Annotated[AuditQuery, Query()]) -> AuditList:
    """List the audit trail, the newest entries first."""
    # One more than the trail lists at once cannot be asked for, so the last page may be followed by an empty one.
    found = context.app.audit.list(AuditFilter(**query.model_dump()))
    more = found[-1].id if len(found) == query.limit else None
    return AuditList(entries=[audit_row(entry) for entry in found], next_cursor=more)
