"""Entries of the log as JSON, and as the process of a stage tells them its worker."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
import threading

import pytest

from varloom import log_lines
from varloom.log_lines import JsonLines, ToldToWorker, WithFields, bound, told


def fail(message):
    raise ValueError(message)


def record_of(message, *, exception=False, **extra):
    error = None
    if exception:
        try:
            fail(f"{message}\nin two lines")
        except ValueError:
            error = sys.exc_info()
    return logging.getLogger("varloom.x").makeRecord("varloom.x", logging.ERROR, "", 0, message, (), error, extra=extra)


def entry_of(record, redact=str):
    WithFields().filter(record)
    line = JsonLines(redact).format(record)
    assert "\n" not in line
    return json.loads(line)


def test_an_entry_carries_what_is_bound_and_nothing_after_the_block(monkeypatch):
    monkeypatch.setattr(log_lines, "_of_process", {"worker": "w"})
    with bound(request_id="r"):
        log_lines.add(account_id="a")
        with bound(job_id="j", stage="parse"):
            inner = entry_of(record_of("x"))
        outer = entry_of(record_of("x", fields={"status": 200}))
    after = entry_of(record_of("x"))
    assert {name: inner[name] for name in ("request_id", "account_id", "job_id", "stage", "worker")} == {
        "request_id": "r", "account_id": "a", "job_id": "j", "stage": "parse", "worker": "w"
    }  # fmt: skip
    assert (outer["status"], "job_id" in outer) == (200, False)
    assert after.keys() == {"time", "level", "logger", "message", "process", "worker"}


def test_threads_of_others_do_not_see_it():
    seen = []
    with bound(job_id="j"):
        other = threading.Thread(target=lambda: seen.append(entry_of(record_of("x"))))
        other.start()
        other.join()
        context = contextvars.copy_context()
    seen.append(context.run(lambda: entry_of(record_of("x"))))
    assert ["job_id" in one for one in seen] == [False, True]


def test_a_traceback_is_one_field_and_secrets_are_taken_out():
    entry = entry_of(record_of("a \u2028 token=x\x00\ud800", exception=True), lambda line: line.replace("token=x", "-"))
    assert entry["message"].startswith("a \u2028 -")
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("in two lines")
    assert "token=x" not in entry["exception"]


@pytest.mark.parametrize("length", [10, 20_000])
def test_what_a_stage_tells_comes_out_as_it_was(length):
    record = record_of("ä" * 10 + "y" * min(length, 3000), exception=True)
    if length > 3000:
        record.exc_info = None
        record.exc_text = None
        record.msg = "y" * 3000
    line = ToldToWorker().format(record)
    entry = told(line)
    assert entry is not None
    assert (entry.logger, entry.level, entry.at) == ("varloom.x", logging.ERROR, record.created)
    assert entry.lines[0] == f"ERROR varloom.x: {record.msg}"


def test_what_is_too_long_is_told_as_text_and_a_long_traceback_by_its_ends():
    record = record_of("z" * 20_000)
    assert ToldToWorker().format(record) == "ERROR varloom.x: " + "z" * 20_000
    record = record_of("short", exception=True)
    record.exc_info = (record.exc_info[0], ValueError("z" * 20_000 + "end"), record.exc_info[2])
    entry = told(ToldToWorker().format(record))
    assert entry.exception.startswith("Traceback")
    assert entry.exception.endswith("zend")
    assert len(entry.exception) < 5000


@pytest.mark.parametrize("line", ["plain", "\x1e", "\x1e{", "\x1e[]", '\x1e{"at": 1}', '\x1e{"at": "x", "level": 1}'])
def test_any_other_line_is_text(line):
    assert told(line) is None
