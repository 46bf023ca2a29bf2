"""Whether the coordinates of a published file are those of the assembly that was named for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from varloom.annotation.refs.problems import REFERENCE_WRONG_ASSEMBLY
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.assemblies import LENGTHS, guess_assembly
from varloom.genomics.contigs import ACCESSIONS, MITOCHONDRION_LENGTH, bare_name

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from varloom.annotation.refs.genome import Genome
    from varloom.genomics.assemblies import Assembly

BEYOND = "positions outside of their chromosome"
_CONTIG = re.compile(r"##contig=<(?:.*?,)?ID=([^,>]+)(?:.*?[,<]length=(\d+))?")
_COMPARED = 100
"""Records of each chunk whose REF is compared with the genome."""
_ENOUGH = 20
_MOST_WRONG = 0.05
"""The share of REF alleles that may differ from the genome: publishers keep a few of older patches."""


class Coordinates:
    """Checks what a file says of its contigs, and its records. `told` says by what its assembly is known, if it is."""

    def __init__(self, assembly: Assembly, genome: Genome | None) -> None:
        self.told: str | None = None
        self.different = self.compared = 0
        self._assembly = assembly
        self._genome = genome

    def check_header(self, header: Sequence[str]) -> None:
        """Raise `reference_wrong_assembly` where a VCF header names another assembly."""
        contigs = {match[1]: int(match[2]) if match[2] else None for match in map(_CONTIG.match, header) if match}
        for contig in contigs:
            self._check_accession(contig)
        guess = guess_assembly({bare_name(name): length for name, length in contigs.items()}, "\n".join(header))
        if guess is None:
            return
        if guess.assembly != self._assembly:
            found = guess.assembly or "another assembly"
            raise self._wrong(f"By {guess.evidence}, the file is of {found}")
        self.told = guess.evidence

    def check_words(self, words: str) -> None:
        """Raise `reference_wrong_assembly` where words, such as `hg19`, name another assembly."""
        guess = guess_assembly({}, f"##reference={words}")
        if guess is not None and guess.assembly != self._assembly:
            raise self._wrong(f"The file says {safe_excerpt(words, 60)!r}")
        self.told = "its own words" if guess is not None else self.told

    def bare(self, contig: str) -> str:
        """The bare name of a record's contig."""
        self._check_accession(contig)
        return bare_name(contig, self._assembly)

    def inside(self, contig: str, position: NDArray[np.int64], unused: Counter[str]) -> NDArray[np.bool_]:
        """Which positions are on the contig; the others are counted."""
        length = length_of(contig, self._assembly)
        inside = (position > 0) & (position <= (length or np.iinfo(np.int64).max))
        wrong = int((~inside).sum())
        if wrong:
            unused[BEYOND] += wrong
            if wrong > max(_ENOUGH, _MOST_WRONG * len(position)):
                raise self._wrong(f"{wrong:,} of {len(position):,} positions of {contig} lie outside of it")
        return inside

    def compare(self, contig: str, position: NDArray[np.int64], ref: pa.StringArray) -> None:
        """Compare some REF alleles with the genome, where there is one."""
        if self._genome is None or contig not in self._genome.lengths:
            return
        step = max(1, len(position) // _COMPARED)
        for row in range(0, len(position), step):
            wanted = ref[row].as_py()[:50].upper()
            bases = self._genome.bases(contig, int(position[row]), len(wanted))
            self.compared += 1
            pairs = zip(wanted, bases, strict=False)  # an excerpt may end within
            self.different += any(base != known for base, known in pairs if base in "ACGT" and known in "ACGT")
        if self.compared >= _ENOUGH and self.different > _MOST_WRONG * self.compared:
            raise self._wrong(f"{self.different:,} of {self.compared:,} REF alleles differ from the installed genome")
        if self.compared >= _ENOUGH:
            self.told = self.told or "its REF alleles"

    def notes(self) -> list[str]:
        """What has to be said of the coordinates."""
        notes = []
        if self.told is None:
            notes.append(f"Nothing in the file tells its assembly; that it is {self._assembly} was not checked.")
        if self.different:
            notes.append(f"{self.different:,} of {self.compared:,} REF alleles compared differ from the genome.")
        return notes

    def _check_accession(self, contig: str) -> None:
        accession = ACCESSIONS.get(contig)
        if accession is not None and accession.assembly not in {None, self._assembly}:
            raise self._wrong(f"{contig} is chromosome {accession.chromosome} of {accession.assembly}")

    def _wrong(self, finding: str) -> VarloomError:
        return VarloomError(REFERENCE_WRONG_ASSEMBLY, f"{finding}, and not of {self._assembly}.")


def length_of(contig: str, assembly: Assembly) -> int | None:
    """The bases of a chromosome by its bare name; None for any other contig."""
    if contig == "MT":
        return MITOCHONDRION_LENGTH
    lengths = LENGTHS.get(contig)
    return None if lengths is None else lengths[("GRCh37", "GRCh38").index(assembly)]
