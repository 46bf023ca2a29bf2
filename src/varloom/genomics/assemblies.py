"""Human assemblies, told apart by the lengths of their chromosomes.

Sources: the assembly reports of GRCh37.p13 and GRCh38.p14 (GCA_000001405.14 and .29), primary assembly. The
mitochondrion is left out: it has the same length in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from varloom.genomics.demonstration import is_demo_genome

if TYPE_CHECKING:
    from collections.abc import Mapping

Assembly = Literal["GRCh37", "GRCh38"]

LENGTHS: Mapping[str, tuple[int, int]] = {
    "1": (249250621, 248956422),
    "2": (243199373, 242193529),
    "3": (198022430, 198295559),
    "4": (191154276, 190214555),
    "5": (180915260, 181538259),
    "6": (171115067, 170805979),
    "7": (159138663, 159345973),
    "8": (146364022, 145138636),
    "9": (141213431, 138394717),
    "10": (135534747, 133797422),
    "11": (135006516, 135086622),
    "12": (133851895, 133275309),
    "13": (115169878, 114364328),
    "14": (107349540, 107043718),
    "15": (102531392, 101991189),
    "16": (90354753, 90338345),
    "17": (81195210, 83257441),
    "18": (78077248, 80373285),
    "19": (59128983, 58617616),
    "20": (63025520, 64444167),
    "21": (48129895, 46709983),
    "22": (51304566, 50818468),
    "X": (155270560, 156040895),
    "Y": (59373566, 57227415),
}
"""Bases of each chromosome in GRCh37 and in GRCh38."""

_NAME = re.compile(r"(?:chr)?(\d{1,2}|[XY])", re.IGNORECASE)
_REFERENCE = re.compile(r"##reference=(?P<plain>.*)|##contig=<.*?\bassembly=(?P<contig>[^,>]*)", re.IGNORECASE)
_WORDS: Mapping[Assembly, re.Pattern[str]] = {
    "GRCh37": re.compile(r"GRCh37|hg19|hs37|[^a-z]b37|v37", re.IGNORECASE),
    "GRCh38": re.compile(r"GRCh38|hg38|hs38|[^a-z]b38|v38", re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class AssemblyGuess:
    """Which assembly a file is of.

    Attributes:
        assembly: None when it is certainly neither.
        evidence: by what that is told, in words that end a sentence.
        is_demo: whether its contigs are those of the demonstration genome, which is called GRCh38 and is not it.
    """

    assembly: Assembly | None
    evidence: str
    is_demo: bool = False


def guess_assembly(contigs: Mapping[str, int | None], header: str) -> AssemblyGuess | None:
    """The assembly by the contigs that a VCF declares, else by what it calls its reference; None where nothing tells.

    Args:
        contigs: lengths in bases by name, None where the header gives none.
        header: of the VCF, verbatim.
    """
    if is_demo_genome(contigs):
        return AssemblyGuess("GRCh38", "the contigs of the demonstration genome", is_demo=True)
    return _by_lengths(contigs) or _by_words(header)


def _by_lengths(contigs: Mapping[str, int | None]) -> AssemblyGuess | None:
    known = [(LENGTHS[name], length) for contig, length in contigs.items() if length and (name := _chromosome(contig))]
    if not known:
        return None
    fitting = [sum(lengths[which] == length for lengths, length in known) for which in (0, 1)]
    chromosomes = "1 chromosome" if len(known) == 1 else f"{len(known)} chromosomes"
    match fitting:
        case [0, 0]:
            return AssemblyGuess(None, f"the lengths of {chromosomes}, which are those of neither GRCh37 nor GRCh38")
        case [_, 0]:
            return AssemblyGuess("GRCh37", f"the lengths of {chromosomes}")
        case [0, _]:
            return AssemblyGuess("GRCh38", f"the lengths of {chromosomes}")
        case _:
            return AssemblyGuess(None, f"the lengths of {chromosomes}, some of GRCh37 and some of GRCh38")


def _chromosome(contig: str) -> str | None:
    match = _NAME.fullmatch(contig)
    name = match[1].upper() if match else ""
    return name if name in LENGTHS else None


def _by_words(header: str) -> AssemblyGuess | None:
    named = [found["plain"] or found["contig"] or "" for found in map(_REFERENCE.match, header.split("\n")) if found]
    text = " " + " ".join(named)
    fitting: list[Assembly] = [assembly for assembly, words in _WORDS.items() if words.search(text)]
    return AssemblyGuess(fitting[0], "the name of its reference") if len(fitting) == 1 else None
