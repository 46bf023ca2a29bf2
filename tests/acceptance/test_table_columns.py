"""The columns of a table change places, by pointer and by keyboard; their order stands in the address and in views."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Locator, Page
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

TABLE = "chrom,pos,gene,depth,note\n" + "".join(f"chr1,{row},G{row % 3},{row * 7 % 50},n{row}\n" for row in range(300))
FILE_ORDER = ["chrom", "pos", "gene", "depth", "note"]


@pytest.fixture(scope="module")
def sample(server: Server) -> str:
    return str(server.at_rest(server.submit(TABLE.encode(), "columns.csv")["id"])["sample_id"])


@pytest.fixture
def table(visitor: Visitor, sample: str) -> Iterator[Page]:
    visitor.log_in()
    visitor.goto(f"/samples/{sample}")
    expect(header(visitor.page, "note")).to_be_visible()
    return visitor.page


def header(page: Page, name: str) -> Locator:
    return page.locator(f'.ag-header-cell[col-id="{name}"]')


def expect_order(page: Page, *names: str) -> None:
    """The columns stand in this order, from the left."""
    cells = page.locator("#table .ag-header-cell:not([col-id='details of the row'])")
    expect(cells).to_have_count(len(names))
    deadline = time.monotonic() + 30
    while True:
        places = {cell.get_attribute("col-id"): (cell.bounding_box() or {"x": 0})["x"] for cell in cells.all()}
        if sorted(places, key=lambda name: places[name]) == list(names):
            return
        assert time.monotonic() < deadline, places
        page.wait_for_timeout(50)


def focus_header(page: Page, name: str) -> None:
    """Go to a header by keyboard alone."""
    for _ in range(40):
        if page.evaluate("document.activeElement.matches('.ag-header-cell')"):
            break
        page.keyboard.press("Tab")
    for _ in range(20):
        if page.evaluate("document.activeElement.getAttribute('col-id')") == name:
            return
        page.keyboard.press("ArrowRight")
    raise AssertionError(f"the keys do not lead to the header of {name}")


def test_columns_move_by_keyboard_and_stay_where_they_are(table: Page, visitor: Visitor, sample: str) -> None:
    expect_order(table, *FILE_ORDER)
    focus_header(table, "depth")
    table.keyboard.press("Shift+ArrowLeft")
    table.keyboard.press("Shift+ArrowLeft")
    expect_order(table, "chrom", "depth", "pos", "gene", "note")
    expect(table.locator("#announcer")).to_have_text("depth is column 2 of 5.")
    expect(header(table, "depth")).to_be_focused()
    expect(table).to_have_url(re.compile("columns=chrom%2Cdepth%2Cpos%2Cgene%2Cnote"))
    table.reload()
    expect_order(table, "chrom", "depth", "pos", "gene", "note")

    table.click("#views-button")
    table.fill("#view-name", "Depth first")
    table.keyboard.press("Enter")
    expect(table.get_by_role("button", name="Depth first", exact=True)).to_be_visible()
    visitor.goto(f"/samples/{sample}")
    expect_order(table, *FILE_ORDER)
    table.click("#views-button")
    table.get_by_role("button", name="Depth first", exact=True).click()
    expect_order(table, "chrom", "depth", "pos", "gene", "note")
    table.go_back()
    expect_order(table, *FILE_ORDER)


def test_a_header_is_dragged_to_another_place(table: Page) -> None:
    header(table, "note").drag_to(header(table, "pos"), target_position={"x": 10, "y": 10})
    expect_order(table, "chrom", "note", "pos", "gene", "depth")
    expect(table).to_have_url(re.compile("columns=chrom%2Cnote%2Cpos%2Cgene%2Cdepth"))
    expect(table.locator('#table .ag-row[row-index="0"] .ag-cell[col-id="note"]')).to_have_text("n0")


def test_columns_move_without_dragging_and_new_ones_stand_where_they_do_in_the_file(table: Page) -> None:
    table.click("#columns-button")
    table.get_by_role("button", name="Move gene to the left").click()
    expect_order(table, "chrom", "gene", "pos", "depth", "note")
    table.get_by_role("button", name="Move gene to the left").press("Enter")
    table.get_by_role("button", name="Move gene to the left").press("Enter")  # it is the first already
    expect_order(table, "gene", "chrom", "pos", "depth", "note")
    expect(table.locator("#announcer")).to_have_text("gene is column 1 of 5.")
    table.get_by_role("checkbox", name="depth").uncheck()
    expect(table.get_by_role("button", name="Move depth to the left")).to_be_hidden()
    expect_order(table, "gene", "chrom", "pos", "note")
    table.get_by_role("checkbox", name="depth").check()
    expect_order(table, "gene", "chrom", "pos", "depth", "note")
    expect(table.locator('#table .ag-row[row-index="1"] .ag-cell[col-id="depth"]')).to_have_text("7")
    assert violations(table) == []
    table.click("#column-reset")
    expect_order(table, *FILE_ORDER)
    expect(table).not_to_have_url(re.compile("columns="))


def test_a_column_is_filtered_from_its_header_by_keyboard(table: Page) -> None:
    grid = table.get_by_role("grid", name="Table of columns")
    expect(grid).to_have_accessible_description(
        "Arrow keys go from cell to cell, Enter on a cell opens the row. On the header of a column Enter sorts, "
        "F filters, Shift with an arrow key moves the column."
    )
    focus_header(table, "gene")
    table.keyboard.press("f")
    dialog = table.get_by_role("dialog", name="Add a filter")
    expect(dialog).to_be_visible()
    expect(table.locator("[name=column]")).to_have_value("gene")
    table.keyboard.press("Escape")
    expect(header(table, "gene")).to_be_focused()
    table.keyboard.press("Alt+ArrowDown")
    expect(dialog).to_be_visible()
    table.locator(".column-value", has_text="G1").locator("input").press("Space")
    table.get_by_role("button", name="Add filter").last.press("Enter")
    expect(table.locator("#row-count")).to_have_text("100 of 300 rows")
    expect(header(table, "gene")).to_be_focused()
