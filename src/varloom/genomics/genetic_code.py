"""Codons and amino acids: the standard code and that of the mitochondrion of vertebrates.

Source: NCBI, "The Genetic Codes", tables 1 and 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = "Ala Cys Asp Glu Phe Gly His Ile Lys Leu Met Asn Pro Gln Arg Ser Thr Sec Val Trp Tyr Ter"
THREE_LETTERS: Mapping[str, str] = dict(zip("ACDEFGHIKLMNPQRSTUVWY*", _NAMES.split(), strict=True))
"""Three letters for each one-letter code; `*` is a stop."""

_BASES = "TCAG"
_COMPLEMENT = str.maketrans("ACGTNacgtn", "TGCANtgcan")


def _code(amino_acids: str) -> Mapping[str, str]:
    codons = (first + second + third for first in _BASES for second in _BASES for third in _BASES)
    return dict(zip(codons, amino_acids, strict=True))


STANDARD = _code("FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG")
"""The amino acid of each codon, `*` for a stop."""

MITOCHONDRIAL = _code("FFLLSSSSYY**CCWWLLLLPPPPHHQQRRRRIIMMTTTTNNKKSS**VVVVAAAADDEEGGGG")
"""The same in the mitochondrion of vertebrates."""


def reverse_complement(bases: str) -> str:
    """The other strand, in its own direction."""
    return bases.translate(_COMPLEMENT)[::-1]
