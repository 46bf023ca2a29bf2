"""The people of this server: who there is, a form for a new one, and what owners do with each."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from varloom.errors import VarloomError
from varloom.services.account_quotas import Quota, parsed_quota, written_quota
from varloom.services.audit import note
from varloom.services.owners import require_owner
from varloom.services.users import EMAIL_LIMIT, NAME_LIMIT, User, UserChange
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.finding import refusal_beside
from varloom.web.pages.formatting import moment, size
from varloom.web.pages.rendering import page
from varloom.web.security import LOGIN_PATH

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class UserRow:
    """An account, as the page shows it."""

    id: str
    name: str
    email: str
    role: str
    active: bool
    way_in: str
    quota: str
    own_quota: str
    seen_iso: str
    seen: str
    is_self: bool


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A login link that was just made; it is shown this once."""

    name: str
    url: str
    minutes: float
    is_new: bool


@router.get("/users")
async def users_page(request: Request, services: CurrentServices, account: CurrentAccount) -> HTMLResponse:
    """Everybody who has an account here."""
    return await _users(request, services, account)


@router.post("/users")
async def add_user(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    name: Annotated[str, Form(max_length=NAME_LIMIT)] = "",
    email: Annotated[str, Form(max_length=EMAIL_LIMIT)] = "",
    role: Annotated[Literal["owner", "member"], Form()] = "member",
) -> HTMLResponse:
    """Make an account; the page with its link, or why there is none, which is shown in the form."""
    require_owner(account)
    note(name=name.strip(), role=role)
    try:
        user = await services.users.add(name.strip(), email=email.strip(), role=role)
    except VarloomError as error:
        return refusal_beside("#user-refused", error.kind.title, error.message, error.kind.resolution)
    return await _users(request, services, account, await _link(request, services, user, is_new=True))


@router.post("/users/{user_id}")
async def change_user(
    *,
    request: Request,
    services: CurrentServices,
    account: CurrentAccount,
    user_id: UUID,
    role: Annotated[Literal["owner", "member"] | None, Form()] = None,
    active: Annotated[bool | None, Form()] = None,
    quota: Annotated[str | None, Form(max_length=60)] = None,
) -> HTMLResponse:
    """Change a role or a quota, deactivate or activate; the page as it is then, or why nothing was done."""
    require_owner(account)
    note(role=role, active=active, quota=quota)
    try:
        amount = None if quota is None else parsed_quota(quota)
        await services.users.change(user_id, UserChange(role=role, active=active, quota=amount))
    except VarloomError as error:
        return refusal_beside("#users-refused", error.kind.title, error.message, error.kind.resolution)
    return await _users(request, services, account)


@router.post("/users/{user_id}/login-link")
async def make_login_link(
    request: Request, services: CurrentServices, account: CurrentAccount, user_id: UUID
) -> HTMLResponse:
    """Make a link for somebody; the page shows it once."""
    require_owner(account)
    user = await services.users.get(user_id)
    return await _users(request, services, account, await _link(request, services, user, is_new=False))


async def _users(
    request: Request, services: CurrentServices, account: CurrentAccount, link: MadeLink | None = None
) -> HTMLResponse:
    require_owner(account)
    default = services.settings.account_quota_bytes
    users = [_row(user, default, is_self=user.id == account.id) for user in await services.users.all()]
    return await page(request, "users.html", section="users", users=users, link=link)


async def _link(request: Request, services: CurrentServices, user: User, *, is_new: bool) -> MadeLink:
    token = await services.users.login_link(user.id)
    url = f"{str(request.base_url).rstrip('/')}{LOGIN_PATH}#{token}"
    return MadeLink(user.name, url, services.settings.login_link_minutes, is_new)


def _told(quota: Quota, default: int | None) -> str:
    if quota == "default":
        return f"{'no limit' if default is None else size(default)}, as the server's setting says"
    return "no limit" if quota == "none" else size(quota)


def _row(user: User, default_quota: int | None, *, is_self: bool) -> UserRow:
    ways = [way for way, there in (("password", user.has_password), ("single sign-on", user.is_connected)) if there]
    return UserRow(
        id=str(user.id),
        name=user.name,
        email=user.email or "",
        role=user.role,
        active=user.deactivated_at is None,
        quota=_told(user.quota, default_quota),
        own_quota=written_quota(user.quota),
        way_in=" and ".join(ways) or "login links only",
        seen_iso=user.last_seen_at.isoformat() if user.last_seen_at else "",
        seen=moment(user.last_seen_at) if user.last_seen_at else "",
        is_self=is_self,
    )
