"""Which variants of a batch can be answered, and why others cannot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.model import SetAside
from varloom.annotation.sources.consequence.coding_names import Change, trimmed
from varloom.errors import counted, safe_excerpt
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    import pyarrow as pa

    from varloom.annotation.sources.consequence.genome import Genome
    from varloom.genomics.assemblies import Assembly

_BASES = re.compile(r"[ACGTNacgtn]+")
_SHOWN = 40


class Site(NamedTuple):
    """A variant that can be answered.

    Attributes:
        row: of the batch, from 0.
        contig: its bare name.
        position: 1-based, as the file has it.
        ref: as the file has it.
        alt: as the file has it.
        change: without the bases that both alleles share.
    """

    row: int
    contig: str
    position: int
    ref: str
    alt: str
    change: Change


class Sites(NamedTuple):
    """A batch, sorted out; rows that are in neither have no sequence as ALT, and are missing without a word.

    Attributes:
        answerable: sorted by contig and position.
        set_aside: with reasons.
    """

    answerable: list[Site]
    set_aside: list[SetAside]


def sites_of(variants: pa.RecordBatch, assembly: Assembly, genome: Genome) -> Sites:
    """Sort out a batch by what its alleles are, and by whether they are of this reference."""
    found = Sites([], [])
    names = ("rowno", "contig", "position", "ref", "alt")
    columns = [variants.column(variants.schema.get_field_index(name)).to_pylist() for name in names]
    for row, (rowno, contig, position, ref, alt) in enumerate(zip(*columns, strict=True)):
        if alt is None or not alt[0].isalpha() or "[" in alt or "]" in alt:
            continue  # none, symbolic, `*`, a breakend
        bare = bare_name(contig, assembly)
        reason = _unanswerable(bare, position, ref, alt, genome)
        if reason is None:
            found.answerable.append(Site(row, bare, position, ref, alt, trimmed(position, ref, alt)))
        else:
            found.set_aside.append(SetAside(rowno, reason))
    found.answerable.sort(key=_place)
    return found


def _place(site: Site) -> tuple[str, int]:
    return site.contig, site.position


def _unanswerable(contig: str, position: int, ref: str, alt: str, genome: Genome) -> str | None:
    """Why a variant cannot be answered; None if it can."""
    length = genome.length(contig)
    if length is None:
        return f"The reference has no contig {safe_excerpt(contig, _SHOWN)}."
    if not _BASES.fullmatch(ref) or not _BASES.fullmatch(alt):
        return f"An allele has other letters than A, C, G, T and N: {_shown(ref)} to {_shown(alt)}."
    if ref.upper() == alt.upper():
        return f"REF and ALT are the same: {_shown(ref)}."
    if position < 1 or position + len(ref) - 1 > length:
        return f"The position {position:,} is outside {safe_excerpt(contig, _SHOWN)}, which has {counted(length, 'base')}."
    held = genome.bases(contig, position - 1, position - 1 + len(ref))
    if held != ref and held != ref.upper():
        where = f"{safe_excerpt(contig, _SHOWN)}:{position:,}"
        return f"REF is {_shown(ref)}, but the reference has {_shown(held)} at {where}. Is it of another assembly?"
    return None


def _shown(bases: str) -> str:
    return safe_excerpt(bases, _SHOWN)
