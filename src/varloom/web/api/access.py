"""API tokens and login links: ways in, for whoever is in already."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from varloom.services.accounts import Scope
from varloom.services.audit import note
from varloom.services.views import UtcTime, View
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses
from varloom.web.security import LOGIN_PATH

router = APIRouter(tags=["access"])


class NewToken(BaseModel):
    """What to call the token."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=100)]
    scope: Scope = Field(
        default="full",
        description="`read`: look; `submit`: also load files and act on jobs; `full`: all the account may",
    )
    expires_at: AwareDatetime | None = Field(default=None, description="from then on it is of no use; null: never")


class TokenSecret(View):
    """A token that was just made. It cannot be shown again."""

    label: str
    scope: Scope
    expires_at: UtcTime | None
    token: str


class TokenView(View):
    """What can be told of a token later."""

    id: UUID
    label: str
    scope: Scope
    expires_at: UtcTime | None
    created_at: UtcTime
    last_used_at: UtcTime | None


class TokenList(View):
    """The tokens that can be used, newest first."""

    tokens: list[TokenView]


class LoginLink(View):
    """A link that logs a browser in, once."""

    path: str = Field(description="relative to the server's address; the token follows the #")
    minutes: float = Field(description="how long it can be used")


@router.post("/tokens", status_code=201, responses=problem_responses(403))
async def create_token(services: CurrentServices, account: CurrentAccount, new: NewToken) -> TokenSecret:
    """Make an API token for the account."""
    note(label=new.label, scope=new.scope)
    secret = await services.accounts.create_token(account.id, new.label, scope=new.scope, expires_at=new.expires_at)
    return TokenSecret(label=new.label, scope=new.scope, expires_at=new.expires_at, token=secret)


@router.get("/tokens")
async def list_tokens(services: CurrentServices, account: CurrentAccount) -> TokenList:
    """The account's tokens, without their secrets."""
    found = await services.accounts.list_tokens(account.id)
    return TokenList(tokens=[TokenView.model_validate(token, from_attributes=True) for token in found])


@router.delete("/tokens/{token_id}", status_code=204, responses=problem_responses(404))
async def revoke_token(services: CurrentServices, account: CurrentAccount, token_id: UUID) -> None:
    """Make a token useless at once; its event streams end within seconds."""
    await services.accounts.revoke_token(account.id, token_id)


@router.post("/login-links", status_code=201, responses=problem_responses(403))
async def create_login_link(services: CurrentServices, account: CurrentAccount) -> LoginLink:
    """Make a link that logs a browser in as this account, once."""
    token = await services.accounts.create_login_link(account.id)
    return LoginLink(path=f"{LOGIN_PATH}#{token}", minutes=services.settings.login_link_minutes)
