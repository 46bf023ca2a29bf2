"""What people do all day in a table: filter by values and ranges, sort, jump, look at a row, export, keep views."""

from __future__ import annotations

import csv
import random
import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from accessibility import violations
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page, Route
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

HEADER = (
    "##fileformat=VCFv4.2\n"
    '##FILTER=<ID=q10,Description="Low">\n'
    '##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
    '##INFO=<ID=GENE,Number=1,Type=String,Description="Gene">\n'
    '##INFO=<ID=AC,Number=.,Type=Integer,Description="Counts">\n'
    '##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequences. Format: Allele|Consequence|IMPACT|SYMBOL">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "##contig=<ID=chr1>\n##contig=<ID=chr7>\n##contig=<ID=chrX>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA1\n"
)
ROWS = 3_000
GENES = ("=SUM(A1)", "CFTR", "BRCA1", "<b>x</b>")


def made_up() -> list[dict[str, Any]]:
    """The records of the file: three contigs, in order."""
    chance = random.Random(5)
    return [
        {
            "contig": ("chr1", "chr7", "chrX")[row * 3 // ROWS],
            "position": 117_000_000 + row * 901,
            "qual": chance.randrange(1, 4000) / 4,
            "filter": chance.choice(["PASS", "PASS", "q10"]),
            "DP": chance.choice([None, chance.randrange(100)]),
            "GENE": chance.choice(GENES),
        }
        for row in range(ROWS)
    ]


def as_vcf(rows: list[dict[str, Any]]) -> bytes:
    lines = []
    for number, row in enumerate(rows):
        info = f"GENE={row['GENE'].replace('=', '%3D')};AC=1,{number % 7};CSQ=G|stop_gained|HIGH|{number},G|intron|LOW|"
        info += "" if row["DP"] is None else f";DP={row['DP']}"
        lines.append(
            f"{row['contig']}\t{row['position']}\trs{number}\tA\tG\t{row['qual']}\t{row['filter']}\t{info}\tGT\t0/1\n"
        )
    return (HEADER.replace("VCFv4.2", "VCFv4.3") + "".join(lines)).encode()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return made_up()


@pytest.fixture(scope="module")
def sample(server: Server, rows: list[dict[str, Any]]) -> str:
    job = server.at_rest(server.submit(as_vcf(rows), "made up.vcf", assembly="GRCh38")["id"])
    assert job["records"] == ROWS
    return str(job["sample_id"])


@pytest.fixture
def table(visitor: Visitor, sample: str) -> Iterator[Page]:
    """The page of the table, with its first rows."""
    visitor.log_in()
    visitor.goto(f"/samples/{sample}")
    expect(cell(visitor.page, 0, "position")).to_have_text("117,000,000")
    return visitor.page


def cell(page: Page, row: int, name: str) -> Any:
    return page.locator(f'#table .ag-row[row-index="{row}"] .ag-cell[col-id="{name}"]')


def ask(page: Page, column: str) -> None:
    """Open the filter form for a column, and wait for what it holds."""
    page.click("#add-filter")
    page.select_option("[name=column]", column)
    expect(page.locator("#column-summary")).to_have_attribute("aria-busy", "false")


def exported(page: Page, format_name: str, columns: str) -> str:
    page.click("#export-button")
    page.check(f"[name=export-columns][value={columns}]")
    with page.expect_download() as download:
        page.click(f"[data-format={format_name}]")
    page.keyboard.press("Escape")
    return download.value.path().read_text()


def test_filter_sort_jump_and_export_exactly_what_the_file_holds(table: Page, rows: list[dict[str, Any]]) -> None:
    ask(table, "filter")
    expect(table.locator(".column-value").first).to_contain_text("PASS")
    passing = [row for row in rows if row["filter"] == "PASS"]
    expect(table.locator(".column-value").first).to_contain_text(f"{len(passing):,}")
    table.locator(".column-value", has_text="PASS").locator("input").check()
    table.click("#filter-dialog .button-main")
    expect(table.locator("#row-count")).to_have_text(f"{len(passing):,} of {ROWS:,} rows")

    ask(table, "INFO.GENE")
    counts = {gene: sum(row["GENE"] == gene for row in passing) for gene in GENES}
    for gene in GENES:
        shown = table.locator(".column-value").filter(has=table.get_by_text(gene, exact=True))
        expect(shown.locator("[data-count]")).to_have_text(f"{counts[gene]:,}")
    for gene in ("=SUM(A1)", "CFTR"):
        table.locator(".column-value").filter(has=table.get_by_text(gene, exact=True)).locator("input").check()
    table.click("#filter-dialog .button-main")

    ask(table, "INFO.DP")
    table.locator("#column-histogram .bar-target").first.click()
    expect(table.locator("[name=question]")).to_have_value("between")
    table.fill("[name=value]", "20")
    table.fill("[name=upper]", "60")
    table.click("#filter-dialog .button-main")
    left = [row for row in passing if row["GENE"] in GENES[:2] and row["DP"] is not None and 20 <= row["DP"] <= 60]
    expect(table.locator("#row-count")).to_have_text(f"{len(left):,} of {ROWS:,} rows")

    header = table.locator('.ag-header-cell[col-id="qual"]')
    header.locator("[data-name]").click()
    header.locator("[data-name]").click()
    expect(header).to_have_attribute("aria-sort", "descending")
    best = sorted(left, key=lambda row: -row["qual"])
    expect(cell(table, 0, "position")).to_have_text(f"{best[0]['position']:,}")

    found = list(csv.DictReader(exported(table, "csv", "shown").splitlines()))
    wanted = [(row["position"], row["qual"], row["DP"], row["GENE"]) for row in best]
    harmless = [
        (int(row["position"]), float(row["qual"]), int(row["INFO.DP"]), row["INFO.GENE"].removeprefix("'"))
        for row in found
    ]
    assert harmless == wanted
    assert {row["INFO.GENE"] for row in found} == {"'=SUM(A1)", "CFTR"}, "a spreadsheet would run the gene's name"
    assert "line" not in found[0]
    tabbed = list(csv.DictReader(exported(table, "tsv", "all").splitlines(), delimiter="\t"))
    assert [int(row["position"]) for row in tabbed] == [row["position"] for row in best]
    assert "line" in tabbed[0]

    target = next(row for row in left if row["contig"] == "chr7")
    table.fill("#jump-form input", f"7:{target['position'] - 1:,}")
    table.keyboard.press("Enter")
    expect(table.locator("#jump-said")).to_have_text(f"The nearest row is chr7:{target['position']:,}.")
    expect(table.locator(".ag-cell-focus")).to_have_text(f"{target['position']:,}")
    expect(table, "a position is looked for in the order of the file").not_to_have_url(re.compile("sort="))
    table.fill("#jump-form input", "chr9")
    table.keyboard.press("Enter")
    expect(table.locator("#jump-said")).to_have_text("No row on chr9 passes the filters.")


def test_a_position_on_another_page_is_gone_to(table: Page, rows: list[dict[str, Any]]) -> None:
    last = rows[-1]
    table.fill("#jump-form input", f"chrX:{last['position']}")
    table.keyboard.press("Enter")
    expect(table.locator(".ag-cell-focus")).to_have_text(f"{last['position']:,}")
    expect(table).to_have_url(re.compile("page=3"))
    table.reload()
    expect(cell(table, 2_000, "position")).to_have_text(f"{rows[2_000]['position']:,}")


def test_another_order_begins_at_the_top_and_takes_what_was_said_back(table: Page, rows: list[dict[str, Any]]) -> None:
    go = table.get_by_label("Go to a position")
    go.fill("chr1:117,450,600")  # in the middle of a page
    go.press("Enter")
    expect(table.locator("#jump-said")).to_contain_text("The nearest row is chr1:117,451,")
    expect(cell(table, 0, "qual")).to_have_count(0)
    table.locator('.ag-header-cell[col-id="qual"] [data-name]').click()
    expect(cell(table, 0, "qual")).to_have_text(f"{min(row['qual'] for row in rows):g}")
    expect(cell(table, 0, "qual")).to_be_in_viewport()
    expect(table.locator("#jump-said")).to_be_hidden()


def test_a_page_that_cannot_be_filled_offers_to_try_again(table: Page, visitor: Visitor, sample: str) -> None:
    visitor.expected = ("Failed to load resource", "net::ERR")
    for what in ("rows", "columns"):
        address = f"**/api/v1/samples/{sample}/{what}?*" if what == "rows" else f"**/api/v1/samples/{sample}/{what}*"
        table.route(address, lambda route: route.abort())
        visitor.goto(f"/samples/{sample}")
        expect(table.get_by_role("alert")).to_contain_text("The server did not answer.")
        expect(table.locator("#filter-box")).not_to_have_attribute("aria-invalid", "true")
        assert violations(table) == []
        table.unroute(address)
        table.get_by_role("button", name=re.compile("Try again|Load again")).click()
        expect(cell(table, 0, "position")).to_have_text("117,000,000")


def test_a_row_shows_all_its_fields_by_keyboard_alone(table: Page, visitor: Visitor) -> None:
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    cell(table, 1, "ref").click()
    table.keyboard.press("ArrowDown")
    table.keyboard.press("ArrowUp")
    table.keyboard.press("ControlOrMeta+c")
    expect(table.locator("#announcer")).to_have_text("The cell copied.")
    assert table.evaluate("navigator.clipboard.readText()") == "A"

    table.keyboard.press("Enter")
    dialog = table.get_by_role("dialog", name="chr1:117,000,901 A > G")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("rs1")
    entries = dialog.locator(".row-group", has_text="INFO.CSQ.transcripts").locator("tbody tr")
    assert [row.split() for row in entries.all_inner_texts()] == [
        ["G", "stop_gained", "HIGH", "1"],
        ["G", "intron", "LOW", "\u00b7"],
    ]
    links = {link.inner_text().split()[0]: link.get_attribute("href") for link in dialog.get_by_role("link").all()}
    assert links["gnomAD"] == "https://gnomad.broadinstitute.org/variant/1-117000901-A-G?dataset=gnomad_r4"
    assert links["IGV"] == "http://localhost:60151/goto?locus=chr1%3A117000901"
    assert links["UCSC"].endswith("?db=hg38&position=chr1%3A117000901-117000901")
    assert links["ClinVar"].endswith("?term=1%5Bchr%5D%20AND%20117000901%5Bchrpos38%5D")
    assert links["Ensembl"] == "https://www.ensembl.org/Homo_sapiens/Location/View?r=1%3A117000901-117000901"
    assert violations(table) == []
    dialog.get_by_role("button", name="Copy variant").press("Enter")
    expect(table.locator("#announcer")).to_have_text("The variant copied.")
    assert table.evaluate("navigator.clipboard.readText()") == "chr1-117000901-A-G"
    dialog.get_by_role("button", name="Next").press("Enter")
    expect(table.locator("#row-title")).to_have_text("chr1:117,001,802 A > G")
    table.keyboard.press("Escape")
    expect(table.locator(".ag-cell-focus")).to_have_attribute("col-id", "ref")
    expect(table.locator('.ag-row[row-index="2"] .ag-cell-focus')).to_be_visible()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(40):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def choose_by_typing(page: Page, selector: str, name: str) -> None:
    """Type the beginning of an option's name; the browser forgets what it has of it when a key comes a second late."""
    for _ in range(20):
        page.keyboard.type(name[:-3])
        if page.input_value(selector) == name:
            return
        page.wait_for_timeout(1_500)
    raise AssertionError(f"{name} cannot be chosen by its letters: {page.input_value(selector)}")


def test_a_table_is_asked_by_keyboard_alone(table: Page, rows: list[dict[str, Any]]) -> None:
    tab_to(table, "#filter-box")
    table.keyboard.type("contig = 'chr7'")
    table.keyboard.press("Enter")
    expect(table.locator("#row-count")).to_have_text(f"1,000 of {ROWS:,} rows")
    tab_to(table, "#add-filter")
    table.keyboard.press("Enter")
    expect(table.locator("#filter-dialog [name=value]")).to_be_focused()
    table.keyboard.press("Shift+Tab")
    table.keyboard.press("Shift+Tab")
    choose_by_typing(table, "#filter-dialog [name=column]", "INFO.GENE")
    expect(table.locator(".column-value", has_text="CFTR")).to_be_visible()  # only then is there something to go to
    tab_to(table, "#column-values input")
    table.keyboard.press("Space")
    tab_to(table, "#filter-dialog .button-main")
    table.keyboard.press("Enter")
    here = Counter(row["GENE"] for row in rows if row["contig"] == "chr7")
    expect(table.locator("#row-count")).to_have_text(f"{max(here.values())} of {ROWS:,} rows")
    expect(table.locator("#announcer")).to_have_text(f"{max(here.values())} of {ROWS:,} rows")
    expect(table.locator("#add-filter")).to_be_focused()

    tab_to(table, ".ag-header-cell")
    table.keyboard.press("ArrowRight")
    table.keyboard.press("ArrowRight")
    table.keyboard.press("Enter")
    expect(table.locator('.ag-header-cell[col-id="position"]')).to_have_attribute("aria-sort", "ascending")
    table.keyboard.press("Enter")
    expect(table.locator('.ag-header-cell[col-id="position"]')).to_have_attribute("aria-sort", "descending")
    (most, _), *_ = here.most_common()
    last = max(row["position"] for row in rows if row["contig"] == "chr7" and row["GENE"] == most)
    expect(cell(table, 0, "position")).to_have_text(f"{last:,}")  # the rows have come that keys go to
    table.keyboard.press("ArrowDown")
    expect(table.locator(".ag-cell-focus")).to_have_attribute("col-id", "position")
    table.keyboard.press("Tab")
    assert not table.evaluate("document.activeElement.matches('.ag-cell')"), "Tab leaves the rows"
    table.keyboard.press("Shift+Tab")
    tab_to(table, ".ag-paging-button")


def test_on_a_narrow_screen_no_column_takes_the_room_of_the_others(table: Page) -> None:
    kept = table.locator(".ag-grid-pinned-left-cells .ag-header-cell")
    expect(kept).to_have_count(3)
    table.set_viewport_size({"width": 360, "height": 740})
    expect(kept).to_have_count(1)
    first = table.locator('.ag-header-cell[col-id="contig"]')
    first.focus()
    table.keyboard.press("Shift+ArrowRight")
    expect(table.locator("#announcer")).to_have_text(re.compile("contig is column 2 of"))
    table.set_viewport_size({"width": 1280, "height": 900})
    expect(kept).to_have_count(3)
    wanted = ["details of the row", "position", "contig"]
    deadline = time.monotonic() + 30
    while (order := from_the_left(kept)) != wanted:  # the grid puts them there a moment after they are there
        assert time.monotonic() < deadline, order
        table.wait_for_timeout(50)


def from_the_left(headers: Locator) -> list[str]:
    """The names of columns as their headers stand now."""
    places = "cells => cells.map(cell => [cell.getBoundingClientRect().x, cell.getAttribute('col-id')])"
    return [name for _, name in sorted(headers.evaluate_all(places))]


def test_a_view_is_kept_and_columns_stay_in_sight(
    table: Page, visitor: Visitor, sample: str, rows: list[dict[str, Any]]
) -> None:
    deep = f"{sum(row['DP'] is not None and row['DP'] > 90 for row in rows)} of {ROWS:,} rows"
    expect(table.locator('.ag-grid-pinned-left-cells .ag-header-cell[col-id="position"]')).to_be_visible()
    table.fill("#filter-box", "INFO.DP > 90")
    table.keyboard.press("Enter")
    table.click("#columns-button")
    table.get_by_role("button", name="Pin INFO.GENE").press("Enter")
    expect(table.get_by_role("button", name="Pin INFO.GENE")).to_have_attribute("aria-pressed", "true")
    table.get_by_role("button", name="Pin contig").press("Enter")
    table.locator('[data-column="INFO.AC"]').uncheck()
    table.keyboard.press("Escape")
    expect(table.locator('.ag-grid-pinned-left-cells .ag-header-cell[col-id="INFO.GENE"]')).to_be_visible()
    expect(table.locator('.ag-grid-pinned-left-cells .ag-header-cell[col-id="contig"]')).to_have_count(0)
    expect(table.locator("#row-count")).to_have_text(deep)

    table.click("#views-button")
    table.fill("#view-name", "Deep <i>")
    table.keyboard.press("Enter")
    expect(table.get_by_role("button", name="Deep <i>", exact=True)).to_have_attribute("aria-current", "true")
    assert violations(table) == []

    visitor.goto(f"/samples/{sample}")
    expect(table.locator("#row-count")).to_have_text(f"{ROWS:,} rows")
    table.click("#views-button")
    table.get_by_role("button", name="Deep <i>", exact=True).click()
    expect(table.locator("#row-count")).to_have_text(deep)
    expect(table.locator('.ag-grid-pinned-left-cells .ag-header-cell[col-id="INFO.GENE"]')).to_be_visible()
    expect(table.locator('.ag-header-cell[col-id="INFO.AC"]')).to_have_count(0)
    table.go_back()
    expect(table.locator("#row-count")).to_have_text(f"{ROWS:,} rows")

    table.click("#views-button")
    table.fill("#view-name", "deep <I>")
    expect(table.locator("#views-form button")).to_have_text("Replace")
    table.get_by_role("button", name="Delete the view Deep <i>").click()
    expect(table.locator("#views-none")).to_be_visible()


def test_a_menu_that_is_opened_before_the_page_has_started_is_filled_all_the_same(table: Page, sample: str) -> None:
    table.click("#views-button")
    table.fill("#view-name", "Early")
    table.keyboard.press("Enter")
    expect(table.get_by_role("button", name="Early", exact=True)).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:  # Playwright marks the handler, which no method of a list allows
        held.append(route)

    table.route(f"**/api/v1/samples/{sample}/columns*", hold)
    for button, inside in (
        ("#views-button", table.get_by_role("button", name="Early", exact=True)),
        ("#columns-button", table.locator('[data-column="INFO.AC"]')),
    ):
        table.reload(wait_until="domcontentloaded")
        table.click(button)
        expect(table.locator(f"{button.removesuffix('-button')}-menu")).to_be_visible()
        while not held:
            table.wait_for_timeout(20)
        expect(inside).to_have_count(0)
        held.pop().continue_()
        expect(inside).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_axe_finds_nothing_in_any_state(visitor: Visitor, sample: str, scheme: Any, width: int) -> None:
    page = visitor.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    visitor.log_in()
    visitor.goto(f"/samples/{sample}")
    expect(cell(page, 0, "position")).to_have_text("117,000,000")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing is to be scrolled sideways"
    for column in ("filter", "qual", "INFO.AC"):
        ask(page, column)
        assert violations(page) == [], column
        page.keyboard.press("Escape")
    for menu in ("#columns-button", "#views-button", "#export-button"):
        page.click(menu)
        assert violations(page) == [], menu
        page.keyboard.press("Escape")
    page.fill("#filter-box", "qual > 99999")
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_have_text(f"0 of {ROWS:,} rows")
    assert violations(page) == []
    visitor.goto(f"/samples/{sample}/provenance")
    expect(page.get_by_role("heading", name="History of the job")).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
