"""Server-Sent Events, line by line (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One Server-Sent Event."""

    name: str
    data: str
    id: str | None


class EventReader:
    """Puts the lines of a `text/event-stream` together; give it each, without its end of line."""

    def __init__(self) -> None:
        self._name = "message"
        self._id: str | None = None
        self._data: list[str] = []

    def take(self, line: str) -> StreamEvent | None:
        """The event that this line ends, if it ends one."""
        if not line:
            ended = StreamEvent(self._name, "\n".join(self._data), self._id) if self._data else None
            self._name, self._id, self._data = "message", None, []
            return ended
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id":
                self._id = value
        return None


def parse_events(lines: Iterable[str]) -> Iterator[StreamEvent]:
    """The events in the lines of a `text/event-stream`."""
    reader = EventReader()
    for line in lines:
        if (event := reader.take(line)) is not None:
            yield event
