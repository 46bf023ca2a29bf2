"""Logging in and out: a one-time token, or name and password, become a session cookie."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from varloom.errors import VarloomError
from varloom.services.audit import note
from varloom.services.problems import REQUEST_INVALID
from varloom.web.dependencies import CurrentServices, client_of
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
        note(by="link")
        secret = await services.accounts.redeem_login(token.strip(), client, replaces=came_with)
    elif not name.strip():
        raise VarloomError(REQUEST_INVALID, "token: expected the token of a login link, or name and password.")
    else:
        tried = await services.users.named(name)
        note(account_id=str(tried.id) if tried else None, account_name=tried.name if tried else None, by="password")
        secret = await services.passwords.log_in(name, password, client, replaces=came_with)
    account = await services.accounts.authenticate_session(secret)
    if account is not None:
        note(account_id=str(account.id), account_name=account.name)
    response = RedirectResponse(local_target(next), status_code=303)
    set_session(request, response, secret, services.settings.session_days)
    return response


@router.post("/logout")
async def log_out(request: Request, services: CurrentServices) -> Response:
    """End the session of this browser."""
    if came_with := request.cookies.get(SESSION_COOKIE):  # it may be another's, where a proxy says who asks
        await services.accounts.logout(came_with)
    response = RedirectResponse(LOGIN_PATH, status_code=303)
    response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax")
    return response


def set_session(request: Request, response: Response, secret: str, days: float) -> None:
    """Give the browser its session."""
    response.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=int(days * 86_400),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
