"""What must hold of definitions of alleles, whoever published them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.annotation.refs.genome import Genome
from varloom.annotation.refs.problems import REFERENCE_WRONG_ASSEMBLY
from varloom.annotation.refs.published_text import malformed
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from varloom.annotation.refs.pgx_content import GeneDefinition

_BASES = re.compile(r"[ACGT]+")
_GENE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_CONTIG = re.compile(r"[A-Za-z0-9_.]{1,40}")
_MOST_OF_NAME, _LAST_POSITION = 200, 300_000_000
_CELL = re.compile(r"[ACGT]+|[RYSWKMBDHVN]")


def check_gene(gene: GeneDefinition, path: Path) -> None:
    """See that a definition can be matched.

    Raises:
        VarloomError: `reference_malformed`.
    """
    if fault := _fault_of_names(gene) or _fault_of_alleles(gene) or _fault_of_bases(gene):
        raise malformed(path, f"{safe_excerpt(str(gene.gene), 40)}: {fault}")


def _fault_of_names(gene: GeneDefinition) -> str | None:
    """Of what is shown, counted or looked up: a published file can hold anything at all in its place."""
    symbol: object = gene.gene
    if not isinstance(symbol, str) or not _GENE.fullmatch(symbol):
        return "It is no symbol of a gene."
    names: list[object] = [*(allele.name for allele in gene.alleles), *gene.core_of.keys(), *gene.core_of.values()]
    names += [locus.rsid for locus in (*gene.loci, *gene.extra) if locus.rsid is not None]
    if not all(isinstance(name, str) and name.isprintable() and 0 < len(name) <= _MOST_OF_NAME for name in names):
        return f"A name is none, or has more than {_MOST_OF_NAME} characters."
    for locus in (*gene.loci, *gene.extra):
        if not _CONTIG.fullmatch(locus.contig) or not 1 <= locus.position <= _LAST_POSITION:
            return f"No contig has a position {safe_excerpt(f'{locus.contig}:{locus.position}', 40)}."
    return None


def _fault_of_alleles(gene: GeneDefinition) -> str | None:
    references = [allele for allele in gene.alleles if allele.is_reference]
    if len(references) != 1:
        return f"{len(references)} alleles are the reference, and exactly one has to be."
    if len(references[0].cells) != len(gene.loci):
        return "The reference allele does not define every position."
    if len({(locus.contig, locus.position) for locus in gene.loci}) != len(gene.loci):
        return "A position is listed twice."
    if len({allele.name for allele in gene.alleles}) != len(gene.alleles):
        return "Two alleles have one name."
    return None


def _fault_of_bases(gene: GeneDefinition) -> str | None:
    for locus in gene.loci:
        if not locus.alts or not all(map(_BASES.fullmatch, (locus.ref, *locus.alts))):
            return f"The alleles at {locus.position} are not bases."
    for allele in gene.alleles:
        for index, cell in allele.cells.items():
            if not 0 <= index < len(gene.loci):
                return f"{safe_excerpt(allele.name, 60)} has more bases than there are positions."
            if not _CELL.fullmatch(cell):
                return f"{safe_excerpt(allele.name, 60)} has {safe_excerpt(cell, 20)!r} for bases."
            if len(cell) > 1 and cell not in (gene.loci[index].ref, *gene.loci[index].alts):
                return f"{safe_excerpt(allele.name, 60)} has bases that its position does not list."
    return None


def check_against_genome(genes: Iterable[GeneDefinition], genome: Path | None) -> tuple[str, ...]:
    """Compare the reference bases of all positions with the installed genome; what was found, in sentences.

    Raises:
        VarloomError: `reference_wrong_assembly`: a base differs.
    """
    if genome is None:
        return ("No reference genome is installed: the reference bases of the positions were not compared with it.",)
    compared = 0
    with Genome(genome) as reference:
        for gene in genes:
            for locus in gene.loci:
                bases = reference.bases(locus.contig, locus.position, len(locus.ref))
                if len(bases) < len(locus.ref):
                    continue  # an excerpt of a genome
                if bases != locus.ref:
                    message = f"{gene.gene}: {locus.named} has {locus.ref}, and the installed genome has {bases}."
                    raise VarloomError(REFERENCE_WRONG_ASSEMBLY, message)
                compared += 1
    if not compared:
        return ("The installed genome has none of the positions: their reference bases were not compared with it.",)
    return (f"The reference bases of {compared:,} positions are those of the installed genome.",)
