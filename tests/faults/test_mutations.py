"""Valid files, spoiled in many ways, are refused at a place or read whole; nothing crashes the process or hangs."""

from __future__ import annotations

from collections import Counter

import pytest
from mutation_run import CORPUS, jobs, run, valid_files
from tests.shared_data import needs

pytestmark = [
    pytest.mark.corpus,
    needs(CORPUS),
]


def test_spoiled_files_are_refused_at_a_place_or_read_whole():
    verdicts = list(run(jobs(valid_files(), range(1))))
    assert [verdict for verdict in verdicts if verdict.what in {"fault", "crash"}] == []
    counts = Counter(verdict.what for verdict in verdicts)
    assert counts.total() == len(verdicts) > 5000
    assert min(counts["refused"], counts["read"]) > 1000


@pytest.mark.parametrize(
    ("code", "why"), [("import os; os.abort()", "exit status -6"), ("import signal; signal.pause()", "no end within")]
)
def test_a_crash_and_a_hang_are_seen(tmp_path, monkeypatch, code, why):
    """The runner itself can fail: the second of three jobs ends the child."""
    child = tmp_path / "child.py"
    child.write_text(
        f"import sys\nfor job in sys.stdin:\n    if 'bad' in job:\n        {code}\n    print('[1, 2]', flush=True)\n"
    )
    monkeypatch.setattr("mutation_run.CHILD", child)
    monkeypatch.setattr("mutation_run.SECONDS", 2)
    verdicts = list(run([("good", "", 0), ("bad", "", 0), ("also good", "", 0)]))
    assert [verdict.what for verdict in verdicts] == [1, "crash", 1]
    assert why in verdicts[1].why
