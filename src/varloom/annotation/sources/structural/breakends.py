"""Breakends: alleles that say to what the sequence at a position is joined.

Source: VCF 4.5, section 5.4 (the same since VCF 4.1).
"""

from __future__ import annotations

import re
from typing import NamedTuple

_JOINED = re.compile(
    r"(?P<before>[A-Za-z*]+|\.)?(?P<side>[\[\]])(?P<contig>\S+):(?P<position>[0-9]{1,10})(?P=side)(?P<after>[A-Za-z*]+|\.)?"
)
_SINGLE = re.compile(r"\.(?P<after>[A-Za-z*]+)|(?P<before>[A-Za-z*]+)\.")


class Breakend(NamedTuple):
    """A breakend as its allele tells it.

    Attributes:
        keeps_left: whether the sequence up to POS goes on at the mate (`t[p[`, `t]p]`, `t.`); else that from POS on
            comes from there.
        contig: of the mate, as the file writes it, such as `chr2` or `<ctg1>`; None for a single breakend.
        position: of the mate, 1-based; 0 and one behind the last base are telomeres.
        extends_right: whether the joined piece reaches right from the mate's position (`[p[`), or left (`]p]`).
    """

    keeps_left: bool
    contig: str | None = None
    position: int | None = None
    extends_right: bool | None = None

    @property
    def mate_junction(self) -> int | None:
        """The base before the cut at the mate."""
        if self.position is None:
            return None
        return self.position - 1 if self.extends_right else self.position


def is_breakend(alt: str) -> bool:
    """Whether an allele is meant as a breakend, be it well formed or not."""
    return "[" in alt or "]" in alt or (len(alt) > 1 and (alt[0] == "." or alt[-1] == "."))


def parse_breakend(alt: str) -> Breakend | None:
    """What the allele says; None where it is not written as a breakend has to be."""
    if found := _SINGLE.fullmatch(alt):
        return Breakend(keeps_left=found["before"] is not None)
    found = _JOINED.fullmatch(alt)
    if found is None or (found["before"] is None) == (found["after"] is None):
        return None
    return Breakend(found["before"] is not None, found["contig"], int(found["position"]), found["side"] == "[")
