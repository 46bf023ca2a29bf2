"""What an owner says of how much one account may store: a number of bytes, no limit, or the server's setting again."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import QUOTA_INVALID

if TYPE_CHECKING:
    from collections.abc import Mapping

Quota = int | Literal["default", "none"]
"""Bytes; `default`: as the server's setting says; `none`: no limit."""

MOST = 2**63 - 1
"""Bytes, of what the database can hold."""

_UNITS: Mapping[str, int] = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", 1)},
}
_AMOUNT = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([a-z]*)", re.ASCII)


def parsed_quota(text: str) -> Quota:
    """A quota as people write it: `500 GB`, `1.5TB`, `2 TiB`, a number of bytes, `default` or `none`.

    Raises:
        VarloomError: `quota_invalid`.
    """
    asked = text.strip().lower()
    if asked == "default":
        return "default"
    if asked == "none":
        return "none"
    match = _AMOUNT.fullmatch(asked)
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None:
        raise VarloomError(QUOTA_INVALID, f"{safe_excerpt(text, 40)!r} is no amount of bytes.")
    return checked_quota(int(Decimal(match[1]) * unit))


def checked_quota(quota: Quota) -> Quota:
    """A quota that can be kept.

    Raises:
        VarloomError: `quota_invalid` for a number below 1 or above `MOST`.
    """
    if isinstance(quota, int) and not 0 < quota <= MOST:
        raise VarloomError(QUOTA_INVALID, f"{quota:,} bytes: expected 1 to {MOST:,}.")
    return quota


def written_quota(quota: Quota) -> str:
    """A quota as `parsed_quota` reads it, in the largest unit that tells it exactly: `500 GB`, `2147483648 B`."""
    if not isinstance(quota, int):
        return quota
    for unit in ("PB", "TB", "GB", "MB", "kB"):
        factor = _UNITS[unit.lower()]
        if quota >= factor and quota * 1000 % factor == 0:
            return f"{(Decimal(quota) / factor).normalize():f} {unit}"
    return f"{quota} B"
