"""One name for each chromosome: files, and the publishers of reference data, call them differently.

The bare name is `1` to `22`, `X`, `Y` or `MT`. Sources of the accessions: the assembly reports of GRCh37.p13 and
GRCh38.p14, columns `RefSeq-Accn` and `GenBank-Accn`, primary assembly and mitochondrion.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.genomics.assemblies import Assembly

CHROMOSOMES = (*map(str, range(1, 23)), "X", "Y", "MT")
"""The bare names, in the order of the karyotype."""

MITOCHONDRION_LENGTH = 16569
"""Bases of the mitochondrion of both assemblies (rCRS); the `chrM` of UCSC's hg19 is another one, of 16,571 bases."""

_REFSEQ_VERSIONS_OF_GRCH37 = (10, 11, 11, 11, 9, 11, 13, 10, 11, 10, 9, 11, 10, 8, 9, 9, 10, 9, 9, 10, 8, 10, 10, 9)
"""Of NC_000001 to NC_000024, which are 1 to 22, X and Y; GRCh38 has the version after each."""
_FIRST_GENBANK = 663
"""CM000663 is chromosome 1; the others follow in order, with version 1 in GRCh37 and 2 in GRCh38."""
_PLAIN = re.compile(r"(?:chr)?([1-9]|1[0-9]|2[0-2]|X|Y|MT?)", re.IGNORECASE)


class Accession(NamedTuple):
    """What an accession of a sequence archive names: a chromosome, and its assembly (None where both have it)."""

    chromosome: str
    assembly: Assembly | None


def _accessions() -> Mapping[str, Accession]:
    known = {"NC_012920.1": Accession("MT", None), "J01415.2": Accession("MT", None)}
    for number, version in enumerate(_REFSEQ_VERSIONS_OF_GRCH37, 1):
        name = CHROMOSOMES[number - 1]
        genbank = f"CM{_FIRST_GENBANK + number - 1:06}"
        known[f"NC_{number:06}.{version}"] = known[f"{genbank}.1"] = Accession(name, "GRCh37")
        known[f"NC_{number:06}.{version + 1}"] = known[f"{genbank}.2"] = Accession(name, "GRCh38")
    return known


ACCESSIONS = _accessions()
"""What the accessions of RefSeq and GenBank name, with their version."""


@lru_cache(maxsize=4096)
def bare_name(contig: str, assembly: Assembly | None = None) -> str:
    """The bare name of a chromosome, however it is called; any other contig keeps its name.

    Args:
        contig: `chr1`, `1`, `NC_000001.11` or `CM000663.2`; `chrM`, `M`, `MT` or `NC_012920.1`.
        assembly: that it has to belong to: an accession of the other assembly keeps its name, too.
    """
    plain = _PLAIN.fullmatch(contig)
    if plain is not None:
        name = plain[1].upper()
        return "MT" if name == "M" else name
    accession = ACCESSIONS.get(contig)
    if accession is None or (assembly and accession.assembly and accession.assembly != assembly):
        return contig
    return accession.chromosome


def contig_order(bare: str) -> tuple[int, str]:
    """What sorts bare names: chromosomes in the order of the karyotype, then the other contigs by name."""
    return (_RANKS.get(bare, len(CHROMOSOMES)), bare)


_RANKS = {name: rank for rank, name in enumerate(CHROMOSOMES)}
