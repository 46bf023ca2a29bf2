"""URLs in the upload dialog: lines that are none, what becomes of the others, which credential opens them."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from accessibility import violations
from playwright.sync_api import expect
from visiting import Visitor, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route
    from tests.sources import Source

    from running import Server

pytestmark = pytest.mark.browser

CANARY = "canary-52f0"
TOKEN = "canary-token"
TABLE = b"a,b\n1,2\n3,4\n"


@pytest.fixture(scope="module")
def source(source: Source) -> Source:
    for name in ("good", "other", "late"):
        source.serve(f"/data/{name}.csv", TABLE)
    source.serve_to_bearer("/data/private.csv", TABLE, TOKEN)
    return source


def write(page: Page, *lines: str) -> None:
    """Open the dialog and write lines into its field for URLs."""
    if not page.is_visible("#upload"):
        page.click(".header [data-open-upload]")
    if not page.is_visible("#upload-urls"):
        page.get_by_text("From URLs").click()
    page.get_by_label("URLs, one a line").fill("\n".join(lines))


def add(page: Page) -> None:
    page.get_by_role("button", name="Add to the list").click()


def test_good_lines_load_and_wrong_ones_are_told_at_once(visitor: Visitor, source: Source) -> None:
    visitor.log_in()
    page = visitor.page
    good, missing = source.url(f"/data/good.csv?token={CANARY}"), source.url("/data/missing.csv")
    write(page, "# the second batch", "", good, "/home/ann/mine.vcf", f"  {missing}  ", missing)
    field, problems = page.get_by_label("URLs, one a line"), page.locator("#upload-urls-problems li")
    field.blur()
    expect(problems).to_have_text(
        ["Line 4: A URL begins with https://, s3://, gs:// or az://.", "Line 6: It is the same as line 5."]
    )
    expect(field).to_have_accessible_description(
        "https://, s3://, gs:// or az://, each down to one file. Lines that begin with # are skipped. "
        "Line 4: A URL begins with https://, s3://, gs:// or az://. Line 6: It is the same as line 5."
    )
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#announcer")).to_contain_text("Line 4: A URL begins with")
    assert violations(page) == []
    page.get_by_role("button", name="Line 4:").click()
    assert page.evaluate("getSelection().toString()") == "/home/ann/mine.vcf"

    add(page)
    expect(page.locator(".upload-file-name")).to_have_text(["good.csv", "missing.csv"])
    expect(field).to_have_value("# the second batch\n\n/home/ann/mine.vcf\n" + missing)
    expect(field).to_be_focused()
    expect(problems.nth(1)).to_have_text("Line 4: It is in the list already.")
    field.fill("")
    expect(problems).to_have_count(0)
    expect(visitor.chosen("good.csv")).to_contain_text(source.url("/data/good.csv?token=\u2026"))
    assert CANARY not in page.content()
    assert violations(page) == []

    visitor.chosen("good.csv").get_by_label("Sample name").fill("From a URL")
    everything = page.get_by_role("group", name="For all URLs")
    everything.get_by_label("Assembly").select_option("GRCh38")
    everything.get_by_role("button", name="Apply to all").click()
    page.get_by_role("button", name="Load 2 URLs").click()
    expect(page.locator("#upload")).to_be_hidden()
    loaded = visitor.wait_for_state("From a URL", "completed")
    expect(loaded).to_contain_text("2 rows in the table")
    expect(loaded).to_contain_text("GRCh38")
    failed = visitor.wait_for_state("missing", "failed")
    expect(failed).to_contain_text("Download failed")
    expect(failed).to_contain_text("answers 404")
    expect(failed).to_contain_text(missing)
    assert CANARY not in page.content()


def test_a_line_is_left_alone_while_it_is_written(visitor: Visitor) -> None:
    visitor.log_in()
    page = visitor.page
    write(page, "")
    field, problems = page.get_by_label("URLs, one a line"), page.locator("#upload-urls-problems")
    with page.expect_response("**/sources/preflight"):
        field.press_sequentially("no url\nhttp")
    expect(problems).to_have_text("Line 1: A URL begins with https://, s3://, gs:// or az://.")
    page.keyboard.press("Enter")
    expect(problems).to_contain_text("Line 2: A URL begins with")
    field.fill("")
    add(page)
    expect(problems).to_have_text("Give one URL or more, each in a line of its own.")
    expect(field).to_be_focused()


def test_only_credentials_for_the_url_are_offered(visitor: Visitor, server: Server, source: Source) -> None:
    stored = [("lab", "bearer", source.url(""), {"token": TOKEN}), ("gone", "bearer", source.url(""), {"token": "x"})]
    stored.append(("bucket", "s3", "s3://bucket", {"access_key": "AKIA1", "secret_key": "x"}))
    ids = {}
    for name, kind, scope, values in stored:
        new = {"name": name, "kind": kind, "scope": scope, "values": values}
        ids[name] = server.client.post("credentials", json=new).raise_for_status().json()["id"]
    visitor.log_in()
    page = visitor.page
    write(page, source.url("/data/private.csv"), "s3://bucket/cohort/NA1.vcf.gz", "gs://else/NA2.vcf.gz")
    add(page)
    private, cohort, elsewhere = (visitor.chosen(name) for name in ("private.csv", "NA1.vcf.gz", "NA2.vcf.gz"))
    expect(private.get_by_label("Credential").locator("option")).to_have_text(["None", "gone", "lab"])
    expect(cohort.get_by_label("Credential").locator("option")).to_have_text(["None", "bucket"])
    expect(elsewhere.get_by_label("Credential")).to_be_disabled()
    expect(elsewhere).to_contain_text("None of those that are stored is for this URL.")
    expect(cohort.get_by_label("Split by sample")).to_be_visible()
    expect(private.get_by_label("Split by sample")).to_be_hidden()
    page.get_by_role("group", name="For all URLs").get_by_label("Credential").select_option("gone")
    page.get_by_role("button", name="Apply to all").click()
    expect(cohort.get_by_label("Credential")).to_have_value("")
    for name in ("NA1.vcf.gz", "NA2.vcf.gz"):
        page.get_by_role("button", name=f"Remove {name}").click()

    server.client.delete(f"credentials/{ids['gone']}").raise_for_status()
    visitor.expected = ("status of 404",)
    page.get_by_role("button", name="Load 1 URL").click()
    expect(private).to_have_attribute("data-state", "failed")
    expect(private).to_contain_text("There is no such credential")
    expect(private.locator("[data-error-steps] li").first).not_to_be_empty()
    expect(private.get_by_role("group")).to_have_accessible_description(re.compile("There is no such credential"))
    expect(private.get_by_label("Credential").locator("option")).to_have_text(["None", "lab"])
    expect(private.locator(":focus")).to_have_count(1)
    assert violations(page) == []
    private.get_by_label("Credential").select_option("lab")
    page.get_by_role("button", name="Load 1 URL").click()
    visitor.wait_for_state("private", "completed")


def test_a_broken_connection_makes_no_second_job(visitor: Visitor, server: Server, source: Source) -> None:
    visitor.log_in()
    visitor.expected = ("net::ERR",)
    page = visitor.page
    keys = []

    def lose_the_first_answer(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.fallback()
        route.fetch()  # it arrives, but its answer does not
        return route.abort("connectionreset")

    page.route("**/api/v1/jobs", lose_the_first_answer)
    write(page, source.url("/data/other.csv"))
    add(page)
    page.locator("#upload-send").dblclick()
    visitor.wait_for_state("other", "completed")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert len(server.jobs_named("other")) == 1


def test_by_keyboard_alone(visitor: Visitor, source: Source) -> None:
    visitor.log_in()
    page = visitor.page

    def go_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not lead to {selector}")

    go_to(".header [data-open-upload]")
    page.keyboard.press("Enter")
    go_to("#upload-from-urls summary")
    page.keyboard.press("Enter")
    go_to("#upload-urls")
    page.keyboard.type(f"none\n{source.url('/data/other.csv')}")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".upload-file")).to_have_count(1)
    expect(page.get_by_label("URLs, one a line")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    go_to("[name=sample_name]")
    page.keyboard.press("Control+A")
    page.keyboard.type("typed")
    go_to("#upload-send")
    page.keyboard.press("Enter")
    visitor.wait_for_state("typed", "completed")


def test_what_may_have_arrived_is_sent_again_as_it_was(visitor: Visitor, server: Server, source: Source) -> None:
    page = visitor.page
    page.clock.install()
    visitor.log_in()
    visitor.expected = ("net::ERR",)
    page.route("**/api/v1/jobs", lambda route: route.abort("connectionreset"))
    write(page, source.url("/data/late.csv"))
    add(page)
    page.get_by_role("button", name="Load 1 URL").click()
    late = visitor.chosen("late.csv")
    expect(late).to_contain_text("The connection broke. Trying again")
    deadline = time.monotonic() + 60
    while late.get_attribute("data-state") != "paused":  # each try takes its time on the real clock, too
        assert time.monotonic() < deadline, late.inner_text()
        page.clock.run_for(10_000)
    expect(late).to_contain_text("The server did not answer")
    expect(late).to_contain_text("Trying again makes no second job")
    expect(late.get_by_label("Sample name")).to_be_hidden()
    assert violations(page) == []
    page.unroute("**/api/v1/jobs")
    late.get_by_role("button", name="Resume late.csv").click()
    visitor.wait_for_state("late", "completed")
    assert len(server.jobs_named("late")) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_states_on_a_narrow_screen(browser: Browser, server: Server, source: Source, scheme: Any) -> None:
    with visiting(browser, server) as visitor:
        visitor.log_in()
        visitor.expected = ("status of 400",)
        page = visitor.page
        page.set_viewport_size({"width": 360, "height": 740})
        page.emulate_media(color_scheme=scheme)

        def check(where: str) -> None:
            assert violations(page) == [], where
            wide = "(e => e.scrollWidth - e.clientWidth)(document.querySelector('#upload .dialog-body'))"
            assert page.evaluate(wide) <= 0, where

        write(
            page, source.url("/data/good.csv"), "x" * 200, f"https://{'long.' * 30}example.org/{'deep/' * 30}a.vcf.gz"
        )
        page.get_by_label("URLs, one a line").blur()
        expect(page.locator("#upload-urls-problems")).to_contain_text("Line 2")
        check("wrong lines")
        add(page)
        expect(page.locator(".upload-file")).to_have_count(2)
        check("the list")
        page.get_by_label("URLs, one a line").fill("")
        refuse_one(page)
        page.get_by_role("button", name="Load 2 URLs").click()
        expect(page.locator(".upload-file[data-state=failed]")).to_contain_text("Give a URL that begins with")
        expect(page.locator(".upload-file[data-state=sent]")).to_contain_text("Handed over")
        check("one refused, one handed over")


def refuse_one(page: Page) -> None:
    """Let the server refuse the long one."""

    def spoil(route: Route) -> None:
        body = route.request.post_data_json if route.request.method == "POST" else {}
        if "long." in body.get("source_url", ""):
            return route.fallback(post_data=json.dumps({**body, "source_url": "ftp://example.org/a.vcf"}))
        return route.fallback()

    page.route("**/api/v1/jobs", spoil)
