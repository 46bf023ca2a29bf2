"""The account itself: what it may do, its password, and its sessions."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from varloom.services.password_rules import LONGEST
from varloom.services.views import UtcTime, View
from varloom.web.dependencies import CurrentAccount, CurrentIdentity, CurrentServices, Identity
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["access"])

Password = Annotated[SecretStr, Field(max_length=2 * LONGEST)]


class AccountView(View):
    """The account that asks."""

    id: UUID
    name: str
    role: Literal["owner", "member"] = Field(description="`owner`: manages the server and its users")
    has_password: bool
    present_password_needed: bool = Field(description="to set a new one; not for 15 minutes after a login by link")


class NewPassword(BaseModel):
    """A password to be set."""

    model_config = ConfigDict(extra="forbid")

    password: Password
    present: Password | None = Field(default=None, description="the one until now")


class SessionView(View):
    """A browser that is logged in."""

    id: UUID
    created_at: UtcTime
    last_seen_at: UtcTime = Field(description="exact to a minute")
    expires_at: UtcTime
    opened_by: str = Field(description="`link`, `password` or `openid`")
    address: str | None = Field(description="from which it was opened; null for sessions of earlier versions")
    user_agent: str | None = Field(description="what the browser called itself")
    current: bool = Field(description="whether it is the one that asks")


class IdentityView(View):
    """Who an account is at an OpenID Connect provider."""

    id: UUID
    issuer: str = Field(description="the provider, as it calls itself")
    label: str | None = Field(description="an e-mail address or a name, by which people know it")
    created_at: UtcTime
    last_used_at: UtcTime | None


class IdentityList(View):
    """All that are connected, the oldest first."""

    identities: list[IdentityView]


class SessionList(View):
    """The sessions that have not ended, the one that asks first."""

    sessions: list[SessionView]


class SessionsEnded(View):
    """How many sessions were ended."""

    ended: int


@router.get("/account")
async def get_account(services: CurrentServices, identity: CurrentIdentity) -> AccountView:
    """Who is asking."""
    account = identity.account
    return AccountView.model_validate(
        {
            "id": account.id,
            "name": account.name,
            "role": account.role,
            "has_password": await services.passwords.is_set(account.id),
            "present_password_needed": await services.passwords.needs_present(account.id, session_of(identity)),
        }
    )


@router.put("/account/password", status_code=204, responses=problem_responses(403, 429))
async def set_password(services: CurrentServices, identity: CurrentIdentity, new: NewPassword) -> None:
    """Set the account's password. All its other sessions end; tokens stay."""
    present = None if new.present is None else new.present.get_secret_value()
    await services.passwords.set_own(
        identity.account.id, new.password.get_secret_value(), present=present, session=session_of(identity)
    )


@router.get("/sessions")
async def list_sessions(services: CurrentServices, identity: CurrentIdentity) -> SessionList:
    """The browsers that are logged in as this account."""
    found = await services.sessions.all(identity.account.id, session_of(identity))
    return SessionList(sessions=[SessionView.model_validate(one, from_attributes=True) for one in found])


@router.delete("/sessions")
async def end_other_sessions(services: CurrentServices, identity: CurrentIdentity) -> SessionsEnded:
    """Log out everywhere else: end all sessions but the one that asks, if it is one."""
    return SessionsEnded(ended=await services.sessions.end_others(identity.account.id, session_of(identity)))


@router.delete("/sessions/{session_id}", status_code=204, responses=problem_responses(404))
async def end_session(services: CurrentServices, account: CurrentAccount, session_id: UUID) -> None:
    """Log a browser out; its event streams end within seconds."""
    await services.sessions.end(account.id, session_id)


@router.get("/account/identities")
async def list_identities(services: CurrentServices, account: CurrentAccount) -> IdentityList:
    """Who the account is at the OpenID Connect provider, and can log in by."""
    found = await services.openid.identities(account.id)
    return IdentityList(identities=[IdentityView.model_validate(one, from_attributes=True) for one in found])


@router.delete("/account/identities/{identity_id}", status_code=204, responses=problem_responses(404))
async def disconnect_identity(services: CurrentServices, account: CurrentAccount, identity_id: UUID) -> None:
    """Let nobody in any more by an identity; sessions that are open stay."""
    await services.openid.disconnect(account.id, identity_id)


def session_of(identity: Identity) -> str | None:
    """The secret of the session that asks; None for a program."""
    return identity.credential if identity.via == "session" else None
