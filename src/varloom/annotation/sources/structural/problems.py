"""What can go wrong with the annotation of structural variants."""

from __future__ import annotations

from varloom.errors import define

TOO_MANY_OVERLAPS = define(
    "too_many_overlaps",
    "Too many overlaps at once",
    cause="So many large variants stand in one batch that what they overlap does not fit into the memory set aside.",
    resolution=("Nothing has to be done: the batch is annotated again in smaller parts.",),
)
