"""Where the account is told of jobs that have ended: its e-mail address, its webhooks, and what was sent there."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from varloom.errors import VarloomError, counted
from varloom.services.accounts import Account
from varloom.services.notices.views import NoticeChannelView, NoticeDeliveryView
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.finding import Finding, refusal_beside
from varloom.web.pages.formatting import moment
from varloom.web.pages.rendering import page, render

router = APIRouter(include_in_schema=False)

SHOWN_DELIVERIES = 10
LONGEST = 4096

Ticked = Annotated[str, Form(max_length=10)]
Text = Annotated[str, Form(max_length=LONGEST)]


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """Something that was sent, or is to be."""

    id: str
    what: str
    state: str
    tone: str
    icon: str
    told: str
    at_iso: str
    at: str
    is_next: bool
    can_go_again: bool


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """An address or webhook."""

    id: str
    name: str
    target: str
    completed: bool
    failed: bool
    confirmed: bool
    disabled_because: str
    failing_iso: str
    failing: str
    deliveries: list[DeliveryRow]


@router.get("/account/notices")
async def notices_page(
    request: Request, services: CurrentServices, account: CurrentAccount, confirm: str = ""
) -> HTMLResponse:
    """Address, webhooks, and what was sent; with the token of a mail's link, a button that confirms."""
    return await _notices(request, services, account, confirm=confirm[:200])


@router.post("/account/notices/email")
async def set_email(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    address: Text = "",
    completed: Ticked = "",
    failed: Ticked = "",
) -> HTMLResponse:
    """Save the address; the page as it is then, or why it was not saved, which is shown in the form."""
    try:
        saved = await services.notices.set_email(account.id, address, completed=bool(completed), failed=bool(failed))
    except VarloomError as error:
        return _refused("#email-refused", error)
    told = "Saved." if saved.confirmed else f"A mail is on its way to {saved.target}. Open the link in it to confirm."
    return await _notices(request, services, account, told=told)


@router.post("/account/notices/confirm")
async def confirm_email(
    request: Request, services: CurrentServices, account: CurrentAccount, token: Text = ""
) -> HTMLResponse:
    """Confirm the address by the token of its link."""
    try:
        confirmed = await services.notices.confirm(account.id, token)
    except VarloomError as error:
        return _refused("#notices-refused", error)
    return await _notices(request, services, account, told=f"{confirmed.target} is confirmed.")


@router.post("/account/notices/webhooks")
async def add_webhook(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    name: Text = "",
    url: Text = "",
    completed: Ticked = "",
    failed: Ticked = "",
) -> HTMLResponse:
    """Add a webhook; the page with its secret, or why it was not added, which is shown in the form."""
    try:
        made = await services.notices.add_webhook(account.id, name, url, completed=bool(completed), failed=bool(failed))
    except VarloomError as error:
        return _refused("#webhook-refused", error)
    return await _notices(request, services, account, secret=(made.channel.name, made.secret))


@router.post("/account/notices/{channel_id}")
async def change_channel(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    channel_id: UUID,
    completed: Ticked = "",
    failed: Ticked = "",
    enabled: Ticked = "",
) -> HTMLResponse:
    """Switch an address or webhook on or off; without a word of that, choose what it is told."""
    try:
        if enabled:
            await services.notices.change(account.id, channel_id, enabled=enabled == "true")
        else:
            await services.notices.change(account.id, channel_id, completed=bool(completed), failed=bool(failed))
    except VarloomError as error:
        if error.kind.status == 404:
            raise
        return _refused("#notices-refused", error)
    return await _notices(request, services, account, told="Saved.")


@router.post("/account/notices/{channel_id}/secret")
async def replace_secret(
    request: Request, services: CurrentServices, account: CurrentAccount, channel_id: UUID
) -> HTMLResponse:
    """Give a webhook a new secret; the page with it."""
    made = await services.notices.replace_secret(account.id, channel_id)
    return await _notices(request, services, account, secret=(made.channel.name, made.secret))


