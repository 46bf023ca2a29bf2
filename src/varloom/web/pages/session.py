"""The login page. The token itself is checked by `POST /login`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse

from varloom.web.pages.assets import STATIC
from varloom.web.pages.rendering import standalone_page

router = APIRouter(include_in_schema=False)


@router.get("/login")
async def login_page(request: Request) -> HTMLResponse:
    """Logs in with the token in the address's fragment, which only the browser sees, or with a pasted one."""
    return standalone_page(request, "login.html")


@router.get("/favicon.ico")
async def favicon() -> FileResponse:
    """For browsers that ask without looking at the page."""
    return FileResponse(STATIC / "favicon.svg", media_type="image/svg+xml")
