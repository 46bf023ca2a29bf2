"""What Parabricks can fail by. It exits with 255 whatever happens; its words tell what it was."""

from __future__ import annotations

from varloom.errors import define

_ON_THE_CPU = "Or retry with the engine `cpu`, which needs no GPU."

NO_GPU = define(
    "parabricks_no_gpu",
    "Parabricks finds no GPU",
    cause="The worker has no NVIDIA GPU that Parabricks can use, or the container was started without it.",
    resolution=(
        "Check `nvidia-smi` on the worker; in a container the command needs `--gpus all` and the NVIDIA toolkit.",
        _ON_THE_CPU,
    ),
    status=500,
)
GPU_MEMORY = define(
    "parabricks_gpu_memory",
    "The GPU's memory is too small",
    cause="Parabricks ran out of GPU memory. With `parabricks_low_memory = auto` it was tried again with less.",
    resolution=(
        "Check with `nvidia-smi` that nothing else uses the GPU, then retry: the job goes on after its finished steps.",
        "Set `parabricks_low_memory` to `always`, or use a GPU with 16 GB or more.",
        _ON_THE_CPU,
    ),
    retryable=True,
    status=500,
)
HOST_MEMORY = define(
    "parabricks_host_memory",
    "The machine's memory is too small",
    cause="The system ended a process of Parabricks for lack of memory. It wants 100 GB or more for a whole genome.",
    resolution=(
        "Give the worker, or its container, more memory; then retry: the job goes on after its finished steps.",
        _ON_THE_CPU,
    ),
    retryable=True,
    status=500,
)
DRIVER = define(
    "parabricks_driver",
    "The GPU's driver does not suit Parabricks",
    cause="The version of the NVIDIA driver, or the kind of the GPU, is not one that this Parabricks supports.",
    resolution=("Update the driver, or use a version of Parabricks that knows the GPU.", _ON_THE_CPU),
    status=500,
)
LICENCE = define(
    "parabricks_licence",
    "Parabricks asks for a licence",
    cause="Versions of Parabricks before 4.0 need a licence file, and it is missing or has expired.",
    resolution=("Install the licence, or a version from 4.0 on.", _ON_THE_CPU),
    status=500,
)
OPTION_REFUSED = define(
    "parabricks_option",
    "Parabricks does not know an option",
    cause="Varloom gives options that the installed version of Parabricks does not know, or not in this combination.",
    resolution=("Use a version of Parabricks from 4.3 on; the log of the job has the whole message.", _ON_THE_CPU),
    status=500,
)
INDEX_MISSING = define(
    "parabricks_index",
    "The reference has no index for Parabricks",
    cause="Parabricks needs bwa's index of the reference genome, which is built by the CPU engine's aligner; that is "
    "not installed on the worker, or a file of the index is damaged.",
    resolution=(
        "Install the aligner on the worker: `pip install 'varloom[reads]'`, then retry.",
        "If it is installed, remove the folder `reference-indexes` in the storage: the index is built anew.",
    ),
    status=500,
)
CONTAINER = define(
    "parabricks_container",
    "The container of Parabricks cannot be started",
    cause="The container program is not running, the image is not there, or the NVIDIA container toolkit is missing.",
    resolution=(
        "Try `docker run --rm --gpus all IMAGE nvidia-smi` on the worker, and mend what it says.",
        "Check the settings `parabricks_image` and `parabricks_container_command`.",
        _ON_THE_CPU,
    ),
    status=500,
)
KILLED = define(
    "parabricks_killed",
    "Parabricks was ended from outside",
    cause="A process of Parabricks got a signal to end, or crashed by one.",
    resolution=("Retry: the job goes on after its finished steps.", "If it happens each time, look at the job's log."),
    retryable=True,
    status=500,
)
FAILED = define(
    "parabricks_failed",
    "Parabricks failed",
    cause="Parabricks ended with an error that Varloom does not know.",
    resolution=(
        "Look at the log of the job: it has the last words of Parabricks.",
        "Retry: the job goes on after its finished steps.",
        _ON_THE_CPU,
    ),
    retryable=True,
    status=500,
)
