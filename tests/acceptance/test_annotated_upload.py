"""From the upload dialog to an annotated table, and the way out when an annotation cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect
from tests.running import write_vcf
from tests.shared_data import needs

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.storage import LocalStorage

if TYPE_CHECKING:
    from visiting import Visitor

    from running import Server

CLINVAR = Path(__file__).parents[3] / "shared" / "data" / "resources" / "exomiser.clinvar-test.vcf.gz"

pytestmark = [
    pytest.mark.browser,
    needs(CLINVAR),
]


@pytest.fixture
def clinvar(server: Server) -> None:
    library = ReferenceLibrary(LocalStorage(server.data / "storage"))
    key = ReleaseKey("variants", "clinvar", "GRCh37", "2023")
    if not library.releases():
        install(library, key, Published(CLINVAR), lambda *_: None)


def look_again(server: Server) -> None:
    """Who asks for what is not installed makes the server look again."""
    refused = server.client.post("jobs", files={"file": ("x.vcf", b"")}, data={"annotate": "structural"})
    assert refused.json()["code"] == "reference_data_missing"


def test_annotation_is_greyed_out_until_it_can_be_had(visitor: Visitor, server: Server) -> None:
    visitor.log_in()
    visitor.choose("a.vcf", "##fileformat=VCFv4.2\n")
    expect(visitor.chosen("a.vcf").locator("select[name=annotate]")).to_be_disabled()
    expect(visitor.chosen("a.vcf")).to_contain_text("No reference data is installed on this server.")


def test_an_upload_is_annotated(visitor: Visitor, server: Server, clinvar: None) -> None:
    look_again(server)
    visitor.log_in()
    visitor.watch_states()
    visitor.choose("clinvar.vcf.gz", CLINVAR)
    chosen = visitor.chosen("clinvar.vcf.gz")
    chosen.locator("select[name=assembly]").select_option("GRCh37")
    chosen.locator("select[name=annotate]").select_option("small")
    expect(chosen.locator("select[name=annotate] option[value=structural]")).to_be_disabled()
    server.client.post("queue/pause", json={"stage": "annotate"}).raise_for_status()  # so that each state is seen
    visitor.page.click("#upload-send")
    visitor.wait_for_state("clinvar", "queued")
    server.client.post("queue/resume", json={"stage": "annotate"}).raise_for_status()
    entry = visitor.wait_for_state("clinvar", "completed")
    assert visitor.states_of("clinvar")[:2] == ["queued", "annotating"]
    expect(entry).to_contain_text("2,000 records in the file = 2,000 records in the table")
    entry.get_by_role("link", name="Open table").click()
    page = visitor.page
    expect(page.locator("#row-count")).to_have_text("2,000 rows")
    page.locator('#table .ag-row[row-index="2"]').first.hover()
    page.locator('#table .ag-row[row-index="2"] .row-button').click()
    dialog = page.locator("#row-dialog")
    expect(dialog.locator("#row-title")).to_have_text("1:69,682 G > A")
    dialog.get_by_role("button", name="Annotate").click()
    expect(dialog.locator("[data-annotation]")).to_contain_text("By what is installed now: clinvar 2023")
    expect(dialog.locator("[data-annotation] dl")).to_contain_text("Uncertain_significance")
    dialog.get_by_role("button", name="Next").click()
    expect(dialog.locator("[data-annotation] dl")).to_have_count(0)
    dialog.get_by_role("button", name="Close").click()
    page.goto(page.url.split("?")[0] + "?filter=" + "%22clinvar.stars%22%20%3E%3D%203")
    expect(page.locator("#row-count")).not_to_have_text("2,000 rows")

    key = ReleaseKey("variants", "clinvar", "GRCh37", "2024")
    install(ReferenceLibrary(LocalStorage(server.data / "storage")), key, Published(CLINVAR), lambda *_: None)
    look_again(server)
    page.goto(page.url.split("?")[0] + "/provenance")
    expect(page.locator("main")).to_contain_text("2023 (newer is installed: 2024)")


def test_a_job_whose_annotation_fails_is_loaded_without(
    visitor: Visitor, server: Server, clinvar: None, tmp_path
) -> None:
    visitor.log_in()
    visitor.choose("plain.vcf", write_vcf(tmp_path / "plain.vcf", 20))
    visitor.chosen("plain.vcf").locator("select[name=annotate]").select_option("small")
    visitor.page.click("#upload-send")
    entry = visitor.wait_for_state("plain", "failed")
    expect(entry).to_contain_text("The assembly of the file is not known")
    expect(entry).to_contain_text("Choose the assembly, GRCh37 or GRCh38, and try again.")
    expect(entry.get_by_role("button", name="Upload mended file")).to_have_count(0)
    entry.get_by_role("button", name="Retry with changes").click()
    expect(visitor.page.locator("#retry select[name=annotate]")).to_have_value("small")
    visitor.page.locator("#retry [data-close-retry]").first.click()
    entry.get_by_role("button", name="Load without annotation").click()
    done = visitor.wait_for_state("plain", "completed")
    expect(done).to_contain_text("20 records in the file = 20 records in the table")
    done.get_by_role("link", name="Open table").click()
    visitor.page.locator('#table .ag-row[row-index="2"] .row-button').click()
    expect(visitor.page.locator("#row-title")).to_have_text("chr1:1,014 A > C")
    expect(visitor.page.locator("[data-annotate]")).to_be_hidden()  # the assembly is never guessed
