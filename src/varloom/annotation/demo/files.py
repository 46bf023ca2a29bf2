"""The demonstration's files: what would be published, and the two samples to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.demo import gene_model, known, structural
from varloom.annotation.demo.genome import make_genome
from varloom.annotation.model import DEMO_RELEASE, ReleaseKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from varloom.annotation.demo.genome import DemoGenome

    Lines = Callable[[DemoGenome], list[str]]

LICENCE = f"none needed. {known.SYNTHETIC}."
SAMPLES: Mapping[str, Lines] = {
    "varloom-demo.vcf": known.small_sample,
    "varloom-demo-sv.vcf": structural.structural_sample,
}
"""The files to load, by their names: small and structural variants."""


class DemoFile(NamedTuple):
    """A published file: of which release it is the source, what it is called, and its lines."""

    kind: str
    name: str
    file: str
    lines: Lines

    @property
    def key(self) -> ReleaseKey:
        """Of its release."""
        return ReleaseKey(self.kind, self.name, "GRCh38", DEMO_RELEASE)


PUBLISHED = (
    DemoFile("fasta", "genome", "varloom-demo.genome.fa", gene_model.fasta),
    DemoFile("genes", "ensembl", "varloom-demo.ensembl.gff3", gene_model.gff3),
    DemoFile("mane", "mane", "varloom-demo.mane.summary.txt", gene_model.mane),
    DemoFile("variants", "clinvar", "varloom-demo.clinvar.vcf", known.clinvar),
    DemoFile("variants", "gnomad", "varloom-demo.gnomad.sites.vcf", known.gnomad),
    DemoFile("variants", "dbsnp", "varloom-demo.dbsnp.vcf", known.dbsnp),
    DemoFile("scores", "revel", "varloom-demo.revel.csv", known.revel),
    DemoFile("scores", "cadd", "varloom-demo.cadd.tsv", known.cadd),
    DemoFile("scores", "alphamissense", "varloom-demo.alphamissense.tsv", known.alphamissense),
    DemoFile("scores", "spliceai", "varloom-demo.spliceai.vcf", known.spliceai),
    DemoFile("structural", "gnomad-sv", "varloom-demo.gnomad-sv.vcf", structural.population),
    DemoFile("dosage", "clingen", "varloom-demo.clingen.tsv", structural.dosage),
)
"""In the order in which they are installed: the genome first, by which the others are aligned."""


def sample_text(name: str) -> str:
    """The text of a file to load."""
    return _text(SAMPLES[name](make_genome()))


def write_published(folder: Path) -> list[tuple[DemoFile, Path]]:
    """Write what would be published into a folder."""
    genome = make_genome()
    written = []
    for one in PUBLISHED:
        path = folder / one.file
        path.write_text(_text(one.lines(genome)), encoding="ascii")
        written.append((one, path))
    return written


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
