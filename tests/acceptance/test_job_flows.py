"""What people do all day with the Job Manager: watch, look into a job, retry with changes, act on many, find again."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from playwright.sync_api import expect
from psycopg.types.json import Jsonb
from tests.ports import free_port
from visiting import Visitor, visiting

from running import HELD_STAGES, Process, Server, serving, write_vcf
from varloom.db.embedded import EmbeddedPostgres
from varloom.jobs.statements import statement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator

pytestmark = pytest.mark.browser

RAGGED = b"a,b\n1,2\n3\n"
TABLE = b"a,b\n1,2\n"

WATCH_MOVES = """() => {
    window.moved = [];
    window.spoken = [];
    new PerformanceObserver((list) => window.moved.push(...list.getEntries().map((entry) => entry.value)))
        .observe({type: "layout-shift"});
    const region = document.getElementById("announcer");
    new MutationObserver(() => window.spoken.push(region.textContent)).observe(region, {childList: true});
}"""
PRETEND_HIDDEN = """(hidden) => {
    Object.defineProperty(document, "hidden", {configurable: true, get: () => hidden});
    Object.defineProperty(document, "hasFocus", {configurable: true, value: () => !hidden});
    document.dispatchEvent(new Event("visibilitychange"));
    if (!hidden) window.dispatchEvent(new Event("focus"));
}"""
SPY_ON_NOTIFICATIONS = """
    window.shownNotifications = [];
    const asked = Notification;
    window.Notification = class extends EventTarget {
        static get permission() { return asked.permission; }
        static requestPermission() { return Promise.resolve(asked.permission); }
        constructor(title, options) { super(); window.shownNotifications.push(`${title}: ${options.body}`); }
    };
