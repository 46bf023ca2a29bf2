"""The people of this server, for its owners."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from varloom.services.account_quotas import MOST
from varloom.services.audit import note
from varloom.services.owners import require_owner
from varloom.services.users import EMAIL_LIMIT, NAME_LIMIT, UserChange
from varloom.services.views import UtcTime, View
from varloom.web.api.access import LoginLink
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses
from varloom.web.security import LOGIN_PATH

router = APIRouter(prefix="/users", tags=["users"])

Role = Literal["owner", "member"]
Name = Annotated[str, Field(max_length=NAME_LIMIT, description="with which they log in; capitals make no difference")]
Email = Annotated[str, Field(max_length=EMAIL_LIMIT)]
OwnQuota = Annotated[int, Field(ge=1, le=MOST, strict=True)] | Literal["default", "none"]
QUOTA = "how many bytes it may store; default: as the setting `account_quota_bytes` says; none: no limit"


class UserView(View):
    """An account, as owners see it."""

    id: UUID
    name: str
    email: str | None
    role: Role
    created_at: UtcTime
    deactivated_at: UtcTime | None = Field(description="null: it can be used")
    has_password: bool
    quota: OwnQuota = Field(description=QUOTA)
    is_connected: bool = Field(description="with an OpenID Connect provider, by which they can log in")
    last_seen_at: UtcTime | None = Field(description="by sessions and tokens that are remembered, exact to a minute")


class UserList(View):
    """All accounts, by name; deactivated ones at the end."""

    users: list[UserView]


class NewUser(BaseModel):
    """Somebody who is to be let in."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    email: Email | None = None
    role: Role = "member"


class Invited(View):
    """A new account, and the link with which its owner comes in for the first time."""

    user: UserView
    link: LoginLink


class ChangedUser(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    email: Email | None = Field(default=None, description="an empty text takes it away")
    role: Role | None = None
    active: bool | None = Field(default=None, description="false: deactivate; its things stay, its jobs go on")
    quota: OwnQuota | None = Field(default=None, description=QUOTA)


class Disconnected(View):
    """How many identities were taken off."""

    disconnected: int


@router.get("", responses=problem_responses(403))
async def list_users(services: CurrentServices, account: CurrentAccount) -> UserList:
    """Everybody who has an account here."""
    require_owner(account)
    users = await services.users.all()
    return UserList(users=[UserView.model_validate(user, from_attributes=True) for user in users])


@router.post("", status_code=201, responses=problem_responses(403, 409))
async def add_user(services: CurrentServices, account: CurrentAccount, new: NewUser) -> Invited:
    """Make an account, and a login link to be given to that person."""
    require_owner(account)
    note(name=new.name, role=new.role)
    user = await services.users.add(new.name, email=new.email, role=new.role)
    link = await _link(services, user.id)
    return Invited(user=UserView.model_validate(user, from_attributes=True), link=link)


@router.patch("/{user_id}", responses=problem_responses(403, 404, 409))
async def change_user(
    services: CurrentServices, account: CurrentAccount, user_id: UUID, change: ChangedUser
) -> UserView:
    """Rename an account, change its role or its quota, deactivate it or activate it again."""
    require_owner(account)
    wanted = change.model_dump(exclude_none=True)
    note(**wanted)
    user = await services.users.change(user_id, UserChange(**wanted))
    return UserView.model_validate(user, from_attributes=True)


@router.post("/{user_id}/login-links", status_code=201, responses=problem_responses(403, 404))
async def create_login_link_for(services: CurrentServices, account: CurrentAccount, user_id: UUID) -> LoginLink:
    """Make a link for somebody who has forgotten their password, or never had one."""
    require_owner(account)
    return await _link(services, user_id)


@router.delete("/{user_id}/identities", responses=problem_responses(403, 404))
async def disconnect_user(services: CurrentServices, account: CurrentAccount, user_id: UUID) -> Disconnected:
    """Disconnect an account from the OpenID Connect provider; its sessions stay."""
    require_owner(account)
    user = await services.users.get(user_id)
    return Disconnected(disconnected=await services.openid.disconnect_all(user.id))


async def _link(services: CurrentServices, user_id: UUID) -> LoginLink:
    token = await services.users.login_link(user_id)
    return LoginLink(path=f"{LOGIN_PATH}#{token}", minutes=services.settings.login_link_minutes)
