"""Variants as people write them: `chr7:g.117559590A>G`, `7-117559590-A-G`, `chr7 117559590 A G`, `NC_000007.14:g.…`.

Deletions, insertions, duplications and the like of HGVS (den Dunnen et al. 2016, version 21) name no bases before the
change; those are of the reference genome, which has to be installed for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.problems import VARIANT_NOT_UNDERSTOOD
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.contigs import ACCESSIONS, bare_name

if TYPE_CHECKING:
    from varloom.genomics.assemblies import Assembly

_CONTIG = r"(?P<contig>[A-Za-z0-9_.*]+?)"
_BASES = r"[ACGTNacgtn]+"
_PLAIN = re.compile(
    rf"{_CONTIG}(?:\s*[-:_\s]\s*)(?P<position>[\d,]+)(?:\s*[-:_\s]\s*)(?P<ref>{_BASES})(?:\s*[-:_>/\s]\s*)(?P<alt>{_BASES}|\*)"
)
_GENOMIC = re.compile(rf"{_CONTIG}:[gm]\.(?P<change>[\d_]+.*)")
_SUBSTITUTION = re.compile(rf"(?P<at>\d+)(?P<ref>{_BASES})>(?P<alt>{_BASES})")
_CHANGE = re.compile(rf"(?P<first>\d+)(?:_(?P<last>\d+))?(?P<kind>delins|del|ins|dup|inv)(?P<bases>{_BASES})?")
_RS = re.compile(r"rs\d+", re.IGNORECASE)

_MOST_BASES = 10_000
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


Bases = Callable[[str, int, int], str]
"""Bases of the reference genome: of a contig, from a 1-based position on, so many."""


class Change(NamedTuple):
    """A change of a range of the genome as HGVS tells it.

    Attributes:
        first, last: the range, 1-based; of an insertion the two positions beside it.
        kind: `del`, `dup`, `inv`, `ins` or `delins`.
        bases: those that come in; of the first three kinds those of the range, or none.
    """

    first: int
    last: int
    kind: str
    bases: str


class WrittenVariant(NamedTuple):
    """A variant at its place.

    Attributes:
        contig: its bare name.
        position: 1-based, of the first base of `ref`.
        ref, alt: in upper case.
    """

    contig: str
    position: int
    ref: str
    alt: str


def is_rs_number(text: str) -> bool:
    """Whether the text names a variant of dbSNP."""
    return _RS.fullmatch(text.strip()) is not None


def parse_variant(text: str, assembly: Assembly, bases: Bases | None) -> WrittenVariant:
    """The variant that a text names.

    Args:
        text: as a person wrote it.
        assembly: of its coordinates; an accession of another one is refused.
        bases: gives bases of the reference genome; None where none is installed.

    Raises:
        VarloomError: `variant_not_understood`.
    """
    written = text.strip()
    if found := _PLAIN.fullmatch(written):
        contig, position = _contig(found["contig"], assembly, text), int(found["position"].replace(",", ""))
        return _checked(WrittenVariant(contig, position, found["ref"].upper(), found["alt"].upper()), text)
    if found := _GENOMIC.fullmatch(written):
        contig = _contig(found["contig"], assembly, text)
        if substitution := _SUBSTITUTION.fullmatch(found["change"]):
            alleles = substitution["ref"].upper(), substitution["alt"].upper()
            return _checked(WrittenVariant(contig, int(substitution["at"]), *alleles), text)
        if change := _CHANGE.fullmatch(found["change"]):
            ends = int(change["first"]), int(change["last"] or change["first"])
            return changed(contig, Change(*ends, change["kind"], (change["bases"] or "").upper()), bases, text)
    raise not_understood(
        text, "Write it as chr7:117559590:A:G, chr7:g.117559590A>G, NM_000492.4:c.1521_1523del, or as an rs number."
    )


def changed(contig: str, change: Change, bases: Bases | None, text: str) -> WrittenVariant:
    """A deletion, insertion, duplication, inversion or replacement, with the base before it where VCF has that.

    Raises:
        VarloomError: `variant_not_understood`.
    """
    if bases is None:
        raise not_understood(text, "It leaves out reference bases, and no reference genome is installed here.")
    _refuse_odd(change, text)
    return _checked(_with_reference(contig, change, bases, text), text)


def _with_reference(contig: str, change: Change, bases: Bases, text: str) -> WrittenVariant:
    first, last, kind, given = change
    inside = bases(contig, first, last - first + 1)
    if len(inside) != last - first + 1:
        raise not_understood(text, f"{contig} has no such position.")
    if kind not in {"ins", "delins"} and given not in {"", inside}:
        there, wanted = safe_excerpt(inside, 40), safe_excerpt(given, 40)
        raise not_understood(text, f"The reference has {there} there, not {wanted}.")
    before = bases(contig, first - 1, 1)
    match kind:
        case "ins":
            return WrittenVariant(contig, first, inside[0], inside[0] + given)
        case "del":
            return WrittenVariant(contig, first - 1, before + inside, before)
        case "dup":
            return WrittenVariant(contig, first - 1, before, before + inside)
        case "inv":
            return WrittenVariant(contig, first, inside, inside.translate(_COMPLEMENT)[::-1])
        case _:
            return WrittenVariant(contig, first, inside, given)


def _refuse_odd(change: Change, text: str) -> None:
    """See that the positions and bases of a change fit together."""
    first, last, kind, given = change
    if last < first or last - first > _MOST_BASES or first < 2:
        raise not_understood(text, "Its positions are not in order, or too far apart.")
    if kind in {"ins", "delins"} and not given:
        raise not_understood(text, "It does not name the bases that are there instead.")
    if kind == "ins" and last != first + 1:
        raise not_understood(text, "An insertion names the two positions beside it.")


def _contig(name: str, assembly: Assembly, text: str) -> str:
    accession = ACCESSIONS.get(name)
    if accession is not None and accession.assembly not in {None, assembly}:
        raise not_understood(text, f"{name} is of {accession.assembly}, and {assembly} was asked for.")
    return bare_name(name, assembly)


def _checked(variant: WrittenVariant, text: str) -> WrittenVariant:
    if not 1 <= variant.position < 1 << 31:
        raise not_understood(text, "Its position is outside of every chromosome.")
    if len(variant.ref) + len(variant.alt) > _MOST_BASES:
        raise not_understood(text, f"It is longer than {_MOST_BASES:,} bases.")
    return variant


def not_understood(text: str, why: str) -> VarloomError:
    """What is raised for a text; `why` is a sentence."""
    return VarloomError(VARIANT_NOT_UNDERSTOOD, f"{safe_excerpt(text, 80)!r} is not understood. {why}")
