"""How Ctrl+C and SIGTERM end a command that has written something which must not be left."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from types import FrameType

_ENDINGS = (signal.SIGINT, signal.SIGTERM)


def end_in_order() -> None:
    """Let what has been written be removed when the user, a scheduler or `timeout` ends the program."""
    for each in _ENDINGS:
        if signal.getsignal(each) is not signal.SIG_IGN:  # as it is of Ctrl+C in the background of a script
            signal.signal(each, _end)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - a signal handler's arguments
    """End the program. Nothing breaks off the clearing: `timeout` sends a signal twice, and users do in haste."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)
