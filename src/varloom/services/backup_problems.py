"""What can go wrong with backups."""

from __future__ import annotations

from varloom.errors import define

BACKUP_DAMAGED = define(
    "backup_damaged",
    "The backup is not whole",
    cause="A file of the backup is missing, has another checksum than when it was written, or cannot be read.",
    resolution=(
        "Take another backup, or another copy of this one. Nothing was restored.",
        "`varloom restore --check` tells whether a backup is whole, without a server.",
    ),
)
BACKUP_INCOMPLETE = define(
    "backup_incomplete",
    "The storage lacks files",
    cause="The database names files that the storage does not have. The backup was made, without them.",
    resolution=(
        "The message names the first of them; all stand under `missing` in varloom-backup.json.",
        "Bring them back into the storage from an earlier backup, or delete the samples that they belong to.",
    ),
)
RESTORE_REFUSED = define(
    "restore_refused",
    "Nothing is restored over what is there",
    cause="The database or storage to restore into is in use, or holds something already.",
    resolution=(
        "Give an empty data folder with --data, or an empty database with --database-url and an empty --storage.",
        "A restore that was interrupted is gone on with by the same command.",
    ),
)
