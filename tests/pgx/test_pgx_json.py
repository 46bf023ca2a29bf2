"""`pgx.json` against its reference: every entry is described there, and every one that is described is there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.pgx.made import PGX, positions_vcf
from tests.shared_data import needs

pytestmark = needs(PGX)
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "pgx-json.md"
OF_OTHERS = {"contig", "position", "rsid", "ref", "alts", "why", "genotype", "name", "function", "activity", "alleles"}
"""Entries of entries, in the words of the text: of positions and of alleles."""


def described(heading):
    """The names of the entries in the table below a heading, or in the text if there is no table."""
    text = REFERENCE.read_text().split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return set(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows) or text))


def entries(lab, tmp_path):
    """Genes of all kinds: called, withheld, undocumented, with one copy, from elsewhere, and without data."""
    told = {94842866: "1/1", 94781859: "0/1", 94761900: "./.", 154534440: "0", 97082391: "0/1", 97450058: "0/1"}
    path = positions_vcf(tmp_path / "a.vcf", told, leave_out={99672916, 94942290})
    path.write_text(
        path.read_text().replace("rs1142345\tT\tC\t.\tPASS\tPX=TPMT\tGT\t0/0", "x\tT\tA\t.\tPASS\t.\tGT\t0/1")
    )
    (tmp_path / "o.tsv").write_text("CYP2D6\t*1/*4\nHLA-B\t\t*57:01 positive\n")
    return lab.call(path, outside=tmp_path / "o.tsv")


def test_all_that_is_written_is_described_and_all_that_is_described_is_written(lab, tmp_path):
    result = entries(lab, tmp_path)
    [sample] = result["samples"]
    genes = sample["genes"]
    assert {"called", "withheld"} <= {one["status"] for one in genes}
    assert set(result) | {"format", "format_version"} == described("# `pgx.json`") | {"format", "format_version"}
    assert set(sample) <= described("## A sample")
    gene_entries = described("## A gene")
    assert all(set(one) <= gene_entries for one in genes)
    assert all(gene_entries == set(one) for one in genes), "every gene has every entry"
    drug_entries = described("## A drug")
    assert sample["drugs"]
    assert all(set(one) <= drug_entries for one in sample["drugs"])
    text = REFERENCE.read_text()
    for one in genes:
        parts = [*one["diplotypes"], one["withheld"] or {}, one["positions"] or {}, *one["variants_found"]]
        inner = {key for part in parts for key in part}
        assert inner - OF_OTHERS <= set(re.findall(r"`(\w+)`", text)), one["gene"]
    for gene, about in result["genes"].items():
        assert set(about) == {"positions", "tier1", "alleles"}, gene


def test_entries_are_of_the_kinds_that_programs_rely_on(lab, tmp_path):
    kinds = {
        "gene": str,
        "source": str,
        "status": str,
        "reason": (str, type(None)),
        "copies": (int, type(None)),
        "phased": bool,
        "effectively_phased": bool,
        "diplotypes": list,
        "phenotype": (str, type(None)),
        "activity_score": (str, type(None)),
        "abnormal": (bool, type(None)),
        "withheld": (dict, type(None)),
        "positions": (dict, type(None)),
        "notes": list,
    }
    [sample] = entries(lab, tmp_path)["samples"]
    for one in sample["genes"]:
        assert all(isinstance(one[key], kind) for key, kind in kinds.items()), one["gene"]
        assert one["status"] in {"called", "withheld", "not_called", "no_data"}
        assert (one["phenotype"] is None) or one["status"] == "called"
        assert (one["withheld"] is None) == (one["status"] != "withheld"), one["gene"]
    assert {one["state"] for one in sample["drugs"]} <= {"given", "withheld", "none", "unknown", "guideline"}
    assert sample["summary"] == {
        status: sum(one["status"] == status for one in sample["genes"])
        for status in ("called", "withheld", "not_called", "no_data")
    }