"""


@pytest.fixture
def idle(browser: Browser, data_folder: Path) -> Iterator[Visitor]:
    """A visitor of a server on which nothing runs: what is queued stays so."""
    with serving(data_folder, "--no-worker") as server, visiting(browser, server) as visitor:
        visitor.log_in()
        yield visitor


PLACES_WHEN_SCROLLED_TO = """async (element) => {
  element.scrollIntoView({ block: "center", behavior: "instant" });
  const places = [];
  for (let frame = 0; frame < 30; frame += 1) {
    places.push(Math.round(element.getBoundingClientRect().top));
    await new Promise(requestAnimationFrame);
  }
  return places;
}"""
"""Where an element is in the frames after it was scrolled to, in pixels."""


def shown(visitor: Visitor) -> list[str]:
    """The names of the jobs on the page, from the top."""
    return visitor.page.locator("#job-results .job-name").all_text_contents()


def on_page(visitor: Visitor, name: str) -> Locator:
    return visitor.page.locator("#job-results [data-job]", has_text=name)


def test_progress_moves_nothing_and_is_not_spoken(browser: Browser, tmp_path: Path, data_folder: Path) -> None:
    with (
        serving(data_folder, "--no-worker") as server,
        EmbeddedPostgres(data_folder) as postgres,
        visiting(browser, server) as visitor,
    ):
        visitor.log_in()
        visitor.page.click("#jobs-button")
        worker = Process("worker", "--data", str(data_folder), "--slots", "parse=1", **HELD_STAGES)
        try:
            job = server.submit(write_vcf(tmp_path / "watched.vcf", 1000))
            server.submit(TABLE, "next.csv")
            entry = visitor.wait_for_state("watched", "parsing")
            expect(entry).to_contain_text("Starting")
            expect(visitor.entry("next")).to_contain_text(
                "Next for a Parsing slot"
            )  # else it moves the other when it comes
            visitor.page.evaluate(WATCH_MOVES)
            for percent in (1, 42, 99):
                report_progress(postgres, job["id"], percent)
                expect(entry.locator(".stage-note")).to_have_text(f"{percent}%")
                expect(entry).to_contain_text("MB of 100 MB")
                expect(entry).to_contain_text("2.5 MB/s, about 3 min left")
            assert visitor.page.evaluate("window.moved") == [], "progress shifts nothing"
            worker.release_stages()
            visitor.wait_for_state("watched", "completed")
        finally:
            worker.stop()
        expect(entry).to_contain_text("1,000 records in the file = 1,000 records in the table, 1,000 variants")
        spoken = visitor.spoken_until("watched: Completed")
        assert not [text for text in spoken if "%" in text or "MB" in text]


def report_progress(postgres: EmbeddedPostgres, job_id: str, percent: int) -> None:
    """What a worker writes down while a stage runs."""
    progress = {"done": percent * 1e6, "total": 1e8, "unit": "bytes", "rate": 2.5e6, "eta_seconds": 180}
    with psycopg.connect(postgres.conninfo) as connection:
        (token,) = connection.execute("SELECT attempt_token FROM jobs WHERE id = %s", [job_id]).fetchone()
        values = {"job_id": job_id, "token": token, "progress": Jsonb(progress)}
        connection.execute(statement("write_progress"), values)


def test_the_page_of_a_job_is_live_and_tells_everything(visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    page = visitor.page
    job = server.at_rest(server.submit(RAGGED, "ragged.csv")["id"])
    visitor.goto("/jobs")
    on_page(visitor, "ragged").get_by_role("link", name="ragged", exact=True).click()
    page.wait_for_url(f"**/jobs/{job['id']}")
    visitor.wait_until_live()
    expect(page.get_by_role("heading", level=1)).to_have_text("ragged")
    attempts = page.locator("section", has=page.get_by_role("heading", name="Attempts"))
    expect(attempts.locator("tbody tr")).to_have_count(1)
    page.locator("#job-area .job-name a").focus()
    box = page.locator("#job-area .job-name").bounding_box()
    assert box is not None
    assert box["width"] > 20, "what has the focus is seen"
    expect(page.locator("#job-area")).to_contain_text(re.compile(r"SHA-256\s*[0-9a-f]{64}"))

    page.get_by_role("button", name="Retry", exact=True).click()
    expect(attempts.locator("tbody tr")).to_have_count(2)
    expect(page.locator(".job-log li").filter(has_text="Retried by hand")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Problem report").click()
    report = download.value.path().read_text()
    assert server.job(job["id"])["error"]["message"] in report

    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".job-dismissed")).to_be_visible()
    done = server.at_rest(server.submit(TABLE, "fine.csv")["id"])
    visitor.goto(f"/jobs/{done['id']}")
    expect(page.locator("#job-area")).to_contain_text("blake3:")
    expect(page.locator("#job-area")).to_contain_text("varloom ")


def test_a_job_is_retried_with_changes(idle: Visitor) -> None:
    page, server = idle.page, idle.server
    job = server.submit(TABLE, "again.csv", assembly="GRCh37")
    server.client.post(f"jobs/{job['id']}/cancel").raise_for_status()
    idle.goto("/jobs")
    change = on_page(idle, "again").get_by_role("button", name="Retry with changes")
    change.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Retry again with changes")
    assembly = dialog.get_by_label("Assembly")
    expect(assembly).to_be_focused()
    expect(assembly).to_have_value("GRCh37")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(change).to_be_focused()

    change.click()
    assembly.select_option("GRCh38")
    dialog.get_by_label("Split by sample").check()
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(on_page(idle, "again").locator(".job-facts")).to_contain_text("GRCh38")
    retried = server.job(job["id"])
    assert retried["options"] == {"assembly": "GRCh38", "split_by_sample": True}
    assert retried["state"] == "queued"

    server.client.post(f"jobs/{job['id']}/cancel").raise_for_status()
    change.click()
    server.client.post(f"jobs/{job['id']}/retry").raise_for_status()  # somebody was faster
    idle.expected = ("status of 409",)
    dialog.get_by_role("button", name="Retry", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("The job is still queued.")


def test_many_jobs_at_once_by_keyboard(idle: Visitor) -> None:
    page, server = idle.page, idle.server
    jobs = [server.submit(TABLE, f"job-{number}.csv") for number in range(5)]
    server.client.post(f"jobs/{jobs[0]['id']}/cancel").raise_for_status()
    idle.goto("/jobs")
    idle.wait_until_live()
    bar = page.get_by_role("group", name="Several jobs at once")
    bar.get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    expect(bar).to_contain_text("5 of 5 selected")
    on_page(idle, "job-4").get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    expect(bar).to_contain_text("4 of 5 selected")

    bar.get_by_label("Priority of the selected jobs").select_option("10")
    expect(on_page(idle, "job-3").locator(".job-facts")).to_contain_text("High priority")
    expect(page.locator("#announcer")).to_contain_text("3 jobs given another priority")
    on_page(idle, "job-4").get_by_label("Priority of job-4").select_option("-10")
    expect(on_page(idle, "job-4").locator(".job-facts")).to_contain_text("Low priority")

    for number in (1, 2, 3):
        on_page(idle, f"job-{number}").get_by_role("checkbox").check()
    bar.get_by_role("button", name="Cancel 3").press("Enter")
    page.get_by_role("dialog", name="Cancel 3 jobs?").get_by_role("button", name="Cancel 3 jobs").press("Enter")
    expect(page.locator("#job-results [data-state=cancelled]")).to_have_count(4)
    expect(bar).to_contain_text("1 of 5 selected")  # the stream may tell of them before the request is answered
    on_page(idle, "job-0").get_by_role("checkbox").uncheck()
    on_page(idle, "job-1").get_by_role("checkbox").check()
    bar.get_by_role("button", name="Retry 1").press("Enter")
    expect(on_page(idle, "job-1").locator(".chip")).to_have_text("Queued")
    expect(bar).to_contain_text("Select all shown")

    on_page(idle, "job-0").get_by_role("checkbox").check()
    on_page(idle, "job-3").get_by_role("checkbox").click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 of 5 selected")
    bar.get_by_role("button", name="Dismiss 3").press("Enter")
    expect(page.locator("#job-results [data-job]")).to_have_count(2)
    assert sorted(shown(idle)) == ["job-1", "job-4"]


def test_what_is_looked_for_stands_in_the_address(idle: Visitor) -> None:
    page, server = idle.page, idle.server
    for name in ("trio-child", "trio-mother", "panel"):
        server.submit(TABLE, f"{name}.csv")
    server.client.post(f"jobs/{server.submit(TABLE, 'trio-father.csv')['id']}/cancel").raise_for_status()
    idle.goto("/jobs")
    page.get_by_label("Search by the name of sample or file").fill("TRIO")
    page.keyboard.press("Enter")
    expect(page.locator("#job-results [data-job]")).to_have_count(3)
    page.get_by_label("Active").check()
    expect(page.locator("#job-results [data-job]")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/jobs\?state=active&q=TRIO$"))
    expect(page.locator("#announcer")).to_have_text("2 jobs shown")
    page.reload()
    idle.wait_until_live()
    assert shown(idle) == ["trio-mother", "trio-child"]

    server.submit(TABLE, "other.csv")
    server.submit(TABLE, "trio-new.csv")
    expect(on_page(idle, "trio-new")).to_be_visible()
    assert shown(idle) == ["trio-new", "trio-mother", "trio-child"], "what comes live is held to the filter, too"
    on_page(idle, "trio-new").get_by_role("button", name="Cancel").click()
    expect(on_page(idle, "trio-new").locator(".chip")).to_have_text("Cancelled")

    tomorrow = time.strftime("%Y-%m-%d", time.localtime(time.time() + 2 * 86_400))
    page.get_by_label("From").fill(tomorrow)
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"from={tomorrow}&zone="))
    page.get_by_role("link", name="Show all jobs").click()
    expect(page.locator("#job-results [data-job]")).to_have_count(6)


def test_earlier_jobs_are_fetched_by_pages(idle: Visitor) -> None:
    server, page = idle.server, idle.page
    for number in range(103):
        server.submit(TABLE, f"many-{number:03}.csv")
    server.submit(TABLE, "other.csv")
    idle.goto("/jobs?q=many")
    idle.wait_until_live()
    assert shown(idle) == [f"many-{number:03}" for number in range(102, 2, -1)], "nothing beyond the page is mixed in"
    earlier = page.get_by_role("button", name="Show earlier jobs")
    assert len(set(earlier.evaluate(PLACES_WHEN_SCROLLED_TO))) == 1, "it stays under the pointer"
    earlier.click()
    expect(page.locator("#job-results [data-job]")).to_have_count(103)
    assert shown(idle) == [f"many-{number:03}" for number in range(102, -1, -1)]
    expect(page.get_by_role("button", name="Show earlier jobs")).to_be_hidden()


def test_the_server_is_restarted_while_the_panel_is_open(browser: Browser, tmp_path: Path, data_folder: Path) -> None:
    port = str(free_port())
    first = Server(data_folder, "--no-worker", "--port", port)
    with visiting(browser, first) as visitor:
        visitor.log_in()
        visitor.expected = ("Failed to load resource", "net::ERR", "Failed to fetch", "MIME type", "EventSource")
        job = first.submit(write_vcf(tmp_path / "long.vcf", 1000))
        visitor.page.click("#jobs-button")
        visitor.wait_for_state("long", "queued")
        first.client.close()
        first.stop()
        panel = visitor.page.locator("#job-manager")
        expect(panel.locator(".link-state")).to_have_text("Reconnecting")
        expect(panel.locator(".stale-note")).to_be_visible()
        visitor.entry("long").get_by_role("button", name="Cancel").click()
        expect(visitor.page.get_by_role("alert")).to_contain_text("The server did not answer")

        with serving(data_folder, "--no-worker", "--port", port) as second:
            expect(panel.locator(".link-state")).to_have_text("Live", timeout=40_000)
            expect(panel.locator(".stale-note")).to_be_hidden()
            worker = Process("worker", "--data", str(data_folder), "--slots", "parse=1", **HELD_STAGES)
            try:
                visitor.wait_for_state("long", "parsing")
                visitor.page.close()
                visitor.page = visitor.context.new_page()
                visitor.goto("/jobs")
                expect(on_page(visitor, "long").locator(".chip")).to_have_text("Parsing")
                visitor.wait_until_live()
                worker.release_stages()
                expect(on_page(visitor, "long").locator(".chip")).to_have_text("Completed")
            finally:
                worker.stop()
            assert second.job(job["id"])["records"] == 1000


def test_who_wants_it_is_told_while_looking_elsewhere(visitor: Visitor, server: Server) -> None:
    visitor.context.grant_permissions(["notifications"])
    visitor.page.add_init_script(SPY_ON_NOTIFICATIONS)
    visitor.log_in()
    page = visitor.page
    title = page.title()
    page.evaluate(PRETEND_HIDDEN, True)
    expect(page.locator("body")).to_have_attribute("data-link", "live")
    server.at_rest(server.submit(TABLE, "unasked.csv")["id"])
    assert page.title() == title, "nothing is told unless it was asked for"
    page.evaluate(PRETEND_HIDDEN, False)
    visitor.wait_until_live()

    page.click("#jobs-button")
    page.get_by_role("button", name="Notifications").click()
    page.get_by_label("Count it in the title of this tab").check()
    page.get_by_label("Show a notification of the browser").check()
    page.keyboard.press("Escape")
    page.evaluate(PRETEND_HIDDEN, True)
    server.at_rest(server.submit(TABLE, "good.csv")["id"])
    expect(page).to_have_title(re.compile(r"^\(1 completed\)"))
    page.evaluate('window.dispatchEvent(new Event("focus"))')  # as a browser may say of a tab that is not in front
    server.at_rest(server.submit(RAGGED, "bad.csv")["id"])
    expect(page).to_have_title(re.compile(r"^\(1 failed, 1 completed\)"))
    told = page.evaluate("window.shownNotifications")
    assert [text.split(".")[0] for text in told] == ["A job is completed: good: Completed", "A job failed: bad: Failed"]
    page.evaluate(PRETEND_HIDDEN, False)
    assert page.title() == title
    server.at_rest(server.submit(TABLE, "seen.csv")["id"])
    visitor.wait_for_state("seen", "completed")
    assert page.title() == title
    assert page.evaluate("window.shownNotifications.length") == 2
