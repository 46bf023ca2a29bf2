"""What a BAM or CRAM that was uploaded is: aligned to what, how sorted, and whether it can be used."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.contigs import bare_name
from varloom.genomics.recognition import SourceFormat, recognise
from varloom.processing.problems import (
    ALIGNMENT_MALFORMED,
    ALIGNMENT_OTHER_REFERENCE,
    PROGRAM_FAILED,
    READS_EMPTY,
    READS_NOT_READS,
    READS_NOT_TOGETHER,
)
from varloom.processing.tool_process import forbid_fetched_references

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from varloom.processing.model import ReadsFile, Reference

_LOOKED_AT = 2000
"""So many first reads tell whether reads have read groups and duplicates are marked."""
_MARKERS = ("markdup", "markduplicates", "samblaster", "fq2bam", "duplicatemarking")
"""In the names and commands of programs; sambamba also sorts, and tells `markdup` where it has marked."""
_UNMARKED = ("--no-markdup", "duplicate-marking false", "duplicate-marking=false")
"""In the commands of programs that mark unless they are told not to."""


class AlignmentFacts(NamedTuple):
    """What the header and the first reads of an alignment tell.

    Attributes:
        is_aligned: whether it has contigs; else its reads are to be aligned.
        is_sorted: by position, as its header says and its first reads show.
        is_marked: whether a program that marks duplicates has run.
        groups: its read groups, as the header has them.
        has_groups: whether the first reads name one.
        is_cram: whether it is a CRAM.
        renamed: the header with the contigs under the reference's names, in SAM; None where they have them.
    """

    is_aligned: bool
    is_sorted: bool
    is_marked: bool
    groups: tuple[dict[str, str], ...]
    has_groups: bool
    is_cram: bool
    renamed: str | None


def inspect(file: ReadsFile, reference: Reference) -> AlignmentFacts:
    """Read the header and the first reads, and hold the contigs against the reference.

    Raises:
        VarloomError: `reads_not_reads`, `reads_empty`, `alignment_malformed`, `alignment_other_reference`.
    """
    import pysam

    forbid_fetched_references()
    name = safe_excerpt(file.name, 80)
    found = recognise(file.path, file.name).format
    if found not in {SourceFormat.BAM, SourceFormat.CRAM}:
        if found is SourceFormat.EMPTY and file.path.stat().st_size:
            raise VarloomError(ALIGNMENT_MALFORMED, f"{name} is damaged at its beginning.")
        kind = READS_EMPTY if found is SourceFormat.EMPTY else READS_NOT_READS
        raise VarloomError(kind, f"{name} is neither BAM nor CRAM: its content is {found.value.upper()}.")
    try:
        with pysam.AlignmentFile(
            str(file.path),
            "rc" if found is SourceFormat.CRAM else "rb",
            check_sq=False,
            reference_filename=str(reference.fasta),
        ) as alignment:
            header = alignment.header.to_dict()
            renames = _hold_to(reference, header["SQ"], name) if header.get("SQ") else {}
            renamed = _renamed(str(alignment.header), renames) if renames else None
            first = [record for _, record in zip(range(_LOOKED_AT), alignment.fetch(until_eof=True), strict=False)]
            alignment.check_truncation()
    except (OSError, ValueError) as error:
        raise VarloomError(ALIGNMENT_MALFORMED, f"{name} is cut short or damaged.") from error
    if not first:
        raise VarloomError(READS_EMPTY, f"{name} holds no read.")
    samples = sorted({str(group["SM"]) for group in header.get("RG", ()) if group.get("SM")})
    if len(samples) > 1:
        named = ", ".join(safe_excerpt(one, 40) for one in samples[:3])
        raise VarloomError(READS_NOT_TOGETHER, f"{name} holds the reads of {len(samples):,} samples: {named}.")
    if renamed is not None and found is SourceFormat.CRAM:
        message = f"{name} calls the contigs otherwise than the reference does; as BAM it can be used."
        raise VarloomError(ALIGNMENT_OTHER_REFERENCE, message)
    return AlignmentFacts(
        is_aligned=bool(header.get("SQ")) and not all(record.is_unmapped for record in first),
        is_sorted=header.get("HD", {}).get("SO") == "coordinate" and _are_in_order(first),
        is_marked=_is_marked(header, first),
        groups=tuple(header.get("RG", ())),
        has_groups=all(record.has_tag("RG") for record in first),
        is_cram=found is SourceFormat.CRAM,
        renamed=renamed,
    )


def _are_in_order(first: list[Any]) -> bool:
    """Whether reads come by contig and position, those without one last: not every header tells the truth."""
    places = [(record.reference_id & 0xFFFFFFFF, record.reference_start) for record in first]
    return places == sorted(places)


def _is_marked(header: Mapping[str, Any], first: list[Any]) -> bool:
    told = [" ".join(str(one.get(key, "")) for key in ("ID", "PN", "CL")).lower() for one in header.get("PG", ())]
    ran = any(any(word in text for word in _MARKERS) for text in told if not any(word in text for word in _UNMARKED))
    return ran or any(record.is_duplicate for record in first)


_DAMAGE = re.compile(
    r"truncat|CRC|corrupt|decod|bgzf|invalid|error reading|failed to read|failed to create index", re.IGNORECASE
)


@contextlib.contextmanager
def damage_told(file: ReadsFile) -> Iterator[None]:
    """Tell what a program says of a damaged alignment as what it is: no retry can change it."""
    try:
        yield
    except VarloomError as error:
        if error.kind is PROGRAM_FAILED and _DAMAGE.search(error.message):
            message = f"{safe_excerpt(file.name, 80)} is damaged: {error.message}"
            raise VarloomError(ALIGNMENT_MALFORMED, message) from error
        raise


def contigs_of(fasta: Path) -> dict[str, int]:
    """The contigs of a FASTA with their lengths, from its `.fai`."""
    lines = fasta.with_name(fasta.name + ".fai").read_text(encoding="utf-8").splitlines()
    return {name: int(length) for name, length, *_ in (line.split("\t") for line in lines)}


def _hold_to(reference: Reference, listed: list[dict[str, Any]], name: str) -> dict[str, str]:
    """Hold contigs against those of the reference: names, lengths, and the sequence where its MD5 is told.

    Names may differ as `chr1` and `1` do.

    Returns:
        What the reference calls those that it calls otherwise.
    """
    there = contigs_of(reference.fasta)
    by_bare = {bare_name(contig): contig for contig in there}
    label = f"{reference.release} ({reference.assembly})"
    renames = {}
    for contig, length in ((str(one["SN"]), int(one["LN"])) for one in listed):
        known = contig if contig in there else by_bare.get(bare_name(contig))
        if known is None:
            message = f"{name} is aligned to a contig {safe_excerpt(contig, 40)}, which {label} does not have."
            raise VarloomError(ALIGNMENT_OTHER_REFERENCE, message)
        if there[known] != length:
            message = f"Contig {contig} has {length:,} bases in {name}, and {there[known]:,} in {label}."
            raise VarloomError(ALIGNMENT_OTHER_REFERENCE, message)
        if known != contig:
            renames[contig] = known
    _hold_checksum(reference, [{**one, "SN": renames.get(one["SN"], one["SN"])} for one in listed], name, label)
    return renames


def _renamed(header: str, renames: Mapping[str, str]) -> str:
    """A header in SAM with other names of contigs."""
    lines = []
    for line in header.splitlines():
        fields = line.split("\t")
        if fields[0] == "@SQ":
            fields = [f"SN:{renames.get(one[3:], one[3:])}" if one.startswith("SN:") else one for one in fields]
        lines.append("\t".join(fields))
    return "\n".join(lines) + "\n"


def _hold_checksum(reference: Reference, listed: list[dict[str, Any]], name: str, label: str) -> None:
    """Compare the MD5 of the shortest contig that has one: another sequence of the same lengths differs everywhere."""
    import hashlib

    import pysam

    having = [contig for contig in listed if contig.get("M5")]
    if not having:
        return
    with pysam.FastaFile(str(reference.fasta)) as fasta:
        for contig in sorted(having, key=lambda contig: int(contig["LN"]))[:3]:
            bases = fasta.fetch(contig["SN"]).upper().encode()
            if hashlib.md5(bases, usedforsecurity=False).hexdigest() != str(contig["M5"]).lower():
                message = f"The bases of contig {contig['SN']} in the reference of {name} differ from those in {label}."
                raise VarloomError(ALIGNMENT_OTHER_REFERENCE, message)
