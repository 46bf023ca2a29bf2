"""The source of structural variants."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from varloom.annotation.model import VARIANTS, Annotated, AnnotationColumn, SetAside, VariantKind
from varloom.annotation.source import Need
from varloom.annotation.sources.structural.columns import (
    DOSAGE_COLUMNS,
    DOSAGE_ENTRIES,
    EVENT_COLUMNS,
    EVIDENCE_ENTRIES,
    GENE_COLUMNS,
    POPULATION_COLUMNS,
    SCORE_COLUMNS,
    entry_lists,
    gene_columns,
    text_lists,
)
from varloom.annotation.sources.structural.dosage import DosageMap
from varloom.annotation.sources.structural.events import SPANNING, EventReader, Row, UnusableRecordError
from varloom.annotation.sources.structural.genes import GeneModel
from varloom.annotation.sources.structural.population import Population
from varloom.annotation.sources.structural.scoring import Scorer, places_of
from varloom.genomics.assemblies import LENGTHS
from varloom.genomics.contigs import MITOCHONDRION_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from varloom.annotation.source import InstalledRelease
    from varloom.annotation.sources.structural.dosage import DosageHit
    from varloom.annotation.sources.structural.events import Event
    from varloom.annotation.sources.structural.points import Score
    from varloom.genomics.assemblies import Assembly

GENES: Final = Need("genes")
POPULATION: Final = Need("structural", required=False)
DOSAGE: Final = Need("dosage", required=False)


class StructuralSettings(NamedTuple):
    """How the source works.

    Attributes:
        reciprocal_overlap: the least by which a variant of the population overlaps its like, 0 to 1; of insertions the
            least that the shorter length is of the longer.
        insertion_distance: the most bases between an insertion and its like.
        promoter_bases: how far the promoter reaches upstream of the gene.
        least_bases: the smallest variant that counts as structural where neither allele nor SVTYPE says so.
        common_frequency: from which allele frequency on a variant of the population is common.
    """

    reciprocal_overlap: float = 0.5
    insertion_distance: int = 100
    promoter_bases: int = 1_000
    least_bases: int = 50
    common_frequency: float = 0.01


DEFAULTS: Final = StructuralSettings()


@dataclass(frozen=True, slots=True)
class StructuralSource:
    """Annotates structural variants with genes, population frequency, dosage, points and class.

    Attributes:
        settings: how it works.
        name: the first part of its columns' names.
        title: for people.
        kind: of its variants.
        needs: genes; with a population and a curation of dosage it says more.
    """

    settings: StructuralSettings = DEFAULTS
    name: str = "sv"
    title: str = "Structural variants"
    kind: VariantKind = VariantKind.STRUCTURAL
    needs: tuple[Need, ...] = (GENES, POPULATION, DOSAGE)

    def columns(self, releases: Mapping[Need, InstalledRelease]) -> Sequence[AnnotationColumn]:
        """The columns that it adds with these releases."""
        population = POPULATION_COLUMNS if POPULATION in releases else ()
        dosage = DOSAGE_COLUMNS if DOSAGE in releases else ()
        return (*EVENT_COLUMNS, *GENE_COLUMNS, *population, *dosage, *SCORE_COLUMNS)

    def stretches(self, releases: Mapping[Need, InstalledRelease]) -> None:
        """See `AnnotationSource.stretches`: each variant is answered by itself."""

    @contextmanager
    def open(self, releases: Mapping[Need, InstalledRelease], scratch: Path) -> Iterator[OpenStructuralSource]:  # noqa: ARG002
        """Read the releases into memory: some seconds, and about 300 MB with 1.2 million known variants."""
        yield OpenStructuralSource(self.settings, self.columns(releases), releases)


class _Batch(NamedTuple):
    """A batch on its way: the events of its rows, None where there is none."""

    events: list[Event | None]
    spanning: list[int]
    set_aside: list[SetAside]


class OpenStructuralSource:
    """The source at work."""

    def __init__(
        self,
        settings: StructuralSettings,
        columns: Sequence[AnnotationColumn],
        releases: Mapping[Need, InstalledRelease],
    ) -> None:
        genes = releases[GENES]
        self._columns = columns
        self._model = GeneModel.load(genes.folder, settings.promoter_bases)
        self._events = EventReader(
            _contig_lengths(self._model, genes.key.assembly), genes.key.assembly, settings.least_bases
        )
        known, dosage = releases.get(POPULATION), releases.get(DOSAGE)
        self._population = known and Population.load(
            known.folder, settings.reciprocal_overlap, settings.insertion_distance
        )
        self._dosage = dosage and DosageMap.load(dosage.folder, self._model)
        self._scores = dict(self._dosage.scores()) if self._dosage else {}
        self._scorer = Scorer(self._model, self._population, self._dosage, genes.folder, settings.common_frequency)

    def annotate(self, variants: pa.RecordBatch, on_step: Callable[[], None]) -> Annotated:
        """What is known of each variant; see `OpenSource`."""
        batch = self._read(variants)
        on_step()
        missing = np.array([event is None for event in batch.events], bool)
        hits = self._model.hits(places_of(batch.events, self._model), on_step)
        arrays = [*_event_columns(batch.events, variants), *gene_columns(self._model, hits, self._scores, missing)]
        matches = None
        if self._population:
            rows = [row for row, event in enumerate(batch.events) if event and self._population.can_look_up(event)]
            matches = self._population.best(rows, [batch.events[row] for row in rows], on_step)  # type: ignore[misc]
            arrays += _population_columns(self._population, matches, rows, len(missing))
        dosage = self._dosage_hits(batch, on_step)
        if dosage is not None:
            arrays += _dosage_columns(dosage)
        scores = self._scorer.scores(batch.events, hits, matches, dosage, on_step)
        arrays += _score_columns(batch.events, scores)
        schema = pa.schema([pa.field(column.name, column.type) for column in self._columns])
        return Annotated(pa.record_batch(arrays, schema=schema), tuple(batch.set_aside))

    def _read(self, variants: pa.RecordBatch) -> _Batch:
        events: list[Event | None] = []
        set_aside = []
        columns = [variants.column(name).to_pylist() for name in VARIANTS.names]
        for rowno, *values in zip(*columns, strict=True):
            event = None
            try:
                event = self._events.read(Row(*values))
            except UnusableRecordError as reason:
                set_aside.append(SetAside(rowno, str(reason)))
            events.append(event)
        spanning = [row for row, event in enumerate(events) if event is not None and event.type in SPANNING]
        return _Batch(events, spanning, set_aside)

    def _dosage_hits(self, batch: _Batch, on_step: Callable[[], None]) -> list[Sequence[DosageHit] | None] | None:
        """The curated genes and regions that each row overlaps; None for rows without an interval."""
        if not self._dosage:
            return None
        events = [event for row in batch.spanning if (event := batch.events[row]) is not None]
        starts = np.array([event.start for event in events], np.int64)
        ends = np.array([event.end for event in events], np.int64)
        found = self._dosage.hits([event.contig for event in events], starts, ends, on_step)
        by_row: list[Sequence[DosageHit] | None] = [None] * len(batch.events)
        for row, hits in zip(batch.spanning, found, strict=True):
            by_row[row] = hits
        return by_row


def _contig_lengths(model: GeneModel, assembly: Assembly) -> dict[str, int | None]:
    """The contigs that can be annotated: the chromosomes, and those that have genes."""
    which = ("GRCh37", "GRCh38").index(assembly)
    chromosomes = {name: lengths[which] for name, lengths in LENGTHS.items()} | {"MT": MITOCHONDRION_LENGTH}
    return dict.fromkeys(model.contigs) | chromosomes


# --- values of columns, from objects ----------------------------------------------------------------------------------


def _event_columns(events: list[Event | None], variants: pa.RecordBatch) -> list[pa.Array]:
    known = [event is not None for event in events]
    imprecision = pa.compute.if_else(pa.array(known), variants.column("imprecision"), pa.scalar(None, pa.int64()))
    return [
        pa.array([event and event.type for event in events], pa.string()),
        pa.array([event and event.start for event in events], pa.int64()),
        pa.array([event and event.end for event in events], pa.int64()),
        pa.array([event and event.length for event in events], pa.int64()),
        imprecision,
        pa.array([event and event.mate for event in events], pa.string()),
        text_lists([event and event.notes for event in events]),
    ]


def _population_columns(population: Population, matches: Any, rows: list[int], count: int) -> list[pa.Array]:
    found: list[bool | None] = [None] * count
    for row in rows:
        found[row] = False
    sites = np.full(count, -1, np.int64)
    overlaps = np.full(count, np.nan)
    sites[matches.rows], overlaps[matches.rows] = matches.sites, matches.overlaps
    for row in matches.rows.tolist():
        found[row] = True
    taken = pa.array(sites, mask=sites < 0)
    return [
        pa.array(found, pa.bool_()),
        population.frequencies.take(taken),
        population.highest.take(taken),
        population.ids.take(taken),
        pa.array(overlaps, mask=sites < 0),
    ]


def _dosage_columns(dosage: list[Sequence[DosageHit] | None]) -> list[pa.Array]:
    entries = [
        None
        if hits is None
        else [
            (
                hit.element.name,
                hit.element.id,
                hit.element.kind,
                "whole" if hit.whole else "partial",
                _text(hit.element.hi),
                _text(hit.element.ts),
            )
            for hit in hits
        ]
        for hits in dosage
    ]
    highest = [
        [max((score for score in scores if score is not None and score <= 3), default=None) for scores in of]
        for of in (
            ([hit.element.hi for hit in hits or ()] for hits in dosage),
            ([hit.element.ts for hit in hits or ()] for hits in dosage),
        )
    ]
    return [*(pa.array(scores, pa.int32()) for scores in highest), entry_lists(DOSAGE_ENTRIES, entries)]


def _score_columns(events: list[Event | None], scores: list[Score | None]) -> list[pa.Array]:
    evidence = [
        score and [(each.criterion, f"{each.points / 100:.2f}", each.reason) for each in score.evidence]
        for score in scores
    ]
    return [
        pa.array([event and event.change for event in events], pa.string()),
        pa.array([score and score.verdict for score in scores], pa.string()),
        pa.array([None if score is None else score.points / 100 for score in scores], pa.float64()),
        entry_lists(EVIDENCE_ENTRIES, evidence),
        text_lists([score and score.not_evaluated for score in scores]),
    ]


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
