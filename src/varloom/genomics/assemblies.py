"""Human assemblies, told apart by the lengths of their chromosomes, by checksums, or by what they are called.

Sources: the assembly reports of GRCh37.p13 and GRCh38.p14 (GCA_000001405.14 and .29), primary assembly. The
mitochondrion is left out: it has the same length in both. Checksums: the MD5 of the first chromosomes, as headers of
alignments and refget servers have them (SAM specification, `M5` of `@SQ`; VCF 4.3, `md5` of `##contig`).
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

MD5: Mapping[str, Assembly] = {
    "1b22b98cdeb4a9304cb5d48026a85128": "GRCh37",
    "a0d9851da00400dec1098a9255ac712e": "GRCh37",
    "fdfd811849cc2fadebc929bb925902e5": "GRCh37",
    "6aef897c3d6ff0c78aff06ac189178dd": "GRCh38",
    "f98db672eb0993dcfdabafe2a882905c": "GRCh38",
    "76635a41ea913a405ded820447d067b0": "GRCh38",
}
"""The assembly by the checksum of chromosome 1, 2 or 3. Others are in several forms, masked or not."""

_NAME = re.compile(r"(?:chr)?(\d{1,2}|[XY])", re.IGNORECASE)
_REFERENCE = re.compile(r"##reference=(?P<plain>.*)|##contig=<.*?\bassembly=(?P<contig>[^,>]*)", re.IGNORECASE)
_MD5 = re.compile(r"##contig=<.*?\bmd5=\"?(?P<md5>[0-9a-f]{32})\b", re.IGNORECASE)
_OTHERS = re.compile(r"CHM13|T2T|\bhs1\b|hg1[678]\b|NCBI36|[^a-z]b36\b|GRCm\d|\bmm(9|10|39)\b", re.IGNORECASE)
"""Names of other references, of people and of mice."""
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

    Lengths go before checksums, and those before words: a name can be that of a folder.

    Args:
        contigs: lengths in bases by name, None where the header gives none.
        header: of the VCF, verbatim.
    """
    if is_demo_genome(contigs):
        return AssemblyGuess("GRCh38", "the contigs of the demonstration genome", is_demo=True)
    return _by_lengths(contigs) or _by_checksums(header) or _by_words(header)


def _by_lengths(contigs: Mapping[str, int | None]) -> AssemblyGuess | None:
    known = [(LENGTHS[name], length) for contig, length in contigs.items() if length and (name := _chromosome(contig))]
    if not known:
        return None
    fitting = [sum(lengths[which] == length for lengths, length in known) for which in (0, 1)]
    chromosomes = "1 chromosome" if len(known) == 1 else f"{len(known)} chromosomes"
    match fitting:
        case [0, 0]:
            return AssemblyGuess(None, f"the lengths of {chromosomes}, which are those of neither GRCh37 nor GRCh38")
        case [fit, 0] if fit == len(known):
            return AssemblyGuess("GRCh37", f"the lengths of {chromosomes}")
        case [0, fit] if fit == len(known):
            return AssemblyGuess("GRCh38", f"the lengths of {chromosomes}")
        case [_, 0] | [0, _]:  # such as T2T-CHM13 with chromosome Y of GRCh38
            one = "GRCh37" if fitting[0] else "GRCh38"
            return AssemblyGuess(None, f"the lengths of {chromosomes}, of which {sum(fitting)} are those of {one}")
        case _:
            return AssemblyGuess(None, f"the lengths of {chromosomes}, some of GRCh37 and some of GRCh38")


def _by_checksums(header: str) -> AssemblyGuess | None:
    found = {MD5.get(match["md5"].lower()) for match in map(_MD5.match, header.split("\n")) if match} - {None}
    return AssemblyGuess(found.pop(), "the checksums of its contigs") if len(found) == 1 else None


def _chromosome(contig: str) -> str | None:
    match = _NAME.fullmatch(contig)
    name = match[1].upper() if match else ""
    return name if name in LENGTHS else None


def _by_words(header: str) -> AssemblyGuess | None:
    named = [found["plain"] or found["contig"] or "" for found in map(_REFERENCE.match, header.split("\n")) if found]
    text = " " + " ".join(named)
    fitting: list[Assembly] = [assembly for assembly, words in _WORDS.items() if words.search(text)]
    if not fitting and (other := _OTHERS.search(text)):
        return AssemblyGuess(None, f"a reference of another name, {other[0].strip()}")
    return AssemblyGuess(fitting[0], "the name of its reference") if len(fitting) == 1 else None
