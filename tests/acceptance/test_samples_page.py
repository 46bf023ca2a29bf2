"""The page of samples: rename, tag, delete, bring back, delete for good; and what pages weigh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from accessibility import violations
from playwright.sync_api import expect
from visiting import Visitor, visiting

from running import write_vcf

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from running import Server

pytestmark = pytest.mark.browser

GRID_BYTES = 150_000
"""The grid is larger than this, compressed; nothing else is."""
BEFORE_THE_GRID = 100_000
LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .map(({ name, encodedBodySize }) => [name, encodedBodySize])"""


def test_samples_are_named_tagged_deleted_and_brought_back(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    for name in ("Nasty <b>, 1", "plain"):
        server.at_rest(server.submit(write_vcf(tmp_path / "x.vcf", 20), sample_name=name)["id"])
    visitor.log_in()
    page = visitor.page
    expect(page.locator(".page-head .hint")).to_contain_text("2 samples")
    page.get_by_role("button", name="Rename or tag Nasty <b>, 1").press("Enter")
    assert violations(page) == []
    page.get_by_label("Name", exact=True).fill("Patient 7 <i>")
    page.get_by_role("textbox", name="Tags").fill("trio 7, , solved")
    page.keyboard.press("Enter")
    row = page.locator(".samples tbody tr", has_text="Patient 7 <i>")
    expect(row.locator(".tag")).to_have_text(["Samples tagged trio 7", "Samples tagged solved"])
    assert violations(page) == []

    page.get_by_role("button", name="Rename or tag Patient 7 <i>").click()
    page.get_by_role("textbox", name="Tags").fill("x" * 41)
    visitor.expected = ("status of 422",)
    page.keyboard.press("Enter")
    expect(page.locator("#sample-dialog [role=alert]")).to_contain_text("cannot be a tag")
    expect(page.get_by_role("textbox", name="Tags")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Name", exact=True).fill(" ")
    page.get_by_role("textbox", name="Tags").fill("")
    page.keyboard.press("Enter")
    expect(page.locator("#sample-dialog [role=alert]")).to_contain_text("name is empty")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    expect(page.get_by_label("Name", exact=True)).to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Escape")
    visitor.follow(page.get_by_role("navigation", name="Tags").get_by_role("link", name="trio 7"))
    expect(page.locator(".samples tbody tr")).to_have_count(1)
    visitor.follow(page.locator(".tag-bar [aria-current]"))
    expect(page.locator(".samples tbody tr")).to_have_count(2)

    page.get_by_role("button", name="Delete plain").press("Enter")
    gone = page.locator(".sample-gone", has_text="plain was deleted.")
    expect(gone.get_by_role("button", name="Bring back")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("plain was deleted. It can be brought back.")
    expect(page.locator(".page-head .hint")).to_contain_text("1 sample,")
    expect(page.get_by_role("link", name="1 deleted sample")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="plain", exact=True)).to_be_visible()
    expect(page.locator(".page-head .hint")).to_contain_text("2 samples")
    page.get_by_role("button", name="Delete plain").press("Enter")
    expect(gone).to_be_visible()
    page.reload()
    visitor.follow(page.get_by_role("link", name="1 deleted sample"))
    expect(page.locator(".samples tbody tr", has_text="plain")).to_contain_text("7 days")
    assert violations(page) == []
    page.get_by_role("button", name="Delete for good: plain").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.locator(".samples tbody tr", has_text="plain")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Nothing to bring back")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_of_samples_is_whole(visitor: Visitor, scheme: Any) -> None:
    page = visitor.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    visitor.log_in()
    expect(page.locator(".samples tbody tr").first).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_what_a_page_weighs_before_the_grid(browser: Browser, visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    [sample, *_] = server.client.get("samples").json()["samples"]
    table = f"/samples/{sample['id']}"
    pages = ["/samples", "/jobs", f"/jobs/{sample['job_id']}", "/queue", "/credentials", f"{table}/provenance", table]
    for path in pages:
        with visiting(browser, server) as stranger:  # who has nothing kept from another page
            stranger.context.add_cookies(visitor.context.cookies())
            stranger.goto(path)
            stranger.wait_until_live()
            if path == table:
                expect(stranger.page.locator("#table .ag-row").first).to_be_visible()
            loaded = stranger.page.evaluate(LOADED)
            before = [size for _, size in loaded if size < GRID_BYTES]
            assert len(before) == len(loaded) - (path == table), loaded
            assert 20_000 < sum(before) <= BEFORE_THE_GRID, loaded
