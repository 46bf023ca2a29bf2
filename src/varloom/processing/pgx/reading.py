"""The records of a file near the loci, with what they say of each sample; the whole file passes Varloom's reader.

Memory is bounded by the records near loci: of a genome these are a few thousand.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.problems import ASSEMBLY_NEEDED
from varloom.errors import VarloomError
from varloom.genomics.contigs import bare_name
from varloom.genomics.minimal_alleles import left_aligned
from varloom.genomics.recognition import VARIANT_FORMATS, SourceFormat
from varloom.processing.pgx.evidence import NO_EVIDENCE, Evidence, least
from varloom.processing.pgx.locus_alleles import UNSEEN, Change, Record, change_of
from varloom.processing.pgx.problems import PGX_NEEDS_GENOTYPES, PGX_WRONG_ASSEMBLY
from varloom.reader import open_reader
from varloom.reader.preflight import preflight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from varloom.annotation.refs.genome import Genome
    from varloom.annotation.refs.pgx_content import Locus
    from varloom.genomics.assemblies import Assembly
    from varloom.processing.pgx.model import Report

NEAR = 100
"""Bases around a locus in which an indel of a repeat may be written."""
_FIELDS = ("GT", "PS", "FT", "DP", "MIN_DP", "GQ", "RGQ")
_COPIES_CHANGE = "^<(DEL|DUP|CNV|CN[0-9]+)[:>]"
"""ALT alleles that take copies of a stretch away, or add some: genotypes within it are not what they seem."""
_WHOLE_NUMBER = "^[+-]?[0-9]{1,10}$"
_FIXED = ("record", "line", "allele", "contig", "position", "ref", "alt", "qual", "filter")
_DEPTH_OF_SITE = "INFO.DP"
"""Of the reads of all samples: of a file with one sample those at its genotype."""


class Cell(NamedTuple):
    """What a record says of one sample."""

    genotype: str | None
    phase_set: str | None
    evidence: Evidence


class Line(NamedTuple):
    """A record with a cell for each sample of the file."""

    record: Record
    cells: Sequence[Cell]


class Lines(NamedTuple):
    """What was read.

    Attributes:
        samples: of the file, in its order.
        lines: near loci, in the order of the file.
        records: how many the file has.
        sha256: of the file as stored.
    """

    samples: tuple[str, ...]
    lines: list[Line]
    records: int
    sha256: str


def assembly_of(path: Path, name: str, told: Assembly | None, *, aligned_here: bool = False) -> Assembly:
    """GRCh38, or a refusal; what the header tells for certain overrules what the user says.

    Args:
        path: of the file.
        name: what its owner calls it.
        told: what the user says.
        aligned_here: whether the file was made here of reads: then `told` is that of the genome that they were aligned
            to, and nothing has to be inferred from the header.

    Raises:
        VarloomError: `assembly_needed`, `pgx_wrong_assembly`, `pgx_needs_genotypes`; FileRefused.
    """
    found = preflight(path, name, whole=True)
    if found is not None and found[1] is not None:
        raise found[1]
    if found is not None and found[0].format in {SourceFormat.CSV, SourceFormat.TSV}:
        raise VarloomError(PGX_NEEDS_GENOTYPES, f"The file is {found[0].format.upper()}, and has no genotypes.")
    guess = found[0].assembly if found is not None and not aligned_here else None
    if guess is not None and (guess.is_demo or guess.assembly != "GRCh38"):
        chosen = f" {told} was chosen, which cannot be." if told is not None and told != guess.assembly else ""
        if guess.is_demo:
            message = "The file is on the demonstration genome, which is not GRCh38."
        elif guess.assembly is not None:
            message = f"The file is of {guess.assembly}, by {guess.evidence}."
        else:
            message = f"The header tells {guess.evidence}: the file is not of GRCh38 for certain."
        raise VarloomError(PGX_WRONG_ASSEMBLY, message + chosen)
    if told is not None:
        if told != "GRCh38":
            raise VarloomError(PGX_WRONG_ASSEMBLY, f"The file is of {told}, as was chosen.")
        return told
    if guess is None:
        raise VarloomError(ASSEMBLY_NEEDED, "No assembly was chosen, and the file's header tells none.")
    return "GRCh38"


def read_lines(path: Path, name: str, loci: Iterable[Locus], genome: Genome | None, report: Report) -> Lines:
    """All records near the loci.

    Raises:
        FileRefused: the file is malformed.
        VarloomError: `pgx_needs_genotypes`.
    """
    near = _Near(loci)
    reader = open_reader(
        path, name=name, on_progress=lambda progress: report(progress.bytes_done, progress.bytes_total, "bytes")
    )
    if reader.recognition.format not in VARIANT_FORMATS:
        raise VarloomError(
            PGX_NEEDS_GENOTYPES, f"The file is {reader.recognition.format.upper()}, and has no genotypes."
        )
    kept = [part for batch in reader.batches() if (part := near.part(batch)) is not None]
    summary = reader.summary()
    if not summary.samples:
        raise VarloomError(PGX_NEEDS_GENOTYPES, "The file has no samples.")
    columns = _FormatColumns(summary.samples, {(c.sample, c.field): c.name for c in summary.columns if c.field})
    lines = [line for part in kept for line in _lines(part, columns, genome)]
    return Lines(summary.samples, lines, summary.records, summary.sha256)


class _Near:
    """Which rows are near a locus."""

    def __init__(self, loci: Iterable[Locus]) -> None:
        spans: dict[str, list[tuple[int, int]]] = {}
        for locus in loci:
            span = (locus.position - NEAR, locus.position + len(locus.ref) - 1 + NEAR)
            spans.setdefault(locus.contig, []).append(span)
        self._spans = {contig: _merged(sorted(found)) for contig, found in spans.items()}
        self._names: dict[str, str] = {}

    def part(self, batch: pa.RecordBatch) -> pa.Table | None:
        """The rows near loci; None if there are none."""
        contigs = batch.column("contig").dictionary_encode()
        codes = contigs.indices.to_numpy(zero_copy_only=False)
        names = contigs.dictionary.to_pylist()
        wanted = [(code, bare_name(name, "GRCh38")) for code, name in enumerate(names)]
        wanted = [(code, bare) for code, bare in wanted if bare in self._spans]
        if not wanted:
            return None
        starts = batch.column("position").to_numpy(zero_copy_only=False)
        ends = _ends(batch, starts)
        keep = np.zeros(batch.num_rows, dtype=bool)
        for code, bare in wanted:
            rows = np.flatnonzero(codes == code)
            first, last = self._spans[bare]
            place = np.searchsorted(last, starts[rows], "left")
            inside = place < len(last)
            inside[inside] = first[place[inside]] <= ends[rows[inside]]
            keep[rows[inside]] = True
        if not keep.any():
            return None
        return pa.table(batch.take(pa.array(np.flatnonzero(keep))).columns, names=batch.schema.names)


def _merged(spans: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    merged: list[list[int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    table = np.array(merged, dtype=np.int64)
    return table[:, 0], table[:, 1]


def _ends(batch: pa.RecordBatch, starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each row ends: with REF, or where INFO says that its block ends."""
    ends = starts + pc.utf8_length(batch.column("ref")).to_numpy(zero_copy_only=False) - 1
    told = _told_ends(batch)
    if told is None:
        return np.asarray(ends, dtype=np.int64)
    return np.asarray(np.maximum(ends, pc.fill_null(told, 0).to_numpy(zero_copy_only=False)), dtype=np.int64)


