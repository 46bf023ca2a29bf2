"""Which variants of a batch can be answered, and why others cannot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.model import SetAside
from varloom.annotation.sources.consequence.coding_names import Change, trimmed
from varloom.errors import counted, safe_excerpt
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from numpy.typing import NDArray

    from varloom.annotation.sources.consequence.genome import Genome
    from varloom.genomics.assemblies import Assembly

_BASES = re.compile(r"[ACGTNacgtn]+")
_ONLY_BASES = "^[ACGTNacgtn]+$"
_LOWER = 0x20
"""The bit in which small letters differ from capitals."""
_SHOWN = 40


class Site(NamedTuple):
    """A variant that can be answered.

    Attributes:
        row: of the batch, from 0.
        contig: its bare name.
        position: 1-based, as the file has it.
        ref: as the file has it.
        alt: as the file has it.
        change: without the bases that both alleles share.
    """

    row: int
    contig: str
    position: int
    ref: str
    alt: str
    change: Change


class Sites:
    """A batch, sorted out. Rows that are neither answerable nor set aside have no sequence as ALT.

    Attributes:
        contigs: the bare names that occur.
        codes: for each row the number of its contig among them.
        starts: the position of each row.
        ends: the position of the last base of REF of each row.
        single: which rows replace one base by another.
        answerable: which rows can be answered.
        set_aside: the others, with reasons.
    """

    def __init__(self, variants: pa.RecordBatch, assembly: Assembly, genome: Genome, genes: Container[str]) -> None:
        """Sort out a batch. `genes` tells the contigs on which the gene model has transcripts."""
        names = variants.schema.names
        columns = {name: variants.column(names.index(name)) for name in ("contig", "position", "ref", "alt")}
        contigs = columns["contig"].dictionary_encode()
        bare = [bare_name(name, assembly) for name in contigs.dictionary.to_pylist()]
        self.contigs = list(dict.fromkeys(bare))
        number_of = {name: number for number, name in enumerate(self.contigs)}
        numbers = np.array([number_of[name] for name in bare], np.int64)
        self.codes: NDArray[np.int64] = numbers[contigs.indices.to_numpy(zero_copy_only=False)]
        self.starts: NDArray[np.int64] = columns["position"].to_numpy()
        lengths = pc.binary_length(columns["ref"]).to_numpy(zero_copy_only=False)
        self.ends: NDArray[np.int64] = self.starts + lengths - 1
        self._refs, self._alts = columns["ref"], columns["alt"]
        alt_lengths = pc.fill_null(pc.binary_length(self._alts), 0).to_numpy(zero_copy_only=False)
        self.single: NDArray[np.bool_] = (lengths == 1) & (alt_lengths == 1)
        self.answerable: NDArray[np.bool_] = self._plain(genome, genes)
        self.set_aside: list[SetAside] = []
        rownos = variants.column(names.index("rowno"))
        for row in np.flatnonzero(~self.answerable).tolist():
            alt = self._alts[row].as_py()
            if alt is None or not alt[:1].isalpha() or "[" in alt or "]" in alt:
                continue  # none, symbolic, `*`, a breakend
            reason = _unanswerable(self._raw(row, alt), genome, genes)
            if reason is None:
                self.answerable[row] = True
            else:
                self.set_aside.append(SetAside(rownos[row].as_py(), reason))

    def _plain(self, genome: Genome, genes: Container[str]) -> NDArray[np.bool_]:
        """The rows that are answerable beyond doubt, all at once; the others are looked at one by one."""
        bases = pc.and_(_matches(self._refs), _matches(self._alts)).fill_null(False).to_numpy(zero_copy_only=False)
        differ = pc.not_equal(pc.utf8_upper(self._refs), pc.utf8_upper(self._alts)).fill_null(False)
        single = self.starts == self.ends
        plain: NDArray[np.bool_] = bases & differ.to_numpy(zero_copy_only=False) & (self.starts > 0)
        firsts = _first_bytes(self._refs)
        for code, contig in enumerate(self.contigs):
            here = np.flatnonzero(plain & (self.codes == code))
            length = (genome.length(contig) or 0) if contig in genes else 0
            plain[here[self.ends[here] > length]] = False
            ones = here[single[here] & (self.ends[here] <= length)]
            held = genome.single_bases(contig, self.starts[ones] - 1)
            plain[ones] = (firsts[ones] & ~np.uint8(_LOWER)) == held
        for row in np.flatnonzero(plain & ~single).tolist():
            contig = self.contigs[self.codes[row]]
            bases_there = genome.bases(contig, int(self.starts[row]) - 1, int(self.ends[row]))
            plain[row] = bases_there == self._refs[row].as_py().upper()
        return plain

    def _raw(self, row: int, alt: str) -> tuple[str, int, str, str]:
        return self.contigs[self.codes[row]], int(self.starts[row]), self._refs[row].as_py(), alt

    def sorted(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows by contig (in the order of `contigs`) and position."""
        return rows[np.lexsort((rows, self.starts[rows], self.codes[rows]))]

    def at(self, rows: NDArray[np.int64]) -> list[Site]:
        """The sites of rows, in their order."""
        return [
            Site(row, contig, position, ref, alt, trimmed(position, ref, alt))
            for row, contig, position, ref, alt in self._values(rows)
        ]

    def records(self, rows: NDArray[np.int64]) -> list[str]:
        """Lines of a VCF for rows, with the number of the row as id."""
        return [
            f"{contig}\t{position}\t{row}\t{ref}\t{alt}\t.\t.\t.\n"
            for row, contig, position, ref, alt in self._values(rows)
        ]

    def _values(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, str, int, str, str]]:
        """Row, contig, position, REF and ALT of each row."""
        taken = pa.array(rows)
        return zip(
            rows.tolist(),
            map(self.contigs.__getitem__, self.codes[rows].tolist()),
            self.starts[rows].tolist(),
            self._refs.take(taken).to_pylist(),
            self._alts.take(taken).to_pylist(),
            strict=True,
        )


