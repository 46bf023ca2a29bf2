"""ClinGen's curation of dosage: genes and regions of which the loss or the gain of a copy makes ill, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import pyarrow.parquet as pq

from varloom.annotation.sources.structural.intervals import IntervalIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa

    from varloom.annotation.sources.structural.genes import GeneModel

    Numbers = npt.NDArray[np.int64]

ESTABLISHED = 3
UNLIKELY = 40
GENE, REGION = "gene", "region"
_COLUMNS = ["kind", "id", "name", "contig", "start", "end", "hi_score", "ts_score"]


class DosageElement(NamedTuple):
    """A curated gene or region.

    Attributes:
        kind: `gene` or `region`.
        id: the gene's at NCBI, or ClinGen's of the region.
        name: symbol of the gene, or name of the region.
        contig: its bare name.
        start: 1-based, inclusive.
        end: the same.
        hi: haploinsufficiency score: 0 to 3 for none to sufficient evidence, 30 for a gene of a recessive disorder,
            40 for dosage sensitivity unlikely; None if not evaluated.
        ts: triplosensitivity score, likewise.
        gene: its number in the gene model, None for regions and genes that it does not have.
    """

    kind: str
    id: str
    name: str
    contig: str
    start: int
    end: int
    hi: int | None
    ts: int | None
    gene: int | None = None


class DosageHit(NamedTuple):
    """A curated gene or region that an interval overlaps.

    Attributes:
        element: the gene or region.
        whole: whether all of it lies within the interval.
        within: whether the interval lies within it.
    """

    element: DosageElement
    whole: bool
    within: bool


class DosageMap:
    """The curated genes and regions of a release, in memory.

    A gene that the gene model has under the same symbol counts with the place that it has there, so that one annotation
    does not say two things of one gene.
    """

    def __init__(self, table: pa.Table, model: GeneModel) -> None:
        by_name = model.numbers_by_name()
        contigs = {number: name for name, number in model.contigs.items()}
        self.elements: list[DosageElement] = []
        for row in table.select(_COLUMNS).to_pylist():
            kind, identifier, name, contig, start, end, hi, ts = (row[column] for column in _COLUMNS)
            own = [gene for gene in by_name.get(name, ()) if contig in {None, contigs[int(model.contig[gene])]}]
            if kind == GENE and own:
                contig = contigs[int(model.contig[own[0]])]
                start, end = int(model.starts[own[0]]), int(model.ends[own[0]])
            if contig is not None and start is not None:
                gene = own[0] if kind == GENE and own else None
                self.elements.append(DosageElement(kind, identifier, name, contig, start, end, hi, ts, gene))
        self._contigs = {name: number for number, name in enumerate({each.contig: None for each in self.elements})}
        self._index = IntervalIndex(
            np.array([self._contigs[each.contig] for each in self.elements], np.int64),
            np.array([each.start for each in self.elements], np.int64),
            np.array([each.end for each in self.elements], np.int64),
        )

    @classmethod
    def load(cls, folder: Path, model: GeneModel) -> Self:
        """The curations of a release of the kind `dosage`."""
        return cls(pq.read_table(folder / "dosage.parquet", columns=_COLUMNS), model)

    def scores(self) -> Mapping[int, tuple[int | None, int | None]]:
        """Haploinsufficiency and triplosensitivity score of each curated gene of the gene model."""
        return {each.gene: (each.hi, each.ts) for each in self.elements if each.gene is not None}

    def established_genes(self) -> list[int]:
        """The genes whose loss, or gain, is established to make ill."""
        return [each.gene for each in self.elements if each.gene is not None and ESTABLISHED in {each.hi, each.ts}]

    def hits(
        self,
        contigs: Sequence[str],
        starts: Numbers,
        ends: Numbers,
        on_step: Callable[[], None],
    ) -> list[list[DosageHit]]:
        """What each interval overlaps, in the order of the release."""
        found: list[list[DosageHit]] = [[] for _ in contigs]
        groups = np.array([self._contigs.get(contig, -1) for contig in contigs], np.int64)
        queries, numbers = self._index.overlaps(groups, starts, ends, on_step)
        for query, number in zip(queries.tolist(), numbers.tolist(), strict=True):
            element = self.elements[number]
            start, end = int(starts[query]), int(ends[query])
            whole = start <= element.start and element.end <= end
            within = element.start <= start and end <= element.end
            found[query].append(DosageHit(element, whole, within))
        return found
