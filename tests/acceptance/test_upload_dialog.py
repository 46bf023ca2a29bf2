"""The upload dialog: several files, dropped files, options that are echoed, refusals that say what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from visiting import Visitor, visiting

from running import Server, serving

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

DROP = """([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
}"""
TRIO = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tmother\tchild\n"
    "chr1\t100\t.\tA\tC\t50\tPASS\t.\tGT\t0/1\t1/1\n"
)


def test_of_several_files_the_good_ones_go_through(visitor: Visitor) -> None:
    visitor.log_in()
    visitor.expected = ("status of 422",)
    page = visitor.page
    files = [("first.csv", b"a,b\n1,2\n"), ("empty.vcf", b""), ("third.tsv", b"a\tb\n1\t2\n")]
    page.click(".header [data-open-upload]")
    payload = [{"name": name, "mimeType": "", "buffer": content} for name, content in files]
    page.set_input_files("#upload-input", payload)
    expect(page.locator("[name=sample_name]").nth(2)).to_have_value("third")
    page.click("#upload-send")

    refused = page.locator(".upload-file[data-state=failed]")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("empty.vcf")
    expect(refused).to_contain_text("Empty file")
    expect(refused.locator("[data-error-steps] li").first).not_to_be_empty()
    expect(page.locator("#upload")).to_be_visible()
    refused.get_by_role("button", name="Remove empty.vcf").click()
    page.keyboard.press("Escape")
    for name in ("first", "third"):
        expect(visitor.wait_for_state(name, "completed")).to_contain_text("1 row in the table")
    assert visitor.entry("empty").count() == 0


def test_a_dropped_file_is_asked_for_its_name_and_split(visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    page = visitor.page
    page.evaluate(DROP, ["trio.vcf", TRIO])
    expect(page.locator("#upload")).to_be_visible()
    page.fill("[name=sample_name]", "")
    page.click("#upload-send")
    expect(page.locator("[name=sample_name]")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[name=sample_name]")).to_have_accessible_description("Give the sample a name.")
    page.fill("[name=sample_name]", "Family 7")
    expect(page.get_by_text("Give the sample a name.")).to_be_hidden()
    page.select_option("[name=assembly]", "GRCh38")
    page.check("[name=split_by_sample]")
    page.click("#upload-send")
    entry = visitor.wait_for_state("Family 7", "completed")
    for fact in ("trio.vcf", "GRCh38", "Split by sample"):
        expect(entry.locator(".job-facts")).to_contain_text(fact)

    entry.get_by_role("link", name="Open table").click()
    genotype = page.locator('#table .ag-row[row-index="0"] .ag-cell[col-id="mother.GT"]')
    expect(genotype).to_have_text("0/1")
    page.get_by_role("link", name="child", exact=True).click()
    expect(page.locator('#table .ag-row[row-index="0"] .ag-cell[col-id="child.GT"]')).to_have_text("1/1")

    visitor.goto("/samples")
    page.fill("[name=q]", "no such")
    expect(page.locator("#samples-sheet")).to_contain_text("No sample matches")
    page.fill("[name=q]", "family")
    expect(page.locator("#samples-sheet tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=family$"))
    row = page.locator("tr", has_text="Family 7")
    expect(row).to_contain_text("2 tables")
    row.get_by_role("button", name="Delete Family 7").click()
    expect(page.locator(".sample-gone")).to_contain_text("Family 7 was deleted.")
    names = [sample["name"] for sample in server.client.get("samples").json()["samples"]]
    assert "Family 7" not in names


def test_what_was_chosen_is_kept_when_the_dialog_is_closed(visitor: Visitor) -> None:
    visitor.log_in()
    page = visitor.page
    button = page.locator(".header [data-open-upload]")
    button.click()
    files = [("a.csv", b"x,y\n1,2\n"), ("b.csv", b"x,y\n1,2\n"), ("broken.vcf", b"##fileformat=VCFv4.2\nchr1\t1\n")]
    page.set_input_files(
        "#upload-input", [{"name": name, "mimeType": "", "buffer": content} for name, content in files]
    )
    expect(page.get_by_text("1 file cannot be loaded")).to_be_visible()
    page.get_by_label("Sample name").nth(0).fill("first")
    page.keyboard.press("Escape")
    expect(page.locator("#upload")).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_accessible_name("Upload (2)")
    expect(page.locator("#announcer")).to_contain_text("2 files kept in the list")

    page.keyboard.press("Enter")
    expect(page.locator(".upload-file-name")).to_have_text(["a.csv", "b.csv"])
    expect(page.get_by_label("Sample name").nth(0)).to_have_value("first")
    page.get_by_role("button", name="Remove all").press("Enter")
    expect(page.locator(".upload-file")).to_have_count(0)
    expect(page.locator("#upload-input")).to_be_focused()
    expect(button).to_have_accessible_name("Upload a file")


def test_an_ended_session_is_said(visitor: Visitor) -> None:
    visitor.log_in()
    visitor.expected = ("status of 401", "MIME type", "EventSource")
    visitor.choose("late.csv", b"a,b\n1,2\n")
    expect(visitor.page.locator("body")).to_have_attribute("data-link", "live")  # its stream was let in before
    visitor.context.clear_cookies()
    visitor.page.click("#upload-send")
    refused = visitor.page.locator(".upload-file[data-state=failed]")
    expect(refused).to_contain_text("Your session has ended")
    expect(refused).to_contain_text("Log in again in another tab")


def test_names_of_settings_and_commands_in_a_refusal_are_shown_as_code(browser: Browser, data_folder: Path) -> None:
    small = {"VARLOOM_MAX_UPLOAD_BYTES": "1000"}
    with serving(data_folder, **small) as server, visiting(browser, server) as visitor:
        visitor.log_in()
        visitor.expected = ("status of 413",)
        visitor.choose("large.vcf", TRIO.encode() + b"chr1\t200\t.\tA\tC\t50\tPASS\t.\tGT\t0/1\t1/1\n" * 50)
        visitor.page.click("#upload-send")
        steps = visitor.page.locator(".upload-file[data-state=failed] [data-error-steps]")
        expect(steps.locator("code")).to_have_text("max_upload_bytes")
        expect(steps).not_to_contain_text("`")
