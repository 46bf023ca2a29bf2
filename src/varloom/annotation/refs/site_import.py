"""What all importers of sites have in common: from columns of texts to normalised, sorted sites, with all counted."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.lookups.normalising import normalise
from varloom.annotation.refs.columns_text import as_integer
from varloom.annotation.refs.coordinates import Coordinates
from varloom.annotation.refs.genome import Genome
from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.published_text import PublishedText, malformed
from varloom.annotation.refs.site_writer import SiteWriter
from varloom.errors import counted, safe_excerpt
from varloom.genomics.contigs import contig_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask
    from varloom.annotation.refs.site_writer import Merge

NO_PLACE = "records without a position"
NO_SEQUENCE = "alleles that are not sequences, such as `*`, `.` or `<DEL>`"
SAME = "alleles that equal REF"


class Texts(NamedTuple):
    """Rows of a published file, one for each ALT allele: where they are, and the source's own columns."""

    contig: pa.StringArray
    position: pa.StringArray
    ref: pa.StringArray
    alt: pa.StringArray
    values: Sequence[pa.Array]


class SiteImport:
    """One import of sites; use it in a `with` block.

    Attributes:
        unused: what could not be used, counted by the reason; importers add to it.
        coordinates: checks headers and records against the assembly.
        records: the lines of sites that were read.
    """

    def __init__(self, task: ImportTask, fields: Sequence[pa.Field], merge: Merge) -> None:
        self.unused = Counter[str]()
        self.records = 0
        self._task = task
        self._total = sum(path.stat().st_size for path in task.sources)
        self._read = 0
        self._stack = contextlib.ExitStack()
        self._genome = self._stack.enter_context(Genome(task.genome)) if task.genome is not None else None
        self.coordinates = Coordinates(task.key.assembly, self._genome)
        self._writer = SiteWriter(task.folder, task.scratch, fields, merge, self._sign_of_life)
        self._rows = self._moved = 0
        self._not_in_genome: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def texts(self) -> Iterator[PublishedText]:
        """The published files, one after another."""
        for path in self._task.sources:
            begun = self._read
            with PublishedText(path, among_all(self._tell, begun, self._total)) as text:
                try:
                    yield text
                except pa.ArrowInvalid as error:
                    raise malformed(path, f"The text cannot be read: {str(error).splitlines()[0]}.") from error
            self._tell(begun + path.stat().st_size, self._total)

    def add(self, rows: Texts) -> None:
        """Take rows in; those that cannot be used are counted."""
        position = as_integer(rows.position, "the position", Counter())
        has_place = position.is_valid()
        if position.null_count:
            self.unused[NO_PLACE] += position.null_count
        contigs = pc.dictionary_encode(rows.contig)
        for number, name in enumerate(contigs.dictionary.to_pylist()):
            rows_of = pc.and_(pc.equal(contigs.indices, number), has_place)
            if len(contigs.dictionary) == 1 and not position.null_count:
                self._add(name, position, rows.ref, rows.alt, rows.values)
            else:
                arrays = [array.filter(rows_of) for array in (position, rows.ref, rows.alt, *rows.values)]
                self._add(name, arrays[0], arrays[1], arrays[2], arrays[3:])

    def finish(self) -> Imported:
        """Write what was taken in.

        Raises:
            VarloomError: `reference_malformed` where there is not one site.
        """
        if not self._rows:
            told = "; ".join(f"{reason}: {number:,}" for reason, number in self.unused.items() if number)
            raise malformed(self._task.sources[0], f"No site could be used{f' ({told})' if told else ''}.")
        written = self._writer.finish()
        self.unused = +self.unused
        counts = {"records": self.records, "rows": written.rows, "merged": written.merged, "normalised": self._moved}
        return Imported(counts, written.contigs, dict(self.unused), tuple(self._notes()))

    def _add(
        self, name: str, position: pa.Int64Array, ref: pa.StringArray, alt: pa.StringArray, values: Sequence[pa.Array]
    ) -> None:
        """Rows of one contig, by the name that the file has for it."""
        contig = self.coordinates.bare(name)
        places = position.to_numpy(zero_copy_only=False)
        inside = self.coordinates.inside(contig, places, self.unused)
        self.coordinates.compare(contig, places[inside], ref if inside.all() else ref.filter(pa.array(inside)))
        if self._genome is not None and contig not in self._genome.lengths:
            self._not_in_genome.add(contig)
        sites = normalise(contig, places, ref, alt, self._genome)
        same = pc.equal(sites.ref, sites.alt).to_numpy(zero_copy_only=False) & sites.usable
        kept = sites.usable & inside & ~same
        self.unused[SAME] += int(same.sum())
        self.unused[NO_SEQUENCE] += int((~sites.usable & inside).sum())
        self._moved += sites.moved
        if not kept.all():
            mask = pa.array(kept)
            values = [array.filter(mask) for array in values]
            sites = sites.chosen(np.flatnonzero(kept))
        if kept.any():
            self._rows += int(kept.sum())
            self._writer.add(contig, sites, values)

    def _notes(self) -> Iterator[str]:
        yield from self.coordinates.notes()
        if self._genome is None:
            yield (
                f"Indels were trimmed but not left-aligned, since no genome of {self._task.key.assembly} was installed."
            )
        if self._not_in_genome:
            named = safe_excerpt(", ".join(sorted(self._not_in_genome, key=contig_order)[:10]))
            yield f"Indels were not left-aligned on contigs that the genome does not have: {named}."
        if self.unused:
            told = [f"{reason}: {number:,}" for reason, number in self.unused.items()]
            yield f"Not used of {counted(self.records, 'record')}: {'; '.join(told)}."

    def _tell(self, done: int, total: int) -> None:
        self._read = done
        self._task.on_progress(done, total)

    def _sign_of_life(self) -> None:
        self._task.on_progress(self._read, self._total)


def columns_of(line: bytes | None, path: Path, needed: Sequence[str], delimiter: str = "\t") -> list[str]:
    """The names of the columns, by the line that names them.

    Raises:
        VarloomError: `reference_malformed` where one that is needed is missing.
    """
    names = [] if line is None else line.decode("utf-8", "replace").split(delimiter)
    missing = [name for name in needed if name not in names]
    if missing:
        told = f"The line that names the columns has no {' and no '.join(map(repr, missing))}."
        raise malformed(path, told, excerpt=line)
    return names
