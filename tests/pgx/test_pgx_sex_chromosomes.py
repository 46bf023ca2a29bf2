"""G6PD, on X, from simulated reads of people with one X or two, by the process stage and the CPU engine."""

from __future__ import annotations

import json
import random
import uuid

import pytest
from tests.absent import require_aligner
from tests.shared_data import needs
from tests.support import simulated_pharmacogenes as genes
from tests.support import simulated_reads as simulated

from varloom.pipeline.request import Processing, SourceFile, StageRequest
from varloom.pipeline.stages import process
from varloom.processing import ploidy
from varloom.processing.ploidy import Measures
from varloom.storage import LocalStorage

pytestmark = needs(genes.PGX)

DEFICIENT = "A- 202A_376G"
X, Y, SHARED = 36_001, 26_001, (1, 300)


class Lab:
    """A storage with the genome and the definitions of G6PD, and people who have a deficient allele on one X."""

    def __init__(self, folder):
        self.folder, self.storage = folder, LocalStorage(folder / "storage")
        chance = random.Random(3)
        definition = json.loads((genes.PGX / "definition" / "G6PD_translation.json").read_text())
        self.contigs, moved = genes.moved_together({"G6PD": definition}, chance)
        self.contigs["chrX"] += "".join(chance.choices("ACGT", k=X - len(self.contigs["chrX"])))
        self.contigs |= simulated.genome({"chr1": 30_000, "chrY": Y}, seed=6)
        self.variants = list(genes.carried(definition, (DEFICIENT, "B (reference)"), moved))
        fasta = simulated.write_fasta(folder / "genes.fa", self.contigs)
        definitions = genes.write_definitions(folder / "definition", {"G6PD": definition}, moved)
        genes.install_releases(self.storage, genes.Person(fasta, definitions, ()))

    def called(self, copies, **options):
        """The entry of G6PD and the codes of warnings of somebody with so many X and Y."""
        made = simulated.copies_of(self.contigs, self.variants)
        sets = {"chr1": made, "chrX": made[: copies[0]], "chrY": made[: copies[1]]}
        reads = [
            (f"{title}{name}", first, second)
            for name, bases in self.contigs.items()
            for title, first, second in simulated.pairs(sets[name], [(name, 0, len(bases))], depth=40, seed=2)
        ]
        job, files = str(uuid.uuid4()), []
        folder = self.folder / job
        folder.mkdir()
        for path in simulated.write_pairs(folder, "P1", reads):
            self.storage.write_bytes(f"uploads/{job}/{path.name}", path.read_bytes())
            files.append(SourceFile(f"uploads/{job}/{path.name}", path.name, None, None))
        request = StageRequest(
            "process",
            files[0],
            f"processed/{job}/1",
            {"reads": True, "pgx": True, **options},
            self.storage.access,
            None,
            job=job,
            further=tuple(files[1:]),
            processing=Processing(threads=2),
            sample="P1",
        )
        told = process.run(StageRequest.from_json(json.loads(json.dumps(request.as_json()))), lambda *_: None)
        [pgx] = [one["name"] for one in told.result["files"] if one["role"] == "pgx"]
        result = json.loads(self.storage.read_bytes(f"{told.result['key']}/{pgx}"))
        [gene] = [one for one in result["samples"][0]["genes"] if one["gene"] == "G6PD"]
        return gene, [one["code"] for one in told.warnings]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    require_aligner()
    lab = Lab(tmp_path_factory.mktemp("lab"))
    known = Measures("GRCh38", X, Y, (SHARED,), (SHARED,), ((301, 26_000),))
    ploidy.KNOWN.append(known)
    yield lab
    ploidy.KNOWN.remove(known)


def names(gene):
    return [one["name"] for one in gene["diplotypes"]]


def test_one_x_has_one_allele_and_its_phenotype(lab):
    gene, warnings = lab.called((1, 1))
    assert (gene["copies"], names(gene), gene["phenotype"]) == (1, [DEFICIENT], "G6PD Deficient")
    assert gene["status"] == "called"
    assert gene["positions"]["no_call"] == []
    assert warnings == []


def test_two_x_have_two(lab):
    gene, warnings = lab.called((2, 0))
    assert gene["copies"] == 2
    assert names(gene) == [f"B (reference)/{DEFICIENT}"]
    assert gene["phenotype"] == "G6PD Variable"
    assert warnings == []


def test_what_was_given_against_coverage_is_told(lab):
    gene, warnings = lab.called((1, 1), sex_chromosomes="xx")
    assert (gene["copies"], names(gene)) == (2, [f"{DEFICIENT}/{DEFICIENT}"])
    assert "sex_chromosomes_contradict" in warnings
