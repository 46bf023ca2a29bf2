"""The scripts, styles and images of the pages: where they lie, under which address, and how long they may be kept."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.staticfiles import StaticFiles

from varloom.errors import VarloomError
from varloom.web.pages.problems import FRONTEND_NOT_BUILT

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Scope

STATIC = Path(__file__).resolve().parent.parent / "static"
_BUILT = "dist/"
_FOR_EVER = "public, max-age=31536000, immutable"
_REVALIDATED = "no-cache"


class Static(StaticFiles):
    """Serves `static/`: built files carry their content's hash in their name and may be kept for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, with its caching rule."""
        response = await super().get_response(path, scope)
        kept = path.startswith(_BUILT) and path.endswith((".js", ".css"))
        response.headers["Cache-Control"] = _FOR_EVER if kept else _REVALIDATED
        return response


def static_files() -> Static:
    """The application to be mounted at `/static`."""
    return Static(directory=STATIC)


def asset(name: str) -> str:
    """The address of a built file, such as `app.js`.

    Raises:
        VarloomError: `frontend_not_built`.
    """
    try:
        return f"/static/{_BUILT}{_manifest()[name]}"
    except KeyError:
        raise VarloomError(FRONTEND_NOT_BUILT, f"The build made no file {name}.") from None


@cache
def _manifest() -> dict[str, str]:
    """The built files by the name that the templates use. Read once: a new build needs a new process."""
    path = STATIC / _BUILT / "manifest.json"
    try:
        names: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise VarloomError(FRONTEND_NOT_BUILT, f"{path} cannot be read: {error}") from None
    return names
