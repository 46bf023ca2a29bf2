"""A notice in place of a part of a page: what was found, or why nothing was done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi.responses import HTMLResponse

from varloom.web.pages.rendering import render

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Finding:
    """What a form came to."""

    ok: bool
    title: str
    text: str
    steps: Sequence[str]


def refusal_beside(place: str, title: str, text: str, steps: Sequence[str] = ()) -> HTMLResponse:
    """Why a form was refused, shown at `place` (a selector) while what was typed stays."""
    beside = {"HX-Retarget": place, "HX-Reselect": ".notice", "HX-Reswap": "innerHTML"}
    return HTMLResponse(render("finding.html", found=Finding(False, title, text, steps)), headers=beside)
