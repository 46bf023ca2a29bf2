"""The positions that tell PGx alleles apart, as a VCF: engines genotype them, so that reference sites are known."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from varloom.annotation.refs.pgx_content import load_content
from varloom.dataset.durable import disk_full_told
from varloom.genomics.contigs import bare_name, contig_order
from varloom.processing.alignment_file import contigs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.annotation.refs.pgx_content import Locus
    from varloom.processing.model import Reference

_HEADER = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def write_pgx_sites(
    library: ReferenceLibrary, keys: Sequence[ReleaseKey], reference: Reference, path: Path
) -> Path | None:
    """Write the positions of the definitions that the reference has; None where it has none of them.

    Raises:
        VarloomError: those of the library; `disk_full`.
    """
    if reference.assembly != "GRCh38":
        return None
    lengths = {bare_name(name): length for name, length in contigs_of(reference.fasta).items()}
    loci: dict[tuple[str, int], Locus] = {}
    for locus in _loci(library, keys):
        if locus.position + len(locus.ref) - 1 <= lengths.get(locus.contig, 0):
            held = loci.setdefault((locus.contig, locus.position), locus)
            if len(locus.ref) > len(held.ref):  # reads that show all of it show the shorter one, too
                loci[locus.contig, locus.position] = locus
    if not loci:
        return None
    rows = sorted(loci.values(), key=lambda locus: (contig_order(locus.contig), locus.position))
    with disk_full_told("the PGx positions"):
        path.write_text(_HEADER + "".join(map(_row, rows)), encoding="utf-8")
    return path


def _loci(library: ReferenceLibrary, keys: Sequence[ReleaseKey]) -> list[Locus]:
    found: list[Locus] = []
    with contextlib.ExitStack() as held:
        for key in keys:
            if key.kind != "pgx":
                continue  # the genome
            content = load_content(held.enter_context(library.borrow(key)).folder)
            for definition in content.genes.values():
                found += [*definition.loci, *definition.extra]
    return found


def _row(locus: Locus) -> str:
    alts = ",".join(locus.alts) or "."
    return f"{locus.contig}\t{locus.position}\t{locus.rsid or '.'}\t{locus.ref}\t{alts}\t.\t.\t.\n"
