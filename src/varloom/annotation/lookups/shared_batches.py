"""A batch normalised once for all look-ups of a process: they are asked about the same one, one after another."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.lookups.normalising import normalise
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from varloom.annotation.lookups.normalising import Normalised
    from varloom.annotation.refs.genome import Genome
    from varloom.genomics.assemblies import Assembly


class Reference(NamedTuple):
    """What variants are normalised by.

    Attributes:
        assembly: of their coordinates.
        folder: of the release of the genome; None where there is none.
        genome: it, opened.
    """

    assembly: Assembly
    folder: Path | None
    genome: Genome | None


class OfContig(NamedTuple):
    """The variants of one contig: its bare name, their rows of the batch, and they themselves."""

    contig: str
    rows: NDArray[np.int64]
    sites: Normalised


def normalised(variants: pa.RecordBatch, reference: Reference) -> list[OfContig]:
    """The variants of a batch by contig. The very same batch is not normalised again by an equal reference."""
    known = _last.found
    if known is not None and known[0]() is variants and known[1] == reference[:2]:
        return known[2]
    found = _normalised(variants, reference)
    _last.found = (weakref.ref(variants), reference[:2], found)
    return found


class _Last(threading.local):
    """The last batch of this thread: a weak reference to it, what it was normalised by, and the result."""

    found: tuple[weakref.ref[pa.RecordBatch], tuple[Assembly, Path | None], list[OfContig]] | None = None


_last = _Last()


def _normalised(variants: pa.RecordBatch, reference: Reference) -> list[OfContig]:
    contigs = pc.dictionary_encode(variants["contig"])
    indices = contigs.indices.to_numpy()
    found = []
    for number, name in enumerate(contigs.dictionary.to_pylist()):
        rows = np.flatnonzero(indices == number)
        part = variants if len(rows) == variants.num_rows else variants.take(pa.array(rows))
        contig, position = bare_name(name, reference.assembly), part["position"].to_numpy()
        found.append(OfContig(contig, rows, normalise(contig, position, part["ref"], part["alt"], reference.genome)))
    return found
