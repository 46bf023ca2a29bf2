"""Which named alleles a sample has: every pair that its genotypes allow, with its score.

The rules are those of PharmCAT's Named Allele Matcher: a position without a cell counts as the reference allele's; the
score of an allele is the number of its cells at known positions; positions that are not known are left out; of unphased
genotypes every pair of alleles that explains them counts, and the highest scores are the call. Nothing is enumerated
but alleles: an allele stays when each of its cells is among the sample's bases, a pair when both together are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.processing.pgx.names import in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from varloom.annotation.refs.pgx_content import GeneDefinition
    from varloom.processing.pgx.genotypes import Genotype

IUPAC: Mapping[str, frozenset[str]] = {
    "R": frozenset("AG"),
    "Y": frozenset("CT"),
    "S": frozenset("CG"),
    "W": frozenset("AT"),
    "K": frozenset("GT"),
    "M": frozenset("AC"),
    "B": frozenset("CGT"),
    "D": frozenset("AGT"),
    "H": frozenset("ACT"),
    "V": frozenset("ACG"),
    "N": frozenset("ACGT"),
}


class Match(NamedTuple):
    """One or two alleles that explain the genotypes.

    Attributes:
        alleles: indexes into those of the definition, in the order of their names.
        score: of both together.
    """

    alleles: tuple[int, ...]
    score: int


class AlleleTable:
    """The alleles of a gene, ready to be matched.

    Attributes:
        default: what an allele without a cell has, at each locus.
        changes: of each allele, where it is not the reference sequence, and what it has there.
        ranks: of each allele, its place in the order of names.
    """

    def __init__(self, definition: GeneDefinition) -> None:
        self.definition = definition
        self.alleles = definition.alleles
        self.reference = next(index for index, allele in enumerate(self.alleles) if allele.is_reference)
        reference = self.alleles[self.reference]
        self.default = [
            locus.ref if reference.cells[index] in IUPAC else reference.cells[index]
            for index, locus in enumerate(definition.loci)
        ]
        self._admitting = self._masks()
        self.changes = [self._changes(number) for number in range(len(self.alleles))]
        self.ranks = {number: rank for rank, number in enumerate(in_order(self.alleles))}

    def admitting(self, locus: int, bases: str) -> int:
        """The alleles that can have these bases at a locus, as bits."""
        return self._admitting[locus].get(bases, 0)

    def documents(self, locus: int, bases: str) -> bool:
        """Whether the definition lists these bases at a locus."""
        place = self.definition.loci[locus]
        return bases == place.ref or bases in place.alts

    def _masks(self) -> list[dict[str, int]]:
        own = [0] * len(self.default)
        masks: list[dict[str, int]] = [{} for _ in self.default]
        for number, allele in enumerate(self.alleles):
            for index, cell in allele.cells.items():
                own[index] |= 1 << number
                for bases in IUPAC.get(cell, (cell,)):
                    masks[index][bases] = masks[index].get(bases, 0) | 1 << number
        everyone = (1 << len(self.alleles)) - 1
        for index, bases in enumerate(self.default):
            masks[index][bases] = masks[index].get(bases, 0) | (everyone & ~own[index])
        return masks

    def _changes(self, number: int) -> tuple[tuple[int, str], ...]:
        """Where an allele is not the reference sequence, and what it has there."""
        loci, cells = self.definition.loci, self.alleles[number].cells
        defaults = {index: bases for index, bases in enumerate(self.default) if bases != loci[index].ref}
        return tuple(sorted((i, cell) for i, cell in {**defaults, **cells}.items() if cell != loci[i].ref))


class Matcher:
    """The alleles of a gene against the known genotypes of a sample.

    Attributes:
        known: the loci whose genotype is known.
        is_haploid: whether there is one copy at all of them.
        is_phased: whether the order of alleles holds for all of them, within one phase set.
        is_effectively_phased: whether they allow one pair of sequences only.
    """

    def __init__(self, table: AlleleTable, genotypes: Sequence[Genotype]) -> None:
        self.table = table
        self.genotypes = genotypes
        self.known = [index for index, one in enumerate(genotypes) if one.is_known]
        found = [genotypes[index] for index in self.known]
        self.is_haploid = bool(found) and all(len(one.alleles) == 1 for one in found)
        self._different = [index for index in self.known if len(set(genotypes[index].alleles)) == 2]
        self._units = self._phase_units()
        self.is_phased = bool(found) and all(one.is_phased for one in found) and len(self._units) <= 1
        self.is_effectively_phased = len(self._units) <= 1
        known = set(self.known)
        self._wobbles = [
            [index for index, cell in allele.cells.items() if cell in IUPAC and index in known]
            for allele in table.alleles
        ]
        self._scores = [len(known & allele.cells.keys()) for allele in table.alleles]
        self._lost_everywhere = [
            sum(index not in self._different and self._is_reference(index, 0) for index in self._wobbles[number])
            for number in range(len(table.alleles))
        ]

    def candidates(self) -> list[int]:
        """The alleles that no genotype excludes."""
        left = (1 << len(self.table.alleles)) - 1
        for index in self.known:
            some = 0
            for bases in self.genotypes[index].alleles:
                some |= self.table.admitting(index, bases)
            left &= some
        return [number for number in range(len(self.table.alleles)) if left >> number & 1]

    def matches(self, candidates: Iterable[int]) -> list[Match]:
        """All alleles (one copy) or pairs of them (two) that explain the genotypes, the highest score first."""
        found = []
        chosen = sorted(candidates, key=self.table.ranks.__getitem__)
        for place, first in enumerate(chosen):
            if self.is_haploid:
                found.append(Match((first,), self._scores[first] - self._lost_everywhere[first]))
                continue
            for second in chosen[place:]:
                score = self._pair(first, second)
                if score is not None:
                    found.append(Match((first, second), score))
        return sorted(found, key=lambda match: -match.score)

    def score_without_missing(self, allele: int) -> int:
        """How many of its cells are at known loci."""
        return self._scores[allele]

    # --- within ---------------------------------------------------------------------------------------------------

    def _phase_units(self) -> list[list[int]]:
        """The loci with two different alleles, those together whose order is known against each other."""
        units: dict[object, list[int]] = {}
        for index in self._different:
            genotype = self.genotypes[index]
            key: object = (genotype.phase_set,) if genotype.is_phased else index
            units.setdefault(key, []).append(index)
        return list(units.values())

    def _pair(self, first: int, second: int) -> int | None:
        """The score of a pair; None if it does not explain the genotypes."""
        score = sum(self._scores[number] - self._lost_everywhere[number] for number in (first, second))
        for unit in self._units:
            best: int | None = None
            for turn in (False, True):
                lost = self._lost(first, second, unit, turn=turn)
                if lost is not None and (best is None or lost < best):
                    best = lost
            if best is None:
                return None
            score -= best
        return score

    def _lost(self, first: int, second: int, unit: list[int], *, turn: bool) -> int | None:
        """How many IUPAC cells do not count because the allele has the reference there; None if it does not fit."""
        lost = 0
        for index in unit:
            one, other = (1, 0) if turn else (0, 1)
            alleles = self.genotypes[index].alleles
            if not (self.table.admitting(index, alleles[one]) >> first & 1):
                return None
            if not (self.table.admitting(index, alleles[other]) >> second & 1):
                return None
            lost += index in self._wobbles[first] and self._is_reference(index, one)
            lost += index in self._wobbles[second] and self._is_reference(index, other)
        return lost

    def _is_reference(self, index: int, copy: int) -> bool:
        return self.genotypes[index].alleles[copy] == self.table.definition.loci[index].ref
