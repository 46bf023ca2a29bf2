"""The importer of kind `fasta`: a reference genome, packed with bgzip and indexed, its contigs by their bare names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.annotation.refs.coordinates import length_of
from varloom.annotation.refs.genome import GENOME
from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.problems import REFERENCE_WRONG_ASSEMBLY
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.published_text import PublishedText, malformed
from varloom.errors import VarloomError
from varloom.genomics.contigs import ACCESSIONS, CHROMOSOMES, bare_name

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask
    from varloom.genomics.assemblies import Assembly

_LINE = 60
"""Bases on a line of what is written: an index needs lines of one length."""
_MEGABYTE = 1 << 20
_NO_BASE = re.compile(rb"[^A-Za-z*\-]")


def import_fasta(task: ImportTask) -> Imported:
    """One or more FASTA files into `genome.fa.gz` with `.fai` and `.gzi`.

    Raises:
        VarloomError: `reference_malformed` for what is no FASTA, or for two contigs of one name;
            `reference_wrong_assembly` where a chromosome has another length than in the assembly.
    """
    import pysam

    target = task.folder / GENOME
    total = sum(path.stat().st_size for path in task.sources)
    with pysam.BGZFile(str(target), "wb", None) as packed:
        copy = _Copy(packed, task.key.assembly, excerpt=task.excerpt)
        begun = 0
        for path in task.sources:
            with PublishedText(path, among_all(task.on_progress, begun, total)) as text:
                copy.take(text)
            begun += path.stat().st_size
    pysam.faidx(str(target))
    lengths = copy.finished()
    missing = [name for name in CHROMOSOMES if name not in lengths]
    notes = [f"Without chromosome {', '.join(missing)}."] if missing else []
    if task.excerpt:
        notes.append("An excerpt: the lengths of its chromosomes were not held against the assembly.")
    return Imported({"contigs": len(lengths), "bases": sum(lengths.values())}, lengths, notes=tuple(notes))


class _Copy:
    """Writes sequences anew, with lines of one length, and counts their bases."""

    def __init__(self, packed: object, assembly: Assembly, *, excerpt: bool) -> None:
        self._packed = packed
        self._assembly = assembly
        self._excerpt = excerpt
        self._lengths: dict[str, int] = {}
        self._contig: str | None = None
        self._rest = b""

    def take(self, text: PublishedText) -> None:
        """All sequences of a file."""
        first = text.next_line()
        if first is None or not first.startswith(b">"):
            raise malformed(text.path, "A FASTA file begins with `>` and the name of a contig.", 1, first)
        self._begin(first, text.path)
        for chunk in text.chunks():
            data = bytes(chunk)
            at = 0
            while at < len(data):
                mark = data.find(b">", at)
                self._bases(data[at : mark if mark >= 0 else len(data)], text.path)
                if mark < 0:
                    break
                at = data.find(b"\n", mark) + 1
                self._begin(data[mark : at - 1], text.path)
        self._end()

    def finished(self) -> dict[str, int]:
        """The bases of each contig."""
        return self._lengths

    def _begin(self, line: bytes, path: Path) -> None:
        self._end()
        words = line[1:].decode("utf-8", "replace").split()
        if not words:
            raise malformed(path, "A contig has no name.", excerpt=line)
        accession = ACCESSIONS.get(words[0])
        if accession is not None and accession.assembly not in {None, self._assembly}:
            message = f"{words[0]} is chromosome {accession.chromosome} of {accession.assembly}."
            raise VarloomError(REFERENCE_WRONG_ASSEMBLY, message)
        self._contig = bare_name(words[0], self._assembly)
        if self._contig in self._lengths:
            raise malformed(path, f"There are two contigs {self._contig}.", excerpt=line)
        self._lengths[self._contig] = 0
        self._packed.write(f">{self._contig}\n".encode())  # type: ignore[attr-defined]

    def _bases(self, data: bytes, path: Path) -> None:
        bases = data.translate(None, b"\r\n \t")
        if self._contig is None:
            raise AssertionError("bases follow the name of a contig")
        odd = _NO_BASE.search(bases)
        if odd is not None:
            raise malformed(path, f"Contig {self._contig} has a character that is no base: {odd[0]!r}.")
        self._lengths[self._contig] += len(bases)
        bases = self._rest + bases
        whole = len(bases) // _LINE * _LINE
        lines = b"\n".join(bases[at : at + _LINE] for at in range(0, whole, _LINE))
        self._packed.write(lines + b"\n" if lines else b"")  # type: ignore[attr-defined]
        self._rest = bases[whole:]

    def _end(self) -> None:
        """Write what is left of a contig, and compare its length with that in the assembly."""
        if self._contig is None:
            return
        if self._rest:
            self._packed.write(self._rest + b"\n")  # type: ignore[attr-defined]
        contig, length, self._rest, self._contig = self._contig, self._lengths[self._contig], b"", None
        expected = length_of(contig, self._assembly)
        other: Assembly = "GRCh37" if self._assembly == "GRCh38" else "GRCh38"
        is_other = contig != "MT" and length == length_of(contig, other)
        if expected is not None and length != expected and (is_other or not self._excerpt):
            message = f"Chromosome {contig} has {length:,} bases, and {expected:,} in {self._assembly}."
            raise VarloomError(REFERENCE_WRONG_ASSEMBLY, message)
