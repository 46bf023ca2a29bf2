"""From Parabricks' words to what went wrong. Its exit status is 255 for everything, for a signal to end too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.dataset.problems import DISK_FULL
from varloom.errors import VarloomError, safe_excerpt
from varloom.processing.parabricks import problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.errors import ErrorKind

_PATTERNS: tuple[tuple[ErrorKind, re.Pattern[str]], ...] = (
    (DISK_FULL, re.compile(r"no space left on device|disk quota exceeded")),
    (
        problems.CONTAINER,
        re.compile(
            r"cannot connect to the docker daemon|unable to find image|pull access denied|manifest unknown"
            r"|could not select device driver|is the docker daemon running|executable file not found"
        ),
    ),
    (problems.NO_GPU, re.compile(r"could not find accessible gpus|no cuda-capable device|nvidia-smi has failed")),
    (
        problems.DRIVER,
        re.compile(
            r"driver version is insufficient|forward compatibility was attempted|no kernel image is available"
            r"|unsupported (?:gpu|compute capability)|nvml: driver/library version mismatch"
        ),
    ),
    (
        problems.GPU_MEMORY,
        re.compile(
            r"cudasafecall\(\) failed: out of memory|cuda\w*: out of memory|cudaerrormemoryallocation"
            r"|cuda out of memory|(?:not enough|insufficient) (?:gpu|device) memory|out of memory on (?:gpu|device)"
        ),
    ),
    (problems.HOST_MEMORY, re.compile(r"\[sigkill: 9\]|std::bad_alloc|cannot allocate memory|out of memory: kill")),
    (problems.LICENCE, re.compile(r"\blicen[cs]e\b.{0,80}\b(?:missing|expired|invalid|not found|could not)")),
    (
        problems.OPTION_REFUSED,
        re.compile(r"unrecognized arguments|invalid choice|expected (?:one|at least one) argument|unknown option"),
    ),
    (
        problems.INDEX_MISSING,
        re.compile(
            r"\.(?:bwt|amb|ann|pac|sa)\b[^.]{0,80}(?:not found|does not exist|no such file|missing|cannot|could not)"
            r"|(?:not found|does not exist|cannot find|missing|no such file)[^.]{0,80}\.(?:bwt|amb|ann|pac|sa)\b"
            r"|bwa index"
        ),
    ),
    (problems.KILLED, re.compile(r"terminated with signal \[sig\w+: \d+\]|received signal")),
)
"""In the order in which they are looked for: what is surest first."""
_MARKED = re.compile(r"^\[(?:PB|Parabricks Options)\s*(?P<level>\w+)[^\]]*\]:?\s*", re.IGNORECASE)
_TROUBLE = re.compile(r"error|fail|exiting|signal|fatal|cannot|could not", re.IGNORECASE)
_SHOWN = 300


def failure_of(step: str, status: int, lines: Sequence[str]) -> VarloomError:
    """What a run of Parabricks ended by.

    Args:
        step: what was run, such as `fq2bam`.
        status: with which it ended; negative for a signal.
        lines: the last ones that it wrote, in order.
    """
    text = " ".join(" ".join(bare(line) for line in lines).lower().split())  # a message may be wrapped at 120 columns
    kind = next((kind for kind, pattern in _PATTERNS if pattern.search(text)), None)
    if kind is None:
        kind = problems.KILLED if status < 0 else problems.FAILED
    return VarloomError(kind, f"{step}: {_words(lines) or _ending(status)}")


def bare(line: str) -> str:
    """A line without the mark of who says it and when."""
    return _MARKED.sub("", line.strip()).strip("| ")


def _words(lines: Sequence[str]) -> str:
    """The line that says most: the first that tells of trouble, and what it is continued by."""
    said = [line for line in (bare(line) for line in lines) if line and not set(line) <= set("-=*#")]
    for at, line in enumerate(said):
        if _TROUBLE.search(line):
            goes_on = at + 1 < len(said) and not line.endswith((".", "!", ":"))  # it may be wrapped
            following = said[at + 1] if goes_on else ""
            return safe_excerpt(f"{line} {following}".strip(), _SHOWN)
    return safe_excerpt(said[-1], _SHOWN) if said else ""


def _ending(status: int) -> str:
    return f"ended by signal {-status}." if status < 0 else f"ended with status {status}."
