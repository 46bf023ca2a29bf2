"""Which genome reads, and PGx calls, are given."""

from __future__ import annotations

import pytest

from varloom.annotation.model import DEMO_RELEASE, ReleaseKey
from varloom.errors import VarloomError
from varloom.processing.pgx.choice import choose_pgx
from varloom.processing.reference_choice import chosen_reference

DEMO = ReleaseKey("fasta", "genome", "GRCh38", DEMO_RELEASE)
GENOME = ReleaseKey("fasta", "genome", "GRCh38", "2026-11-30")
DEFINITIONS = ReleaseKey("pgx", "pharmcat", "GRCh38", "1")


@pytest.mark.parametrize("name", [None, "genome"])
def test_the_genome_of_the_demonstration_is_for_nobody(name):
    assert chosen_reference([DEMO, GENOME], name, None) == GENOME
    assert choose_pgx([DEMO, DEFINITIONS, GENOME]) == (DEFINITIONS, GENOME)
    assert choose_pgx([DEMO, DEFINITIONS]) == (DEFINITIONS,)
    with pytest.raises(VarloomError, match="None is installed") as refused:
        chosen_reference([DEMO], name, None)
    assert refused.value.code == "reference_genome_missing"


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(VarloomError, match=r"no reference genome grch38\. Installed: genome \(GRCh38\)\."):
        chosen_reference([GENOME], "grch38", None)
