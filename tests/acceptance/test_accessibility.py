"""The Job Manager in each of its states, light and dark, narrow and with forced colours: axe finds nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect
from visiting import Visitor, visiting

from running import HELD_STAGES, Process, serving, write_vcf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from conftest import DataCopy
    from running import Server

pytestmark = pytest.mark.browser

WARNED = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\nchr1\t100\t.\tA\tC\t50\tPASS\tXX=1\n"
RAGGED = b"a,b\n1,2\n3\n4\n"
NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, data_copy: DataCopy) -> Iterator[Server]:
    """A server with a job in each state; one that waits for its retry is among them."""
    folder = tmp_path_factory.mktemp("busy")
    with data_copy() as data, serving(data, "--no-worker") as server:
        work = ("worker", "--data", str(data), "--slots", "parse=1")
        worker = Process(*work)
        for name, content in (("completed.vcf", WARNED), ("failed.csv", RAGGED)):
            server.at_rest(server.submit(content, name)["id"])
        assert worker.stop() == 0
        worker = Process(*work, VARLOOM_RETRY_DELAY="3000", **HELD_STAGES)
        crashed = server.submit(WARNED, "retried.vcf")["id"]
        server.until(crashed, lambda job: job["state"] == "parsing")
        for child in worker.held_stages():
            child.kill()
        server.until(crashed, lambda job: job["state"] == "queued")
        running = server.submit(write_vcf(folder / "running.vcf", 100))["id"]
        server.until(running, lambda job: job["state"] == "parsing")
        server.submit(WARNED, "queued.vcf")
        server.client.post(f"jobs/{server.submit(WARNED, 'cancelled.vcf')['id']}/cancel").raise_for_status()
        yield server
        worker.kill()


@pytest.mark.parametrize(
    ("scheme", "forced", "size"), [("light", "none", WIDE), ("dark", "none", NARROW), ("dark", "active", WIDE)]
)
def test_the_job_manager_in_all_its_states(
    browser: Browser, busy: Server, scheme: str, forced: str, size: dict[str, int]
) -> None:
    with visiting(browser, busy) as visitor:
        page = visitor.page
        page.emulate_media(color_scheme=scheme, forced_colors=forced)
        page.set_viewport_size(size)
        visitor.log_in()
        page.click("#jobs-button")
        expect(page.locator("#job-manager [data-job]")).to_have_count(6)
        check(visitor, "the panel")
        page.locator("#job-manager").get_by_role("button", name="Notifications").click()
        check(visitor, "the choice of notifications")
        page.keyboard.press("Escape")

        visitor.goto("/jobs")
        visitor.wait_until_live()
        check(visitor, "the page")
        page.get_by_role("group", name="Several jobs at once").get_by_role("checkbox").check()
        check(visitor, "several selected")
        page.get_by_role("button", name="Cancel 3").click()
        check(visitor, "a question")
        page.keyboard.press("Escape")
        page.locator("#job-results").get_by_role("button", name="Retry with changes").first.click()
        expect(page.get_by_label("Assembly").last).to_be_focused()
        check(visitor, "a retry with changes")
        page.keyboard.press("Escape")

        visitor.goto("/jobs?q=nothing-of-that-name")
        expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
        check(visitor, "nothing found")
        for job in busy.client.get("jobs").json()["jobs"]:
            visitor.goto(f"/jobs/{job['id']}")
            visitor.wait_until_live()
            check(visitor, f"the page of the job {job['sample_name']}")

        visitor.expected = ("Failed to load resource", "net::ERR")
        visitor.context.set_offline(True)
        expect(page.locator(".page .link-state")).to_have_text("Reconnecting")
        expect(page.locator("#jobs-button")).to_have_accessible_name(
            re.compile("reconnecting, last known active jobs: 3")
        )
        check(visitor, "offline")


def test_an_account_without_jobs(visitor: Visitor) -> None:
    visitor.log_in()
    visitor.goto("/jobs")
    visitor.wait_until_live()
    expect(visitor.page.locator("#content").get_by_role("heading", name="No jobs yet")).to_be_visible()
    check(visitor, "an empty page")
    visitor.page.click("#jobs-button")
    expect(visitor.page.locator("#job-manager").get_by_role("heading", name="No jobs yet")).to_be_visible()
    check(visitor, "an empty panel")
    visitor.expected = ("status of 404",)
    visitor.goto("/jobs/00000000-0000-0000-0000-000000000000")
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    check(visitor, "a job that does not exist")


def check(visitor: Visitor, where: str) -> None:
    """No rule of axe is broken, and nothing is wider than the window."""
    assert violations(visitor.page) == [], where
    overflow = visitor.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, where
