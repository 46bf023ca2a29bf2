"""The tutorial of the demonstration, word for word: its commands, and what its reader does in the browser."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from accessibility import violations
from playwright.sync_api import expect

import varloom.web

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

PATIENCE = 90_000
"""Milliseconds within which data is installed, or a job ends, on a busy machine."""

DIST = Path(varloom.web.__file__).parent / "static" / "dist"
TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "annotated-table.md"
BLOCKS = re.findall(r"^```(sh)?\n(.*?)^```", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)
FILTER = next(text.strip() for language, text in BLOCKS if not language)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def said(server: Server, folder: Path) -> dict[str, str]:
    """What each command of the tutorial prints, by its beginning; `make run` is the server, the removal comes last."""
    found = {}
    for language, text in BLOCKS:
        if language and text.strip() not in {"make run", ".venv/bin/varloom refs demo --remove"}:
            found[" ".join(text.split()[1:3])] = run(server, folder, text)
    return found


def run(server: Server, folder: Path, text: str) -> str:
    """Give a command to the shell, as its reader does."""
    assert text.startswith(".venv/bin/varloom ")
    environment = {**os.environ, "VARLOOM_DATA": str(server.data), "VARLOOM_URL": server.url}
    command = text.replace(".venv/bin/varloom", f"{sys.executable} -m varloom")
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sample_named(server: Server, name: str) -> str:
    found = server.client.get("samples", params={"search": name}).raise_for_status().json()["samples"]
    return next(str(one["id"]) for one in found if one["name"] == name)


def cell(page: Page, row: int, name: str) -> Any:
    return page.locator(f'#table .ag-row[row-index="{row}"] .ag-cell[col-id="{name}"]')


def test_the_commands_do_what_the_tutorial_says(said: dict[str, str], folder: Path) -> None:
    assert "varloom-demo.vcf --annotate small" in said["refs demo"]
    assert said["refs list"].count(" demo ") == 12
    with (folder / "harmful.tsv").open() as file:
        harmful = list(csv.DictReader(file, delimiter="\t"))
    assert len(harmful) > 20
    assert {row["clinvar.significance"] for row in harmful} == {"Pathogenic", "Likely_pathogenic"}
    told = said["annotate demo1:23715:A:G"]
    assert told.count("synthetic demonstration data") == 3
    assert "DEMOT00000000011.1:c.122A>G" in told
    assert "stop_gained" in told
    with (folder / "genes.csv").open() as file:
        genes = list(csv.DictReader(file))
    assert [row["sv.gene"] for row in genes if row["position"] == "100000"] == ["DEMO3", "DEMO4", "DEMO5"]


def test_rows_that_are_selected_are_annotated_together(
    visitor: Visitor, server: Server, said: dict[str, str], folder: Path
) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.goto(f"/samples/{sample_named(server, 'Demo')}?columns=contig,position,mane.consequence")
    expect(page.locator("#synthetic-note")).to_be_visible()
    page.fill("#filter-box", FILTER)
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_contain_text("of 117 rows")
    bar = page.get_by_role("group", name="Selected rows")
    expect(bar).to_be_hidden()
    page.get_by_role("checkbox", name="Select row 1", exact=True).check()
    cell(page, 2, "position").click()
    page.keyboard.press("Shift+Space")
    expect(bar).to_contain_text("3 rows selected")
    assert not violations(page)
    bar.get_by_role("button", name="Annotate selected").click()
    dialog = page.get_by_role("dialog", name="Annotated rows")
    expect(dialog.locator("tbody tr")).to_have_count(3)
    expect(dialog).to_contain_text("Synthetic demonstration data")
    assert not violations(page)
    with page.expect_download() as download:
        dialog.get_by_role("button", name="TSV").click()
    download.value.save_as(folder / "annotated.tsv")
    with (folder / "annotated.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    heads = dialog.locator("tbody th").all_text_contents()
    assert [row["variant"] for row in rows] == heads
    assert all(row["clinvar.significance"].endswith("athogenic") for row in rows)
    page.keyboard.press("Escape")
    bar.get_by_role("button", name="Clear selection").click()
    expect(bar).to_be_hidden()


def test_structural_variants_are_split_by_their_genes(visitor: Visitor, server: Server, said: dict[str, str]) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.goto(f"/samples/{sample_named(server, 'Demo SV')}?sort=-qual&columns=contig,position,sv.gene_entries")
    expect(page.locator("#row-count")).to_have_text("12 rows")
    page.get_by_role("button", name="Split by gene").click()
    page.wait_for_url("**view=split**")
    expect(page.get_by_role("button", name="Split by gene")).to_have_attribute("aria-pressed", "true")
    expect(cell(page, 0, "sv.gene")).to_have_text("DEMO7")
    expect(page.locator("#view-note")).to_have_text("10 of 12 variants overlap a gene")
    total = page.locator("#row-count").text_content()
    page.fill("#filter-box", "sv.gene_hi_score = 3")
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_have_text(f"1 of {total}")
    expect(cell(page, 0, "sv.gene")).to_have_text("DEMO1")
    page.locator("#table .row-button").first.click()
    expect(page.locator("#row-dialog [data-groups]")).to_contain_text("DEMO1")
    page.keyboard.press("Escape")
    assert not violations(page)
    page.get_by_role("button", name="Full", exact=True).click()
    expect(page.locator("#row-count")).to_have_text("12 rows")
    expect(cell(page, 0, "sv.gene_entries")).to_be_visible()


def test_the_view_is_changed_even_before_the_rows_can_be_drawn(
    visitor: Visitor, server: Server, said: dict[str, str]
) -> None:
    visitor.log_in()
    page = visitor.page
    (grid,) = (file for file in DIST.glob("chunk-*.js") if "ag-cell-focus" in file.read_text())
    held: list[Route] = []

    def hold(route: Route) -> None:  # Playwright marks the handler, which no method of a list allows
        held.append(route)

    page.route(f"**/{grid.name}", hold)
    page.goto(f"{server.url}/samples/{sample_named(server, 'Demo SV')}", wait_until="domcontentloaded")
    split = page.get_by_role("button", name="Split by gene")
    split.click()
    expect(split).to_have_attribute("aria-pressed", "true")
    page.unroute(f"**/{grid.name}")
    page.reload()
    expect(cell(page, 0, "sv.gene")).to_have_text("DEMO1")
    assert held


def test_the_page_of_reference_data_removes_and_installs_it(
    visitor: Visitor, server: Server, said: dict[str, str], folder: Path
) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.goto("/refs")
    part = page.locator("#refs-demo")
    expect(part).to_contain_text("Synthetic data is installed")
    expect(page.get_by_text("No other reference data", exact=True)).to_be_visible()
    assert not violations(page)
    with page.expect_download() as download:
        part.get_by_role("link", name=re.compile(r"varloom-demo\.vcf")).click()
    assert Path(download.value.path()).read_bytes() == (folder / "varloom-demo.vcf").read_bytes()
    part.get_by_role("button", name="Load small variants").click()
    page.wait_for_url("**/jobs/*")
    expect(page.get_by_role("link", name="Open table").first).to_be_visible(timeout=PATIENCE)
    visitor.goto("/refs")
    part.get_by_role("button", name="Remove the demonstration").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    part.get_by_role("button", name="Install the demonstration data").click()
    expect(part).to_contain_text("Synthetic data is installed", timeout=PATIENCE)
    run(server, folder, ".venv/bin/varloom annotate demo1:23715:A:G")  # after which the server holds it ready for more
    run(server, folder, ".venv/bin/varloom refs demo --remove")
    assert server.client.get("refs").json()["demo"]["releases"] == 0