def _matches(alleles: pa.Array) -> pa.Array:
    return pc.match_substring_regex(alleles, _ONLY_BASES)


def _first_bytes(alleles: pa.Array) -> NDArray[np.uint8]:
    """The first byte of each text; 0 where there is none."""
    offsets = np.frombuffer(alleles.buffers()[1], np.int32)[alleles.offset : alleles.offset + len(alleles) + 1]
    data = np.frombuffer(alleles.buffers()[2] or b"", np.uint8)
    found = np.zeros(len(alleles), np.uint8)
    filled = offsets[:-1] < offsets[1:]
    found[filled] = data[offsets[:-1][filled]]
    return found


def _unanswerable(raw: tuple[str, int, str, str], genome: Genome, genes: Container[str]) -> str | None:
    """Why a variant (contig, position, REF, ALT) cannot be answered; None if it can."""
    contig, position, ref, alt = raw
    length = genome.length(contig)
    if length is None or contig not in genes:
        where = f"the contig {safe_excerpt(contig, _SHOWN)}"
        return f"The reference does not have {where}." if length is None else f"The gene model has nothing on {where}."
    if not _BASES.fullmatch(ref) or not _BASES.fullmatch(alt):
        return f"An allele has other letters than A, C, G, T and N: {_shown(ref)} to {_shown(alt)}."
    if ref.upper() == alt.upper():
        return f"REF and ALT are the same: {_shown(ref)}."
    if position < 1 or position + len(ref) - 1 > length:
        return (
            f"The position {position:,} is outside {safe_excerpt(contig, _SHOWN)}, which has {counted(length, 'base')}."
        )
    held = genome.bases(contig, position - 1, position - 1 + len(ref))
    if held != ref.upper():
        where = f"{safe_excerpt(contig, _SHOWN)}:{position:,}"
        return f"REF is {_shown(ref)}, but the reference has {_shown(held)} at {where}. Is it of another assembly?"
    return None


def _shown(bases: str) -> str:
    return safe_excerpt(bases, _SHOWN)
