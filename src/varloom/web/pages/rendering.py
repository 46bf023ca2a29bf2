"""Pages from templates. Everything that a user wrote is escaped; a name that a template lacks is an error."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from varloom.services.manifest_lines import COLUMNS, MOST_BYTES, SYNONYMS
from varloom.web.dependencies import account_of, csp_nonce_of, identity_of, services_of
from varloom.web.pages.assets import asset
from varloom.web.pages.formatting import clock, count, with_code

if TYPE_CHECKING:
    from starlette.requests import Request

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
THEME_COOKIE = "varloom_theme"
_THEMES = frozenset({"light", "dark"})

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals["asset"] = asset
_environment.globals["manifest_columns"] = ("url", *SYNONYMS, *COLUMNS[1:])
_environment.globals["manifest_bytes"] = MOST_BYTES
_environment.filters.update(clock=clock, count=count, with_code=with_code)


def render(template: str, **values: Any) -> str:
    """The text of a template."""
    return _environment.get_template(template).render(values)


async def page(request: Request, template: str, *, section: str, **values: Any) -> HTMLResponse:
    """A page in the frame: header, Job Manager and upload dialog around the content.

    Args:
        request: the request of a logged-in person.
        template: the content's template.
        section: the entry of the navigation that is current.
        values: what the content's template shows.
    """
    account, annotations = account_of(request), services_of(request).annotations
    frame = {
        "section": section,
        "low_disk": await asyncio.to_thread(services_of(request).disks.look) if account.role == "owner" else None,
        "account_name": account.name,
        "by_proxy": identity_of(request).via == "proxy",
        "is_server_owner": account.role == "owner",
        "active_jobs": await services_of(request).jobs.count_active(account.id),
        "csp_nonce": csp_nonce_of(request),
        "only_demo": annotations.only_demo(),
        "no_annotation": {kind: annotations.why_unavailable(kind) for kind in ("small", "structural")},
        "no_pgx": annotations.why_no_pgx(),
        "genomes": annotations.genome_choices(),
    }
    return HTMLResponse(render(template, theme=theme_of(request), **frame, **values))


def standalone_page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page without the frame, for those who are not logged in and for errors."""
    return HTMLResponse(render(template, theme=theme_of(request), **values), status)


def theme_of(request: Request) -> str | None:
    """The appearance that was chosen; None follows the system."""
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in _THEMES else None