@router.post("/account/notices/{channel_id}/test")
async def send_test(services: CurrentServices, account: CurrentAccount, channel_id: UUID) -> HTMLResponse:
    """Send a test at once; how it went."""
    try:
        found = await services.notices.test(account.id, channel_id)
    except VarloomError as error:
        if error.kind.status == 404:
            raise
        return HTMLResponse(render("finding.html", found=_finding(error)))
    if found.state == "sent":
        told = Finding(ok=True, title="Sent", text=f"The other side answered {found.status}.", steps=())
    else:
        told = Finding(ok=False, title="Not sent", text=found.problem or "", steps=())
    return HTMLResponse(render("finding.html", found=told))


@router.post("/account/notices/{channel_id}/deliveries/{delivery_id}/again")
async def send_again(
    request: Request, services: CurrentServices, account: CurrentAccount, channel_id: UUID, delivery_id: UUID
) -> HTMLResponse:
    """Send something once more."""
    try:
        await services.notices.again(account.id, channel_id, delivery_id)
    except VarloomError as error:
        if error.kind.status == 404:
            raise
        return _refused("#notices-refused", error)
    return await _notices(request, services, account, told="It is sent again.")


@router.delete("/account/notices/{channel_id}")
async def remove_channel(services: CurrentServices, account: CurrentAccount, channel_id: UUID) -> Response:
    """Forget an address or webhook; the list takes its row away."""
    await services.notices.remove(account.id, channel_id)
    return Response()


async def _notices(
    request: Request,
    services: CurrentServices,
    account: Account,
    *,
    told: str = "",
    secret: tuple[str, str] | None = None,
    confirm: str = "",
) -> HTMLResponse:
    found = await services.notices.all(account.id)
    rows: dict[str, list[ChannelRow]] = {"email": [], "webhook": []}
    for channel in found.channels:
        sent = await services.notices.deliveries(account.id, channel.id, SHOWN_DELIVERIES)
        rows[channel.kind].append(_channel_row(channel, sent.deliveries))
    user = await services.users.get(account.id)
    return await page(
        request,
        "notices.html",
        section="account",
        told=told,
        secret=secret,
        confirm=confirm,
        mail_available=found.mail_available,
        names_told=found.names_told,
        email=next(iter(rows["email"]), None),
        suggested=user.email or "",
        webhooks=rows["webhook"],
    )


def _channel_row(channel: NoticeChannelView, sent: list[NoticeDeliveryView]) -> ChannelRow:
    failing = channel.failing_since
    return ChannelRow(
        id=str(channel.id),
        name=channel.name,
        target=channel.target,
        completed=channel.completed,
        failed=channel.failed,
        confirmed=channel.confirmed,
        disabled_because=channel.disabled_because or "",
        failing_iso=failing.isoformat() if failing else "",
        failing=moment(failing) if failing else "",
        deliveries=[_delivery_row(one) for one in sent],
    )


_STATES = {
    "sent": ("Sent", "tone-good", "check"),
    "given_up": ("Given up", "tone-bad", "alert"),
    "waiting": ("Waits", "", "clock"),
}


def _delivery_row(found: NoticeDeliveryView) -> DeliveryRow:
    state, tone, icon = _STATES[found.state]
    at = found.ended_at or found.due_at or found.created_at
    told = found.problem or (f"answered {found.status}" if found.status else "")
    if found.state == "waiting" and found.attempts:
        told = f"{told} Tried {counted(found.attempts, 'time')}."
    return DeliveryRow(
        id=str(found.id),
        what="A test" if found.is_test else counted(found.jobs, "job"),
        state=state,
        tone=tone,
        icon=icon,
        told=told.strip(),
        at_iso=at.isoformat(),
        at=moment(at),
        is_next=found.state == "waiting",
        can_go_again=found.state != "waiting" and not found.is_test,
    )


def _finding(error: VarloomError) -> Finding:
    steps = error.resolution or error.kind.resolution
    return Finding(ok=False, title=error.kind.title, text=error.message, steps=steps)


def _refused(place: str, error: VarloomError) -> HTMLResponse:
    found = _finding(error)
    return refusal_beside(place, found.title, found.text, found.steps)
