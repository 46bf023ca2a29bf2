"""The child process in which stages run: `python -m varloom.pipeline.child`.

Its protocol is that of `varloom.jobs.child`. It has no database. It ends when its parent does: its standard input
closes then, and on Linux the kernel sends it SIGKILL.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from varloom.errors import INTERNAL_ERROR, VarloomError, counted
from varloom.failpoints import failpoint
from varloom.garbage import collect_seldom
from varloom.jobs.attempt_log import said_into
from varloom.log_lines import ToldToWorker
from varloom.pipeline.request import StageRequest
from varloom.pipeline.stages import download, parse
from varloom.unneeded_imports import leave_pandas_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.pipeline.request import StageResult
    from varloom.pipeline.workspace import Report

logger = logging.getLogger("varloom.child")


def _annotate(request: StageRequest, report: Report) -> StageResult:
    from varloom.pipeline.stages import annotate  # with its libraries it would double the start of every child

    return annotate.run(request, report)


def _process(request: StageRequest, report: Report) -> StageResult:
    from varloom.pipeline.stages import process  # so would this

    return process.run(request, report)


STAGES = {"download": download.run, "process": _process, "annotate": _annotate, "parse": parse.run}
"""Every stage that this version can run."""

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run stages until the parent goes away."""
    _tell_the_worker()
    collect_seldom()
    leave_pandas_out()
    parent = os.getppid()
    _die_with_parent(parent)
    asked, answers = _take_over_stdin(), _take_over_stdout()
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(asked, requests), daemon=True).start()
    while True:
        message = requests.get()
        failpoint("stage.after_request")
        with said_into(message.get("log")):
            answer = _run(StageRequest.from_json(message["run"]), answers)
        failpoint("stage.before_answer")
        _answer(answers, answer)
        failpoint("stage.after_answer")


def _tell_the_worker() -> None:
    """Log to whoever reads our standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ToldToWorker())
    logging.basicConfig(handlers=[handler], level=logging.INFO)


def _die_with_parent(parent: int) -> None:
    """On Linux: be killed when the parent ends, even in the middle of native code."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(0)


def _take_over_stdin() -> IO[str]:
    """Keep standard input for requests alone: no program that a stage starts can read them."""
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)
    return asked


def _take_over_stdout() -> IO[str]:
    """Keep standard output for answers alone: what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _read_requests(asked: IO[str], requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Pass on what the parent asks; its end is ours, together with whatever we started."""
    for line in asked:
        requests.put(json.loads(line))
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _answer(answers: IO[str], message: dict[str, Any]) -> None:
    """Tell the parent one thing."""
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _run(request: StageRequest, answers: IO[str]) -> dict[str, Any]:
    """Run a stage: its last message."""

    def report(done: int, total: int | None, unit: str) -> None:
        _answer(answers, {"progress": {"done": done, "total": total, "unit": unit}})

    what = request.source.name if request.source is not None else "what its URL leads to"
    logger.info("the %s stage begins: %s", request.stage, what)
    try:
        finished = _stage(request.stage)(request, report)
    except VarloomError as error:
        logger.info("the %s stage ends: %s", request.stage, error)
        return {"failed": error.as_dict(request.stage)}
    except Exception:
        logger.exception("the %s stage failed unexpectedly", request.stage)
        message = "The stage failed unexpectedly; the job's log has the details."
        return {"failed": VarloomError(INTERNAL_ERROR, message).as_dict(request.stage)}
    logger.info("the %s stage ends well, with %s", request.stage, counted(len(finished.warnings), "warning"))
    return {"done": {"result": finished.result, "warnings": list(finished.warnings)}}


def _stage(name: str) -> Callable[[StageRequest, Report], StageResult]:
    """The function that runs the stage."""
    if name not in STAGES:
        raise VarloomError(INTERNAL_ERROR, f"This worker does not know the stage {name!r}; it may be too old.")
    return STAGES[name]


if __name__ == "__main__":
    main()
