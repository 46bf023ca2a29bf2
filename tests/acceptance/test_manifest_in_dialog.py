"""A manifest in the upload dialog: its lines before they are sent, faults with their place, all or none, or a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from accessibility import violations
from playwright.sync_api import expect
from visiting import Visitor, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route
    from tests.sources import Source

    from running import Server

pytestmark = pytest.mark.browser

CANARY = "canary-3ad9"
TABLE = b"a,b\n1,2\n3,4\n"


@pytest.fixture(scope="module")
def source(source: Source) -> Source:
    source.serve("/data/one.csv", TABLE)
    source.serve("/data/two.csv", TABLE)
    return source


def test_a_dropped_manifest_shows_its_lines_and_becomes_their_jobs(
    visitor: Visitor, server: Server, source: Source
) -> None:
    visitor.log_in()
    page = visitor.page
    one, two = source.url(f"/data/one.csv?token={CANARY}"), source.url("/data/two.csv")
    visitor.choose("batch.csv", f"name,url,assembly,priority\nFrom a manifest,{one},hg38,\n,{two},,7\n")
    batch = visitor.chosen("batch.csv")
    rows = batch.get_by_role("region", name="Lines of batch.csv").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator("td")).to_have_text(["2", "From a manifest", f"{one.split('=')[0]}=\u2026", "GRCh38"])
    expect(rows.nth(1).locator("td")).to_have_text(["3", "two", two, "priority 7"])
    expect(batch).to_contain_text("By its header this is a manifest")
    expect(page.locator("#announcer")).to_contain_text("batch.csv is a manifest of 2 lines")
    assert CANARY not in page.content()
    assert violations(page) == []

    visitor.choose("beside.csv", "a,b\n1,2\n")
    expect(page.get_by_role("button", name="Load 1 file and 2 URLs")).to_be_enabled()
    page.click("#upload-send")
    expect(page.locator("#upload")).to_be_hidden()
    for name in ("From a manifest", "two", "beside"):
        visitor.wait_for_state(name, "completed")
    assert [job["options"]["assembly"] for job in server.jobs_named("From a manifest")] == ["GRCh38"]
    assert [job["priority"] for job in server.jobs_named("two")] == [7]


def test_faulty_lines_are_told_with_their_place_and_keep_the_rest_back(
    visitor: Visitor, server: Server, source: Source
) -> None:
    visitor.log_in()
    page = visitor.page
    page.click(".header [data-open-upload]")
    page.get_by_text("From URLs").click()
    lines = [
        "url\tname\tassembly",
        f"{source.url('/data/one.csv')}\tGood line\t",
        "/home/ann/<b>mine</b>.vcf\t\t",
        f"{source.url('/data/two.csv')}\tLeft out\thg20",
    ]
    visitor.choose("faulty.tsv", "\n".join(lines), "#upload-manifest-input")
    faulty = visitor.chosen("faulty.tsv")
    expect(faulty.get_by_role("list", name="Faults").locator("li")).to_have_text(
        [
            "Line 3, url: It is no URL: the server reads no files by their path.",
            "Line 4, assembly: Expected GRCh37 or GRCh38, not 'hg20'.",
        ]
    )
    expect(faulty).to_contain_text("2 lines have faults. While there are any, nothing of the manifest is loaded.")
    expect(faulty.locator("[data-faults-steps] li").first).to_contain_text("Give a URL that begins with https://")
    expect(faulty.get_by_role("button", name="Load it as a table")).to_have_count(0)
    expect(page.locator("#upload-send")).to_be_disabled()
    assert violations(page) == []
    assert server.jobs_named("Good line") == []
    faulty.get_by_label("Leave out the lines with faults").check()
    page.get_by_role("button", name="Load 1 URL").click()
    visitor.wait_for_state("Good line", "completed")
    assert server.jobs_named("Left out") == []


def test_what_looks_like_a_manifest_can_be_loaded_as_a_table(visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.choose("links.csv", "Name,URL\nfirst,https://example.org/1.vcf\nsecond,https://example.org/2.vcf\n")
    links = visitor.chosen("links.csv")
    links.get_by_role("button", name="Load it as a table instead").click()
    expect(links.get_by_label("Sample name")).to_be_focused()
    expect(links).to_contain_text("2 columns: Name, URL")
    expect(page.locator(".upload-file")).to_have_count(1)
    page.get_by_role("button", name="Upload", exact=True).last.click()
    visitor.wait_for_state("links", "completed")
    assert len(server.jobs_named("links")) == 1


def test_a_table_with_a_column_of_urls_is_a_table_and_a_misspelt_manifest_is_refused_by_name(visitor: Visitor) -> None:
    visitor.log_in()
    visitor.expected = ("status of 422",)
    page = visitor.page
    text = "url,asembly,Priority\nhttps://example.org/1.vcf,hg38,1\n"
    visitor.choose("table.csv", text)
    expect(visitor.chosen("table.csv").get_by_label("Sample name")).to_have_value("table")
    page.get_by_role("button", name="Remove table.csv").click()
    page.get_by_text("From URLs").click()
    visitor.choose("manifest.csv", text, "#upload-manifest-input")
    refused = visitor.chosen("manifest.csv")
    expect(refused).to_have_attribute("data-state", "refused")
    expect(refused).to_contain_text("There is no column 'asembly'.")
    expect(refused.locator("[data-error-steps] li").first).not_to_be_empty()
    expect(page.locator("#upload-send")).to_be_disabled()
    assert violations(page) == []


def test_a_broken_connection_makes_no_second_set_of_jobs(visitor: Visitor, server: Server, source: Source) -> None:
    visitor.log_in()
    visitor.expected = ("net::ERR",)
    page = visitor.page
    keys = []

    def lose_the_first_answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) > 1:
            return route.fallback()
        route.fetch()  # it arrives, but its answer does not
        return route.abort("connectionreset")

    page.route("**/api/v1/manifests?*", lose_the_first_answer)
    visitor.choose("once.csv", f"url,name\n{source.url('/data/one.csv')},Only once\n")
    page.locator("#upload-send").dblclick()
    visitor.wait_for_state("Only once", "completed")
    assert len(set(keys)) == 1
    assert len(keys) == 2
    assert len(server.jobs_named("Only once")) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_long_manifest_on_a_narrow_screen(browser: Browser, server: Server, scheme: Any) -> None:
    with visiting(browser, server) as visitor:
        visitor.log_in()
        page = visitor.page
        page.set_viewport_size({"width": 360, "height": 740})
        page.emulate_media(color_scheme=scheme)
        lines = [f"s3://bucket/{'deep/' * 30}{number}.vcf.gz,{'long' * 20} {number}" for number in range(700)]
        visitor.choose("long.csv", "\n".join(["url,name", *lines, "nothing,"]))
        long = visitor.chosen("long.csv")
        rows = long.locator("tbody tr")
        expect(rows).to_have_count(50)
        long.get_by_role("button", name="Show 500 of 650 more lines").click()
        expect(rows).to_have_count(550)
        long.get_by_role("button", name="Show 150 more lines").click()
        expect(rows.last.locator("td").first).to_have_text("701")
        expect(long.locator("[data-more]")).to_be_hidden()
        wide = "(e => e.scrollWidth - e.clientWidth)(document.querySelector('#upload .dialog-body'))"
        assert page.evaluate(wide) <= 0
        assert violations(page) == []
