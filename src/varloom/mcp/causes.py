"""Why failures happen, by their codes: the same sentences as in the documentation of errors."""

from __future__ import annotations

import importlib

from varloom.errors import INTERNAL_ERROR, kind_of

_DECLARING = (
    "varloom.annotation.problems",
    "varloom.dataset.problems",
    "varloom.db.problems",
    "varloom.jobs.problems",
    "varloom.pipeline.problems",
    "varloom.reader.problems",
    "varloom.services.problems",
    "varloom.storage.problems",
    "varloom.transfer.problems",
)
"""The modules that declare what a job can fail with."""


def cause_of(code: str) -> str | None:
    """One or two sentences on why such a failure happens; None for a code of another version."""
    for module in _DECLARING:
        importlib.import_module(module)
    kind = kind_of(code)
    return None if kind is INTERNAL_ERROR and code != INTERNAL_ERROR.code else kind.cause
