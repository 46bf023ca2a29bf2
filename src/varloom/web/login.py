"""Logging in and out: a one-time token, or name and password, become a session cookie."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from varloom.web.dependencies import CurrentIdentity, CurrentServices, client_of
from varloom.web.security import LOGIN_PATH, SESSION_COOKIE, local_target

TOKEN_LIMIT = 200
NAME_LIMIT = 200
PASSWORD_LIMIT = 4096

router = APIRouter(include_in_schema=False)


@router.post(LOGIN_PATH)
async def log_in(
    *,
    request: Request,
    services: CurrentServices,
    token: Annotated[str, Form(max_length=TOKEN_LIMIT)] = "",
    name: Annotated[str, Form(max_length=NAME_LIMIT)] = "",
    password: Annotated[str, Form(max_length=PASSWORD_LIMIT)] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the name of the form's field
) -> Response:
    """Trade the token of a login link, or name and password, for a session, and go on to the page asked for."""
    came_with, client = request.cookies.get(SESSION_COOKIE), client_of(request)
    if token.strip():
        secret = await services.accounts.redeem_login(token.strip(), client, replaces=came_with)
    else:
        secret = await services.passwords.log_in(name, password, client, replaces=came_with)
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
