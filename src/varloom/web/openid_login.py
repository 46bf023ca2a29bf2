"""Logging in by an OpenID Connect provider: to the provider and back, and connecting an account with it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import NOT_AUTHENTICATED
from varloom.services.audit import Asking, note
from varloom.services.openid import LOGIN_SECONDS, Begun
from varloom.services.openid_problems import OPENID_LOGIN_INVALID, OPENID_REFUSED
from varloom.web.dependencies import CurrentAccount, CurrentIdentity, CurrentServices, client_of
from varloom.web.login import set_session
from varloom.web.security import (
    LOGIN_PATH,
    OPENID_CALLBACK,
    OPENID_PATH,
    SESSION_COOKIE,
    identify,
    local_target,
)

BEGUN_COOKIE = "varloom_openid"
PARAMETER_LIMIT = 4096

router = APIRouter(include_in_schema=False)

Parameter = Annotated[str, Query(max_length=PARAMETER_LIMIT)]


@router.get(OPENID_PATH)
async def begin(
    *,
    request: Request,
    services: CurrentServices,
    next: Annotated[str, Query(max_length=PARAMETER_LIMIT)] = "/",  # noqa: A002 - the name on the login page
) -> Response:
    """Send the browser to the provider. Another site cannot begin it for somebody: they are asked on the login page."""
    if request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
        return RedirectResponse(LOGIN_PATH, status_code=303)
    begun = await services.openid.begin(_callback(request), local_target(next))
    response = RedirectResponse(begun.address, status_code=303)
    _keep(request, response, begun)
    return response


@router.get(OPENID_CALLBACK)
async def finish(
    *,
    request: Request,
    services: CurrentServices,
    state: Parameter = "",
    code: Parameter = "",
    error: Parameter = "",
    iss: Parameter = "",
) -> Response:
    """Let in whom the provider has recognised, and go on to the page that was asked for."""
    note(by="openid")
    secret = request.cookies.get(BEGUN_COOKIE)
    if not secret or not state:
        raise VarloomError(OPENID_LOGIN_INVALID, "This browser has not begun it, or too long ago.")
    if error:
        await services.openid.cancelled(secret)
        raise VarloomError(OPENID_REFUSED, f"The provider says {safe_excerpt(error, 60)}.")
    if not code or iss not in {"", services.settings.oidc_issuer}:
        raise VarloomError(OPENID_LOGIN_INVALID, "It does not come from the provider.")
    identity = await identify(request)
    asking = Asking(
        identity.account if identity else None,
        identity.via if identity else None,
        client_of(request),
        getattr(request.state, "request_id", None),
    )
    came_with = request.cookies.get(SESSION_COOKIE)
    finished = await services.openid.finish(
        secret, state=state, code=code, redirect_uri=_callback(request), asking=asking, replaces=came_with
    )
    user = await services.users.get(finished.account_id)
    note(account_id=str(user.id), account_name=user.name)
    response = RedirectResponse(local_target(finished.next), status_code=303)
    if finished.session is not None:
        set_session(request, response, finished.session, services.settings.session_days)
    response.delete_cookie(BEGUN_COOKIE, path=OPENID_PATH, httponly=True, samesite="lax")
    return response


@router.post("/account/identities")
async def connect(request: Request, services: CurrentServices, identity: CurrentIdentity) -> Response:
    """Send the browser to the provider, to connect who it says it is with this account."""
    if identity.via == "token":
        raise VarloomError(NOT_AUTHENTICATED, "An identity is connected in the browser.")
    begun = await services.openid.begin(_callback(request), "/account", connect=identity.account.id)
    response = Response(status_code=204, headers={"HX-Redirect": begun.address})
    _keep(request, response, begun)
    return response


@router.delete("/account/identities/{identity_id}")
async def disconnect(services: CurrentServices, account: CurrentAccount, identity_id: UUID) -> Response:
    """Let nobody in any more by an identity; the list takes its row away."""
    await services.openid.disconnect(account.id, identity_id)
    return Response()


def _callback(request: Request) -> str:
    """Our own address, as the browser sees it, to which the provider sends it back."""
    return f"{request.url.scheme}://{request.url.netloc}{OPENID_CALLBACK}"


def _keep(request: Request, response: Response, begun: Begun) -> None:
    """Give the browser what it has to show when it comes back from the provider."""
    response.set_cookie(
        BEGUN_COOKIE,
        begun.secret,
        max_age=LOGIN_SECONDS,
        path=OPENID_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
