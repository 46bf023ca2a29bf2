"""The benchmark of the engine runs as it is, and each of its parts gives its figures, however large they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "bench_engine.py"
OTHER_PEERS = ("pgqueuer", "dbos")
"""Those that are not installed for tests; Procrastinate is."""


@pytest.mark.timeout(600)
def test_the_benchmark_of_the_engine_gives_all_its_figures(tmp_path):
    target = tmp_path / "engine.json"
    command = [sys.executable, SCRIPT, "--quick", "--output", target, "--peers-python", sys.executable]
    for peer in OTHER_PEERS:
        command += ["--without", peer]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(target.read_text())
    assert found["failures"] == []
    assert {name: [len(one) for one in rounds] for name, rounds in found["delays_ms"].items()} == {
        "varloom": [5],
        "procrastinate": [5],
        "varloom over HTTP": [5],
    }
    rates = {(one["queue"], one["stages"]): one["runs"] for one in found["rates"]}
    assert set(rates) == {("varloom", 1), ("varloom", 4), ("procrastinate", 1)}
    assert all(run["per_second"] > 0 for runs in rates.values() for run in runs)
    assert set(found["idle"]) == {"varloom", "procrastinate"}
    assert len(found["first_page_ms"]) > 0
    assert len(found["claim_ms"]) == 2
    assert len(found["panels"]) == 3
    assert all(panel["lost"] == 0 and panel["p99_ms"] is not None for panel in found["panels"].values())
    assert set(found["versions"]) == {"varloom", "procrastinate"}
