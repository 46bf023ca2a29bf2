"""Installing the demonstration's releases by the importers that real data go through, and removing them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.annotation.demo.files import LICENCE, PUBLISHED, write_published
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.problems import REFERENCE_EXISTS, REFERENCE_MISSING
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.installing import OnStep
    from varloom.annotation.refs.library import ReferenceLibrary


def install_demo(library: ReferenceLibrary, on_step: OnStep) -> list[ReleaseKey]:
    """Install the releases that are not there yet, and tell which those were.

    Raises:
        VarloomError: see `install`. What was installed before stays.
    """
    made: list[ReleaseKey] = []
    there = set(library.newest_first())
    with tempfile.TemporaryDirectory(prefix="varloom-demo-") as folder:
        for one, path in write_published(Path(folder)):
            if one.key in there:
                continue
            try:
                install(library, one.key, Published(path, licence=LICENCE), on_step)
            except VarloomError as error:
                if error.kind is not REFERENCE_EXISTS:
                    raise
            else:
                made.append(one.key)
    return made


def remove_demo(library: ReferenceLibrary) -> list[ReleaseKey]:
    """Remove all releases of the demonstration, and tell which those were.

    Raises:
        VarloomError: `reference_in_use`; what was not in use until then is removed.
    """
    removed: list[ReleaseKey] = []
    order = {one.key: number for number, one in enumerate(PUBLISHED)}
    installed = [key for key in library.newest_first() if key.is_demo]
    for key in sorted(installed, key=lambda key: -order.get(key, 0)):
        try:
            library.remove(key)
        except VarloomError as error:
            if error.kind is not REFERENCE_MISSING:
                raise
        else:
            removed.append(key)
    return removed
