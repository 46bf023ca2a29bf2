"""Variants as people write them: `chr7:g.117559590A>G`, `7-117559590-A-G`, `chr7 117559590 A G`, `NC_000007.14:g.…`.

Deletions, insertions, duplications and the like of HGVS (den Dunnen et al. 2016, version 21) name no bases before the
change; those are of the reference genome, which has to be installed for them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.problems import VARIANT_NOT_UNDERSTOOD
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.contigs import ACCESSIONS, bare_name

if TYPE_CHECKING:
    from collections.abc import Callable

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


def parse_variant(text: str, assembly: Assembly, bases: Callable[[str, int, int], str] | None) -> WrittenVariant:
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
            return _checked(_changed(contig, change, bases, text), text)
    raise _not_understood(text, "Write it as chr7:117559590:A:G, chr7:g.117559590A>G, or as an rs number.")


def _changed(
    contig: str, change: re.Match[str], bases: Callable[[str, int, int], str] | None, text: str
) -> WrittenVariant:
    """A deletion, insertion, duplication or inversion, with the base before it as in VCF."""
    first, last = int(change["first"]), int(change["last"] or change["first"])
    kind, given = change["kind"], (change["bases"] or "").upper()
    if bases is None:
        raise _not_understood(text, "It leaves out reference bases, and no reference genome is installed here.")
    _refuse_odd(change, text)
    inside = bases(contig, first, last - first + 1)
    if len(inside) != last - first + 1:
        raise _not_understood(text, f"{contig} has no such position.")
    if kind not in {"ins", "delins"} and given not in {"", inside}:
        there, wanted = safe_excerpt(inside, 40), safe_excerpt(given, 40)
        raise _not_understood(text, f"The reference has {there} there, not {wanted}.")
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


def _refuse_odd(change: re.Match[str], text: str) -> None:
    """See that the positions and bases of a change fit together."""
    first, last, kind = int(change["first"]), int(change["last"] or change["first"]), change["kind"]
    if last < first or last - first > _MOST_BASES or first < 2:
        raise _not_understood(text, "Its positions are not in order, or too far apart.")
    if kind in {"ins", "delins"} and not change["bases"]:
        raise _not_understood(text, "It does not name the bases that are there instead.")
    if kind == "ins" and last != first + 1:
        raise _not_understood(text, "An insertion names the two positions beside it.")


def _contig(name: str, assembly: Assembly, text: str) -> str:
    accession = ACCESSIONS.get(name)
    if accession is not None and accession.assembly not in {None, assembly}:
        raise _not_understood(text, f"{name} is of {accession.assembly}, and {assembly} was asked for.")
    return bare_name(name, assembly)


def _checked(variant: WrittenVariant, text: str) -> WrittenVariant:
    if not 1 <= variant.position < 1 << 31:
        raise _not_understood(text, "Its position is outside of every chromosome.")
    if len(variant.ref) + len(variant.alt) > _MOST_BASES:
        raise _not_understood(text, f"It is longer than {_MOST_BASES:,} bases.")
    return variant


def _not_understood(text: str, why: str) -> VarloomError:
    return VarloomError(VARIANT_NOT_UNDERSTOOD, f"{safe_excerpt(text, 80)!r} is not understood. {why}")
