"""What can go wrong between a job and its stages."""

from __future__ import annotations

from varloom.errors import define

UPLOAD_GONE = define(
    "upload_gone",
    "The original file is no longer stored",
    cause="The file of a dismissed job or of a deleted sample was removed from the storage, or the storage lost it.",
    resolution=("Upload the file again.",),
)
