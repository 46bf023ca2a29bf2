"""A made genome with genes about as dense as those of a human, and variants on it; the same each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pysam

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

CONTIGS = ("1", "2", "X")
_STRIDE = 125_000
"""Bases from one gene to the next: a human has a gene, of any kind, every 50,000 or 100,000 bases."""
_TRANSCRIPTS = 6
_EXONS = 10
_CODONS = 50
"""In each exon, so that leaving exons out keeps the frame."""
_UNTRANSLATED = 600
_BASES = np.frombuffer(b"ACGT", np.uint8)
_STOPS = (b"TAA", b"TAG", b"TGA")


class Made(NamedTuple):
    """The files."""

    fasta: Path
    gff: Path
    vcf: Path


def make(folder: Path, bases: int, variants: int) -> Made:
    """Write genome, genes and variants, once. `bases` and `variants` are in all."""
    made = Made(folder / "genome.fa.gz", folder / "genes.gff3", folder / "variants.vcf")
    if all(path.exists() for path in made):
        return made
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    genome = {name: _BASES[random.integers(0, 4, bases // len(CONTIGS))] for name in CONTIGS}
    with made.gff.open("w") as gff:
        gff.write("##gff-version 3\n")
        for name, sequence in genome.items():
            for number, start in enumerate(range(20_000, len(sequence) - _STRIDE, _STRIDE)):
                gff.writelines(gene(random, name, number, start, sequence))
    _write_fasta(made.fasta, genome)
    _write_variants(made.vcf, genome, variants // len(CONTIGS), random)
    return made


def gene(random: Generator, contig: str, number: int, start: int, sequence: NDArray[np.uint8] | None) -> list[str]:
    """A coding gene of both strands in turn; every third one codes nothing. Its codons go into the sequence, if any."""
    strand, coding = "+-"[number % 2], number % 3 != 0
    gene = f"G{contig}N{number}"
    size = _CODONS * 3
    begins = [start + int(place) for place in np.cumsum(random.integers(1_500, 8_000, _EXONS))]
    parts = [(begin, begin + size - 1) for begin in begins]
    if coding and sequence is not None:
        _write_codons(random, parts, strand, sequence)
    first, last = parts[0][0] - _UNTRANSLATED, parts[-1][1] + _UNTRANSLATED
    kind = "protein_coding" if coding else "lncRNA"
    head = f"{contig}\tmade\t"
    lines = [f"{head}gene\t{first}\t{last}\t.\t{strand}\t.\tID=gene:{gene};Name={gene};biotype={kind}\n"]
    for copy in range(_TRANSCRIPTS if coding else 3):
        kept = [
            part for index, part in enumerate(parts) if copy == 0 or index in {0, _EXONS - 1} or random.random() > 0.3
        ]
        lines += _transcript((head, strand, gene, kind), copy, kept)
    return lines


def _transcript(whose: tuple[str, str, str, str], copy: int, parts: list[tuple[int, int]]) -> list[str]:
    """The lines of a copy with some of its gene's exons; `whose`: first columns, strand, id and biotype of the gene."""
    head, strand, gene, kind = whose
    name = f"{gene}T{copy}"
    first, last = parts[0][0] - _UNTRANSLATED, parts[-1][1] + _UNTRANSLATED
    tag = ";tag=basic,Ensembl_canonical,MANE_Select" if copy == 0 else ""
    said = f"ID=transcript:{name};Parent=gene:{gene};biotype={kind};transcript_id={name};version=1{tag}"
    lines = [f"{head}transcript\t{first}\t{last}\t.\t{strand}\t.\t{said}\n"]
    ends = [
        (first if index == 0 else begin, last if index == len(parts) - 1 else end)
        for index, (begin, end) in enumerate(parts)
    ]
    lines += [f"{head}exon\t{begin}\t{end}\t.\t{strand}\t.\tParent=transcript:{name}\n" for begin, end in ends]
    if kind == "protein_coding":
        before, after = ("five_prime_UTR", "three_prime_UTR")[:: 1 if strand == "+" else -1]
        lines.append(f"{head}{before}\t{first}\t{parts[0][0] - 1}\t.\t{strand}\t.\tParent=transcript:{name}\n")
        lines += [
            f"{head}CDS\t{begin}\t{end}\t.\t{strand}\t0\tID=CDS:P{name};Parent=transcript:{name}\n"
            for begin, end in parts
        ]
        lines.append(f"{head}{after}\t{parts[-1][1] + 1}\t{last}\t.\t{strand}\t.\tParent=transcript:{name}\n")
    return lines


def _write_codons(random: Generator, parts: list[tuple[int, int]], strand: str, sequence: NDArray[np.uint8]) -> None:
    """Put codons that are no stops into the coding parts, a start into the first and a stop into the last."""
    length = len(parts) * _CODONS
    codons = _BASES[random.integers(0, 4, (length, 3))]
    stops = np.array([list(stop) for stop in _STOPS], np.uint8)
    bad = (codons[:, None, :] == stops[None]).all(axis=2).any(axis=1)
    codons[bad] = list(b"GCA")
    codons[0], codons[-1] = list(b"ATG"), list(b"TAA")
    coded = codons.reshape(-1)
    if strand == "-":
        complement = np.zeros(256, np.uint8)
        complement[list(b"ACGT")] = list(b"TGCA")
        coded = complement[coded][::-1]
    size = _CODONS * 3
    for index, (begin, end) in enumerate(parts):
        sequence[begin - 1 : end] = coded[index * size : (index + 1) * size]


def _write_fasta(path: Path, genome: dict[str, NDArray[np.uint8]]) -> None:
    with pysam.BGZFile(str(path), "wb") as out:
        for name, sequence in genome.items():
            text = sequence.tobytes()
            out.write(f">{name}\n".encode())
            for begin in range(0, len(text), 60_000):
                block = text[begin : begin + 60_000]
                out.write(b"".join(block[at : at + 60] + b"\n" for at in range(0, len(block), 60)))
    pysam.FastaFile(str(path)).close()  # writes the indexes


def _write_variants(path: Path, genome: dict[str, NDArray[np.uint8]], each: int, random: Generator) -> None:
    """One allele a record, sorted: of seven variants six are single bases, and one is an insertion or deletion."""
    with path.open("w") as out:
        out.write("##fileformat=VCFv4.3\n")
        out.writelines(f"##contig=<ID={name},length={len(sequence)}>\n" for name, sequence in genome.items())
        out.write("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for name, sequence in genome.items():
            places = np.unique(random.integers(1000, len(sequence) - 1000, each))
            kinds = random.integers(0, 14, len(places))
            sizes = random.integers(1, 11, len(places))
            for place, kind, size in zip(places.tolist(), kinds.tolist(), sizes.tolist(), strict=True):
                ref = sequence[place : place + 1].tobytes().decode()
                alt = "ACGT"[("ACGT".index(ref) + 1 + kind % 3) % 4]
                if kind == 12:
                    ref, alt = sequence[place : place + 1 + size].tobytes().decode(), ref
                elif kind == 13:
                    alt = ref + "ACGTTGCAACTG"[:size]
                out.write(f"{name}\t{place + 1}\t.\t{ref}\t{alt}\t.\t.\t.\n")
