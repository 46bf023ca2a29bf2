"""What is told of a gene of a sample, as recommendations are looked up by it."""

from __future__ import annotations

from typing import NamedTuple


class LookupKey(NamedTuple):
    """One way in which a gene can be looked up; a call with several possible diplotypes has several.

    Attributes:
        words: the phenotype in the words of every release, in lower case.
        score: the activity score, None where there is none.
        names: the alleles that decide, empty where only a phenotype or a score was given.
    """

    words: frozenset[str]
    score: str | None = None
    names: tuple[str, ...] = ()


class Told(NamedTuple):
    """What is told of a gene of a sample.

    Attributes:
        phenotype: as it is reported; None if it is withheld or unknown.
        words: the same in the words of every release, in lower case.
        withheld: whether it is unknown because it is withheld, or because the gene was seen to differ from the
            reference and nobody can tell what that means. Such a gene is not one without a result, for which CPIC gives
            recommendations by the other gene alone.
        keys: what guidance is looked up by; empty if nothing is known of the gene, or it is withheld.
    """

    phenotype: str | None
    words: frozenset[str] = frozenset()
    withheld: bool = False
    keys: tuple[LookupKey, ...] = ()
