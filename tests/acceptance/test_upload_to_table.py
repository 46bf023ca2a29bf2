"""From the printed login link to a sorted and filtered table, without ever reloading a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from running import Server, write_vcf

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from visiting import Visitor

pytestmark = pytest.mark.browser

LOGIN_LINE = re.compile(r"^Log in at (\S+)$")


def expect_first(page: Page, name: str, values: list[str]) -> None:
    """Wait until a column begins with these texts."""
    for row, value in enumerate(values):
        cell = page.locator(f'#table .ag-row[row-index="{row}"] .ag-cell[col-id="{name}"]')
        expect(cell).to_have_text(value)


def test_from_the_printed_link_to_the_filtered_table(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    link = next(match[1] for line in server.output if (match := LOGIN_LINE.match(line)))
    page = visitor.page
    page.goto(link)
    page.wait_for_url("**/samples")
    visitor.wait_until_live()
    assert "#" not in page.url, "the token is gone from the address bar"

    visitor.watch_states()
    page.evaluate("window.sameDocument = true")
    server.client.post("queue/pause", json={"stage": "parse"}).raise_for_status()  # so that each state is seen
    visitor.upload("HG002.vcf", write_vcf(tmp_path / "HG002.vcf", 500))
    visitor.wait_for_state("HG002", "queued")
    server.client.post("queue/resume", json={"stage": "parse"}).raise_for_status()
    visitor.wait_for_state("HG002", "completed")
    assert visitor.states_of("HG002") == ["queued", "parsing", "completed"]
    assert page.evaluate("window.sameDocument"), "the page was not loaded again"
    expect(page.locator("[data-jobs-count]")).to_have_text("0")
    expect(visitor.entry("HG002")).to_contain_text("500 records in the file = 500 records in the table, 500 variants")

    expect(page.locator("#samples-area tr", has_text="HG002")).to_contain_text("500")

    visitor.entry("HG002").get_by_role("link", name="Open table").click()
    expect(page).to_have_title("HG002 - Varloom")
    expect_first(page, "position", ["1,000", "1,007", "1,014"])
    expect(page.locator("#row-count")).to_have_text("500 rows")

    position = page.locator('.ag-header-cell[col-id="position"]')
    position.locator("[data-name]").click()
    expect(position).to_have_attribute("aria-sort", "ascending")
    position.locator("[data-name]").click()
    expect_first(page, "position", ["4,493", "4,486"])
    expect(page).to_have_url(re.compile("sort=-position"))

    page.fill("#filter-box", "qual >= 89 AND INFO.DP = 49")
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_have_text("8 of 500 rows")
    expect_first(page, "qual", ["89.5"] * 8)
    expect_first(page, "INFO.DP", ["49"] * 8)

    page.go_back()
    expect(page.locator("#row-count")).to_have_text("500 rows")


def test_a_used_login_link_says_how_to_get_a_new_one(visitor: Visitor) -> None:
    visitor.expected = ("status of 4",)
    link = visitor.server.client.post("login-links").json()["path"]
    visitor.page.goto(visitor.server.url + link)
    visitor.page.wait_for_url("**/samples")
    visitor.page.goto("about:blank")  # an open page that finds its session ended goes to the login page by itself
    visitor.context.clear_cookies()
    visitor.page.goto(visitor.server.url + link)
    expect(visitor.page.get_by_role("alert")).to_contain_text("cannot be used")
    expect(visitor.page.get_by_role("alert").locator("code")).to_have_text("varloom login")
    expect(visitor.page.locator("#login-form")).to_contain_text("varloom login")
    assert "#" not in visitor.page.url
    visitor.goto("/samples")
    expect(visitor.page).to_have_url(re.compile(r"/login\?next=%2Fsamples"))


def test_the_filter_form_chooser_and_address(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    visitor.log_in()
    job = server.at_rest(server.submit(write_vcf(tmp_path / "form.vcf", 300))["id"])
    page = visitor.page
    visitor.goto(f"/samples/{job['sample_id']}")
    expect_first(page, "position", ["1,000"])

    page.click("#add-filter")
    page.select_option("[name=column]", "INFO.AF")
    page.select_option("[name=question]", "between")
    page.fill("[name=value]", "0.10")
    page.fill("[name=upper]", "0.12")
    page.click("#filter-dialog .button-main")
    expect(page.locator("#row-count")).to_have_text("9 of 300 rows")
    expect_first(page, "INFO.AF", ["0.1", "0.11", "0.12"])

    page.fill("#filter-box", "qual >")
    page.keyboard.press("Enter")
    visitor.expected = ("status of 400",)
    expect(page.locator("#filter-refusal")).to_contain_text("filter_invalid")
    expect(page.locator("#filter-refusal mark")).not_to_be_empty()
    page.fill("#filter-box", "")
    expect(page.locator("#filter-refusal")).to_be_hidden()
    visitor.expected = ("status of 400", "Failed to load resource", "net::ERR")
    visitor.context.set_offline(True)
    page.click("[data-remove]")
    expect(page.locator("#filter-refusal")).to_contain_text("The server did not answer")
    visitor.context.set_offline(False)
    page.click("#rows-again")
    expect(page.locator("#row-count")).to_have_text("300 rows")
    expect(page.locator("#filter-refusal")).to_be_hidden()
    page.go_back()
    expect(page.locator("#row-count")).to_have_text("9 of 300 rows")

    page.click("#columns-button")
    page.fill("#column-search", "INFO.DP")
    page.locator(".column-choice", has_text="INFO.DP").click()
    expect(page.locator('.ag-header-cell[col-id="INFO.DP"]')).to_have_count(0)
    page.keyboard.press("Escape")

    page.reload()
    expect(page.locator("#row-count")).to_have_text("9 of 300 rows")
    expect(page.locator('.ag-header-cell[col-id="INFO.DP"]')).to_have_count(0)
    page.click("#export-button")
    with page.expect_download() as download:
        page.click("[data-format=csv]")
    exported = download.value.path().read_text().splitlines()
    assert len(exported) == 10, "the header and exactly the rows that the filter leaves"
    assert "INFO.DP" not in exported[0]
    page.keyboard.press("Escape")

    page.click("[data-remove]")
    expect(page.locator("#row-count")).to_have_text("300 rows")


def test_columns_with_any_name_can_be_sorted_filtered_and_hidden(visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    content = 'order,"a,b",-x,"say ""hi""",select.it\n3,u,1,p,A\n1,v,2,,B\n2,w,3,r,C\n'
    job = server.at_rest(server.submit(content.encode(), "odd names.csv")["id"])
    page = visitor.page
    visitor.goto(f"/samples/{job['sample_id']}")
    expect_first(page, "order", ["3", "1", "2"])
    for name, value in [("order", "1"), ("a,b", "v"), ("-x", "2"), ("select.it", "B")]:
        page.click("#add-filter")
        page.select_option("[name=column]", name)
        page.select_option("[name=question]", "is")
        page.fill("[name=value]", value)
        page.click("#filter-dialog .button-main")
        expect(page.locator("#row-count")).to_have_text("1 of 3 rows")
        expect_first(page, "order", ["1"])
        page.click("[data-remove]")
        expect(page.locator("#row-count")).to_have_text("3 rows")
    for position in range(1, 6):  # the first is for the details of the rows
        header = page.locator(".ag-header-cell").nth(position)
        header.locator("[data-name]").click()
        expect(header).to_have_attribute("aria-sort", "ascending")
        expect(page.locator('#table .ag-row[row-index="2"] .ag-cell').nth(1)).not_to_be_empty()
    expect(page.locator("#filter-refusal")).to_be_hidden()
    expect(page.locator(".cell-missing")).to_have_count(1)
