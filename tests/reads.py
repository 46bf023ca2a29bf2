"""Real reads with their genome and known variants, and Parabricks' stand-in, for tests that need whole jobs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pysam
from tests.shared_data import SHARED

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary

if TYPE_CHECKING:
    from varloom.storage import Storage

FOLDER = SHARED / "data" / "reads"
GENOME = FOLDER / "q.fa"
R1, R2 = FOLDER / "NA12878_R1.fastq.gz", FOLDER / "NA12878_R2.fastq.gz"
TRUTH = FOLDER / "NA12878.chr22.tiny.giab.vcf"
NAME = "na12878"
PBRUN = Path(__file__).parent / "support" / "pbrun"


def install_genome(storage: Storage, fasta: Path = GENOME) -> None:
    """Install the genome of the reads as a release of GRCh38."""
    key = ReleaseKey("fasta", NAME, "GRCh38", "1")
    install(ReferenceLibrary(storage), key, Published(fasta, excerpt=True), lambda *_: None)


def known_snps() -> set[tuple[int, str, str]]:
    """Position, REF and ALT of the SNPs that are known of the sample."""
    with TRUTH.open() as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
    return {(int(row[1]), row[3], row[4]) for row in rows if len(row[3]) == len(row[4]) == 1}


class PbrunStandIn:
    """The program `pbrun` in a folder of its own, and what it is to do."""

    def __init__(self, folder: Path, contig: str, length: int) -> None:
        self.folder = folder / "stand-in"
        self.programs = folder / "programs"
        for made in (self.folder, self.programs):
            made.mkdir(parents=True)
        (self.programs / "pbrun").symlink_to(PBRUN)
        self._write_results(contig, length)

    @property
    def environment(self) -> dict[str, str]:
        """Under which `pbrun` is the stand-in."""
        return {"PATH": f"{self.programs}:{os.environ['PATH']}", "PBRUN_STAND_IN": str(self.folder)}

    def script(self, *words: str) -> None:
        """What the next runs are to do."""
        (self.folder / "script").write_text(" ".join(words))

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each run."""
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def pid(self) -> int | None:
        """Of the run that began last."""
        path = self.folder / "pid"
        return int(path.read_text()) if path.exists() and path.read_text() else None

    def _write_results(self, contig: str, length: int) -> None:
        bases = "ACGTTGCAAGCTTAGC" * 8
        header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": contig, "LN": length}]}
        bam = self.folder / "aligned.bam"
        with pysam.AlignmentFile(str(bam), "wb", header=header) as file:
            read = pysam.AlignedSegment(file.header)
            read.query_name, read.query_sequence, read.flag = "r1", bases, 0
            read.reference_id, read.reference_start, read.cigarstring = 0, 0, f"{len(bases)}M"
            read.query_qualities = pysam.qualitystring_to_array("I" * len(bases))
            file.write(read)
        pysam.index(str(bam))
        (self.folder / "called.vcf").write_text(
            f"##fileformat=VCFv4.2\n##contig=<ID={contig},length={length}>\n"
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
            "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA1\n"
            f"{contig}\t5\t.\tT\tC\t50\tPASS\t.\tGT\t0/1\n"
        )
