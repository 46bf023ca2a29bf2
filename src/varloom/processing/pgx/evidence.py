"""Whether a genotype stands on enough reads to be relied on: what is not is no call, be it a variant or the reference.

Source of the limits: those of gnomAD for a genotype that counts ("adj"): quality 20, depth 10, depth 5 of one copy.
With 10 reads one of two alleles is missed once in 500 times; one read shows the reference of every second carrier. What
a file does not tell (arrays have no depth) is not held against it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST_QUALITY = 20
"""Of a genotype, on the scale of Phred."""
LEAST_DEPTH = 10
"""Reads at a genotype of two copies."""
LEAST_DEPTH_OF_ONE = 5
"""Reads at a genotype of one copy."""
_PASSED = frozenset({"", ".", "PASS"})
REFERENCE_CALL = "RefCall"
"""The filter with which DeepVariant marks sites of the reference; it is none against them."""


class Evidence(NamedTuple):
    """What a record tells of a genotype beside it; None where it does not.

    Attributes:
        depth: reads; the least of a block.
        quality: of the genotype.
        filter: what the genotype itself did not pass (FT).
    """

    depth: float | None = None
    quality: float | None = None
    filter: str | None = None

    def doubt(
        self, copies: int, record_filter: str | None, record_quality: float | None, *, is_reference: bool
    ) -> str | None:
        """Why the genotype is not relied on, to follow `Line 7`; None if it is.

        Args:
            copies: how many alleles it has.
            record_filter: of the record (FILTER).
            record_quality: of the record (QUAL): callers that give their genotypes none tell by it how sure the variant
                is. Of the reference it tells nothing, or something else with each caller.
            is_reference: whether it has no other allele than the reference.
        """
        failed = [one for one in (record_filter, self.filter) if one is not None and one not in _PASSED]
        if is_reference:
            failed = [one for one in failed if one != REFERENCE_CALL]
        if self.depth is not None and self.depth <= 0:
            return "covers it without reads"
        if failed:
            return f"did not pass the filter {failed[0][:60]}"
        least = LEAST_DEPTH if copies > 1 else LEAST_DEPTH_OF_ONE
        if self.depth is not None and self.depth < least:
            return f"has {self.depth:g} of the {least} reads that a genotype needs"
        if self.quality is not None and self.quality < LEAST_QUALITY:
            return f"has quality {self.quality:g} of the {LEAST_QUALITY} that a genotype needs"
        if record_quality is not None and record_quality < LEAST_QUALITY and not is_reference:
            return f"has a variant of quality {record_quality:g} (QUAL) of the {LEAST_QUALITY} that a genotype needs"
        return None


NO_EVIDENCE = Evidence()


def least(values: Iterable[Any]) -> float | None:
    """The least number; None if there is none. What the header does not declare as one arrives as text, or in lists."""
    return min((number for one in values for number in _numbers(one)), default=None)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, (list, tuple)):
        return [number for one in value for number in _numbers(one)]
    try:
        number = float(value)
    except (TypeError, ValueError):
        return []
    return [] if math.isnan(number) else [number]
