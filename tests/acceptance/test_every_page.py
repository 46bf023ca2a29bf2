"""Every page keeps to its content policy and to its host, and the whole day's work is done by keyboard alone."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

import pytest
from accessibility import violations
from playwright.sync_api import expect

from running import write_vcf

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

REMEMBER_VIOLATIONS = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile }) =>
        window.violations.push(`${violatedDirective} ${blockedURI} ${sourceFile}`));
"""
HEADER = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
BROKEN = HEADER + b"chr1\tx\t.\tA\tC\t50\tPASS\t.\n"
RAGGED = b"a,b\n1,2\n3\n"


def press_until(page: Page, reached: str, key: str = "Tab") -> None:
    """Press a key until what has the focus matches."""
    for _ in range(80):
        if page.evaluate("selector => document.activeElement.matches(selector)", reached):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {reached}")


def test_no_page_breaks_its_policy_or_leaves_its_host(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    done = server.at_rest(server.submit(write_vcf(tmp_path / "done.vcf", 50))["id"])
    failed = server.at_rest(server.submit(RAGGED, "failed.csv")["id"])
    sample = f"/samples/{done['sample_id']}"
    page = visitor.page
    page.add_init_script(REMEMBER_VIOLATIONS)
    visitor.expected = ("status of 4",)

    def look(path: str, *selectors: str) -> None:
        answer = page.goto(server.url + path)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy or "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "unsafe-eval" not in policy
        for selector in selectors:
            page.click(selector)
            page.wait_for_timeout(200)  # whatever it loads or draws
            page.keyboard.press("Escape")
        assert page.evaluate("window.violations") == [], path

    look("/login")
    visitor.log_in()
    look("/samples", "#jobs-button", "#jobs-button", ".header [data-open-upload]", "[data-edit-sample]")
    look("/samples?deleted=1")
    look("/jobs", "[data-act=change]")
    look("/jobs?state=failed&q=failed")
    look(f"/jobs/{failed['id']}", ".stage-log summary")
    look(f"/jobs/{done['id']}")
    look("/projects")
    look("/account/notices")
    look("/refs")
    expect(page.get_by_role("heading", level=1)).to_have_text("Reference data")
    look("/queue")
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    look(sample)
    expect(page.locator("#table .ag-row .ag-cell").first).to_be_visible()
    for selector in ("#add-filter", "#columns-button", "#views-button", "#export-button", ".row-button >> nth=0"):
        page.click(selector)
        page.wait_for_timeout(200)
        page.keyboard.press("Escape")
    page.locator('.ag-header-cell[col-id="position"] [data-name]').click()
    assert page.evaluate("window.violations") == []
    look(f"{sample}/provenance")
    look("/samples/00000000-0000-0000-0000-000000000000")
    look("/nothing-here")


@pytest.mark.parametrize(
    ("scheme", "forced", "width"), [("light", "none", 1280), ("dark", "none", 360), ("dark", "active", 768)]
)
def test_axe_finds_nothing_beside_jobs_and_tables(visitor: Visitor, scheme: Any, forced: Any, width: int) -> None:
    page = visitor.page
    page.emulate_media(color_scheme=scheme, forced_colors=forced)
    page.set_viewport_size({"width": width, "height": 800})
    visitor.expected = ("status of 4",)

    def check(state: str) -> None:
        assert violations(page) == [], state
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state

    visitor.goto("/login")
    check("login")
    page.get_by_label("Login link or its token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("cannot be used")
    check("login refused")
    visitor.log_in()
    page.get_by_role("button", name="Account and appearance").click()
    check("the menu of the account")
    for path in (
        "/queue",
        "/refs",
        "/projects",
        "/credentials?kind=azure_sas",
        "/samples?deleted=true",
        "/samples?q=nothing",
        "/no/such/page",
    ):
        visitor.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        check(path)


def test_a_day_by_keyboard_alone(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    """From the upload to the export, a row looked at and a position gone to between them: no pointer is touched."""
    good, rows = tmp_path / "good.vcf", 400
    write_vcf(good, rows)
    (tmp_path / "bad.vcf").write_bytes(BROKEN)
    page = visitor.page
    shown = page.locator("dialog[open]")
    page.on("filechooser", lambda _: None)  # from now on choosers are caught, not only while one is expected
    visitor.log_in()

    def upload(*files: Path) -> None:
        press_until(page, ".header [data-open-upload]")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="Upload files")).to_be_visible()
        press_until(page, "#upload-input")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(list(files))
        expect(page.locator(".upload-file [name=sample_name]").last).to_be_focused()
        press_until(page, "#upload-send")
        page.keyboard.press("Enter")
        expect(shown).to_have_count(0)  # its jobs may be known before it closes, and until then it keeps the focus
        expect(page.locator("#job-manager-title")).to_be_focused()

    upload(good, tmp_path / "bad.vcf")
    visitor.wait_for_state("good", "completed")
    failed = visitor.wait_for_state("bad", "failed")
    expect(failed).to_contain_text("POS must be a whole number")

    press_until(page, "#job-manager [data-job][data-state=failed] [data-act=change]")
    page.keyboard.press("Enter")
    expect(shown.locator("[name=assembly]")).to_be_focused()  # the server renders it: only then are keys for it
    press_until(page, "dialog[open] [name=assembly]:has([value=GRCh38]:checked)", "ArrowDown")
    press_until(page, "dialog[open] .button-main")
    page.keyboard.press("Enter")
    expect(shown).to_have_count(0)
    bad = next(job for job in server.client.get("jobs").json()["jobs"] if job["sample_name"] == "bad")
    server.until(bad["id"], lambda job: job["options"]["assembly"] == "GRCh38" and len(job["attempts"]) == 2)
    visitor.wait_for_state("bad", "failed")

    server.client.post("queue/pause", json={"stage": "parse"}).raise_for_status()
    try:
        (tmp_path / "waits.vcf").write_bytes(HEADER + b"chr1\t1\t.\tA\tC\t50\tPASS\t.\n")
        upload(tmp_path / "waits.vcf")
        visitor.wait_for_state("waits", "queued")
        press_until(page, "#job-manager [data-job][data-state=queued] [data-act=cancel]")
        page.keyboard.press("Enter")
        visitor.wait_for_state("waits", "cancelled")
    finally:
        server.client.post("queue/resume", json={"stage": "parse"}).raise_for_status()

    press_until(page, "#job-manager [data-job][data-state=completed] [data-act=open]")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_have_text(f"{rows} rows")
    expect(page.locator("#table")).to_have_attribute("data-ready", "true")  # the number is there before the table
    press_until(page, "#filter-box")
    page.keyboard.type("qual >= 50")
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_have_text(re.compile(rf"\d+ of {rows} rows"))
    shown = int(page.locator("#row-count").inner_text().split()[0])
    assert 0 < shown < rows
    press_until(page, ".ag-header-cell")
    press_until(page, '.ag-header-cell[col-id="qual"]', "ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator('.ag-header-cell[col-id="qual"]')).to_have_attribute("aria-sort", "descending")
    best = max(qual for _, qual in _positions_and_quals(good))
    expect(page.locator('.ag-row[row-index="0"] .ag-cell[col-id="qual"]')).to_have_text(f"{best:g}")  # it has come
    page.keyboard.press("ArrowDown")
    expect(page.locator('.ag-row[row-index="0"] .ag-cell[col-id="qual"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#row-dialog")).to_contain_text("chr1:")
    page.keyboard.press("Escape")
    expect(page.locator('.ag-row[row-index="0"] .ag-cell[col-id="qual"]')).to_be_focused()

    press_until(page, "#export-button", "Shift+Tab")
    page.keyboard.press("Enter")
    press_until(page, "[data-format=csv]")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    exported = list(csv.DictReader(download.value.path().read_text().splitlines()))
    expected = [(position, qual) for position, qual in _positions_and_quals(good) if qual >= 50]
    expected.sort(key=lambda row: -row[1])
    assert [(int(row["position"]), float(row["qual"])) for row in exported] == expected

    page.keyboard.press("Escape")
    expect(page.locator("#export-menu")).to_be_hidden()
    press_until(page, "#jump-form input", "Shift+Tab")
    target = sorted(expected)[len(expected) // 2][0]
    page.keyboard.type(f"chr1:{target}")
    page.keyboard.press("Enter")
    expect(page.locator(".ag-cell-focus")).to_have_text(f"{target:,}")


def _positions_and_quals(path: Path) -> list[tuple[int, float]]:
    lines: list[Any] = [line.split("\t") for line in path.read_text().splitlines() if not line.startswith("#")]
    return [(int(line[1]), float(line[5])) for line in lines]
