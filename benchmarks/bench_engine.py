"""How fast jobs start, run and are told of, side by side with the field's queues on one PostgreSQL, the embedded one.

    .venv/bin/python benchmarks/bench_engine.py [--rounds 3] [--quick] [--without dbos] [--only delays,rates]
        [--peers-python PYTHON] [--output FILE]

Each queue has a database of its own on the same server, and its worker and whoever submits are processes of their own;
in each round every queue has its turn, so that a change of the machine's mood meets all of them. Tasks and stages do
nothing but write down when they began; a stage of Varloom does so in its child process, as a real one would run. The
peers run inside their worker. What is compared is stages a second with tasks a second: a job of Varloom with one stage
commits three transitions with an event each, one with four stages nine. Writes build/bench/engine.json unless
told otherwise. A test (tests/integration/test_benchmarks.py) runs it with `--quick`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel_runs
from engine_goals import (
    VARLOOM,
    Verdict,
    middle,
    of_delays,
    of_history,
    of_idleness,
    of_liveness,
    of_rates,
    percentile,
)
from engine_runs import (
    PEERS,
    SETTLE_SECONDS,
    Engine,
    EngineFailedError,
    engines,
    measure_delays,
    measure_idleness,
    measure_rate,
)
from peer_environment import BUILD, peers_python, versions

from varloom.db.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from engine_runs import Rate

SLOTS = 4
PAUSE = 0.05
PARTS = ("delays", "rates", "idle", "history", "panels")
PANELS = {
    "1,000 panels of one account, 5 changes a second": ("/api/v1/events", 1, 5.0),
    "1,000 pages of one account, 5 changes a second": ("/jobs/stream", 1, 5.0),
    "1,000 panels of 50 accounts, 20 changes a second": ("/api/v1/events", 50, 20.0),
}
"""The stream (JSON for programs, HTML for the pages), the accounts, and the state changes a second of all of them."""


@dataclass
class Results:
    """Everything that was measured; times in milliseconds."""

    delays: dict[str, list[list[float]]] = field(default_factory=dict)
    through_http: list[float] = field(default_factory=list)
    rates: dict[tuple[str, int], list[Rate]] = field(default_factory=dict)
    idle: dict[str, float] = field(default_factory=dict)
    page: list[float] = field(default_factory=list)
    claims: tuple[float, float] | None = None
    panels: dict[str, panel_runs.Liveness] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    rounds: int
    delays: int
    tasks: int
    idle_seconds: float
    finished: int
    panels: int
    panel_seconds: float
    settle: float
    is_quick: bool = False


WHOLE = Sizes(3, 100, 800, 30, 100_000, 1000, 10, SETTLE_SECONDS)
QUICK = Sizes(1, 5, 20, 0.5, 200, 6, 1, 0.5, is_quick=True)


def main() -> None:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each queue has its turn; default: 3")
    parser.add_argument("--without", action="append", default=[], choices=PEERS, help="leave a peer out")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="little of everything, which shows that all works")
    parser.add_argument(
        "--peers-python", help="the Python that has the peers; default: one that is made in build/peers"
    )
    parser.add_argument("--output", type=Path, default=BUILD / "bench" / "engine.json", help="where the figures go")
    options = parser.parse_args()
    sizes = QUICK if options.quick else replace(WHOLE, rounds=options.rounds)
    names = (VARLOOM, *(name for name in PEERS if name not in options.without))
    python = options.peers_python or peers_python()
    results = Results()
    folder = Path(tempfile.mkdtemp(prefix="varloom-bench-"))
    folder.chmod(0o711)
    postgres = EmbeddedPostgres(folder / "data")
    try:
        with postgres:
            field_of_all = engines(postgres.conninfo, folder, python, names, sizes.settle)
            for part in options.only.split(","):
                print(f"== {part}", file=sys.stderr)
                try:
                    _MEASURES[part](field_of_all, sizes, folder, results)
                except EngineFailedError as failure:  # the other parts have their figures all the same
                    results.failures.append(f"{part}: {failure}")
    finally:
        postgres.destroy()
        shutil.rmtree(folder, ignore_errors=True)
    _print(results)
    outcome = [] if options.quick else verdicts(results)
    for verdict in outcome:
        print(f"{'reached' if verdict.reached else 'MISSED':<8} {verdict.what}: {verdict.told}")
    _write(results, versions(python, names[1:]), outcome, options.output, quick=options.quick)


def _delays(all_engines: list[Engine], sizes: Sizes, folder: Path, results: Results) -> None:
    for _ in range(sizes.rounds):
        for engine in all_engines:
            try:
                found = measure_delays(engine, SLOTS, sizes.delays, PAUSE)
            except EngineFailedError as failure:
                results.failures.append(str(failure))
                continue
            results.delays.setdefault(engine.name, []).append(found)
    ours = all_engines[0]
    with panel_runs.server(ours.conninfo, folder / "server") as server, ours.worker(SLOTS) as worker:
        results.through_http = panel_runs.measure_uploads(server, worker, sizes.delays, PAUSE)


def _rates(all_engines: list[Engine], sizes: Sizes, folder: Path, results: Results) -> None:  # noqa: ARG001
    for _ in range(sizes.rounds):
        for engine in all_engines:
            for stages in (1, 4) if engine.name == VARLOOM else (1,):
                try:
                    rate = measure_rate(engine, SLOTS, sizes.tasks // stages, stages)
                except EngineFailedError as failure:
                    results.failures.append(str(failure))
                    continue
                results.rates.setdefault((engine.name, stages), []).append(rate)


def _idle(all_engines: list[Engine], sizes: Sizes, folder: Path, results: Results) -> None:  # noqa: ARG001
    results.idle = measure_idleness(all_engines, SLOTS, sizes.idle_seconds)


def _history(all_engines: list[Engine], sizes: Sizes, folder: Path, results: Results) -> None:
    ours = all_engines[0]
    before = panel_runs.measure_claim(ours.conninfo)
    panel_runs.add_finished_jobs(ours.conninfo, sizes.finished)
    results.claims = (before, panel_runs.measure_claim(ours.conninfo))
    with panel_runs.server(ours.conninfo, folder / "history") as server:
        results.page = panel_runs.measure_page(ours.conninfo, server, 40)


def _panels(all_engines: list[Engine], sizes: Sizes, folder: Path, results: Results) -> None:
    """Each in a server of its own, whose memory no other has grown; in a quick run one serves for all."""
    ours = all_engines[0]
    with contextlib.ExitStack() as last:
        for number, (name, (path, accounts, rate)) in enumerate(PANELS.items()):
            if number == 0 or not sizes.is_quick:
                last.close()
                server = last.enter_context(panel_runs.server(ours.conninfo, folder / f"panels-{number}"))
            load = panel_runs.Load(path, sizes.panels, min(accounts, sizes.panels), rate, sizes.panel_seconds)
            results.panels[name] = panel_runs.measure_liveness(ours.conninfo, server, load)


_MEASURES = {"delays": _delays, "rates": _rates, "idle": _idle, "history": _history, "panels": _panels}


def verdicts(results: Results) -> list[Verdict]:
    """What was reached of all that was measured."""
    found = []
    if results.through_http:
        found += of_delays(results.delays, results.through_http)
    found += of_rates(results.rates)
    if results.idle:
        found += of_idleness(results.idle)
    if results.claims:
        found += of_history(results.page, results.claims)
    return found + of_liveness(results.panels)


def _print(results: Results) -> None:
    for name, rounds in results.delays.items():
        every = [delay for one in rounds for delay in one]
        print(f"{name:<15}accepted to started: p50 {middle(every):9.1f} ms   p99 {percentile(every, 0.99):9.1f} ms")
    for (name, stages), rates in results.rates.items():
        rate, cpu = middle([one.per_second for one in rates]), middle([one.cpu_ms for one in rates])
        what = f"stages of {stages}-stage jobs" if name == VARLOOM else "tasks"
        print(f"{name:<15}{what}: {rate:7.0f} /s   {rate / stages:7.0f} jobs/s   {cpu:6.2f} ms of processor each")
    for name, share in results.idle.items():
        print(f"{name:<15}idle: {share:.2%} of a core")
    for failure in results.failures:
        print(f"failed: {failure}")


def _write(results: Results, told: dict[str, str], outcome: list[Verdict], target: Path, *, quick: bool) -> None:
    """All figures, for programs."""
    content: dict[str, Any] = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {"system": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()},
        "load": os.getloadavg(),
        "versions": told,
        "quick": quick,
        "delays_ms": results.delays | {"varloom over HTTP": [results.through_http]},
        "rates": [
            {"queue": n, "stages": s, "runs": [asdict(r) for r in rates]} for (n, s), rates in results.rates.items()
        ],
        "idle": results.idle,
        "first_page_ms": results.page,
        "claim_ms": results.claims,
        "panels": {
            name: {
                "p50_ms": middle(one.delays),
                "p99_ms": percentile(one.delays, 0.99),
                "lost": one.lost,
                "cpu": one.cpu,
                "messages_per_second": one.messages,
                "kib_per_panel": one.kib,
            }
            for name, one in results.panels.items()
        },
        "failures": results.failures,
        "verdicts": [asdict(verdict) for verdict in outcome],
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
