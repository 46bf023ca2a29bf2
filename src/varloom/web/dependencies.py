"""What a route asks for: the services, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID  # noqa: TC003 - FastAPI reads the annotations

from fastapi import Depends, Request

from varloom.services.access import SampleAccess
from varloom.services.accounts import Account, Scope
from varloom.services.container import Services
from varloom.services.sessions import Client

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import HTTPConnection


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking, and how they proved it.

    Attributes:
        account: the account on whose behalf everything is done.
        via: an API token, a browser's session, or the word of a trusted reverse proxy.
        credential: the secret itself, so that a long stream can ask whether it still holds.
        scope: what the token may do; anybody else may do all that its account may.
        expires_at: when the token ends, if it does.
    """

    account: Account
    via: Literal["token", "session", "proxy"]
    credential: str = field(repr=False)
    scope: Scope = "full"
    expires_at: datetime | None = None


def services_of(request: Request) -> Services:
    """The services of this process."""
    services: Services = request.app.state.services
    return services


def identity_of(request: Request) -> Identity:
    """Who is asking; the gate has let nobody else through."""
    identity: Identity = request.state.identity
    return identity


def client_of(request: HTTPConnection) -> Client:
    """Where the request comes from."""
    address = request.client.host if request.client else None
    return Client(address, request.headers.get("user-agent"))


def account_of(request: Request) -> Account:
    """The account on whose behalf the request is made."""
    return identity_of(request).account


def csp_nonce_of(request: Request) -> str:
    """The nonce that this response's Content-Security-Policy allows for `style` elements."""
    nonce: str = request.state.csp_nonce
    return nonce


CurrentServices = Annotated[Services, Depends(services_of)]
CurrentIdentity = Annotated[Identity, Depends(identity_of)]
CurrentAccount = Annotated[Account, Depends(account_of)]


async def _may_view(services: CurrentServices, account: CurrentAccount, sample_id: UUID) -> SampleAccess:
    return await services.access.to_sample(account.id, sample_id, "viewer")


async def _may_edit(services: CurrentServices, account: CurrentAccount, sample_id: UUID) -> SampleAccess:
    return await services.access.to_sample(account.id, sample_id, "editor")


async def _owns(services: CurrentServices, account: CurrentAccount, sample_id: UUID) -> SampleAccess:
    return await services.access.to_sample(account.id, sample_id, "owner")


# Every route of a sample asks for one of these, and goes on with the account that the sample belongs to.
Viewing = Annotated[SampleAccess, Depends(_may_view)]
Editing = Annotated[SampleAccess, Depends(_may_edit)]
Owning = Annotated[SampleAccess, Depends(_owns)]
