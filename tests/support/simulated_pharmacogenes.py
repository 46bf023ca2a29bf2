"""A person with known diplotypes, sequenced by simulation over a genome that is small: pharmacogenes moved together.

Alleles, REF and ALT are the published ones. The bases between positions are made up, and gaps of more than 400 bases
are closed, in the definitions as in the genome.
"""

from __future__ import annotations

import json
import random
import shutil
from typing import TYPE_CHECKING, NamedTuple

from tests.shared_data import SHARED
from tests.support import simulated_reads as simulated

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.storage import Storage

PGX = SHARED / "data" / "pgx"
DIPLOTYPES = {
    "CYP2C19": ("*2", "*17"),
    "CYP2C9": ("*1", "*3"),
    "CYP3A5": ("*1", "*3"),
    "NUDT15": ("*1", "*3"),
    "UGT1A1": ("*1", "*80+*28"),
    "VKORC1": ("rs9923231 variant (T)", "rs9923231 variant (T)"),
}
UNCOVERED = 94942290
"""rs1799853 of CYP2C9 (*2): no read reaches it or what is near it."""
THIN = "CYP3A5"
"""Its reads are few: what they show is no genotype."""
_REPEAT = {233760233: "ATATATATATATGG"}
"""What follows the TA repeat of UGT1A1: the repeat goes on, so that an insertion can be placed anywhere in it."""
_APART, _AROUND = 400, 500


class Person(NamedTuple):
    """What is installed, and the reads."""

    fasta: Path
    definition: Path
    reads: tuple[Path, Path]


def sequenced(folder: Path) -> Person:
    chance = random.Random(7)
    genes = {gene: json.loads((PGX / "definition" / f"{gene}_translation.json").read_text()) for gene in DIPLOTYPES}
    contigs, moved = moved_together(genes, chance)
    variants = [one for gene, found in genes.items() for one in carried(found, DIPLOTYPES[gene], moved)]
    copies = simulated.copies_of(contigs, variants)
    thin = genes[THIN]["chromosome"]
    gap = moved["chr10", UNCOVERED]
    spans = [(name, 0, len(bases)) for name, bases in contigs.items() if name not in {thin, "chr10"}]
    spans += [("chr10", 0, gap - _AROUND - 400), ("chr10", gap + _AROUND, len(contigs["chr10"]))]
    reads = [*simulated.pairs(copies, spans, depth=50, seed=3)]
    few = simulated.pairs(copies, [(thin, 0, len(contigs[thin]))], depth=4, seed=4)
    reads += [(f"{name}few", first, second) for name, first, second in few]
    return Person(
        simulated.write_fasta(folder / "genes.fa", contigs),
        write_definitions(folder / "definition", genes, moved),
        simulated.write_pairs(folder, "P1", reads),
    )


def install_releases(storage: Storage, person: Person) -> None:
    """The genome, the definitions on it, and CPIC's tables."""
    library = ReferenceLibrary(storage)
    for key, published in (
        (ReleaseKey("fasta", "genes", "GRCh38", "1"), Published(person.fasta, excerpt=True)),
        (ReleaseKey("pgx", "pharmcat", "GRCh38", "1"), Published(person.definition)),
        (ReleaseKey("pgx", "cpic", "GRCh38", "1"), Published(PGX / "cpic")),
    ):
        install(library, key, published, lambda *_: None)


def moved_together(genes, chance):
    """The contigs, and the place of each published (contig, position) on them."""
    loci = sorted(
        {(one["chromosome"], one["position"], one["ref"]) for gene in genes.values() for one in gene["variants"]}
    )
    moved, lengths, before = {}, {}, {}
    for contig, position, _ in loci:
        gap = min(_APART, position - before[contig]) if contig in before else 0
        place = moved[contig, position] = lengths.get(contig, _AROUND) + gap
        before[contig], lengths[contig] = position, place
    contigs = {name: chance.choices("ACGT", k=length + 2 * _AROUND) for name, length in lengths.items()}
    for contig, position, ref in loci:
        bases = ref + _REPEAT.get(position, "")
        start = moved[contig, position] - 1
        contigs[contig][start : start + len(bases)] = bases
    return {name: "".join(bases) for name, bases in contigs.items()}, moved


def carried(gene, diplotype, moved):
    """The variants of both alleles on the small genome."""
    alleles = {one["name"]: one["alleles"] for one in gene["namedAlleles"]}
    for number, place in enumerate(gene["variants"]):
        by_bases = {}
        for copy, name in enumerate(diplotype):
            cell = alleles[name][number] or place["ref"]
            by_bases.setdefault(cell, []).append(copy)
        for bases, copies in by_bases.items():
            if bases != place["ref"] and bases in place["alts"]:
                position = moved[place["chromosome"], place["position"]]
                yield simulated.Variant(place["chromosome"], position, place["ref"], bases, tuple(copies))


def write_definitions(folder, genes, moved):
    for name in (folder, folder.with_name("phenotype")):
        name.mkdir()
    exemptions = json.loads((PGX / "definition" / "exemptions.json").read_text())
    for gene, found in genes.items():
        contig = found["chromosome"]
        for one in found["variants"]:
            one["position"] = moved[contig, one["position"]]
        (folder / f"{gene}_translation.json").write_text(json.dumps(found))
        meaning = PGX / "phenotype" / f"{gene}.json"
        if meaning.exists():  # else CPIC's tables have it
            shutil.copy(meaning, folder.with_name("phenotype"))
        rules = exemptions.get(gene, {})
        rules["amp1Positions"] = [
            moved[contig, one] for one in rules.get("amp1Positions", ()) if (contig, one) in moved
        ]
        rules["extraPositions"] = []
    kept = {gene: exemptions[gene] for gene in genes if gene in exemptions}
    (folder / "exemptions.json").write_text(json.dumps(kept))
    return folder
