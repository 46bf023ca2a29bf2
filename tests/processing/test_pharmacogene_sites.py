"""Genotypes at the positions of pharmacogenes, from simulated reads: those that differ, and those of the reference.

The positions, REF and ALT are the published ones; the bases between them are made up, and gaps of more than 400 bases
between positions are closed, so that the genome is small. A contig is a gene.
"""

import random

import pytest
from tests.processing.conftest import analyse, rows
from tests.shared_data import SHARED, needs
from tests.support import simulated_reads as simulated

POSITIONS = SHARED / "data" / "pgx" / "pharmcat_positions.vcf"
GENES = ("CYP2C19", "NUDT15", "VKORC1", "TPMT", "UGT1A1")
APART = 400


def published():
    """By gene (position, REF, first ALT) in order."""
    found = {}
    for line in POSITIONS.read_text().splitlines():
        if line.startswith("#"):
            continue
        columns = line.split("\t")
        gene = columns[7].partition("PX=")[2].split(";")[0]
        if gene in GENES and set(columns[4]) <= set("ACGT,"):
            found.setdefault(gene, []).append((int(columns[1]), columns[3], columns[4].split(",")[0]))
    return found


def moved_together(sites, chance):
    """A contig with the sites on it, and the sites as they are there."""
    bases, placed, before = "".join(chance.choices("ACGT", k=APART)), [], None
    for position, ref, alt in sorted(sites):
        gap = APART if before is None else min(APART, position - before)
        if gap < 0:  # within the one before it
            continue
        bases += "".join(chance.choices("ACGT", k=gap))
        if len(ref) != len(alt) and bases[-1] == max(ref, alt, key=len)[-1]:  # it could be moved to the left
            bases = bases[:-1] + "ACGT"[("ACGT".index(bases[-1]) + 1) % 4]
        placed.append((len(bases) + 1, ref, alt))
        bases += ref
        before = position + len(ref)
    return bases + "".join(chance.choices("ACGT", k=APART)), placed


def trimmed(position, ref, alt):
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    return position, ref, alt


@pytest.fixture(scope="module")
def genes():
    chance = random.Random(5)
    return {gene: moved_together(sites, chance) for gene, sites in published().items()}


@needs(POSITIONS)
def test_genotypes_at_published_positions_are_those_that_were_simulated(genes, tmp_path):
    contigs = {gene: bases for gene, (bases, _) in genes.items()}
    variants, last = [], {}
    for gene, (_, sites) in genes.items():
        for number, (position, ref, alt) in enumerate(sites):
            if number % 3 and position - last.get(gene, 0) > 60:  # every third, and those close to another, stay
                variants.append(simulated.Variant(gene, position, ref, alt, ((0,), (0, 1))[number % 2]))
                last[gene] = position + len(ref)
    listed = tmp_path / "sites.vcf"
    lines = [
        f"{gene}\t{at}\t.\t{ref}\t{alt}\t.\t.\t.\n" for gene, (_, sites) in genes.items() for at, ref, alt in sites
    ]
    listed.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + "".join(lines))
    spans = [(gene, 0, len(bases)) for gene, bases in contigs.items()]
    reads = simulated.pairs(simulated.copies_of(contigs, variants), spans, depth=40, seed=9)
    files = simulated.write_pairs(tmp_path, "P2", reads)
    made = analyse(files, simulated.write_fasta(tmp_path / "genes.fa", contigs), tmp_path, sites=listed)
    found = rows(made.genotyped)
    told = {
        (gene, *trimmed(position, ref, alt)): genotype
        for gene, position, ref, alt, genotype in found
        if "1" in genotype
    }
    assert told == {
        (one.contig, *trimmed(one.position, one.ref, one.alt)): "1/1" if len(one.copies) == 2 else "0/1"
        for one in variants
    }
    changed = {(one.contig, one.position) for one in variants}
    others = {(gene, at) for gene, (_, sites) in genes.items() for at, _, _ in sites} - changed
    assert len(changed) > 30
    assert {
        (gene, position): genotype for gene, position, _, _, genotype in found if "1" not in genotype
    } == dict.fromkeys(others, "0/0")
