"""Consequence annotations in the table: filtered by gene, entries in a dialog, and exported."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

NASTY = "<img src=x onerror=alert(1)>"
SUBFIELDS = "Allele|Consequence|IMPACT|SYMBOL|Gene|HGVSc"
CFTR = "-|inframe_deletion|MODERATE|CFTR|ENSG1|c.1521_1523del,-|intron_variant|MODIFIER|CFTR-AS1|ENSG2|"
BRCA2 = f"-|frameshift_variant|HIGH|BRCA2|ENSG3|c.5946del,TT|frameshift_variant|HIGH|BRCA2|ENSG3|{NASTY}"
VCF = f"""##fileformat=VCFv4.2
##INFO=<ID=CSQ,Number=.,Type=String,Description="Consequence annotations from Ensembl VEP. Format: {SUBFIELDS}">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr7\t117559590\t.\tATCT\tA\t50\tPASS\tCSQ={CFTR}
chr13\t32340300\t.\tGT\tG,GTT\t50\tPASS\tCSQ={BRCA2}
chr17\t7674220\t.\tC\tT\t50\tPASS\t.
"""
ENTRY = {"Allele": "-", "Consequence": "inframe_deletion", "IMPACT": "MODERATE", "SYMBOL": "CFTR", "Gene": "ENSG1"}


def test_consequences_in_the_table(visitor: Visitor, server: Server) -> None:
    job = server.at_rest(server.submit(VCF.encode(), "annotated.vcf")["id"])
    assert (job["state"], job["variants"]) == ("completed", 4)
    visitor.log_in()
    page = visitor.page
    names = ",".join(["contig", "position", *(f"INFO.CSQ.{name}" for name in ("consequence", "gene", "transcripts"))])
    visitor.goto(f"/samples/{job['sample_id']}?columns={names}")

    def cell(row: int, name: str) -> Locator:
        return page.locator(f'#table .ag-row[row-index="{row}"] .ag-cell[col-id="INFO.CSQ.{name}"]')

    expect(cell(0, "gene")).to_have_text("CFTR")
    expect(cell(0, "transcripts")).to_have_text("2 entries")
    expect(cell(2, "transcripts")).to_have_text("1 entry")
    expect(cell(3, "transcripts").locator(".cell-missing")).to_be_visible()

    cell(2, "transcripts").get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="INFO.CSQ.transcripts, chr13:32,340,300")
    expect(dialog.locator("tbody tr")).to_have_count(1)
    expect(dialog.locator("td").last).to_have_text(NASTY)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()

    page.fill("#filter-box", "INFO.CSQ.impact = 'HIGH' AND INFO.CSQ.gene = 'BRCA2'")
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_have_text("2 of 4 rows")
    expect(cell(0, "consequence")).to_have_text("frameshift_variant")


def test_entries_are_exported_and_sorted(server: Server) -> None:
    job = server.at_rest(server.submit(VCF.encode(), "annotated.vcf")["id"])
    path = f"samples/{job['sample_id']}"
    chosen = {"columns": "rowno,INFO.CSQ.transcripts"}

    def exported(kind: str) -> bytes:
        return server.client.get(f"{path}/export", params={**chosen, "format": kind}).raise_for_status().content

    lines = [json.loads(line) for line in exported("jsonl").splitlines()]
    assert lines[0]["INFO.CSQ.transcripts"][0] == {**ENTRY, "HGVSc": "c.1521_1523del"}
    assert lines[3] == {"rowno": 3, "INFO.CSQ.transcripts": None}
    cells = exported("tsv").decode().splitlines()[1].split("\t")
    assert json.loads(cells[1][1:-1].replace('""', '"')) == lines[0]["INFO.CSQ.transcripts"]
    table = pq.read_table(io.BytesIO(exported("parquet"))).to_pylist()
    assert table[0]["INFO.CSQ.transcripts"][0] == {**ENTRY, "HGVSc": "c.1521_1523del"}
    assert [row["INFO.CSQ.transcripts"] is None for row in table] == [False, False, False, True]

    rows = server.client.get(f"{path}/rows", params={**chosen, "sort": "-INFO.CSQ.transcripts", "limit": 10})
    assert [row["rowno"] for row in rows.raise_for_status().json()["rows"]][-1] == 3, "missing ones come last"
    refused = server.client.get(f"{path}/rows", params={"filter": "INFO.CSQ.transcripts = 'x'"})
    assert refused.json()["code"] == "filter_invalid"
    facets = server.client.get(f"{path}/facets/INFO.CSQ.gene").raise_for_status().json()
    assert facets["values"][0] == {"value": "BRCA2", "count": 2}
