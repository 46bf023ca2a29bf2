"""Amounts, durations and moments as people read them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from varloom.errors import counted

if TYPE_CHECKING:
    from datetime import datetime

_CODE = re.compile("`([^`]+)`")
_SIZE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def with_code(text: str) -> Markup:
    """A text whose parts between backticks are shown as code; all else is escaped."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - it was escaped


def count(number: float) -> str:
    """A whole number with thousands separators: `50,284`."""
    return f"{number:,.0f}"


def size(number: float) -> str:
    """A number of bytes in decimal units with three digits: `12.4 MB`."""
    value = float(number)
    for unit in _SIZE_UNITS:
        if value < 999.5 or unit == _SIZE_UNITS[-1]:
            break
        value /= 1000
    return f"{_three_digits(value)} {unit}" if unit != "bytes" else counted(int(value), "byte")


def amount(number: float, unit: str) -> str:
    """A number of anything: bytes as sizes, the rest with its noun."""
    return size(number) if unit == "bytes" else f"{count(number)} {unit}"


def clock(seconds: float) -> str:
    """A duration that ticks: `0:07`, `12:45`, `1:02:07`, `2 d 3:00:00`."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, second = divmod(rest, 60)
    if days:
        return f"{days} d {hours}:{minutes:02}:{second:02}"
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def about(seconds: float) -> str:
    """A duration that is only known roughly: `a few seconds`, `about 40 s`, `about 3 min`, `about 2 h 10 min`."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min"
    hours, rest = divmod(round(minutes / 10) * 10, 60)
    return f"about {hours} h {rest} min" if rest else f"about {hours} h"


def moment(when: datetime) -> str:
    """A time in UTC; the browser turns it into the reader's own time zone."""
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}".rstrip("0").rstrip(".")
