"""Cells of hand-made files that are odd in a way that no public file is."""

from __future__ import annotations

from math import comb

import pytest
from vcf_verifier import differences


@pytest.mark.parametrize(
    ("alternates", "ploidy"),
    [*((1, ploidy) for ploidy in (1, 2, 3, 8, 61, 62, 63, 64, 65)), (2, 60), (2, 61), (2, 64), (2, 65), (3, 12)],
)
def test_genotype_values_of_any_ploidy_find_their_allele(tmp_path, alternates, ploidy):
    values = ",".join(map(str, range(comb(alternates + ploidy, ploidy))))
    alt = ",".join("CGT"[:alternates])
    path = tmp_path / "pooled.vcf"
    path.write_text(
        '##fileformat=VCFv4.2\n##INFO=<ID=GP,Number=G,Type=Integer,Description="d">\n'
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\t.\tA\t{alt}\t.\t.\tGP={values}\n"
    )
    assert differences(path) == []
