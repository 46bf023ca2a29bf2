"""What can go wrong with the storage."""

from __future__ import annotations

from varloom.errors import define

STORAGE_FULL = define(
    "storage_full",
    "Not enough disk space",
    cause="The storage has not enough free space, or its quota is used up. Nothing of the file was kept.",
    resolution=(
        "Free space in the storage: delete samples that are no longer needed, or enlarge the disk.",
        "Then try again. How much must stay free are the settings `disk_reserve_bytes` and `disk_low`.",
    ),
    retryable=True,
    status=507,
)
QUOTA_EXCEEDED = define(
    "quota_exceeded",
    "The account's quota is used up",
    cause="What the account stores, with the uploads that it has begun, would be more than the operator allows each "
    "account.",
    resolution=(
        "Delete samples that are not needed any more, and delete them for good: until then they count.",
        "Dismiss failed and cancelled jobs, whose files are kept for a retry, and discard uploads that broke off.",
        "What was deleted or dismissed counts no more after some minutes. Then try again.",
        "Or ask whoever runs this server for more: `varloom users quota`, or the setting `account_quota_bytes`.",
    ),
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
UPLOAD_LOCKED = define(
    "upload_locked",
    "The upload is in use",
    cause="Another request goes on with the same upload, or another server does. Only one may write at a time; the "
    "newest request comes first.",
    resolution=("Ask for the upload's offset, and go on from there. Upload a file from one place at a time.",),
    retryable=True,
    status=423,
)
STORAGE_UNUSABLE = define(
    "storage_unusable",
    "The storage cannot be used",
    cause="The folder of the storage cannot be created, read or written by the user that runs Varloom, or the object "
    "store answers with an error that Varloom does not know.",
    resolution=(
        "Folder: check that its disk is mounted, and that its owner and mode let this user write to it.",
        "Object store: look up the error that the message names in the documentation of its provider.",
    ),
    retryable=True,
    status=503,
)
STORAGE_UNREACHABLE = define(
    "storage_unreachable",
    "The storage cannot be reached",
    cause="The object store that keeps the files does not answer: the network is down, its address is wrong, or it is "
    "overloaded.",
    resolution=(
        "Nothing needs to be done while attempts are left: the stage is tried again by itself.",
        (
            "If it goes on, check from this machine that the address of the object store answers, and that a "
            "firewall or proxy lets Varloom through (`AWS_ENDPOINT_URL` and the like name another address)."
        ),
    ),
    retryable=True,
    status=503,
)
STORAGE_CREDENTIALS = define(
    "storage_credentials",
    "The storage refuses the credentials",
    cause="The object store does not know the key, or the secret or signature does not match it, or the credentials "
    "have expired.",
    resolution=(
        (
            "Whoever runs this server: renew the credentials in the environment of the server and of all workers "
            "(`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `GOOGLE_APPLICATION_CREDENTIALS`, or "
            "`AZURE_STORAGE_ACCOUNT_NAME` and `AZURE_STORAGE_ACCOUNT_KEY`), and start them anew."
        ),
        "Check the clock of the machine: signatures are refused when it is wrong by minutes.",
        "Then retry the job.",
    ),
    retryable=True,
    status=503,
)
STORAGE_FORBIDDEN = define(
    "storage_forbidden",
    "The storage denies access",
    cause="The object store knows who asks, but does not allow it.",
    resolution=(
        (
            "Whoever runs this server: let these credentials read, write, list and delete objects below the prefix of "
            "the storage, and abort multipart uploads."
        ),
        "Check that the name of the bucket is right: some object stores deny access to buckets that do not exist.",
        "Then retry the job.",
    ),
    retryable=True,
    status=503,
)
STORAGE_MISSING = define(
    "storage_missing",
    "The bucket of the storage does not exist",
    cause="There is no bucket or container of the name that the setting `storage` gives.",
    resolution=(
        "Check the name and the region in the setting `storage` and in the environment.",
        "Or create the bucket: Varloom creates none.",
    ),
    retryable=True,
    status=503,
)
STORAGE_MISMATCH = define(
    "storage_mismatch",
    "Not the storage of this database",
    cause="Each database has one storage, which holds a mark with the id that the database knows. The storage that "
    "was given has none, or that of another database.",
    resolution=(
        (
            "Give the server and all workers the same --storage. A worker on another machine needs an object store, or "
            "a folder that both machines mount; a folder of the same name on another disk is another storage."
        ),
        "If the files were moved, move the object `varloom-storage.json` with them.",
        (
            "If an empty storage takes the place of one that was lost, put an object `varloom-storage.json` with "
            '`{"storage": "THE ID OF THE DATABASE\'S MARK"}` into it.'
        ),
    ),
)
