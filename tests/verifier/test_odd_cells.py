"""Cells of hand-made files that are odd in a way that no public file is."""

from __future__ import annotations

from math import comb

import pytest
from vcf_verifier import differences


@pytest.mark.parametrize("alternates", [1, 2, 3])
@pytest.mark.parametrize("ploidy", [1, 2, 3, 8, 30, 61, 62, 63, 64, 65])
def test_genotype_values_of_any_ploidy_find_their_allele(tmp_path, alternates, ploidy):
    if alternates == 3 and ploidy > 30:
        pytest.skip("the verifier would write down 50,000 genotypes")
    values = ",".join(map(str, range(comb(alternates + ploidy, ploidy))))
    path = tmp_path / "pooled.vcf"
    path.write_text(
        '##fileformat=VCFv4.2\n##INFO=<ID=GP,Number=G,Type=Integer,Description="d">\n'
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\t.\tA\t{'C,G,T'[: 2 * alternates - 1]}\t.\t.\tGP={values}\n"
    )
    assert differences(path) == []
