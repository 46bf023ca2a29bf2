"""What monitoring asks: jobs, queue, slots, durations and failures, of all accounts together.

All of it comes from the database, so that one server tells of every worker, and counters go on after a restart.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import varloom
from varloom.jobs import line, totals
from varloom.jobs.lifecycle import STATE_OF_STAGE, Stage, State
from varloom.services.notices import outbox
from varloom.services.owners import require_owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.model import Pause, StageQueue, WorkerState
    from varloom.jobs.totals import DurationTotal, EndingTotal, LiveJobs
    from varloom.services.accounts import Account
    from varloom.settings import Settings
    from varloom.storage.disk_watch import DiskSpace, DiskWatch

_LIVE_STATES = (State.QUEUED, State.DOWNLOADING, State.PROCESSING, State.ANNOTATING, State.PARSING)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures for Prometheus."""

    pool: AsyncConnectionPool
    settings: Settings
    disks: DiskWatch

    async def told(self, account: Account, accept: str) -> tuple[bytes, str]:
        """All figures in the text format of Prometheus, or of OpenMetrics where the request accepts it.

        Args:
            account: who asks.
            accept: the header of the request.

        Returns:
            The text and its content type.

        Raises:
            VarloomError: `owner_only`.
        """
        require_owner(account)
        async with self.pool.connection() as conn:
            await totals.add_up(conn)
        async with self.pool.connection() as conn:
            figures = _Figures(
                live=await totals.live_jobs(conn),
                stages=await line.queue_overview(conn, self.settings.worker_timeout),
                workers=await line.worker_states(conn),
                pauses=await line.pauses(conn),
                endings=await totals.ending_totals(conn),
                durations=await totals.duration_totals(conn),
                notices=await outbox.waiting(conn),
                disks=await asyncio.to_thread(self.disks.spaces),
                disk_low=await asyncio.to_thread(self.disks.look) is not None,
            )
        registry = CollectorRegistry(auto_describe=False)
        registry.register(figures)
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type


