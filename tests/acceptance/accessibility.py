"""What axe finds on a page: every rule that it has, not only those of WCAG."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"


SETTLE = """async () => {
    const changing = () => document.getAnimations().filter((one) => one.transitionProperty?.endsWith("color"));
    for (let ones = changing(); ones.length > 0; ones = changing()) {
        await Promise.allSettled(ones.map((one) => one.finished));
    }
}"""
"""A colour that is on its way to another one, as after a change of the scheme, is read as it will be."""

RUN = """async () => {
    const rules = matchMedia("(forced-colors: active)").matches ? {"color-contrast": {enabled: false}} : {};
    return (await axe.run(document, {resultTypes: ["violations"], rules})).violations;
}"""


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """Each violation with the elements that it is of.

    Where the system chooses the colours, contrast is not asked for: axe reads those that the page had chosen.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())
    page.evaluate(SETTLE)
    found = page.evaluate(RUN)
    return [f"{one['id']}: {node['target']} {node['failureSummary']}" for one in found for node in one["nodes"]]
