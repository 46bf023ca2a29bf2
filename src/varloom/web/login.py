"""Logging in and out: a one-time token becomes a session cookie."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from varloom.web.dependencies import CurrentIdentity, CurrentServices
from varloom.web.security import LOGIN_PATH, SESSION_COOKIE, local_target

TOKEN_LIMIT = 200

router = APIRouter(include_in_schema=False)


@router.post(LOGIN_PATH)
async def log_in(
    request: Request,
    services: CurrentServices,
    token: Annotated[str, Form(max_length=TOKEN_LIMIT)],
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the name of the form's field
) -> Response:
    """Trade the token of a login link for a session, and go on to the page that was asked for."""
    secret = await services.accounts.redeem_login(token.strip())
    response = RedirectResponse(local_target(next), status_code=303)
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(services.settings.session_days * 86_400),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
    return response


@router.post("/logout")
async def log_out(services: CurrentServices, identity: CurrentIdentity) -> Response:
    """End the session of this browser."""
    if identity.via == "session":
        await services.accounts.logout(identity.credential)
    response = RedirectResponse(LOGIN_PATH, status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
    return response