@dataclass(frozen=True, slots=True, eq=False)  # a registry looks collectors up by identity
class _Figures(Collector):
    """What was read at one moment."""

    live: Sequence[LiveJobs]
    stages: Sequence[StageQueue]
    workers: Sequence[WorkerState]
    pauses: Sequence[Pause]
    endings: Sequence[EndingTotal]
    durations: Sequence[DurationTotal]
    notices: Mapping[str, tuple[int, float]]
    disks: Mapping[str, DiskSpace]
    disk_low: bool

    def collect(self) -> Iterable[Metric]:
        """Every metric, also those of which nothing is there yet, as far as their labels are known."""
        about = GaugeMetricFamily("varloom_build_info", "The version of this server.", labels=["version"])
        about.add_metric([varloom.__version__], 1)
        yield about
        yield from self._queue()
        yield from self._workers()
        yield from self._disks()
        yield from self._notices()
        yield from self._endings()
        yield self._histogram(
            "stage", "varloom_stage_duration_seconds", "What attempts that succeeded took.", ["stage"]
        )
        yield self._histogram("job", "varloom_job_duration_seconds", "From upload to table, of completed jobs.", [])

    def _queue(self) -> Iterable[Metric]:
        jobs = GaugeMetricFamily("varloom_jobs", "Jobs that have not ended.", labels=["state", "stage"])
        wait = GaugeMetricFamily("varloom_queue_age_seconds", "How long the first in line waits.", labels=["stage"])
        told = {(one.state, one.stage): one for one in self.live}
        for state in _LIVE_STATES:
            for stage in Stage:
                one = told.get((state.value, stage.value))
                if one is not None or state is State.QUEUED or state is STATE_OF_STAGE[stage]:
                    jobs.add_metric([state.value, stage.value], one.jobs if one else 0)
                if state is State.QUEUED:
                    wait.add_metric([stage.value], one.oldest_wait if one else 0)
        delayed = GaugeMetricFamily("varloom_jobs_delayed", "Queued jobs that wait for a retry.", labels=["stage"])
        slots = GaugeMetricFamily("varloom_slots", "Slots of the workers that are there.", labels=["stage"])
        busy = GaugeMetricFamily("varloom_slots_busy", "Slots in use.", labels=["stage"])
        for queue in self.stages:
            delayed.add_metric([queue.stage.value], queue.delayed)
            slots.add_metric([queue.stage.value], queue.slots)
            busy.add_metric([queue.stage.value], queue.busy)
        paused = GaugeMetricFamily("varloom_stage_paused", "1 while an operator holds a stage back.", labels=["stage"])
        held = {one.stage for one in self.pauses}
        for stage in Stage:
            paused.add_metric([stage.value], int(stage in held))
        yield from (jobs, wait, delayed, slots, busy, paused)

    def _workers(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("varloom_workers", "Workers that are there.", value=len(self.workers))
        age = GaugeMetricFamily(
            "varloom_worker_heartbeat_age_seconds", "When each worker was last heard of.", labels=["host", "pid"]
        )
        silences: dict[tuple[str, str], float] = {}  # containers may share a name, and all have the process 1
        for worker in self.workers:
            labels = (worker.host, str(worker.pid))
            silences[labels] = max(silences.get(labels, 0.0), worker.silence)
        for labels, silence in silences.items():
            age.add_metric(labels, silence)
        yield age
        low = GaugeMetricFamily(
            "varloom_worker_disk_low",
            "1 while a worker begins nothing, since a disk has too little space.",
            labels=["host", "pid"],
        )
        for labels in silences:
            short = any(one.low_disk for one in self.workers if (one.host, str(one.pid)) == labels)
            low.add_metric(labels, int(short))
        yield low

    def _disks(self) -> Iterable[Metric]:
        free = GaugeMetricFamily("varloom_disk_free_bytes", "Free space of the server's disks.", labels=["folder"])
        size = GaugeMetricFamily("varloom_disk_size_bytes", "Size of the server's disks.", labels=["folder"])
        for name, space in self.disks.items():
            free.add_metric([name], space.free)
            size.add_metric([name], space.total)
        low = GaugeMetricFamily("varloom_disk_low", "1 while the server takes no uploads for want of space.")
        low.add_metric([], int(self.disk_low))
        yield from (free, size, low)

    def _notices(self) -> Iterable[Metric]:
        number = GaugeMetricFamily("varloom_notices_waiting", "Notices that are still to be sent.", labels=["kind"])
        age = GaugeMetricFamily("varloom_notices_age_seconds", "How long the oldest of them waits.", labels=["kind"])
        for kind, (count, oldest) in self.notices.items():
            number.add_metric([kind], count)
            age.add_metric([kind], oldest)
        yield from (number, age)

    def _endings(self) -> Iterable[Metric]:
        attempts = CounterMetricFamily(
            "varloom_stage_attempts", "Attempts that ended, by how.", labels=["stage", "outcome", "code"]
        )
        jobs = CounterMetricFamily("varloom_jobs_ended", "Jobs that ended.", labels=["state", "code"])
        seconds = CounterMetricFamily(
            "varloom_stage_busy_seconds", "What all attempts took together.", labels=["stage"]
        )
        ended: dict[tuple[str, str], int] = {(state, ""): 0 for state in ("completed", "cancelled")}
        spent: dict[str, float] = {stage.value: 0.0 for stage in Stage}
        succeeded = {stage.value for stage in Stage}
        for one in self.endings:
            if one.what == "stage":
                attempts.add_metric([one.stage, one.outcome, one.code], one.endings)
                spent[one.stage] = spent.get(one.stage, 0.0) + one.seconds
                if one.outcome == "succeeded":
                    succeeded.discard(one.stage)
            else:
                ended[one.outcome, one.code] = ended.get((one.outcome, one.code), 0) + one.endings
        for stage in sorted(succeeded):  # from the first on, so that a rate can be told of the next
            attempts.add_metric([stage, "succeeded", ""], 0)
        for (state, code), count in sorted(ended.items()):
            jobs.add_metric([state, code], count)
        for stage, took in spent.items():
            seconds.add_metric([stage], took)
        yield from (attempts, jobs, seconds)

    def _histogram(self, what: str, name: str, documentation: str, labels: list[str]) -> Metric:
        """Durations of what succeeded, cumulative by bound."""
        metric = HistogramMetricFamily(name, documentation, labels=labels)
        for stage in [stage.value for stage in Stage] if labels else [""]:
            counts = {one.at_most: one.endings for one in self.durations if (one.what, one.stage) == (what, stage)}
            metric.add_metric([stage] if labels else [], _cumulative(counts), self._seconds_of(what, stage))
        return metric

    def _seconds_of(self, what: str, stage: str) -> float:
        return sum(
            one.seconds
            for one in self.endings
            if one.what == what and one.outcome in {"succeeded", "completed"} and (what == "job" or one.stage == stage)
        )


def _cumulative(counts: Mapping[float, int]) -> list[tuple[str, float]]:
    """Each bound with how many took at most so long; also bounds of versions before this one."""
    told, so_far = [], 0
    for bound in sorted({*totals.BOUNDS, math.inf, *counts}):
        so_far += counts.get(bound, 0)
        told.append(("+Inf" if math.isinf(bound) else str(bound), float(so_far)))
    return told
