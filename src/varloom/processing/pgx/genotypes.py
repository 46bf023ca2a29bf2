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

    from varloom.processing.pgx.evidence import Evidence
    from varloom.processing.pgx.locus_alleles import Record, View

_GENOTYPE = re.compile(r"[/|]?(?:\.|[0-9]{1,9})(?:[/|](?:\.|[0-9]{1,9}))*")


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
        is_changed: whether it has anything but the reference, be it known what or not.
    """

    state: State
    alleles: tuple[str, ...] = ()
    is_phased: bool = False
    phase_set: str | None = None
    why: str | None = None
    is_changed: bool = False

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
        evidence: what the record tells of how sure the genotype is.
    """

    record: Record
    view: View
    genotype: str | None
    phase_set: str | None
    evidence: Evidence


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
    seen = [(call, one) for call in calls if (one := _seen(call, contig)) is not None]
    if not seen:
        return ABSENT
    if _contradict(seen):
        return _no_call(_CONTRADICTION, is_changed=True)
    changed = [one for _, one in seen if one.is_changed]
    if changed:
        return changed[0] if len(changed) == 1 else _together(changed, calls[0].view.alleles[0])
    found = [one for _, one in seen]
    unknown = next((one for one in found if not one.alleles), None)
    return unknown or next((one for one in found if one.state is State.CALLED), found[0])


_WRONG_REF = "REF of line {line} is not the base of GRCh38."
_CONTRADICTION = "Several records of the file contradict each other here."


def _contradict(seen: Sequence[tuple[Call, Genotype]]) -> bool:
    """Whether one record tells of an allele that another one has as well, and does not tell as often.

    Nor does a substitution agree with a record that has no other allele than the reference, or with one that offers
    further bases here and leaves open whether the sample has them. The base before an indel may have a record of its
    own.
    """
    for teller, one in seen:
        reference = teller.view.alleles[0] or ""
        is_substituted = any(bases != reference and len(bases) == len(reference) for bases in one.alleles)
        for call, other in seen:
            offered = set(call.view.alleles.values()) - {reference}
            if any(one.alleles.count(bases) != other.alleles.count(bases) for bases in {*one.alleles} & offered):
                return True
            if is_substituted and call is not teller and _speaks_against(call, other, offered):
                return True
    return False


def _speaks_against(call: Call, genotype: Genotype, offered: set[str | None]) -> bool:
    """Whether a record leaves no room for a substitution, or does not tell whether it is all that there is."""
    if call.record.is_block:
        return genotype.is_known and len(call.record.ref) == 1  # a longer one is of a deletion that was not found
    numbers = parse_genotype(call.genotype) if call.genotype is not None else None
    return bool(offered) and (numbers is None or all(allele is None for allele in numbers.alleles))


def _seen(call: Call, contig: str) -> Genotype | None:
    """What one record says; None if nothing."""
    numbers = parse_genotype(call.genotype) if call.genotype is not None else None
    if not (call.view.covers and call.view.tells):
        return _seen_in_part(call, numbers, contig)
    return _seen_whole(call, numbers, contig)


def _seen_in_part(call: Call, numbers: Numbers | None, contig: str) -> Genotype | None:
    """What a record says that has not all bases of the locus: nothing, unless the sample is changed here."""
    record, view = call.record, call.view
    if not view.fits:
        return _no_call(_WRONG_REF.format(line=record.line))
    carried = {} if numbers is None else {n: view.alleles.get(n) for n in numbers.alleles if n}
    changed = {number for number, bases in carried.items() if bases != view.alleles[0]}
    if not changed:
        return None
    if numbers is not None and changed <= view.listed and len(numbers.alleles) <= 2:
        return _known(call, numbers, contig)  # an insertion has fewer bases of the reference than the locus
    why = f"It is changed by the variant at {record.position} (line {record.line}), which overlaps it."
    return _no_call(why, is_changed=True)


def _seen_whole(call: Call, numbers: Numbers | None, contig: str) -> Genotype:
    line = call.record.line
    if not call.view.fits:
        return _no_call(_WRONG_REF.format(line=line))
    if numbers is None or all(allele is None for allele in numbers.alleles):
        return _no_call(f"Line {line} has no genotype ({safe_excerpt(call.genotype or 'no GT', 20)}).")
    if len(numbers.alleles) > 2:
        return _no_call(f"Line {line} has {len(numbers.alleles)} copies.", is_changed=any(numbers.alleles))
    return _known(call, numbers, contig)


def _known(call: Call, numbers: Numbers, contig: str) -> Genotype:
    record, view = call.record, call.view
    given = [number for number in numbers.alleles if number is not None]
    bases = [view.alleles.get(number) for number in given]
    if any(one is None for one in bases):
        why = f"It is changed by an allele of line {record.line} that is not written as bases of this place."
        return _no_call(why, is_changed=True)
    alleles = tuple(one for one in bases if one is not None)
    is_reference = all(one == view.alleles[0] for one in alleles)
    doubt = call.evidence.doubt(len(numbers.alleles), record.filter, record.quality, is_reference=is_reference)
    if doubt is not None:
        return _no_call(f"Line {record.line} {doubt}.", is_changed=not is_reference)
    if len(given) < len(numbers.alleles) or (len(given) == 1 and contig not in {"X", "Y", "MT"}):
        why = f"Line {record.line} tells one of two alleles ({call.genotype})."
        return _no_call(why) if is_reference else Genotype(State.PARTIAL, alleles, why=why, is_changed=True)
    state = State.BLOCK if record.is_block and record.end > record.position + len(record.ref) - 1 else State.CALLED
    phase_set = call.phase_set if numbers.is_phased else None
    return Genotype(state, alleles, numbers.is_phased, phase_set, is_changed=not is_reference)


def _together(changed: Sequence[Genotype], reference: str | None) -> Genotype:
    """Two records of one locus, each with one of the alleles, as `bcftools norm -m-` writes them.

    A record that stands twice tells what it tells once, but for an order of alleles in which they differ.
    """
    first, second = changed[0], changed[1]
    if len({(one.state, *sorted(one.alleles)) for one in changed}) == 1 and first.alleles:
        is_same = len({(one.alleles, one.is_phased, one.phase_set) for one in changed}) == 1
        return first if is_same else first._replace(is_phased=False, phase_set=None)
    if any(not one.alleles for one in changed) or len(changed) > 2:
        return _no_call(_CONTRADICTION, is_changed=True)
    if first.is_phased and second.is_phased and first.phase_set == second.phase_set and len(first.alleles) == 2:
        slots = list(zip(first.alleles, second.alleles, strict=False))
        if len(slots) == 2 and all(reference in slot for slot in slots):
            alleles = tuple(one if one != reference else other for one, other in slots)
            return first._replace(alleles=alleles)
    alts = [allele for one in changed for allele in one.alleles if allele != reference]
    if len(alts) == 2 and not (first.is_phased or second.is_phased):
        return Genotype(State.CALLED, (alts[0], alts[1]), is_changed=True)
    return _no_call(_CONTRADICTION, is_changed=True)


def _no_call(why: str, *, is_changed: bool = False) -> Genotype:
    return Genotype(State.NO_CALL, why=why, is_changed=is_changed)
