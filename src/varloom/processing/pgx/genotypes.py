"""The genotypes of one sample at the loci: what several records say of one locus, put together.

A locus that no record speaks of is absent. It is not the reference.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.processing.pgx.locus_alleles import Record, View

_GENOTYPE = re.compile(r"[/|]?(?:\.|[0-9]+)(?:[/|](?:\.|[0-9]+))*")


class State(StrEnum):
    """What is known of a locus in a sample."""

    CALLED = "called"
    """A record tells the genotype."""
    BLOCK = "block"
    """A block of the reference (gVCF) covers it."""
    ASSUMED = "assumed"
    """No record speaks of it, and the user says that such loci are the reference."""
    ABSENT = "absent"
    """No record speaks of it."""
    NO_CALL = "no_call"
    """A record speaks of it, and tells no genotype that can be used."""
    PARTIAL = "partial"
    """One of the two alleles is known, and is not the reference."""


class Genotype(NamedTuple):
    """A sample at a locus.

    Attributes:
        state: whether it is known.
        alleles: the bases of its one or two copies over the locus; empty if unknown.
        is_phased: whether their order tells the chromosome (`|`, or one copy).
        phase_set: within which the order holds; None for the whole chromosome.
        why: of what is not known, a sentence.
        filter: of the record that told, where it is not PASS.
    """

    state: State
    alleles: tuple[str, ...] = ()
    is_phased: bool = False
    phase_set: str | None = None
    why: str | None = None
    filter: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether it can be matched."""
        return bool(self.alleles) and self.state is not State.PARTIAL

    @property
    def text(self) -> str:
        """For people: `C/T`, `C|T`."""
        return ("|" if self.is_phased and len(self.alleles) > 1 else "/").join(self.alleles)


ABSENT = Genotype(State.ABSENT, why="The file has no record of it.")


class Call(NamedTuple):
    """What a sample's columns of one record say.

    Attributes:
        record, view: the line, and how it looks from the locus.
        genotype: GT as the file writes it; None if it has none.
        phase_set: PS likewise.
        unread: whether no read supports it: depth or quality is 0.
    """

    record: Record
    view: View
    genotype: str | None
    phase_set: str | None
    unread: bool


class Numbers(NamedTuple):
    """A GT: the allele of each copy, None where it is not known, and whether their order counts."""

    alleles: tuple[int | None, ...]
    is_phased: bool


@lru_cache(maxsize=65536)
def parse_genotype(text: str) -> Numbers | None:
    """A GT; None if it is none. VCF 4.4 lets a `/` or `|` stand before the first allele."""
    if not _GENOTYPE.fullmatch(text):
        return None
    parts = re.split(r"[/|]", text.lstrip("/|"))
    alleles = tuple(None if part == "." else int(part) for part in parts)
    return Numbers(alleles, "/" not in text)


def genotype_at(calls: Sequence[Call], contig: str) -> Genotype:
    """The genotype at a locus from all records that touch it."""
    seen = [_seen(call, contig) for call in calls]
    found = [one for one in seen if one is not None]
    changed = [one for one in found if one.state is State.PARTIAL or _is_changed(one, calls)]
    if len(changed) == 1:
        return changed[0]
    if len(changed) > 1:
        return _together(changed, calls)
    known = [one for one in found if one.alleles]
    if known:
        return next((one for one in known if one.state is State.CALLED), known[0])
    return found[0] if found else ABSENT


def _is_changed(one: Genotype, calls: Sequence[Call]) -> bool:
    """Whether it has anything but the reference, or says that it is changed to something unknown."""
    reference = calls[0].view.alleles[0]
    return any(allele != reference for allele in one.alleles) or (one.why or "").startswith(_CHANGED)


_CHANGED = "It is changed"


