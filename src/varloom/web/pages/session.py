"""The login page. The token itself is checked by `POST /login`."""

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from varloom.web.dependencies import CurrentServices
from varloom.web.pages.assets import STATIC
from varloom.web.pages.rendering import standalone_page

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(request: Request, services: CurrentServices) -> HTMLResponse:
    """Logs in with the token in the address's fragment, which only the browser sees, or with a pasted one.

    Where somebody has set a password, name and password are asked for first.
    """
    return standalone_page(request, "login.html", passwords=await services.passwords.in_use())


@router.get("/favicon.ico")
async def favicon() -> FileResponse:
    """For browsers that ask without looking at the page."""
    return FileResponse(STATIC / "favicon.svg", media_type="image/svg+xml")
