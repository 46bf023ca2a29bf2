"""The calls of PharmCAT 3.1.1 on 54 files, against ours: the same diplotypes and phase, every difference named."""

from __future__ import annotations

import json

import pytest
from tests.pgx.made import PGX, Lab
from tests.shared_data import needs

pytestmark = needs(PGX)
EXPECTED = json.loads((PGX / "expected_diplotypes.json").read_text()) if PGX.exists() else {}
WRITTEN_ELSEWHERE = {
    # PharmCAT asks for the exact position, and counts as missing what is the same indel written one base further on.
    "DPYD/c1156het.vcf": 1,  # GG>G at 97450066 is rs72549303, TG>T at 97450065
    "DPYD/c2846het.vcf": 1,
    "DPYD/novariant.vcf": 1,
    "cyp2c9/s1s1.vcf": 1,  # AA>A at 94949282 is rs9332131, GA>G at 94949281
    "cyp2c9/s3s18m94981296.vcf": 1,
}
"""Positions that we know and PharmCAT does not."""


@pytest.fixture(scope="module")
def called(pgx_library, tmp_path_factory):
    lab = Lab(pgx_library, tmp_path_factory.mktemp("output"))
    return {name: lab.gene(PGX / "vcf" / name, next(iter(genes))) for name, genes in EXPECTED.items()}


def test_calls_are_those_of_pharmcat(called):
    assert len(called) == 54
    for name, gene in called.items():
        [expected] = EXPECTED[name].values()
        assert sorted(one["name"] for one in gene["diplotypes"]) == sorted(expected["diplotypes"]), name
        assert gene["phased"] == expected["phased"], name
        positions = gene["positions"]
        unknown = len(positions["missing"]) + len(positions["no_call"])
        assert unknown == expected["missing_positions"] - WRITTEN_ELSEWHERE.get(name, 0), name
        assert unknown + len(positions["used"]) == positions["total"], name


def test_no_phenotype_is_given_that_something_unknown_could_change(called):
    """PharmCAT gives a phenotype for all 54, as if what is missing were not there."""
    given = {name: gene["phenotype"] for name, gene in called.items() if gene["status"] == "called"}
    for name, gene in called.items():
        if name in given:
            assert gene["phenotype"], name
            assert gene["withheld"] is None, name
            continue
        assert gene["phenotype"] is None, name
        told = gene["withheld"]
        assert told["settled_by"] or told["settled_by_phase"] or gene["positions"]["undocumented"], name
        assert told["possible_phenotypes"], name
    assert given["IFNL3/rs12979860CT.vcf"] == "Unfavorable Response"
    assert given["cyp3a5/s3s3rs55965422het.vcf"] == "Poor Metabolizer"
    assert called["SLCO1B1/SLCO1B1_s5_s14_t1.vcf"]["withheld"]["settled_by_phase"]
    assert "cyp3a5/s1s7missing.vcf" not in given
