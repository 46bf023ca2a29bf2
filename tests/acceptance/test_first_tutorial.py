"""The first tutorial, word for word: its commands, and what its reader does in the browser."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "first-table.md"
BLOCKS = re.findall(r"^```(sh)?\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
COMMANDS = [text for language, text in BLOCKS if language and text.strip() != "make run"]
FILTER = next(text.strip() for language, text in BLOCKS if not language and "qual" in text)
REFUSED = 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reader")


@pytest.fixture(scope="module")
def done(server: Server, folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """All commands in their order, given to the shell as the reader does; `make run` is the server."""
    environment = {**os.environ, "VARLOOM_DATA": str(server.data), "VARLOOM_URL": server.url}
    return [
        subprocess.run(
            ["sh", "-c", command.replace(".venv/bin/varloom", f"{sys.executable} -m varloom")],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        for command in COMMANDS
    ]


def test_the_commands_do_what_the_tutorial_says(done: list[subprocess.CompletedProcess[str]], folder: Path) -> None:
    made, submitted, exported, spoiled, checked = done
    assert [one.returncode for one in (made, submitted, exported, spoiled)] == [0] * 4, done
    assert "5 records, 6 variants" in submitted.stdout
    with (folder / "patient8.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["position"], row["alt"]) for row in rows] == [("16847963", "C"), ("16847963", "G"), ("19963748", "A")]
    assert checked.returncode == REFUSED
    assert "line 12" in checked.stdout or ":12" in checked.stdout
    assert "7 tab-separated columns" in checked.stdout


def test_the_pages_do_what_the_tutorial_says(
    visitor: Visitor, server: Server, done: list[subprocess.CompletedProcess[str]], folder: Path
) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.choose("sample.vcf", folder / "sample.vcf")
    expect(visitor.chosen("sample.vcf")).to_contain_text("NA12878")
    expect(page.locator("[name=sample_name]")).to_have_value("sample")
    page.fill("[name=sample_name]", "Patient 7")
    page.click("#upload-send")
    entry = visitor.wait_for_state("Patient 7", "completed")
    expect(entry).to_contain_text("5 records")
    visitor.follow(entry.get_by_role("link", name="Open table"))
    expect(page.locator("#row-count")).to_have_text("6 rows")
    page.fill("#filter-box", FILTER)
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_have_text("3 of 6 rows")
    visitor.choose("spoiled.vcf", folder / "spoiled.vcf")
    page.click("#upload-send")
    entry = visitor.wait_for_state("spoiled", "failed")
    expect(entry).to_contain_text("line 12", ignore_case=True)
    expect(entry).to_contain_text("The line has 7 tab-separated columns where the #CHROM line has 10.")
