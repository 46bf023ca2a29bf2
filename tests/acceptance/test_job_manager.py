"""The Job Manager as people use it: failures that say how to mend them, keyboard, reload, reconnection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from visiting import Visitor, visiting

from running import HELD_STAGES, Process, Server, serving, write_vcf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Route

pytestmark = pytest.mark.browser

RAGGED = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    "chr1\t100\t.\tA\tC\t50\tPASS\t.\nchr1\t200\t.\tA\tC\t50\n"
)
HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_malformed_file_fails_with_its_line_and_what_to_do(visitor: Visitor) -> None:
    visitor.log_in()
    visitor.upload("broken.vcf", RAGGED.encode())
    entry = visitor.wait_for_state("broken", "failed")
    expect(entry).to_contain_text("Failed")
    expect(entry.locator(".place")).to_contain_text("Line 5")
    expect(entry.locator(".excerpt").first).to_contain_text("200")
    expect(entry.locator(".failure")).to_contain_text("What to do")
    expect(entry.locator(".steps li").first).not_to_be_empty()
    expect(entry).to_contain_text("Not tried again")
    assert entry.get_by_role("button", name="Cancel").count() == 0

    entry.get_by_role("button", name="Upload mended file").click()
    visitor.choose("mended.vcf", RAGGED.replace("C\t50\n", "C\t50\tPASS\t.\n").encode())
    expect(visitor.page.locator("[name=sample_name]")).to_have_value("broken")
    visitor.page.click("#upload-send")
    done = visitor.page.locator("#job-manager [data-state=completed]", has_text="mended.vcf")
    expect(done).to_contain_text("2 records in the file = 2 records in the table, 2 variants")

    entry = visitor.page.locator("#job-manager [data-state=failed]", has_text="broken.vcf")
    entry.get_by_role("button", name="Dismiss").click()
    expect(entry).to_have_count(0)
    expect(done).to_be_visible()


def test_names_from_outside_are_shown_as_text(visitor: Visitor) -> None:
    visitor.log_in()
    page = visitor.page
    content = f'{HOSTILE},b\n<script>alert(2)</script>,"{HOSTILE}"\n'
    visitor.choose(f"{HOSTILE}.csv", content.encode())
    expect(page.locator(".upload-file-name")).to_have_text(f"{HOSTILE}.csv")
    page.click("#upload-send")
    entry = visitor.wait_for_state(HOSTILE, "completed")
    expect(entry).to_contain_text(f"{HOSTILE}.csv")

    entry.get_by_role("link", name="Open table").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.locator(".ag-header-cell", has_text=HOSTILE)).to_be_visible()
    expect(page.locator(".ag-cell", has_text="<script>alert(2)</script>")).to_be_visible()
    page.click("#columns-button")
    expect(page.locator(".column-choice", has_text=HOSTILE)).to_be_visible()
    for path in ("/samples", "/jobs"):
        visitor.goto(path)
        expect(page.locator("#content")).to_contain_text(HOSTILE)
    page.goto(f"{visitor.server.url}/jobs")
    page.locator("#job-results").get_by_role("link", name=HOSTILE).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    expect(page.locator("#job-provenance + dl")).to_contain_text(f"{HOSTILE}.csv")
    visitor.goto(f"/samples?q={HOSTILE}")
    expect(page.locator("#content img")).to_have_count(0)
    visitor.expected = ("status of 404",)
    visitor.goto(f"/{HOSTILE}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
    assert page.locator("img").count() == 0


def test_the_panel_by_keyboard(visitor: Visitor) -> None:
    visitor.log_in()
    page = visitor.page
    button = page.locator("#jobs-button")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#job-manager")).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#job-manager-title")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Notifications")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Open as a page")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#job-manager")).to_be_hidden()
    expect(button).to_be_focused()

    page.locator(".header [data-open-upload]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#upload")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#upload")).to_be_hidden()
    expect(page.locator(".header [data-open-upload]")).to_be_focused()


def test_a_panel_that_knows_nothing_yet_does_not_say_that_there_is_nothing(visitor: Visitor, server: Server) -> None:
    server.submit(RAGGED.encode(), "there.vcf")
    visitor.log_in()
    page = visitor.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/jobs/stream", hold)
    page.reload()
    page.click("#jobs-button")
    expect(page.locator("#job-manager [data-loading]")).to_be_visible()
    expect(page.locator("#job-manager .link-state")).to_have_text("Connecting")
    expect(page.locator("#job-manager").get_by_role("heading", name="No jobs yet")).to_be_hidden()
    visitor.first_held(held).continue_()
    expect(visitor.entry("there")).to_be_visible()
    expect(page.locator("#job-manager [data-loading]")).to_have_count(0)


def test_a_reload_in_mid_job_shows_the_truth(browser: Browser, tmp_path: Path, data_folder: Path) -> None:
    with serving(data_folder, "--no-worker") as server, visiting(browser, server) as visitor:
        visitor.log_in()
        page = visitor.page
        visitor.upload("long.vcf", write_vcf(tmp_path / "long.vcf", 60_000))
        second = server.submit(RAGGED.encode(), "second.vcf")
        visitor.wait_for_state("long", "queued")
        expect(visitor.entry("long")).to_contain_text("Next for a Parsing slot")
        expect(visitor.entry("second")).to_contain_text("1 ahead of you for a Parsing slot")
        page.reload()
        expect(page.locator("#job-manager"), "a reload keeps the panel open").to_be_visible()
        expect(visitor.entry("long")).to_contain_text("Next for a Parsing slot")
        expect(page.locator("[data-jobs-count]")).to_have_text("2")

        visitor.entry("second").get_by_role("button", name="Cancel").click()
        visitor.wait_for_state("second", "cancelled")
        assert server.job(second["id"])["state"] == "cancelled"

        worker = Process("worker", "--data", str(data_folder), "--slots", "parse=1", **HELD_STAGES)
        try:
            visitor.wait_for_state("long", "parsing")
            page.reload()
            visitor.wait_for_state("long", "parsing")
            visitor.watch_states()
            worker.release_stages()
            visitor.wait_for_state("long", "completed")
        finally:
            worker.stop()
        expect(visitor.entry("long")).to_contain_text("60,000 records in the table, 60,000 variants")
        assert visitor.states_of("long") == ["parsing", "completed"], "nothing older is shown after the reload"


def test_what_the_reader_opened_stays_open_and_focused(visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    page = visitor.page
    ragged = RAGGED + "".join(f"chr1\t{300 + row}\t.\n" for row in range(5))
    job = server.at_rest(server.submit(ragged.encode(), "many.vcf")["id"])
    page.click("#jobs-button")
    entry = visitor.wait_for_state("many", "failed")
    summary = entry.locator("summary")
    expect(summary).to_have_text("5 more problems in this file")
    summary.focus()
    page.keyboard.press("Enter")
    expect(entry.locator(".findings")).to_be_visible()

    lose_and_regain(visitor)  # the snapshot after it renders every entry anew
    expect(entry.locator(".findings")).to_be_visible()
    expect(summary).to_be_focused()

    server.client.post(f"jobs/{job['id']}/retry").raise_for_status()
    expect(page.locator("#announcer")).to_contain_text("many: Failed. Parsing error")


def test_a_lost_connection_is_said_and_mended(visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    page = visitor.page
    page.click("#jobs-button")
    page.evaluate("window.sameDocument = true")
    lose_and_regain(visitor, meanwhile=lambda: server.at_rest(server.submit(RAGGED.encode(), "meanwhile.vcf")["id"]))
    visitor.wait_for_state("meanwhile", "failed")
    assert page.evaluate("window.sameDocument")


def lose_and_regain(visitor: Visitor, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Cut the network, see that the page says so, and mend it; what happens meanwhile is not shown until then."""
    visitor.expected = ("Failed to load resource", "net::ERR")
    link, note = visitor.page.locator("#job-manager .link-state"), visitor.page.locator("#job-manager .stale-note")
    entries = visitor.page.locator("#job-manager [data-job]")
    visitor.context.set_offline(True)
    expect(link).to_have_text("Reconnecting")
    expect(note).to_be_visible()
    before = entries.count()
    meanwhile()
    assert entries.count() == before
    visitor.context.set_offline(False)
    expect(link).to_have_text("Live")
    expect(note).to_be_hidden()
