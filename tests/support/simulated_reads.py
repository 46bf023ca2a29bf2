"""Simulated sequencing: a genome, a person's two copies of it with known variants, and pairs of reads of both."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

COMPLEMENT = str.maketrans("ACGT", "TGCA")


class Variant(NamedTuple):
    """REF and ALT at a 1-based position; `copies` says which of the two copies (0, 1) carry it."""

    contig: str
    position: int
    ref: str
    alt: str
    copies: tuple[int, ...]


def genome(lengths: dict[str, int], seed: int) -> dict[str, str]:
    chance = random.Random(seed)
    return {name: "".join(chance.choices("ACGT", k=length)) for name, length in lengths.items()}


def write_fasta(path: Path, contigs: dict[str, str]) -> Path:
    import pysam

    lines = (
        f">{name}\n" + "".join(f"{bases[at : at + 60]}\n" for at in range(0, len(bases), 60))
        for name, bases in contigs.items()
    )
    path.write_text("".join(lines))
    pysam.samtools.faidx(str(path))
    return path


def snp(contigs: dict[str, str], contig: str, position: int, copies: tuple[int, ...]) -> Variant:
    ref = contigs[contig][position - 1]
    return Variant(contig, position, ref, "ACGT"[("ACGT".index(ref) + 1) % 4], copies)


def copies_of(contigs: dict[str, str], variants: list[Variant]) -> list[dict[str, str]]:
    """The two copies of the genome that a person has."""
    found = []
    for copy in (0, 1):
        changed = dict(contigs)
        for one in sorted(variants, key=lambda variant: variant.position, reverse=True):
            if copy in one.copies:
                bases, start = changed[one.contig], one.position - 1
                assert bases[start : start + len(one.ref)] == one.ref
                changed[one.contig] = bases[:start] + one.alt + bases[start + len(one.ref) :]
        found.append(changed)
    return found


def pairs(copies: list[dict[str, str]], spans: list[tuple[str, int, int]], depth: float, seed: int, length: int = 100):
    """Pairs of reads of both copies over spans (contig, first, last), as (name, first mate, second mate)."""
    chance = random.Random(seed)
    number = 0
    for contig, first, last in spans:
        for copy in copies:
            bases = copy[contig]
            for _ in range(int(depth / 2 * (last - first) / (2 * length))):
                insert = max(length, int(chance.gauss(300, 30)))
                start = chance.randrange(max(0, first - length), max(1, min(last, len(bases) - insert)))
                fragment = bases[start : start + insert]
                if len(fragment) < length:
                    continue
                mates = [
                    spoiled(fragment[:length], chance),
                    spoiled(fragment[-length:].translate(COMPLEMENT)[::-1], chance),
                ]
                if chance.random() < 0.5:
                    mates.reverse()
                number += 1
                yield f"A00:1:FLOW:{1 + number % 2}:1101:{number}:7", mates[0], mates[1]


def spoiled(bases: str, chance: random.Random) -> str:
    """With the errors of a sequencer: one base in 500."""
    return "".join(chance.choice("ACGT") if chance.random() < 0.002 else base for base in bases)


def write_pairs(folder: Path, name: str, reads) -> tuple[Path, Path]:
    """Two FASTQ files, named as Illumina's programs do."""
    paths = tuple(folder / f"{name}_R{mate}_001.fastq.gz" for mate in (1, 2))
    with gzip.open(paths[0], "wt", 1) as first, gzip.open(paths[1], "wt", 1) as second:
        for title, one, other in reads:
            first.write(f"@{title} 1:N:0:A\n{one}\n+\n{'F' * len(one)}\n")
            second.write(f"@{title} 2:N:0:A\n{other}\n+\n{'F' * len(other)}\n")
    return paths
