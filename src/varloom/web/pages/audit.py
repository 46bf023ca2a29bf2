"""The audit log as a page: newest first, by action and by account."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from varloom.services.audit import Action, AuditEntry, AuditFilter
from varloom.web.api.audit import LARGEST
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.account import browser_of
from varloom.web.pages.formatting import moment
from varloom.web.pages.rendering import page

router = APIRouter(include_in_schema=False)

PAGE = 50


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An entry, as the page shows it. `outcome` is "" for what was done."""

    at_iso: str
    at: str
    who: str
    action: str
    about: str
    details: str
    outcome: str
    origin: str
    agent: str


@router.get("/audit")
async def audit_page(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    action: Annotated[str, Query(max_length=100)] = "",
    name: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
) -> HTMLResponse:
    """What was done: for owners of the server by everybody, for others by themselves."""
    whose = None if account.role == "owner" else account.id
    wanted = AuditFilter(action=action or None, account=name or None)
    found = await services.audit.entries(whose, wanted, before=before, limit=PAGE)
    return await page(
        request,
        "audit.html",
        section="audit",
        rows=[_row(one, is_this=one.request_id == request.state.request_id) for one in found],
        actions=sorted(Action),
        action=action,
        name=name,
        next=found[-1].id if len(found) == PAGE else None,
        is_first=before is None,
    )


def _row(found: AuditEntry, *, is_this: bool) -> EntryRow:
    """`is_this`: the entry of the very request that is answered, whose outcome cannot be there yet."""
    details = {name: value for name, value in found.details.items() if name not in {"account_id", "account_name"}}
    by = f"{browser_of(found.user_agent or '')} at {found.address or 'an unknown address'}"
    return EntryRow(
        at_iso=found.at.isoformat(),
        at=moment(found.at),
        who=found.account_name or found.details.get("account_name") or "nobody logged in",
        action=found.action,
        about=f"{found.subject_kind} {found.subject_id}" if found.subject_kind else "",
        details=", ".join(f"{name}: {_told(value)}" for name, value in details.items()),
        outcome="" if is_this else _outcome(found.status),
        origin=f"{by}, by {found.proof}" if found.proof else by,
        agent=found.user_agent or "",
    )


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _outcome(status: int | None) -> str:
    if status is None:
        return "no outcome"
    if status < 400:
        return ""
    return f"refused ({status})" if status < 500 else f"failed ({status})"
