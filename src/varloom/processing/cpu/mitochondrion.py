"""Genotypes of the mitochondrion: one allele where all molecules have it, two where they differ (heteroplasmy).

bcftools calls it as two copies. Called as one, an allele that less than half of the molecules have would not be told at
all. So what is homozygous becomes one allele, and what is heterozygous stays, with the reads of each allele in AD.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def as_one_copy(lines: Iterable[str], contig: str) -> Iterator[str]:
    """The lines of a VCF with one sample, those of the mitochondrion changed.

    Args:
        lines: each with its end.
        contig: the mitochondrion's name.
    """
    for line in lines:
        if line.startswith(f"{contig}\t"):
            yield _as_one_copy(line)
        else:
            yield line


def one_allele(genotype: str) -> str:
    """A genotype such as `1/1` as that of one copy; one of two different alleles, or unknown, as it is."""
    first, *others = genotype.replace("|", "/").split("/")
    return first if others and first.isdigit() and set(others) == {first} else genotype


def _as_one_copy(line: str) -> str:
    columns = line.rstrip("\n").split("\t")
    names, values = columns[8].split(":"), columns[9].split(":")
    cells = dict(zip(names, values, strict=False))
    one = one_allele(cells["GT"])
    if one == cells["GT"]:
        return line
    cells["GT"] = one
    if "PL" in cells:
        cells["PL"] = _of_homozygous(cells["PL"])
    columns[7] = ";".join(_halved(part) for part in columns[7].split(";"))
    columns[9] = ":".join(cells[name] for name in names if name in cells)
    return "\t".join(columns) + "\n"


def _of_homozygous(likelihoods: str) -> str:
    """Of those of all pairs of alleles, in the order of VCF, those of an allele with itself."""
    numbers = likelihoods.split(",")
    at, kept = 0, []
    while at < len(numbers):
        kept.append(numbers[at])
        at += len(kept) + 1
    return ",".join(kept)


def _halved(part: str) -> str:
    """AC and AN of one allele instead of two."""
    name, _, value = part.partition("=")
    if name not in {"AC", "AN"}:
        return part
    return f"{name}={','.join(str(int(number) // 2) for number in value.split(','))}"
