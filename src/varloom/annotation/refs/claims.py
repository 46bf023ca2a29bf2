"""One of several processes goes first in an object store, which has no locks and may know no conditions.

Whoever wants to go writes a claim of its own and then lists all claims. Who sees another one withdraws, and tries again
a little later. Two can never go at once: each would have listed before the other one had written, and wrote before
it listed. A claim that a killed process left is passed over when it has become old.
"""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.storage import Storage

_OLD = 600.0
"""Seconds after which a claim counts as left behind: what it is held for takes a few."""
_PATIENCE = 60.0
_PAUSE = 0.5


@contextlib.contextmanager
def claimed(storage: Storage, folder: str, name: str) -> Iterator[bool]:
    """Go first among all who claim under the folder, for as long as the block lasts.

    Args:
        storage: an object store.
        folder: the key under which claims are written.
        name: of the own claim, which nobody else has.

    Yields whether it is one's turn: False if others were there for a minute.
    """
    own = f"{folder}/{name}"
    until = time.monotonic() + _PATIENCE
    try:
        while True:
            storage.write_bytes(own, b"")
            if not _others(storage, folder, own):
                yield True
                return
            storage.delete_tree(own)
            if time.monotonic() > until:
                yield False
                return
            time.sleep(random.uniform(_PAUSE / 10, _PAUSE))  # noqa: S311 - it only keeps two from meeting again
    finally:
        storage.delete_tree(own)


def _others(storage: Storage, folder: str, own: str) -> bool:
    """Whether there is another claim that is not old."""
    for key in storage.list_prefix(folder):
        with contextlib.suppress(FileNotFoundError):
            if key != own and storage.changed_at(key) > time.time() - _OLD:
                return True
    return False
