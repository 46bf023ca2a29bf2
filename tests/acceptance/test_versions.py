"""A sample that is annotated again: what a person sees before, meanwhile and afterwards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect

from running import write_vcf
from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.storage import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Route
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

PATIENCE = 90_000
"""Milliseconds within which a job ends on a busy machine."""


def install_clinvar(server: Server, folder: Path, release: str, significance: str) -> None:
    published = folder / f"{release}.vcf"
    rows = "".join(f"1\t{1000 + 7 * row}\t{row}\tA\tC\t.\t.\tCLNSIG={significance}\n" for row in range(3))
    published.write_text("##fileformat=VCFv4.1\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + rows)
    key = ReleaseKey("variants", "clinvar", "GRCh38", release)
    install(ReferenceLibrary(LocalStorage(server.data / "storage")), key, Published(published), lambda *_: None)


def test_a_sample_is_annotated_again(visitor: Visitor, server: Server, tmp_path: Path) -> None:
    install_clinvar(server, tmp_path, "2026-10-01", "Benign")
    vcf = write_vcf(tmp_path / "patient.vcf", 20)
    jobs = [server.submit(vcf, annotate="small", assembly="GRCh38", sample_name=name) for name in ("patient", "other")]
    sample = server.at_rest(jobs[0]["id"])["sample_id"]
    server.at_rest(jobs[1]["id"])
    plain = server.at_rest(server.submit(vcf, sample_name="plain", assembly="GRCh38")["id"])["sample_id"]
    install_clinvar(server, tmp_path, "2026-11-20", "Pathogenic")
    visitor.log_in()
    page = visitor.page
    visitor.goto("/refs")

    visitor.goto(f"/samples/{sample}?columns=position,clinvar.significance")
    cell = page.locator('#table .ag-row[row-index="0"] .ag-cell[col-id="clinvar.significance"]')
    expect(cell).to_have_text("Benign")
    notice = page.locator("#renewal")
    expect(notice).to_contain_text("ClinVar 2026-11-20 is newer than this sample's (2026-10-01).")
    assert violations(page) == []
    notice.get_by_role("button", name="Annotate again").click()
    expect(notice).to_contain_text(re.compile("A new version of this table is being made|This is version 1"))
    expect(notice).to_contain_text("This is version 1", timeout=PATIENCE)
    expect(cell).to_have_text("Benign")
    notice.get_by_role("link", name="Show version 2").click()
    page.wait_for_url(re.compile(f"/samples/{sample}$"))
    visitor.goto(f"/samples/{sample}?columns=position,clinvar.significance")
    expect(cell).to_have_text("Pathogenic")
    expect(notice).to_be_empty()

    page.get_by_role("link", name="Versions 2").click()
    rows = page.locator(".versions tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("clinvar 2026-11-20")
    expect(rows.nth(0)).to_contain_text("clinvar.significance: 3 changed")
    assert violations(page) == []
    rows.nth(1).get_by_role("link", name="Version 1", exact=True).click()
    expect(notice).to_contain_text("This is version 1")

    held: list[Route] = []  # a line so slow that the job is done before anything is heard of it
    visitor.goto(f"/samples/{plain}")
    page.route("**/jobs/stream*", lambda route: held.append(route))  # noqa: PLW0108 - a method of a list is none of its own
    visitor.follow(page.get_by_role("link", name="Annotate", exact=True))
    with page.expect_response(f"**/samples/{plain}/annotate"):
        page.get_by_role("button", name="Annotate", exact=True).click()
    for job in server.client.get("jobs").json()["jobs"]:
        server.at_rest(job["id"])
    visitor.first_held(held).continue_()
    page.unroute("**/jobs/stream*")
    expect(page.locator(".versions tbody tr")).to_have_count(2)
    expect(page.locator(".versions tbody tr").nth(1)).to_contain_text("Not annotated")

    visitor.goto("/samples")
    stale = page.locator("#samples-stale")
    expect(stale).to_contain_text("One sample here was annotated with older reference data")
    stale.get_by_role("button", name="Annotate it again").click()
    expect(page.locator("#samples-area")).not_to_contain_text("newer reference data")
