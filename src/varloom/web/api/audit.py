"""The audit log: who did what, when and from where."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from varloom.services.audit import Action, AuditFilter
from varloom.services.paging import PAGE_LIMIT
from varloom.services.views import UtcTime, View
from varloom.web.dependencies import CurrentAccount, CurrentServices

router = APIRouter(tags=["audit"])

LARGEST = 2**63 - 1


class AuditEntryView(View):
    """One action. Entries are never changed or taken away."""

    id: int
    at: UtcTime
    action: str = Field(description="such as `sample.exported`")
    account_id: UUID | None = Field(description="who asked; null: nobody was logged in")
    account_name: str | None = Field(description="what the account was called then")
    proof: str | None = Field(description="`session`, `token` or `proxy`")
    address: str | None
    user_agent: str | None
    request_id: str | None = Field(description="as in the server's log and in `X-Request-ID`")
    subject_kind: str | None = Field(description="what it is about, such as `sample`")
    subject_id: str | None
    status: int | None = Field(description="of the answer; null while it is under way, or if it was cut off")
    details: dict[str, Any]


class AuditEntryList(View):
    """Entries, newest first."""

    entries: list[AuditEntryView]
    next: int | None = Field(description="give it as `before` for the next page; null on the last")


@router.get("/audit")
async def list_audit_entries(
    *,
    services: CurrentServices,
    account: CurrentAccount,
    since: Annotated[AwareDatetime | None, Query(description="from this moment on")] = None,
    until: Annotated[AwareDatetime | None, Query(description="before this moment")] = None,
    action: Annotated[Action | None, Query()] = None,
    subject: Annotated[str | None, Query(max_length=400, description="the id of what it is about")] = None,
    name: Annotated[str | None, Query(max_length=200, description="of an account")] = None,
    before: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 100,
) -> AuditEntryList:
    """What was done: for owners of the server by everybody, for others by themselves."""
    wanted = AuditFilter(since=since, until=until, action=action, subject=subject, account=name)
    whose = None if account.role == "owner" else account.id
    found = await services.audit.entries(whose, wanted, before=before, limit=limit)
    entries = [AuditEntryView.model_validate(one, from_attributes=True) for one in found]
    return AuditEntryList(entries=entries, next=found[-1].id if len(found) == limit else None)
