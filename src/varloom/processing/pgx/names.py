"""The order in which alleles are written: the reference first or by number, as the field is used to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.annotation.refs.pgx_content import NamedAllele

_PARTS = re.compile(r"(\d+)")


def name_order(name: str) -> tuple[bool, list[tuple[bool, int, str]]]:
    """What sorts names: `*2` before `*10`, and whatever is called a reference before all others."""
    parts = [(part.isdigit(), int(part) if part.isdigit() else 0, part.lower()) for part in _PARTS.split(name) if part]
    return ("reference" not in name.lower(), parts)


def in_order(alleles: Sequence[NamedAllele]) -> list[int]:
    """The indexes of alleles in the order of their names; star alleles by number, others the reference first."""
    return sorted(
        range(len(alleles)),
        key=lambda index: (
            alleles[index].is_reference is False and not alleles[index].name.startswith("*"),
            name_order(alleles[index].name),
        ),
    )


def diplotype_name(names: Sequence[str]) -> str:
    """`*1/*2`; the only allele's name where there is one copy."""
    return "/".join(names)
