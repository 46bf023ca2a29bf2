"""What can go wrong with a job itself, whatever its stages do."""

from __future__ import annotations

from varloom.errors import define

JOB_NOT_FOUND = define(
    "job_not_found",
    "No such job",
    cause="There is no job with this id in the account.",
    resolution=("Check the id: `varloom jobs` lists the jobs of the account.",),
    status=404,
)
JOB_NOT_FINAL = define(
    "job_not_final",
    "The job is still active",
    cause="A job can be dismissed, or retried by hand, only after it has ended. One that waits for its automatic retry "
    "can be retried at once, but only as it is.",
    resolution=("Wait until it ends, or cancel it first.",),
    status=409,
)
JOB_ALREADY_FINAL = define(
    "job_already_final",
    "The job has already ended",
    cause="A job that is completed, failed or cancelled cannot be cancelled.",
    resolution=("Nothing is left to do. A failed or cancelled job can be retried.",),
    status=409,
)
JOB_COMPLETED = define(
    "job_completed",
    "The job is completed",
    cause="A completed job has its table already and cannot be retried.",
    resolution=("Open its table, or upload the file again to load it anew.",),
    status=409,
)
STAGE_NOT_RESUMABLE = define(
    "stage_not_resumable",
    "The job cannot go on from this stage",
    cause="A retry can start only from a stage of the job's plan whose earlier stages have all been finished.",
    resolution=("Retry from the failed stage, or from the start.",),
    status=409,
)
WORKER_CRASHED = define(
    "worker_crashed",
    "The worker died",
    cause="The worker that ran this stage stopped answering: it was killed, its machine went down, or it lost the "
    "database for too long.",
    resolution=(
        "Nothing needs to be done while attempts are left: the stage is tried again by itself.",
        "If it fails each time, the file may need more memory than the machine has: give the worker more, then retry.",
        "Look at the log of the worker at the time of the failure.",
    ),
    retryable=True,
    status=500,
)
STAGE_CRASHED = define(
    "stage_crashed",
    "The stage's process died",
    cause="The process that ran this stage ended without a result, for example because the system killed it for lack "
    "of memory.",
    resolution=(
        "Nothing needs to be done while attempts are left: the stage is tried again by itself.",
        "If the message names signal 9, the machine ran out of memory: free some, or give it more, then retry.",
        "If it happens each time with this file, send the problem report to whoever runs this server.",
    ),
    retryable=True,
    status=500,
)
STAGE_STALLED = define(
    "stage_stalled",
    "No progress",
    cause="The stage reported no progress for longer than its stall limit and was stopped. There is no limit on how "
    "long a stage may take as long as it moves.",
    resolution=(
        "Nothing needs to be done while attempts are left: the stage is tried again by itself.",
        "If it stalls each time, look whether the storage is slow or full.",
        "The settings `stall_limits` and `stall_limit` can be raised, where a stage is known to be silent for long.",
    ),
    retryable=True,
    status=500,
)
