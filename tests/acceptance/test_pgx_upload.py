"""From the upload dialog to the PGx page, with calls made elsewhere; on paper it is one page."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect
from tests.pgx.made import PGX, library_with, positions_vcf
from tests.pgx.made_guidance import made_guidance, written
from tests.shared_data import needs

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install

if TYPE_CHECKING:
    from pathlib import Path

    from visiting import Visitor

    from running import Server

pytestmark = [pytest.mark.browser, needs(PGX)]


@pytest.fixture
def definitions(server: Server) -> None:
    """Installed, and seen by the server, which looks at once when it is asked for what it does not know of."""
    if not list((server.data / "storage").rglob("refs/GRCh38/pgx/*/1/release.json")):
        library = library_with(server.data / "storage", "pharmcat", "cpic")
        file = written(server.data / "guidance.json", made_guidance())
        install(library, ReleaseKey("pgx", "guidance", "GRCh38", "1"), Published(file), lambda *_: None)
    server.client.post("jobs", files={"file": ("x.vcf", b"")}, data={"pgx": "true"})


SLOW_TO_READ = """
    const text = Blob.prototype.text;
    const released = new Promise((resolve) => (window.readOn = resolve));
    Blob.prototype.text = async function () {
        const read = await text.call(this);
        await released;
        return read;
    };
"""


def test_an_upload_waits_for_its_outside_calls_and_never_goes_without(
    visitor: Visitor, server: Server, definitions: None, tmp_path: Path
) -> None:
    page = visitor.page
    page.add_init_script(SLOW_TO_READ)
    visitor.log_in()
    visitor.choose("waits.vcf", positions_vcf(tmp_path / "waits.vcf", {94842866: "1/1"}))
    chosen = visitor.chosen("waits.vcf")
    chosen.locator("[name=pgx]").check()
    (tmp_path / "outside.tsv").write_text("CYP2D6\t*1/*4\n")
    chosen.get_by_label("Outside calls").set_input_files(tmp_path / "outside.tsv")
    page.click("#upload-send")
    expect(chosen).to_have_attribute("data-state", "sending")
    page.evaluate("readOn()")
    expect(page.locator("#upload")).to_be_hidden()
    [job] = server.jobs_named("waits")
    assert job["options"]["outside_calls"] == "CYP2D6\t*1/*4\n"

    visitor.choose("wrong.vcf", tmp_path / "waits.vcf")
    wrong = visitor.chosen("wrong.vcf")
    wrong.locator("[name=pgx]").check()
    (tmp_path / "outside.tsv").write_bytes(b" " * 70_000)
    wrong.get_by_label("Outside calls").set_input_files(tmp_path / "outside.tsv")
    page.click("#upload-send")
    expect(wrong).to_have_attribute("data-state", "failed")
    expect(wrong).to_contain_text("The outside calls cannot be read")
    expect(wrong).to_contain_text("Choose another file of outside calls, or none.")
    assert server.jobs_named("wrong") == []
    (tmp_path / "outside.tsv").write_text("CYP2D6\t*1/*4\n")
    wrong.get_by_label("Outside calls").set_input_files(tmp_path / "outside.tsv")
    page.click("#upload-send")
    expect(page.locator("#upload")).to_be_hidden()
    [job] = server.jobs_named("wrong")
    assert job["options"]["outside_calls"] == "CYP2D6\t*1/*4\n"


def test_an_upload_is_called(visitor: Visitor, server: Server, definitions: None, tmp_path: Path) -> None:
    genotypes = {94842866: "1/1", 94781859: "0/1", 94775367: "0/1"}
    path = positions_vcf(tmp_path / "called.vcf", genotypes, leave_out={94942290}, samples=("<b>x</b>",))
    outside = tmp_path / "outside.tsv"
    outside.write_text("CYP2D6\t*1/*4\n")
    visitor.log_in()
    visitor.choose("called.vcf", path)
    chosen = visitor.chosen("called.vcf")
    expect(chosen.get_by_label("Outside calls")).to_be_hidden()
    chosen.locator("[name=pgx]").check()
    chosen.get_by_label("Outside calls").set_input_files(outside)
    visitor.page.click("#upload-send")
    visitor.page.wait_for_selector("#upload", state="hidden")
    [job] = server.jobs_named("called")
    job = server.at_rest(job["id"])
    assert (job["state"], job["plan"]) == ("completed", ["process", "parse"])
    assert job["options"]["outside_calls"] == "CYP2D6\t*1/*4\n"
    sample = job["sample_id"]
    visitor.page.goto(f"{server.url}/samples/{sample}")
    visitor.page.get_by_role("link", name="PGx").click()
    genes = visitor.page.get_by_role("region", name="Genes")
    expect(genes.get_by_role("row", name="CYP2C19 ")).to_contain_text("*1/*2")
    expect(genes.get_by_role("row", name="CYP2C9 ")).to_contain_text("rs1799853 (chr10:94942290) is not known")
    expect(genes.get_by_role("row", name="CYP2D6 ")).to_contain_text("Intermediate Metabolizer, activity score 1.0")
    expect(visitor.page.get_by_role("heading", name="Pharmacogenomics: <b>x</b>")).to_be_visible()
    expect(visitor.page.get_by_text("Varloom is not a medical device.")).to_be_visible()
    for paper in ("A4", "Letter"):
        assert visitor.page.pdf(format=paper).count(b"/Type /Page\n") == 1, paper
    drugs = visitor.page.get_by_role("region", name="Drugs by phenotypes that are marked")
    codeine = drugs.get_by_role("row", name=re.compile("^codeine"))
    expect(codeine.get_by_role("cell")).to_have_text(
        ["CYP2D6 Intermediate Metabolizer", re.compile("WatchMade: implies x"), "Moderate", "A"]
    )
    expect(codeine.get_by_role("link", name="Guideline for codeine")).to_have_attribute(
        "href", "https://example.org/codeine"
    )
    expect(visitor.page.get_by_text("version 2026-02-03-04-05").first).to_be_visible()
    assert violations(visitor.page) == []
    found = server.client.get(f"samples/{sample}/pgx").json()
    assert found["samples"][0]["summary"]["withheld"] == 1
    lines = server.client.get(f"samples/{sample}/pgx", params={"format": "tsv"}).text.splitlines()
    assert len(lines) == 21
    lines = server.client.get(f"samples/{sample}/pgx", params={"format": "drugs"}).text.splitlines()
    assert [line.split("\t")[5:7] for line in lines if line.split("\t")[1] == "codeine"] == [["Watch", "Moderate"]]
    [pharmcat] = json.loads(server.client.get(f"samples/{sample}/pgx", params={"format": "pharmcat"}).text)
    assert len(pharmcat["results"]) == 19
    plain = server.at_rest(server.submit(path, name="plain.vcf")["id"])
    refused = server.client.get(f"samples/{plain['sample_id']}/pgx")
    assert (refused.status_code, refused.json()["code"]) == (404, "pgx_not_called")
    wrong = server.client.post("jobs", files={"file": ("x.vcf", b"#")}, data={"pgx": "true", "assembly": "GRCh37"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "pgx_wrong_assembly")
