"""The process in which sources work: `python -m varloom.annotation.annotator [REGISTRY]`.

What hangs or crashes in it (a library, a program that a source starts) ends it and nothing else. It is asked and
answers in JSON, an object a line. First `{"open": CHOSEN, "scratch": FOLDER}`, answered by `{"ready": true}`; then any
number of `{"source", "input", "start", "rows", "output"}`, each answered by `{"step": true}` now and then and by
`{"done": [[rowno, reason], ...]}` in the end. What cannot be done is `{"failed": {"code", "message", "fatal"}}`. Its
standard output carries answers alone. It ends when its input does.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from varloom.annotation.choice import from_json
from varloom.annotation.problems import ANNOTATION_INCONSISTENT, ANNOTATION_SOURCE_FAILED
from varloom.dataset.durable import is_disk_full
from varloom.dataset.problems import DISK_FULL
from varloom.errors import VarloomError
from varloom.garbage import collect_seldom
from varloom.log_lines import LOG_FORMAT_VARIABLE, log_json
from varloom.unneeded_imports import leave_pandas_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.annotation.choice import Chosen
    from varloom.annotation.source import OpenSource

logger = logging.getLogger("varloom.annotator")

STEP_INTERVAL = 0.5
"""Signs of life are passed on at most this often, in seconds."""


def main(registry: str = "varloom.annotation.registry") -> None:
    """Answer until the input ends; `registry` is the module whose SOURCES there are."""
    if os.environ.get(LOG_FORMAT_VARIABLE) == "json":  # of a server; whoever runs a stage hears us line by line
        log_json(level=logging.INFO)
    else:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    collect_seldom()
    leave_pandas_out()
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 0)  # no program that a source starts can read what we are asked
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to standard error
    requests = _Requests(asked)
    opening = requests.next()
    sources = importlib.import_module(registry).SOURCES
    with contextlib.ExitStack() as held:
        try:
            work = _Work(held, from_json(opening["open"], sources), Path(opening["scratch"]), answers)
        except Exception as error:  # noqa: BLE001 - whatever it is, who asked has to be told
            _answer(answers, {"failed": _told(error, fatal=True)})
            return
        _answer(answers, {"ready": True})
        while True:
            _answer(answers, work.annotate(requests.next()))


class _Requests:
    """What is asked, read by a thread of its own, so that the end of the input ends us in the middle of any work."""

    def __init__(self, asked: IO[str]) -> None:
        self._asked = asked
        self._lines: list[str] = []
        self._news = threading.Semaphore(0)
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> dict[str, Any]:
        """The next request."""
        self._news.acquire()
        request: dict[str, Any] = json.loads(self._lines.pop(0))
        return request

    def _read(self) -> None:
        for line in self._asked:
            self._lines.append(line)
            self._news.release()
        os._exit(0)


class _Work:
    """The open sources."""

    def __init__(self, held: contextlib.ExitStack, chosen: Sequence[Chosen], scratch: Path, answers: IO[str]) -> None:
        self._answers = answers
        self._stepped = 0.0
        self._last: tuple[tuple[str, int, int], pa.RecordBatch] | None = None
        self._chosen = {item.source.name: item for item in chosen}
        self._open: dict[str, OpenSource] = {}
        for item in chosen:
            own = scratch / item.source.name
            own.mkdir(mode=0o700, parents=True)
            self._open[item.source.name] = held.enter_context(item.source.open(item.releases, own))

    def annotate(self, request: dict[str, Any]) -> dict[str, Any]:
        """Annotate some rows with one source: the answer."""
        try:
            batch = self._batch_of(request["input"], request["start"], request["rows"])
            found = self._open[request["source"]].annotate(batch, self._step)
            schema = _schema(self._chosen[request["source"]])
            columns = _conformed(found.columns, schema, batch.num_rows)
            with pa.OSFile(request["output"], "wb") as output, pa.ipc.new_file(output, schema) as writer:
                writer.write_batch(columns)
        except Exception as error:  # noqa: BLE001 - one bad variant must not end the others; it is told, and logged
            return {"failed": _told(error, fatal=False)}
        return {"done": [list(item) for item in found.set_aside]}

    def _batch_of(self, path: str, start: int, rows: int) -> pa.RecordBatch:
        """Some rows of a file. The same ones are the same object, since sources may know it from one another."""
        place = (path, start, rows)
        if self._last is None or self._last[0] != place:
            with pa.OSFile(path) as file:
                self._last = (place, pa.ipc.open_file(file).get_batch(0).slice(start, rows))
        return self._last[1]

    def _step(self) -> None:
        now = time.monotonic()
        if now - self._stepped >= STEP_INTERVAL:
            self._stepped = now
            _answer(self._answers, {"step": True})


def _schema(item: Chosen) -> pa.Schema:
    return pa.schema([pa.field(column.name, column.type) for column in item.columns])


def _conformed(columns: pa.RecordBatch, schema: pa.Schema, rows: int) -> pa.RecordBatch:
    """The columns as they were declared; whatever else a source gives is its fault, and never the table's."""
    if columns.num_rows != rows or columns.schema.names != schema.names:
        message = f"A source answered {columns.num_rows} of {rows} variants with the columns {columns.schema.names}."
        raise VarloomError(ANNOTATION_INCONSISTENT, message)
    return columns.cast(schema)


def _told(error: Exception, *, fatal: bool) -> dict[str, Any]:
    """An error for who asked. Of an unexpected one only the kind is told; the log has the rest."""
    if is_disk_full(error):
        return {"code": DISK_FULL.code, "message": "There is no space left on the disk to annotate.", "fatal": True}
    if isinstance(error, VarloomError):
        logger.info("%s", error)
        return {"code": error.code, "message": error.message, "fatal": fatal or error.kind is DISK_FULL}
    logger.error("an annotation source failed unexpectedly", exc_info=error)
    message = f"The source failed unexpectedly ({type(error).__name__}); the job's log has the details."
    return {"code": ANNOTATION_SOURCE_FAILED.code, "message": message, "fatal": fatal}


def _answer(answers: IO[str], message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