def _seen(call: Call, contig: str) -> Genotype | None:
    """What one record says; None if nothing."""
    numbers = parse_genotype(call.genotype) if call.genotype is not None else None
    if not call.view.covers:
        return _seen_in_part(call, numbers, contig)
    return _seen_whole(call, numbers, contig) if call.view.tells else None


def _seen_in_part(call: Call, numbers: Numbers | None, contig: str) -> Genotype | None:
    """What a record says that has not all bases of the locus: nothing, unless the sample is changed here."""
    record, view = call.record, call.view
    carried = {} if numbers is None else {n: view.alleles.get(n) for n in numbers.alleles if n}
    changed = {number for number, bases in carried.items() if bases != view.alleles[0]}
    if not changed:
        return None
    if numbers is not None and changed <= view.listed and view.fits and len(numbers.alleles) <= 2:
        return _known(call, numbers, contig)  # an insertion has fewer bases of the reference than the locus
    return _no_call(f"{_CHANGED} by the variant at {record.position} (line {record.line}), which overlaps it.")


def _seen_whole(call: Call, numbers: Numbers | None, contig: str) -> Genotype:
    line = call.record.line
    if not call.view.fits:
        return _no_call(f"REF of line {line} is not the base of GRCh38.")
    if numbers is None or all(allele is None for allele in numbers.alleles):
        return _no_call(f"Line {line} has no genotype ({safe_excerpt(call.genotype or 'no GT', 20)}).")
    if len(numbers.alleles) > 2:
        return _no_call(f"Line {line} has {len(numbers.alleles)} copies.")
    return _known(call, numbers, contig)


def _known(call: Call, numbers: Numbers, contig: str) -> Genotype:
    record, view = call.record, call.view
    given = [number for number in numbers.alleles if number is not None]
    bases = [view.alleles.get(number) for number in given]
    if any(one is None for one in bases):
        return _no_call(f"{_CHANGED} by an allele of line {record.line} that is not written as bases of this place.")
    alleles = tuple(one for one in bases if one is not None)
    is_reference = all(one == view.alleles[0] for one in alleles)
    if call.unread and is_reference:
        return _no_call(f"Line {record.line} covers it without reads.")
    if len(given) < len(numbers.alleles) or (len(given) == 1 and contig not in {"X", "Y", "MT"}):
        if is_reference:
            return _no_call(f"Line {record.line} tells one of two alleles ({call.genotype}).")
        why = f"Line {record.line} tells one of two alleles ({call.genotype})."
        return Genotype(State.PARTIAL, alleles, why=why, filter=record.filter)
    state = State.BLOCK if record.is_block and record.end > record.position + len(record.ref) - 1 else State.CALLED
    phase_set = call.phase_set if numbers.is_phased else None
    return Genotype(state, alleles, numbers.is_phased, phase_set, None, record.filter)


def _together(changed: list[Genotype], calls: Sequence[Call]) -> Genotype:
    """Two records of one locus, each with one of the alleles, as `bcftools norm -m-` writes them."""
    if len({one.alleles for one in changed}) == 1 and len({one.state for one in changed}) == 1:
        return changed[0]
    if any(not one.alleles for one in changed) or len(changed) > 2:
        return _no_call("Several records of the file contradict each other here.")
    first, second = changed
    reference = calls[0].view.alleles[0]
    if first.is_phased and second.is_phased and first.phase_set == second.phase_set and len(first.alleles) == 2:
        slots = list(zip(first.alleles, second.alleles, strict=False))
        if len(slots) == 2 and all(reference in slot for slot in slots):
            alleles = tuple(one if one != reference else other for one, other in slots)
            return first._replace(alleles=alleles)
    alts = [allele for one in changed for allele in one.alleles if allele != reference]
    if len(alts) == 2 and not (first.is_phased or second.is_phased):
        return Genotype(State.CALLED, (alts[0], alts[1]), filter=first.filter or second.filter)
    return _no_call("Several records of the file contradict each other here.")


def _no_call(why: str) -> Genotype:
    return Genotype(State.NO_CALL, why=why)
