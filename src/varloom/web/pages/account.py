"""The account's own page: its password, and the browsers that are logged in."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from varloom.errors import VarloomError
from varloom.services.accounts import ApiToken, Scope
from varloom.services.audit import note
from varloom.services.openid import ConnectedIdentity
from varloom.services.password_rules import SHORTEST
from varloom.services.sessions import Session
from varloom.web.api.account import session_of
from varloom.web.dependencies import CurrentAccount, CurrentIdentity, CurrentServices
from varloom.web.pages.finding import refusal_beside
from varloom.web.pages.formatting import moment
from varloom.web.pages.rendering import page

router = APIRouter(include_in_schema=False)

PASSWORD_LIMIT = 4096
SCOPES: dict[Scope, str] = {"read": "looks", "submit": "looks, loads files, acts on jobs", "full": "does all you may"}

_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone|iPad", "iOS"),
    ("Mac OS X|Macintosh", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux|X11", "Linux"),
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A browser that is logged in."""

    id: str
    browser: str
    agent: str
    address: str
    opened_by: str
    created_iso: str
    created: str
    seen_iso: str
    seen: str
    current: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    """An API token that can be used."""

    id: str
    label: str
    scope: str
    created_iso: str
    created: str
    used_iso: str
    used: str
    expires_iso: str
    expires: str


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """Who the account is at the provider."""

    id: str
    label: str
    issuer: str
    created_iso: str
    created: str
    used_iso: str
    used: str


@router.get("/account")
async def account_page(request: Request, services: CurrentServices, identity: CurrentIdentity) -> HTMLResponse:
    """Password and sessions."""
    return await _account(request, services, identity)


@router.post("/account/password")
async def set_password(
    *,
    request: Request,
    services: CurrentServices,
    identity: CurrentIdentity,
    password: Annotated[str, Form(max_length=PASSWORD_LIMIT)] = "",
    again: Annotated[str, Form(max_length=PASSWORD_LIMIT)] = "",
    present: Annotated[str, Form(max_length=PASSWORD_LIMIT)] = "",
) -> HTMLResponse:
    """Set the password; the page as it is then, or why it was not set, which is shown in the form."""
    if password != again:
        return refusal_beside("#password-refused", "The two are not the same", "Type the new password twice.")
    try:
        await services.passwords.set_own(identity.account.id, password, present=present, session=session_of(identity))
    except VarloomError as error:
        return refusal_beside("#password-refused", error.kind.title, error.message, error.kind.resolution)
    return await _account(request, services, identity, told="The password is set. Other browsers were logged out.")


@router.post("/account/sessions/end-others")
async def end_other_sessions(request: Request, services: CurrentServices, identity: CurrentIdentity) -> HTMLResponse:
    """Log out everywhere else."""
    ended = await services.sessions.end_others(identity.account.id, session_of(identity))
    told = "1 other browser was logged out." if ended == 1 else f"{ended} other browsers were logged out."
    return await _account(request, services, identity, told=told)


@router.delete("/account/sessions/{session_id}")
async def end_session(services: CurrentServices, account: CurrentAccount, session_id: UUID) -> Response:
    """Log one browser out; the list takes its row away."""
    await services.sessions.end(account.id, session_id)
    return Response()


@router.post("/account/tokens")
async def make_token(
    *,
    request: Request,
    services: CurrentServices,
    identity: CurrentIdentity,
    label: Annotated[str, Form(max_length=200)] = "",
    scope: Annotated[Scope, Form()] = "read",
    days: Annotated[Literal["", "7", "30", "90", "365"], Form()] = "",
) -> HTMLResponse:
    """Make an API token; the page with it, or why there is none, which is shown in the form."""
    note(label=label, scope=scope)
    end = datetime.now(UTC) + timedelta(days=int(days)) if days else None
    try:
        secret = await services.accounts.create_token(identity.account.id, label, scope=scope, expires_at=end)
    except VarloomError as error:
        return refusal_beside("#token-refused", error.kind.title, error.message, error.kind.resolution)
    return await _account(request, services, identity, token=(label.strip(), secret))


@router.delete("/account/tokens/{token_id}")
async def revoke_token(services: CurrentServices, account: CurrentAccount, token_id: UUID) -> Response:
    """Make a token useless at once; the list takes its row away."""
    await services.accounts.revoke_token(account.id, token_id)
    return Response()


async def _account(
    request: Request,
    services: CurrentServices,
    identity: CurrentIdentity,
    *,
    told: str = "",
    token: tuple[str, str] | None = None,
) -> HTMLResponse:
    account, session = identity.account, session_of(identity)
    identities = await services.openid.identities(account.id)
    return await page(
        request,
        "account.html",
        section="account",
        told=told,
        made=token,
        tokens=[_token_row(one) for one in await services.accounts.list_tokens(account.id)],
        openid=services.openid.name,
        is_connected=any(one.issuer == services.settings.oidc_issuer for one in identities),
        identities=[_identity_row(one) for one in identities],
        has_password=await services.passwords.is_set(account.id),
        present_needed=await services.passwords.needs_present(account.id, session),
        shortest=SHORTEST,
        sessions=[_row(one) for one in await services.sessions.all(account.id, session)],
    )


def _row(found: Session) -> SessionRow:
    return SessionRow(
        id=str(found.id),
        browser=browser_of(found.user_agent or ""),
        agent=found.user_agent or "",
        address=found.address or "",
        opened_by={"link": "login link", "password": "password", "openid": "single sign-on"}.get(
            found.opened_by, found.opened_by
        ),
        created_iso=found.created_at.isoformat(),
        created=moment(found.created_at),
        seen_iso=found.last_seen_at.isoformat(),
        seen=moment(found.last_seen_at),
        current=found.current,
    )


def _identity_row(found: ConnectedIdentity) -> IdentityRow:
    return IdentityRow(
        id=str(found.id),
        label=found.label or "Somebody",
        issuer=found.issuer,
        created_iso=found.created_at.isoformat(),
        created=moment(found.created_at),
        used_iso=found.last_used_at.isoformat() if found.last_used_at else "",
        used=moment(found.last_used_at) if found.last_used_at else "",
    )


def _token_row(found: ApiToken) -> TokenRow:
    return TokenRow(
        id=str(found.id),
        label=found.label,
        scope=SCOPES[found.scope],
        created_iso=found.created_at.isoformat(),
        created=moment(found.created_at),
        used_iso=found.last_used_at.isoformat() if found.last_used_at else "",
        used=moment(found.last_used_at) if found.last_used_at else "",
        expires_iso=found.expires_at.isoformat() if found.expires_at else "",
        expires=moment(found.expires_at) if found.expires_at else "",
    )


def browser_of(user_agent: str) -> str:
    """A browser and its system in two words, such as "Firefox on Linux", or how a program calls itself."""
    browser = next((name for mark, name in _BROWSERS if f"{mark}/" in user_agent), None)
    if browser is None:
        return user_agent.split("/", maxsplit=1)[0][:40] or "A browser"
    system = next((name for marks, name in _SYSTEMS if re.search(marks, user_agent)), None)
    return f"{browser} on {system}" if system else browser
