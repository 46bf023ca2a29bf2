"""The other end of `varloom.annotation.annotator`: a process that can be given up at any moment, and begun anew."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.annotation.choice import as_json
from varloom.annotation.problems import ANNOTATION_SOURCE_FAILED
from varloom.errors import VarloomError, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from varloom.annotation.choice import Chosen

OPEN_PATIENCE = 900.0
"""Seconds in which sources must be open."""

END_PATIENCE = 10.0
"""Seconds after which a process that was killed is no longer waited for."""


class Piece(NamedTuple):
    """Some rows of a chunk and a source that is to annotate them.

    Attributes:
        source: its name.
        input: the file with the chunk's variants.
        start: the first row within it.
        rows: how many.
        output: where the columns go.
    """

    source: str
    input: Path
    start: int
    rows: int
    output: Path


class PieceFailedError(Exception):
    """A piece could not be annotated; smaller ones may be.

    `reason` is for people.
    """

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


class AnnotationStoppedError(Exception):
    """Nobody wants the result any more."""


class AnnotatorProcess:
    """The process, started when it is needed; used by one thread, but `stop` may be called by any."""

    def __init__(self, chosen: Sequence[Chosen], scratch: Path, registry: str, on_life: Callable[[], None]) -> None:
        """`on_life` is called whenever the process gives a sign of life."""
        self._chosen = chosen
        self._scratch = scratch
        self._registry = registry
        self._on_life = on_life
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._own: Path | None = None
        self._stopped = False
        self._guard = threading.Lock()

    def annotate(self, piece: Piece, stall_limit: float) -> list[tuple[int, str]]:
        """Annotate a piece: what its source set aside, as rows and reasons.

        Args:
            piece: what is to be done.
            stall_limit: seconds without a sign of life after which it is given up.

        Raises:
            PieceFailedError: it failed, stalled, or its process died.
            AnnotationStoppedError: after `stop`.
            VarloomError: nothing can be annotated: a source cannot be opened, or the disk is full.
        """
        if self._process is None:
            self._start()
        self._ask({**piece._asdict(), "input": str(piece.input), "output": str(piece.output)})
        answer = self._answer(stall_limit)
        if failed := answer.get("failed"):
            if failed["fatal"]:
                raise VarloomError(kind_of(failed["code"]), failed["message"])
            raise PieceFailedError(failed["message"])
        return [(rowno, reason) for rowno, reason in answer["done"]]

    def stop(self) -> None:
        """End the process, and do not start another."""
        with self._guard:
            self._stopped = True
            self._end()

    def _start(self) -> None:
        with self._guard:
            if self._stopped:
                raise AnnotationStoppedError
            self._own = Path(tempfile.mkdtemp(dir=self._scratch, prefix="annotator-"))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "varloom.annotation.annotator", self._registry],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={**os.environ, "TMPDIR": str(self._own)},
            )
        self._answers = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._process, self._answers), daemon=True).start()
        self._ask({"open": as_json(self._chosen), "scratch": str(self._own)})
        try:
            answer = self._answer(OPEN_PATIENCE)
        except PieceFailedError as error:
            raise VarloomError(ANNOTATION_SOURCE_FAILED, f"The sources could not be opened. {error.reason}") from None
        if failed := answer.get("failed"):
            with self._guard:
                self._end()
            raise VarloomError(kind_of(failed["code"]), failed["message"])

    def _ask(self, message: dict[str, Any]) -> None:
        with self._guard:
            process = self._process
            if self._stopped:
                raise AnnotationStoppedError
        if process is None or process.stdin is None:
            raise AssertionError("it is started with pipes")
        with contextlib.suppress(OSError, ValueError):  # a dead process is told by the end of its answers
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()

    def _answer(self, limit: float) -> dict[str, Any]:
        """The next answer that is more than a sign of life."""
        while True:
            try:
                line = self._answers.get(timeout=limit)
            except queue.Empty:
                self._give_up()
                raise PieceFailedError(f"It made no progress for {limit:g} seconds.") from None
            if not line.endswith("\n"):
                raise PieceFailedError(f"The process of the source {self._give_up()}.")
            self._on_life()
            message: dict[str, Any] = json.loads(line)
            if "step" not in message:
                return message

    def _give_up(self) -> str:
        """End the process of a piece that failed: how it ended, in words."""
        with self._guard:
            if self._stopped:
                raise AnnotationStoppedError
            return self._end()

    def _end(self) -> str:
        """Kill the process, and whatever it has started: how it ended, in words. The caller holds the guard."""
        process, self._process = self._process, None
        if process is None:
            return "was stopped"
        with contextlib.suppress(subprocess.TimeoutExpired):  # it has closed its output, and may be about to end
            process.wait(0.1)
        status = process.poll()
        _kill_descendants(process.pid)
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_PATIENCE)
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
        if status is None:
            return "was stopped"
        return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


def _read(process: subprocess.Popen[str], answers: queue.SimpleQueue[str]) -> None:
    """Pass on the answers of a process, and an empty one at their end."""
    if process.stdout is None:
        raise AssertionError("it is started with pipes")
    with process.stdout:
        for line in process.stdout:
            answers.put(line)
    answers.put("")


def _kill_descendants(pid: int) -> None:
    """Kill what a process has started, should it hang there."""
    import psutil  # not above: nothing hangs nearly always

    with contextlib.suppress(psutil.Error):
        for descendant in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                descendant.kill()
