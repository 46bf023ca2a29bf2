"""The VCFs of the shared corpus that a reader may accept, with their size in bytes as stored."""

from __future__ import annotations

import csv
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared"
LARGE = 300_000
"""Files from this size on have a test of their own each, and a module of their own, for the time they take."""


def acceptable_files() -> dict[str, int]:
    if not SHARED.is_dir():
        return {}
    with (SHARED / "corpus" / "vcf.tsv").open(newline="", encoding="utf-8") as file:
        return {
            row["path"]: int(row["bytes"])
            for row in csv.DictReader(file, delimiter="\t")
            if row["format"] == "vcf" and not row["must"].startswith("reject, ")
        }