def _told_ends(batch: pa.RecordBatch) -> pa.Array | None:
    """Where INFO says that a block, or a deletion or duplication without bases, ends; None if the file does not."""
    alts = batch.column("alt").cast(pa.string())
    block = pc.or_kleene(pc.is_null(alts), pc.is_in(alts, pa.array([*UNSEEN, "."])))
    copies = pc.fill_null(pc.match_substring_regex(alts, _COPIES_CHANGE), fill_value=False)
    told = [pc.if_else(pc.or_(block, copies), ends, None) for ends in _whole_numbers(batch, "INFO.END")]
    for lengths in _whole_numbers(batch, "INFO.SVLEN"):
        ends = pc.add(batch.column("position").cast(pa.int64()), pc.abs(lengths))
        told.append(pc.if_else(copies, ends, None))
    return pc.max_element_wise(*told) if told else None


def _whole_numbers(batch: pa.RecordBatch, name: str) -> list[pa.Array]:
    """The column as such numbers, if the file has it; what the header does not declare arrives as text."""
    found = batch.column(name) if name in batch.schema.names else None
    if found is None:
        return []
    if pa.types.is_list(found.type):
        found = pc.list_element(pc.if_else(pc.greater(pc.list_value_length(found), 0), found, None), 0)
    if pa.types.is_string(found.type):
        found = pc.if_else(pc.match_substring_regex(found, _WHOLE_NUMBER), found, None)
    elif not pa.types.is_integer(found.type):
        return []
    return [found.cast(pa.int64())]


# --- rows become records ----------------------------------------------------------------------------------------------


