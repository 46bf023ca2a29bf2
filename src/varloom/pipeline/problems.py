"""What can go wrong between a job and its stages."""

from __future__ import annotations

from varloom.errors import define

UPLOAD_GONE = define(
    "upload_gone",
    "The original file is no longer stored",
    cause="The file of a dismissed job or of a deleted sample was removed from the storage, or the storage lost it.",
    resolution=("Upload the file again.",),
)
SOURCE_URL_GONE = define(
    "source_url_gone",
    "The URL is no longer known",
    cause="The secret part of a URL is forgotten when its job has completed or was dismissed.",
    resolution=("Submit the URL again.",),
)
UPLOAD_DAMAGED = define(
    "upload_damaged",
    "The original file was changed in the storage",
    cause="The bytes that the object store returned are not those that were uploaded: their number or SHA-256 differs.",
    resolution=(
        "Retry the job: if the bytes were damaged on the way, they arrive whole the next time.",
        "If it fails again, upload the file again, and look for what else writes into the bucket.",
    ),
    retryable=True,
    status=500,
)
SCRATCH_UNUSABLE = define(
    "scratch_unusable",
    "The scratch folder cannot be used",
    cause="A worker with an object store needs a folder of its own on its machine, which cannot be created or written, "
    "or belongs to another user.",
    resolution=("Give a folder on a disk with enough space by --scratch or the setting `scratch`.",),
)
