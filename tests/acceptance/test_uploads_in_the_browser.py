"""Uploads that are paused, broken off, left and gone on with, as a person does it: the bytes come out right."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect
from tests.ports import free_port
from visiting import Visitor, visiting

from running import QUICK, Server, serving
from varloom.genomics.assemblies import LENGTHS

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

VERSION = '##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
CONTIGS = "".join(f"##contig=<ID=chr{name},length={both[1]}>\n" for name, both in LENGTHS.items())
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tmother\tchild\n"
NOTES = "".join(f"##note={number:0100}\n" for number in range(12_000))
"""More than what is looked at before anything is sent."""

PATIENCE = 60.0
SLOW = 60
"""Kilobytes a second at which `good` is under way for most of a minute: what is done meanwhile comes in time."""

HEAR = """() => {
    window.said = [];
    const region = document.getElementById("announcer");
    new MutationObserver(() => window.said.push(region.textContent)).observe(region, {childList: true, subtree: true});
}"""


def vcf(path: Path, header: str, records: int) -> Path:
    lines = "".join(f"chr1\t{100 + number}\trs{number}\tA\tC\t50\tPASS\t.\tGT\t0/1\t1/1\n" for number in range(records))
    path.write_text(header + lines)
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return vcf(tmp_path / "HG002.vcf", VERSION + CONTIGS + COLUMNS, 60_000)


def slow_down(visitor: Visitor, kilobytes: int | None) -> None:
    """Let the browser send so many kilobytes a second; None: as fast as it can."""
    if not hasattr(visitor, "line"):
        visitor.line = visitor.context.new_cdp_session(visitor.page)
        visitor.line.send("Network.enable")
    speed = -1 if kilobytes is None else kilobytes * 1024
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": speed}
    visitor.line.send("Network.emulateNetworkConditions", limits)


def choose(page: Page, *paths: Path) -> None:
    if not page.is_visible("#upload"):
        page.click(".header [data-open-upload]")
    page.set_input_files("#upload-input", [str(path) for path in paths])


def reached(visitor: Visitor, name: str) -> None:
    """Wait until some of the file is on its way."""
    expect(visitor.chosen(name).locator("[data-status]")).to_have_text(re.compile(r"^\d.* of "))


def assert_same_bytes(server: Server, path: Path) -> None:
    contents = [found.read_bytes() for found in (server.data / "storage" / "uploads").glob("*/source")]
    assert path.read_bytes() in contents
    deadline = time.monotonic() + PATIENCE
    while left := list((server.data / "storage" / ".arriving").iterdir()):  # what was taken out is cleared away later
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_of_five_files_the_broken_one_is_stopped_on_its_way(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    names = ["one.vcf", "two.vcf", "three.vcf", "four.vcf"]
    files = [vcf(tmp_path / name, VERSION + CONTIGS + COLUMNS, 2000) for name in names]
    broken = vcf(tmp_path / "broken.vcf", VERSION + NOTES + COLUMNS.replace("\tALT", ""), 350_000)
    visitor.log_in()
    visitor.expected = ("status of 400", "net::ERR")
    page = visitor.page
    page.click(".header [data-open-upload]")
    page.evaluate(HEAR)
    choose(page, broken, *files)
    expect(visitor.chosen("one.vcf").locator("[data-facts]")).to_have_text(
        "VCF · 2 samples: mother, child · GRCh38 by the lengths of 24 chromosomes"
    )
    expect(visitor.chosen("one.vcf").get_by_label("Assembly")).to_have_value("GRCh38")
    slow_down(visitor, 500)  # the server finds it long before the end, however busy it is
    page.get_by_role("button", name="Upload 5 files").click()
    refused = visitor.chosen("broken.vcf")
    expect(refused).to_have_attribute("data-state", "refused", timeout=90_000)  # or "sent", by then, and for good
    sent = float(refused.locator("progress").evaluate("bar => bar.value / bar.max"))
    assert sent < 0.8, "it was stopped long before its end"
    for text in ("Column 5 of the #CHROM line must be ALT", "#CHROM⇥POS⇥ID⇥REF⇥QUAL", "Line 12,003"):
        expect(refused).to_contain_text(text)
    for name in names:
        expect(visitor.chosen(name)).to_have_attribute("data-state", "sent")
    page.get_by_role("button", name="Remove broken.vcf").click()
    page.keyboard.press("Escape")
    page.click("#jobs-button")
    for name in names:
        visitor.wait_for_state(name.removesuffix(".vcf"), "completed")
    assert visitor.entry("broken").count() == 0
    deadline = time.monotonic() + PATIENCE
    while True:  # what is said together is said a moment later
        said = " ".join(page.evaluate("window.said"))
        if "broken.vcf" in said or "1 stopped" in said:  # many at once are counted
            break
        assert time.monotonic() < deadline, said
        page.wait_for_timeout(100)
    assert "%" not in said
    for path in files:
        assert_same_bytes(server, path)


def test_a_header_that_is_broken_at_once_is_not_sent_at_all(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    visitor.log_in()
    page = visitor.page
    before = len(server.client.get("uploads").json()["uploads"])
    choose(page, vcf(tmp_path / "bad.vcf", VERSION.partition("\n")[2] + COLUMNS, 10))
    refused = visitor.chosen("bad.vcf")
    expect(refused).to_have_attribute("data-state", "refused")
    expect(refused).to_contain_text("This file cannot be loaded, so it is not sent. Line 1")
    expect(page.locator("#upload-send")).to_be_disabled()
    assert len(server.client.get("uploads").json()["uploads"]) == before


def test_paused_and_resumed_by_keyboard_alone(visitor: Visitor, server: Server, good: Path) -> None:
    visitor.log_in()
    page = visitor.page
    page.locator(".header [data-open-upload]").focus()
    page.keyboard.press("Enter")
    page.evaluate(HEAR)
    choose(page, good)
    name = page.get_by_label("Sample name")
    expect(name).to_be_focused()
    slow_down(visitor, SLOW)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Pause HG002.vcf")).to_be_focused()
    reached(visitor, "HG002.vcf")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Resume HG002.vcf")).to_be_focused()
    expect(visitor.chosen("HG002.vcf")).to_contain_text("Paused at")
    expect(page.locator("#announcer")).to_contain_text("paused")
    [upload] = server.client.get("uploads").json()["uploads"]
    slow_down(visitor, None)
    page.keyboard.press("Enter")
    expect(page.locator("#job-manager-title")).to_be_focused()
    visitor.wait_for_state("HG002", "completed")
    assert server.client.get(f"uploads/{upload['id']}").json()["job"]["sample_name"] == "HG002", (
        "it was the same upload"
    )
    assert_same_bytes(server, good)
    said = page.evaluate("window.said")
    assert any("paused" in text for text in said)
    assert not any("%" in text for text in said)


def test_after_a_reload_the_file_is_known_and_goes_on(visitor: Visitor, server: Server, good: Path) -> None:
    visitor.log_in()
    visitor.leaves = False
    page = visitor.page
    page.evaluate("window.sameDocument = true")
    choose(page, good)
    page.get_by_label("Sample name").fill("Family 7")
    page.get_by_label("Split by sample").last.check()
    slow_down(visitor, SLOW)
    page.click("#upload-send")
    reached(visitor, "HG002.vcf")
    page.evaluate("location.reload()")
    deadline = time.monotonic() + PATIENCE
    while visitor.asked_before_leaving < 1:  # the script goes on before the browser asks
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    assert visitor.asked_before_leaving == 1
    assert page.evaluate("window.sameDocument"), "it asked, and the answer was to stay"
    visitor.leaves = True
    page.reload()
    assert visitor.asked_before_leaving == 2
    visitor.wait_until_live()
    [upload] = server.client.get("uploads").json()["uploads"]

    page.click(".header [data-open-upload]")
    expect(page.locator("#upload-broken")).to_contain_text("HG002.vcf")
    choose(page, good)
    known = visitor.chosen("HG002.vcf")
    expect(known).to_contain_text("It goes on from there")
    expect(page.locator("#upload-broken")).to_be_hidden()
    expect(known.get_by_label("Sample name")).to_have_value("Family 7")
    expect(known.get_by_label("Split by sample")).to_be_checked()
    known.get_by_label("Sample name").fill("Family 8")
    slow_down(visitor, None)
    page.click("#upload-send")
    visitor.wait_for_state("Family 8", "completed")
    job = server.client.get(f"uploads/{upload['id']}").json()["job"]
    assert job["options"] == {"assembly": "GRCh38", "split_by_sample": True}
    assert_same_bytes(server, good)


def test_two_tabs_do_not_fight_for_one_upload(visitor: Visitor, tmp_path: Path) -> None:
    visitor.log_in()
    page = visitor.page
    file = vcf(tmp_path / "tabs.vcf", VERSION + CONTIGS + COLUMNS, 60_000)
    choose(page, file)
    slow_down(visitor, SLOW)
    page.click("#upload-send")
    reached(visitor, "tabs.vcf")
    other = visitor.context.new_page()
    other.goto(visitor.server.url + "/samples")
    other.click(".header [data-open-upload]")
    expect(other.locator("#upload-broken")).to_be_hidden()
    choose(other, file)
    there = other.locator(".upload-file", has_text="tabs.vcf")
    expect(there).to_contain_text("It goes on from there")
    other.click("#upload-send")
    expect(there).to_contain_text("Another tab is sending this file")
    expect(visitor.chosen("tabs.vcf")).to_have_attribute("data-state", "sending")
    visitor.leaves = True
    other.close()
    slow_down(visitor, None)
    visitor.wait_for_state("tabs", "completed")


def test_an_upload_is_discarded_for_good(visitor: Visitor, server: Server, good: Path) -> None:
    visitor.log_in()
    visitor.leaves = True
    page = visitor.page
    choose(page, good)
    slow_down(visitor, SLOW)
    page.click("#upload-send")
    reached(visitor, "HG002.vcf")
    page.reload()
    page.click(".header [data-open-upload]")
    page.get_by_role("button", name="Discard HG002.vcf").click()
    expect(page.locator("#upload-broken")).to_be_hidden()
    assert server.client.get("uploads").json()["uploads"] == []
    choose(page, good)
    expect(visitor.chosen("HG002.vcf")).to_contain_text("GRCh38")
    expect(visitor.chosen("HG002.vcf").locator("progress")).to_be_hidden()


def test_a_wrong_assembly_is_warned_of_and_mended_on_the_way(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    long = vcf(tmp_path / "long.vcf", VERSION + NOTES + CONTIGS + COLUMNS, 200_000)
    visitor.log_in()
    page = visitor.page
    choose(page, long)
    sending = visitor.chosen("long.vcf")
    expect(sending.locator("[data-facts]")).not_to_have_text("Looking at the file")
    sending.get_by_label("Assembly").select_option("GRCh37")
    slow_down(visitor, 300)  # half a minute remains after the header
    page.click("#upload-send")
    expect(sending).to_contain_text("GRCh37 looks wrong for this file. By the lengths of 24 chromosomes")
    sending.get_by_role("button", name="Use GRCh38").click()
    expect(sending.locator("[data-assembly-warning]")).to_be_hidden()
    expect(page.get_by_role("button", name="Pause long.vcf")).to_be_focused()
    slow_down(visitor, None)
    visitor.wait_for_state("long", "completed")
    [job] = server.jobs_named("long")
    assert job["options"]["assembly"] == "GRCh38"


def test_options_for_all_files_at_once(visitor: Visitor, tmp_path: Path) -> None:
    visitor.log_in()
    page = visitor.page
    first = vcf(tmp_path / "first.vcf", VERSION + CONTIGS + COLUMNS, 10)
    second = vcf(tmp_path / "second.vcf", VERSION + COLUMNS, 10)
    choose(page, first)
    expect(page.locator("#upload-all")).to_be_hidden()
    choose(page, second)
    expect(visitor.chosen("first.vcf").get_by_label("Assembly")).to_have_value("GRCh38")
    expect(visitor.chosen("second.vcf").locator("[data-facts]")).to_have_text("VCF · 2 samples: mother, child")
    everything = page.get_by_role("group", name="For all files")
    everything.get_by_label("Split by sample").check()
    everything.get_by_role("button", name="Apply to all").click()
    for name, assembly in (("first.vcf", "GRCh38"), ("second.vcf", "")):
        expect(visitor.chosen(name).get_by_label("Split by sample")).to_be_checked()
        expect(visitor.chosen(name).get_by_label("Assembly")).to_have_value(assembly)
    everything.get_by_label("Assembly").select_option("GRCh37")
    everything.get_by_role("button", name="Apply to all").click()
    expect(visitor.chosen("second.vcf").get_by_label("Assembly")).to_have_value("GRCh37")
    for label, why in (("Annotation", "No reference data"), ("PGx", "No definitions of PGx alleles")):
        expect(visitor.chosen("first.vcf").get_by_label(label)).to_be_disabled()
        expect(visitor.chosen("first.vcf")).to_contain_text(f"{why} ")


def test_the_server_is_killed_in_mid_upload_and_started_again(browser: Browser, data_folder: Path, good: Path) -> None:
    port = str(free_port())
    first = Server(data_folder, "--port", port, **QUICK)
    with visiting(browser, first) as visitor:
        visitor.expected = ("net::ERR", "Failed to load resource", "MIME type", "EventSource")
        visitor.log_in()
        page = visitor.page
        choose(page, good)
        slow_down(visitor, SLOW)
        page.click("#upload-send")
        reached(visitor, "HG002.vcf")
        expect(page.locator("[data-pace]")).to_contain_text("/s,")
        first.client.close()
        first.kill()
        expect(visitor.chosen("HG002.vcf")).to_have_attribute("data-state", "reconnecting")
        expect(visitor.chosen("HG002.vcf")).to_contain_text("The connection broke. Trying again")
        assert violations(page) == []
        with serving(data_folder, "--port", port, **QUICK) as again:
            expect(visitor.chosen("HG002.vcf")).to_have_attribute("data-state", "sending", timeout=60_000)
            visitor.server = again
            slow_down(visitor, None)
            visitor.wait_for_state("HG002", "completed")
            assert_same_bytes(again, good)
            assert len(again.client.get("jobs").json()["jobs"]) == 1


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_the_dialog_is_accessible_in_all_its_states(
    visitor: Visitor, good: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    def check(state: str) -> None:
        assert violations(page) == [], state
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        inner = page.locator("#upload .dialog-body").evaluate("body => body.scrollWidth - body.clientWidth")
        assert (overflow, inner) == (0, 0), state

    visitor.leaves = True
    page = visitor.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    visitor.log_in()
    page.click(".header [data-open-upload]")
    check("empty")
    long = vcf(tmp_path / f"{'a-name-without-any-space' * 5}.vcf", VERSION + CONTIGS + COLUMNS, 30_000)
    choose(page, good, long, vcf(tmp_path / "bad.vcf", VERSION + COLUMNS.replace("\tPOS", ""), 10))
    expect(visitor.chosen("bad.vcf")).to_have_attribute("data-state", "refused")
    visitor.chosen("HG002.vcf").get_by_label("Assembly").select_option("GRCh37")
    check("chosen, refused and warned")
    slow_down(visitor, SLOW)
    page.click("#upload-send")
    reached(visitor, "HG002.vcf")
    check("sending")
    page.get_by_role("button", name="Pause HG002.vcf").click()
    check("paused")
    page.reload()
    page.click(".header [data-open-upload]")
    expect(page.locator("#upload-broken")).to_be_visible()
    choose(page, good)
    expect(visitor.chosen("HG002.vcf")).to_contain_text("It goes on from there")
    check("broken off earlier")
    for discard in page.get_by_role("button", name=re.compile("^Discard")).all():
        discard.click()
    page.get_by_role("button", name="Remove HG002.vcf").click()
