"""From what a batch hits to the points of its losses and gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from varloom.annotation.sources.structural.dosage import REGION, UNLIKELY
from varloom.annotation.sources.structural.gene_parts import load_gene_parts
from varloom.annotation.sources.structural.genes import Places
from varloom.annotation.sources.structural.points import CopyChange, KnownVariant, score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from varloom.annotation.sources.structural.dosage import DosageHit, DosageMap
    from varloom.annotation.sources.structural.events import Event
    from varloom.annotation.sources.structural.genes import GeneHits, GeneModel
    from varloom.annotation.sources.structural.points import Score
    from varloom.annotation.sources.structural.population import Matches, Population


def places_of(events: Sequence[Event | None], model: GeneModel) -> Places:
    """Where each event lies: its interval, or its junctions."""
    entries = []
    for row, event in enumerate(events):
        if event is None:
            continue
        if event.spans:
            entries.append((row, model.contigs.get(event.contig, -1), event.start, event.end, True))
        else:
            entries += [
                (row, model.contigs.get(contig, -1), before, before + 1, False) for contig, before in event.junctions
            ]
    columns = np.array(entries, np.int64).reshape(-1, 5)
    return Places(columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3], columns[:, 4].astype(bool))


class Scorer:
    """Scores the losses and gains of batches."""

    def __init__(
        self,
        model: GeneModel,
        population: Population | None,
        dosage: DosageMap | None,
        genes_folder: Path,
        common_frequency: float,
    ) -> None:
        self._model = model
        self._population = population
        self._common = common_frequency
        self._regions = _coding_of_regions(dosage, model) if dosage else {}
        self._parts = load_gene_parts(genes_folder, model, dosage.established_genes()) if dosage else {}

    def scores(
        self,
        events: Sequence[Event | None],
        hits: GeneHits,
        matches: Matches | None,
        dosage: Sequence[Sequence[DosageHit] | None] | None,
        on_step: Callable[[], None],
    ) -> list[Score | None]:
        """The points of each row; None for what is neither loss nor gain."""
        borders = np.searchsorted(hits.rows, np.arange(len(events) + 1))
        match_of = {} if matches is None else {int(row): at for at, row in enumerate(matches.rows)}
        found: list[Score | None] = []
        for row, event in enumerate(events):
            if row % 1_000 == 0:
                on_step()
            if event is None or event.change is None:
                found.append(None)
                continue
            part = slice(int(borders[row]), int(borders[row + 1]))
            case = self._case(event, hits, part, dosage[row] if dosage is not None else None)
            if matches is not None and row in match_of:
                case = case._replace(known=self._known(event, matches, match_of[row], case.coding))
            found.append(score(case, self._common))
        return found

    def _case(self, event: Event, hits: GeneHits, part: slice, dosage: Sequence[DosageHit] | None) -> CopyChange:
        genes, bodies = hits.genes[part], ~hits.promoters[part]
        coding = self._model.coding[genes] & bodies
        return CopyChange(
            change=event.change or "",
            start=event.start,
            end=event.end,
            functional=bool(self._model.functional[genes].any()),
            coding=frozenset(genes[coding].tolist()),
            interrupted=frozenset(genes[coding & (hits.junctions[part] > 0)].tolist()),
            dosage=None if dosage is None else tuple(dosage),
            regions_coding=self._regions,
            parts=self._parts,
            searched=self._population is not None,
        )

    def _known(self, event: Event, matches: Matches, at: int, coding: frozenset[int]) -> KnownVariant | None:
        if self._population is None:
            return None
        site = int(matches.sites[at])
        first, last = int(self._population.starts[site]), int(self._population.ends[site])
        frequency = self._population.frequencies[site].as_py()
        starts, ends = self._model.starts, self._model.ends
        has_all = all(
            max(first, event.start, int(starts[gene])) <= min(last, event.end, int(ends[gene])) for gene in coding
        )
        return KnownVariant(self._population.ids[site].as_py(), frequency, float(matches.overlaps[at]), has_all)


def _coding_of_regions(dosage: DosageMap, model: GeneModel) -> Mapping[str, frozenset[int]]:
    """The protein-coding genes that each region overlaps of which a gain is benign."""
    regions = [each for each in dosage.elements if each.kind == REGION and each.ts == UNLIKELY]
    count = len(regions)
    places = Places(
        np.arange(count, dtype=np.int64),
        np.array([model.contigs.get(each.contig, -1) for each in regions], np.int64),
        np.array([each.start for each in regions], np.int64),
        np.array([each.end for each in regions], np.int64),
        np.ones(count, bool),
    )
    hits = model.hits(places)
    coding = hits.of(hits.bodies & model.coding[hits.genes])
    return {each.id: frozenset(coding.genes[coding.rows == number].tolist()) for number, each in enumerate(regions)}
