"""Which jobs the page shows: what its address says, what the service is asked, and what live entries must match."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Depends, Query

from varloom.services.jobs import Created

if TYPE_CHECKING:
    from varloom.services.views import StateName

STATE_GROUPS: dict[str, tuple[str, tuple[StateName, ...]]] = {
    "": ("All", ()),
    "active": ("Active", ("queued", "downloading", "processing", "annotating", "parsing")),
    "failed": ("Failed", ("failed",)),
    "completed": ("Completed", ("completed",)),
    "cancelled": ("Cancelled", ("cancelled",)),
}
"""What `state` in the address may be, with its name and the states that it stands for."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a reader looks for. Days are those of the reader's time zone, the last one included."""

    state: str = ""
    text: str = ""
    first_day: date | None = None
    last_day: date | None = None
    zone: str = ""

    @property
    def states(self) -> tuple[StateName, ...]:
        """Only these; none: all."""
        return STATE_GROUPS[self.state][1]

    @property
    def created(self) -> Created:
        """The same as moments."""
        zone = _zone(self.zone)
        until = self.last_day + timedelta(days=1) if self.last_day and self.last_day < date.max else None
        return Created(_midnight(self.first_day, zone), _midnight(until, zone))

    @property
    def is_set(self) -> bool:
        """Whether anything is left out."""
        return bool(self.state or self.text or self.first_day or self.last_day)

    @property
    def query(self) -> str:
        """As it stands in the address."""
        told = {
            "state": self.state,
            "q": self.text,
            "from": self.first_day,
            "to": self.last_day,
            "zone": self.zone if self.first_day or self.last_day else "",
        }
        return urlencode({name: str(value) for name, value in told.items() if value})

    @property
    def live(self) -> dict[str, str]:
        """What the page's script compares the entries with that arrive later."""
        created = self.created
        return {
            "states": " ".join(self.states),
            "text": self.text.lower(),
            "since": _key(created.since),
            "until": _key(created.until),
        }


def asked_filter(
    state: Annotated[str, Query(max_length=20)] = "",
    q: Annotated[str, Query(max_length=200)] = "",
    first_day: Annotated[str, Query(alias="from", max_length=10)] = "",
    last_day: Annotated[str, Query(alias="to", max_length=10)] = "",
    zone: Annotated[str, Query(max_length=60)] = "",
) -> JobFilter:
    """What the address asks for. What cannot be read counts as not asked: an old bookmark still opens the page."""
    known = state if state in STATE_GROUPS else ""
    return JobFilter(known, q.replace("\0", "").strip(), _day(first_day), _day(last_day), zone)


AskedFilter = Annotated[JobFilter, Depends(asked_filter)]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _midnight(day: date | None, zone: tzinfo) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(day, time(), zone).astimezone(UTC)
    except OverflowError:  # the first or last day that there is
        return None


def _key(moment: datetime | None) -> str:
    """A moment as the entries' sort keys begin."""
    return "" if moment is None else created_key(moment)


def created_key(moment: datetime) -> str:
    """A text by which entries are put in order: later ones compare as greater."""
    return f"{moment.timestamp():017.6f}"
