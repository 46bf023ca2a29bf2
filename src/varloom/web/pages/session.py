"""The login page. The token itself is checked by `POST /login`."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from varloom.web.dependencies import CurrentServices
from varloom.web.pages.assets import STATIC
from varloom.web.pages.rendering import standalone_page
from varloom.web.proxies import proxy_user
from varloom.web.security import local_target

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(request: Request, services: CurrentServices, next: str = "/") -> Response:  # noqa: A002
    """Logs in with the token in the address's fragment, which only the browser sees, or with a pasted one.

    Where somebody has set a password, name and password are asked for first. Whom a reverse proxy has logged
    in goes on.
    """
    if proxy_user(request, services.settings.proxy_user_header) is not None:
        return RedirectResponse(local_target(next), status_code=303)
    return standalone_page(
        request,
        "login.html",
        passwords=await services.passwords.in_use(),
        openid=services.openid.name,
        next=quote(next, safe=""),
    )


@router.get("/favicon.ico")
async def favicon() -> FileResponse:
    """For browsers that ask without looking at the page."""
    return FileResponse(STATIC / "favicon.svg", media_type="image/svg+xml")
