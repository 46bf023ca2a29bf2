from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support import simulated_reads as simulated

from varloom.processing.cpu.engine import CpuEngine
from varloom.processing.fastq import are_mates, is_interleaved
from varloom.processing.lanes import gather
from varloom.processing.model import Analysis, Caller, Place, ReadsFile, Reference, SexChromosomes


class Person(NamedTuple):
    """A simulated person: the genome's FASTA, its contigs, the true variants, and the reads."""

    fasta: Path
    contigs: dict
    variants: list
    reads: tuple
    indexes: Path


def analyse(files, fasta, base, *, sites=None, sample="P1", indexes=None, threads=2, sex_chromosomes="auto"):
    """Run the CPU engine in a folder, whose checkpoints stay there."""
    reads = gather([ReadsFile(Path(file), Path(file).name) for file in files], is_interleaved, are_mates)
    reference = Reference(Path(fasta), indexes or base / "indexes", "GRCh38", "test 1")
    (base / "output").mkdir(parents=True, exist_ok=True)
    place = Place(base / "checkpoints", base / "work", base / "output")
    given = SexChromosomes(sex_chromosomes)
    analysis = Analysis(reads, reference, sample, Caller.BCFTOOLS, sites, threads, sex_chromosomes=given)
    return CpuEngine().run(analysis, place, lambda *_: None)


def rows(vcf):
    """CHROM, POS, REF, ALT and GT of a VCF's records."""
    import pysam

    with pysam.VariantFile(str(vcf)) as records:
        return [
            (
                one.contig,
                one.pos,
                one.ref,
                ",".join(one.alts or (".",)),
                "/".join("." if a is None else str(a) for a in one.samples[0]["GT"]),
            )
            for one in records
        ]


@pytest.fixture(scope="session")
def person(tmp_path_factory):
    folder = tmp_path_factory.mktemp("person")
    contigs = simulated.genome({"chr1": 30_000, "chr2": 20_000}, seed=11)
    variants = [
        *(simulated.snp(contigs, "chr1", at, (at // 1000 % 2,)) for at in range(2000, 14_000, 1000)),
        simulated.snp(contigs, "chr1", 22_000, (0, 1)),
        simulated.Variant("chr2", 5000, contigs["chr2"][4999:5003], contigs["chr2"][4999], (1,)),
        simulated.Variant(
            "chr2",
            9000,
            contigs["chr2"][8999],
            contigs["chr2"][8999] + "GATTAC" + ("G" if contigs["chr2"][8999] != "G" else "T"),
            (0, 1),
        ),
    ]
    spans = [("chr1", 500, 15_000), ("chr1", 20_000, 25_000), ("chr2", 3000, 12_000)]
    reads = simulated.pairs(simulated.copies_of(contigs, variants), spans, depth=40, seed=3)
    files = simulated.write_pairs(folder, "P1_S1_L001", reads)
    return Person(simulated.write_fasta(folder / "genome.fa", contigs), contigs, variants, files, folder / "indexes")
