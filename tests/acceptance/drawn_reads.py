"""Whether igv.js has drawn reads: told by the letters on its canvases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator

_COLOURED = """element => [...element.querySelector("div").shadowRoot.querySelectorAll("canvas")].map(canvas => {
    if (!canvas.width || !canvas.height) return 0;
    const bytes = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let coloured = 0;
    for (let at = 0; at < bytes.length; at += 4)
        if (Math.max(...bytes.slice(at, at + 3)) - Math.min(...bytes.slice(at, at + 3)) > 100) coloured++;
    return coloured;
})"""
"""Of each canvas, how many pixels are of a letter: reads themselves are grey."""


def assert_reads_are_drawn(view: Locator, seconds: float = 30.0) -> None:
    """The genome, and bases that differ from it, are drawn, or will be: igv.js paints what has come a moment later."""
    deadline = time.monotonic() + seconds
    while True:
        drawn = view.evaluate(_COLOURED)
        if sum(1 for coloured in drawn if coloured > 20) >= 2:
            return
        assert time.monotonic() < deadline, drawn
        view.page.wait_for_timeout(50)
