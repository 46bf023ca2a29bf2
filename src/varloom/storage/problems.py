"""What can go wrong with the storage."""

from __future__ import annotations

from varloom.errors import define

STORAGE_FULL = define(
    "storage_full",
    "Not enough disk space",
    cause="The storage has not enough free space, or its quota is used up. Nothing of the file was kept.",
    resolution=(
        "Free space in the storage: delete samples that are no longer needed, or enlarge the disk.",
        "Then try again. How much must stay free is the setting `disk_reserve_bytes`.",
    ),
    retryable=True,
    status=507,
)
UPLOAD_TOO_LARGE = define(
    "upload_too_large",
    "The file is too large",
    cause="The file is larger than this server accepts. Nothing of it was kept.",
    resolution=(
        "Compress the file with bgzip or gzip if it is not compressed yet, or split it, by contig for example.",
        "Or ask whoever runs this server to raise the setting `max_upload_bytes`.",
    ),
    status=413,
)
STORAGE_NOT_SUPPORTED = define(
    "storage_not_supported",
    "This kind of storage is not supported",
    cause="The setting `storage` names an object store. This version keeps files in a local folder only.",
    resolution=("Give a local folder, or leave --storage out to use the folder `storage` of the data folder.",),
)
STORAGE_UNUSABLE = define(
    "storage_unusable",
    "The storage cannot be used",
    cause="The folder of the storage cannot be created, read or written by the user that runs Varloom.",
    resolution=("Check that the folder's disk is mounted, and that its owner and mode let this user write to it.",),
    retryable=True,
    status=503,
)