class _FormatColumns(NamedTuple):
    """Where the FORMAT fields of samples are."""

    samples: tuple[str, ...]
    names: Mapping[tuple[str | None, str | None], str]


def _lines(table: pa.Table, columns: _FormatColumns, genome: Genome | None) -> Iterator[Line]:
    fixed = table.select(list(_FIXED)).to_pylist()
    told = _told_ends(table.combine_chunks().to_batches()[0])
    ends = told.to_pylist() if told is not None else [None] * table.num_rows
    values = {field: _gathered(table, columns, field) for field in _FIELDS}
    if len(columns.samples) == 1 and _DEPTH_OF_SITE in table.column_names:
        depths = table.column(_DEPTH_OF_SITE).to_pylist()
        values["DP"] = [
            one if one[0] is not None else (of_site,) for one, of_site in zip(values["DP"], depths, strict=True)
        ]
    start = 0
    for row in range(1, len(fixed) + 1):
        if row < len(fixed) and fixed[row]["record"] == fixed[start]["record"]:
            continue
        record = _record(fixed[start:row], max(end or 0 for end in ends[start:row]), genome)
        cells = [_cell(*one) for one in zip(*(values[field][start] for field in _FIELDS), strict=True)]
        yield Line(record, cells)
        start = row


def _gathered(table: pa.Table, columns: _FormatColumns, field: str) -> Sequence[Sequence[Any]]:
    """For each row the values of all samples."""
    gathered = columns.names.get((None, field))
    nothing = [None] * len(columns.samples)
    if gathered is not None and gathered.startswith("FORMAT") and gathered in table.column_names:
        return [found or nothing for found in table.column(gathered).to_pylist()]
    names = [columns.names.get((sample, field), "") for sample in columns.samples]
    if not any(name in table.column_names for name in names):
        return [nothing] * table.num_rows
    lists = [
        table.column(name).to_pylist() if name in table.column_names else [None] * table.num_rows for name in names
    ]
    return list(zip(*lists, strict=True))


def _record(rows: Sequence[Mapping[str, Any]], told_end: int, genome: Genome | None) -> Record:
    first = rows[0]
    contig = bare_name(first["contig"], "GRCh38")
    position, ref = int(first["position"]), str(first["ref"]).upper()
    changes: dict[int, Change | None] = {}
    for number, row in enumerate(rows, 1):
        alt = row["alt"]
        if alt is None or alt == "." or alt in UNSEEN:
            continue
        allele = row["allele"] if row["allele"] is not None else number
        changes[int(allele)] = _change(contig, position, ref, str(alt).upper(), genome)
    start = min([position, *(change.start - 1 for change in changes.values() if change is not None)])
    end = max(position + len(ref) - 1, told_end)
    filters = None if first["filter"] in {None, "PASS", "."} else first["filter"]
    return Record(contig, position, start, end, ref, changes, first["line"], filters, first["qual"])


def _change(contig: str, position: int, ref: str, alt: str, genome: Genome | None) -> Change | None:
    if genome is None or len(ref) == len(alt) or contig not in genome.lengths:
        return change_of(position, ref, alt)
    if change_of(position, ref, alt) is None:
        return None
    return change_of(*left_aligned(position, ref, alt, genome.base_at(contig)))


def _cell(genotype: Any, phase_set: Any, failed: Any, *numbers: Any) -> Cell:
    """A cell of the fields of `_FIELDS`, in their order: the numbers are two depths and two qualities."""
    told = least(numbers[:2]), least(numbers[2:]), None if failed is None else str(failed)
    evidence = Evidence(*told) if told != (None, None, None) else NO_EVIDENCE
    text = None if genotype is None else str(genotype)
    return Cell(text, None if phase_set in {None, "."} else str(phase_set), evidence)


class LocusIndex:
    """Which loci a record touches, or is near to."""

    def __init__(self, loci: Sequence[Locus]) -> None:
        self._places: dict[str, tuple[list[int], list[tuple[int, int]]]] = {}
        for number, locus in sorted(enumerate(loci), key=lambda item: (item[1].contig, item[1].position)):
            positions, places = self._places.setdefault(locus.contig, ([], []))
            positions.append(locus.position)
            places.append((locus.position + len(locus.ref), number))
        self._longest = max((len(locus.ref) for locus in loci), default=1)

    def around(self, contig: str, start: int, end: int) -> list[int]:
        """The numbers of the loci that these bases touch, or that they stand beside."""
        if contig not in self._places:
            return []
        positions, places = self._places[contig]
        low, high = bisect_left(positions, start - self._longest), bisect_left(positions, end + 2)
        return [number for after, number in places[low:high] if after >= start]
