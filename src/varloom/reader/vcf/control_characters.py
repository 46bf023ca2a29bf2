"""Control characters, which no line of a VCF may have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.problems import CONTROL_CHARACTER

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis

CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def note_control_character(diagnosis: Diagnosis, number: int, text: str) -> None:
    """Note the first control character of a line."""
    match = CONTROL.search(text)
    where = match.start() if match else 0
    name = "carriage return" if text[where] == "\r" else f"control character {ord(text[where]):#04x}"
    diagnosis.error(
        CONTROL_CHARACTER,
        f"The line holds a {name}, which a line of a VCF cannot have.",
        Place(line=number, column=text.count("\t", 0, where) + 1, excerpt=safe_excerpt(text)),
    )
