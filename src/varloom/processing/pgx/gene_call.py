"""The call of one gene in one sample: its diplotypes, and what else they could be, given what is not known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.errors import counted
from varloom.processing.pgx import single_variants
from varloom.processing.pgx.genotypes import Genotype, State
from varloom.processing.pgx.matching import Matcher
from varloom.processing.pgx.names import diplotype_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.annotation.refs.pgx_content import GeneDefinition
    from varloom.processing.pgx.matching import AlleleTable, Match

UNDOCUMENTED_AS_REFERENCE = frozenset({"CACNA1S", "DPYD", "G6PD", "NUDT15", "RYR1", "TPMT"})
"""Genes in which bases that no allele documents count as the reference, as PharmCAT does: their alleles decide on harm,
and a known one is not to be hidden by a change that nobody knows."""
OTHER_PLOIDY = "It has one allele, and other positions of the gene have two."
_MOST_ALLELES = 250
"""With more alleles that could be there, not all pairs are tried: nothing is known of the gene."""


class Status(StrEnum):
    """How far a gene could be called."""

    CALLED = "called"
    NOT_CALLED = "not_called"
    NO_DATA = "no_data"


class Diplotype(NamedTuple):
    """One or two alleles by the names that are reported, with the score of the match."""

    names: tuple[str, ...]
    score: int | None = None

    @property
    def name(self) -> str:
        """`*1/*2`."""
        return diplotype_name(self.names)


class Possible(NamedTuple):
    """What a sample could have, were the loci that are not known as these alleles have them.

    Attributes:
        names: of its alleles.
        loci: those, of the unknown ones, at which they differ from the reference.
    """

    names: tuple[str, ...]
    loci: frozenset[int]


@dataclass(frozen=True, slots=True)
class GeneCall:
    """The call of one gene. Loci are indexes into those of the definition.

    Attributes:
        status: whether it is called.
        why: it is not, in a sentence.
        diplotypes: the best, all of them.
        alternatives: that are as possible and were left out by what is known of their frequencies.
        lesser: that explain genotypes without phase as well, with a lower score, the highest first.
        found: for genes that are called variant by variant and are not phased: the variants, twice where both copies
            have them.
        copies: how many the sample has of the gene.
        is_phased, is_effectively_phased: see `Matcher`.
        used: loci whose genotype took part.
        unknown: those that are absent, or without a usable genotype.
        undocumented: those with bases that no allele documents.
        possible: see `Possible`; what the diplotypes themselves are is among them. None: too many to list.
        alike: alleles that the known loci do not tell apart and that could be there, in groups.
        uncallable: alleles of which no defining locus is known.
        notes: in sentences.
    """

    status: Status
    why: str | None = None
    diplotypes: tuple[Diplotype, ...] = ()
    alternatives: tuple[Diplotype, ...] = ()
    lesser: tuple[Diplotype, ...] = ()
    found: tuple[str, ...] = ()
    copies: int = 2
    is_phased: bool = False
    is_effectively_phased: bool = False
    used: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    undocumented: tuple[int, ...] = ()
    possible: tuple[Possible, ...] | None = ()
    alike: tuple[tuple[str, ...], ...] = ()
    uncallable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def call_gene(table: AlleleTable, given: Sequence[Genotype]) -> GeneCall:
    """Call a gene from the genotypes at its loci."""
    genotypes, notes = _one_ploidy(given)
    undocumented = _undocumented(table, genotypes)
    as_reference = bool(undocumented) and table.definition.gene in UNDOCUMENTED_AS_REFERENCE
    if as_reference:
        genotypes = _documented(table, genotypes, undocumented)
        notes += (f"Bases that no allele documents count as the reference in {table.definition.gene}.",)
    matcher = Matcher(table, genotypes)
    call = _base(table, matcher, genotypes, undocumented, notes)
    if not matcher.known:
        return _with(call, status=Status.NO_DATA, why="No position of the gene has a genotype.")
    if undocumented and not as_reference:
        named = ", ".join(table.definition.loci[index].named for index in undocumented)
        return _with(call, status=Status.NOT_CALLED, why=f"Bases that no allele documents, at {named}.")
    if partial := [index for index, one in enumerate(genotypes) if one.state is State.PARTIAL]:
        named = ", ".join(table.definition.loci[index].named for index in partial)
        return _with(call, status=Status.NOT_CALLED, why=f"Only one of two alleles is known, at {named}.")
    lacking = [index for index in call.unknown if table.definition.loci[index].position in table.definition.required]
    if lacking:
        named = ", ".join(table.definition.loci[index].named for index in lacking)
        return _with(call, status=Status.NOT_CALLED, why=f"The gene is not called without {named}.")
    if table.definition.gene in single_variants.GENES:
        return _called_by_variant(call, table, matcher)
    return _called(call, table, matcher)


# --- what goes in -----------------------------------------------------------------------------------------------------


def _one_ploidy(genotypes: Sequence[Genotype]) -> tuple[list[Genotype], tuple[str, ...]]:
    """Of a gene on X: men have one copy, and some callers write their reference as two."""
    sizes = {len(one.alleles) for one in genotypes if one.is_known}
    if sizes != {1, 2}:
        return list(genotypes), ()
    if any(len(set(one.alleles)) == 2 for one in genotypes):
        kept = [
            Genotype(State.NO_CALL, why=OTHER_PLOIDY) if one.is_known and len(one.alleles) == 1 else one
            for one in genotypes
        ]
        return kept, ()
    kept = [one._replace(alleles=one.alleles[:1], is_phased=True) if one.is_known else one for one in genotypes]
    return kept, ("Some positions have one allele: all were taken for those of a single copy.",)


def _undocumented(table: AlleleTable, genotypes: Sequence[Genotype]) -> tuple[int, ...]:
    return tuple(
        index for index, one in enumerate(genotypes) if any(not table.documents(index, bases) for bases in one.alleles)
    )


def _documented(table: AlleleTable, genotypes: Sequence[Genotype], indexes: Sequence[int]) -> list[Genotype]:
    """The genotypes with the reference in place of what is not documented."""
    kept = list(genotypes)
    for index in indexes:
        ref = table.definition.loci[index].ref
        alleles = tuple(bases if table.documents(index, bases) else ref for bases in kept[index].alleles)
        kept[index] = kept[index]._replace(alleles=alleles)
    return kept


def _base(
    table: AlleleTable,
    matcher: Matcher,
    genotypes: Sequence[Genotype],
    undocumented: tuple[int, ...],
    notes: tuple[str, ...],
) -> GeneCall:
    """All that does not depend on the match."""
    known = set(matcher.known)
    assumed = sum(one.state is State.ASSUMED for one in genotypes)
    if assumed:
        notes += (f"{counted(assumed, 'position')} without a record taken for the reference, as was told.",)
    uncallable = [
        _core(table.definition, allele.name)
        for number, allele in enumerate(table.alleles)
        if not matcher.score_without_missing(number)
    ]
    return GeneCall(
        Status.CALLED,
        copies=1 if matcher.is_haploid else 2,
        is_phased=matcher.is_phased,
        is_effectively_phased=matcher.is_effectively_phased,
        used=tuple(matcher.known),
        unknown=tuple(index for index in range(len(genotypes)) if index not in known),
        undocumented=undocumented,
        uncallable=tuple(dict.fromkeys(uncallable)),
        notes=notes,
    )


# --- matching ---------------------------------------------------------------------------------------------------------


def _called(call: GeneCall, table: AlleleTable, matcher: Matcher) -> GeneCall:
    everyone = matcher.candidates()
    telling = [number for number in everyone if matcher.score_without_missing(number)]
    matches = matcher.matches(telling)
    if not matches:
        return _with(call, status=Status.NOT_CALLED, why="No two documented alleles together explain the genotypes.")
    chosen, left, notes = _best(table, matcher, matches)
    unknown = frozenset(call.unknown)
    kept = {*chosen, *left}
    lesser = [] if matcher.is_effectively_phased else [one for one in matches if one not in kept]
    possible = _possible(table, matcher, everyone, unknown) if len(everyone) <= _MOST_ALLELES else None
    return _with(
        call,
        diplotypes=_reported(table, chosen),
        alternatives=_reported(table, left),
        lesser=_by_score(table, lesser),
        possible=possible,
        alike=_alike(table, everyone, unknown),
        notes=(*call.notes, *notes),
    )


def _best(
    table: AlleleTable, matcher: Matcher, matches: list[Match]
) -> tuple[list[Match], list[Match], tuple[str, ...]]:
    """The matches that are the call, those that a known frequency left out, and what is to be said of that."""
    if not matcher.is_effectively_phased:
        named = {diplotype_name([table.alleles[number].name for number in one.alleles]): one for one in matches}
        for priority in table.definition.priorities:
            if priority.pick in named and all(name in named for name in priority.diplotypes):
                left = [named[name] for name in priority.diplotypes if name != priority.pick]
                note = (
                    f"Of equally possible diplotypes the most frequent one is taken: {', '.join(priority.diplotypes)}."
                )
                return [named[priority.pick]], left, (note,)
    best = matches[0].score
    return [one for one in matches if one.score == best], [], ()


def _by_score(table: AlleleTable, matches: Sequence[Match]) -> tuple[Diplotype, ...]:
    return tuple(sorted(_reported(table, matches), key=lambda one: -(one.score or 0)))


def _reported(table: AlleleTable, matches: Sequence[Match]) -> tuple[Diplotype, ...]:
    """By the names that are reported, each once."""
    found: dict[tuple[str, ...], Diplotype] = {}
    for one in sorted(matches, key=lambda match: [table.ranks[number] for number in match.alleles]):
        names = tuple(_core(table.definition, table.alleles[number].name) for number in one.alleles)
        found.setdefault(names, Diplotype(names, one.score))
    return tuple(found.values())


def _core(definition: GeneDefinition, name: str) -> str:
    return definition.core_of.get(name, name)


# --- what else it could be --------------------------------------------------------------------------------------------


def _possible(
    table: AlleleTable, matcher: Matcher, everyone: Sequence[int], unknown: frozenset[int]
) -> tuple[Possible, ...]:
    """For every way in which the unknown loci could be: what the call would be."""
    cells = {number: [change for change in table.changes[number] if change[0] in unknown] for number in everyone}
    sizes = {number: len(unknown & table.alleles[number].cells.keys()) for number in everyone}
    best: dict[tuple[tuple[int, str], ...], tuple[int, list[Match]]] = {}
    for match in matcher.matches(everyone):
        key = tuple(sorted(cell for number in match.alleles for cell in cells[number]))
        score = match.score + sum(sizes[number] for number in match.alleles)
        held = best.get(key)
        if held is None or score > held[0]:
            best[key] = (score, [match])
        elif score == held[0]:
            held[1].append(match)
    found: dict[tuple[str, ...], Possible] = {}
    for key, (_, matches) in best.items():
        loci = frozenset(index for index, _ in key)
        for match in matches:
            names = tuple(_core(table.definition, table.alleles[number].name) for number in match.alleles)
            held_loci = found.get(names)
            if held_loci is None or len(loci) < len(held_loci.loci):
                found[names] = Possible(names, loci)
    return tuple(found.values())


def _alike(table: AlleleTable, everyone: Sequence[int], unknown: frozenset[int]) -> tuple[tuple[str, ...], ...]:
    groups: dict[tuple[tuple[int, str], ...], list[int]] = {}
    for number in everyone:
        key = tuple(change for change in table.changes[number] if change[0] not in unknown)
        groups.setdefault(key, []).append(number)
    named = [
        tuple(
            dict.fromkeys(
                _core(table.definition, table.alleles[number].name)
                for number in sorted(group, key=table.ranks.__getitem__)
            )
        )
        for group in groups.values()
    ]
    return tuple(group for group in named if len(group) > 1)


# --- genes that are called variant by variant -------------------------------------------------------------------------


def _called_by_variant(call: GeneCall, table: AlleleTable, matcher: Matcher) -> GeneCall:
    found = single_variants.call_variants(table, matcher)
    return _with(
        call,
        diplotypes=tuple(Diplotype(names) for names in found.diplotypes),
        found=found.variants,
        possible=None if call.unknown else (),
        notes=(*call.notes, *found.notes),
    )


def _with(call: GeneCall, **changes: Any) -> GeneCall:
    return replace(call, **changes)
