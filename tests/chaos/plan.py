"""What a chaos run will do: a pure function of its seed. When exactly each thing happens, the machine decides."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.files import ChosenFile

ACCOUNTS = ("ada", "grace", "rosalind")
JOBS_A_SECOND = 30
SHORTEST = 22.0
"""Seconds; a shorter run could not fit every kind of fault."""

FREQUENCY = {
    "kill_worker": 6.0,
    "kill_child": 3.0,
    "freeze_worker": 12.0,
    "freeze_child": 12.0,
    "kill_server": 30.0,
    "kill_postmaster": 45.0,
    "stop_postgres_at_once": 60.0,
    "cut_connections": 10.0,
    "full_disk": 14.0,
    "broken_disk": 14.0,
    "short_writes": 14.0,
    "slow_disk": 20.0,
}
"""Each kind of fault happens about once in so many seconds, and at least once.

A new kind is a line here and a method of the same name in `faults.Conductor`.
"""

FAILPOINTS = (
    "settle_complete.commit_sent=kill@5;settle_complete.before_commit=kill@8;claim.commit_sent=cut@7;"
    "create_job.commit_sent=cut@9;create_job.after_commit=kill@40;part.before_sync=eio@6;worker.after_claim=stall:4@11;"
    "*.commit_sent=kill@0.08%;*.commit_sent=cut@0.4%;*.before_commit=cut@0.2%;*=kill@0.008%;*=eio@0.02%;"
    "*=stall:0.4@0.03%;worker.after_claim=stall:4@0.2%;stage.before_answer=stall:1@0.5%"
)
"""Some happen once, at the N-th hit, and the others now and then."""
FAILPOINT_ACTIONS = ("kill", "cut", "eio", "stall")


@dataclass(frozen=True)
class PlannedFault:
    """At a moment, in seconds from the beginning of the faults."""

    at: float
    kind: str
    number: int


@dataclass(frozen=True)
class PlannedUpload:
    """One upload and what its user does with it.

    `cut` is None, `abandon` (the connection ends in the middle of the file, and that was it) or `again`.
    `then` is None, `cancel` (after `wait` seconds), `dismiss`, `delete` or `retry` (when it has ended).
    """

    number: int
    file: int
    account: str
    split: bool
    priority: int
    twice: bool
    cut: str | None
    then: str | None
    wait: float

    @property
    def name(self) -> str:
        return f"upload {self.number}"


@dataclass(frozen=True)
class Plan:
    seed: int
    seconds: float
    uploads: tuple[PlannedUpload, ...]
    faults: tuple[PlannedFault, ...]


def make_plan(seed: int, jobs: int, files: Sequence[ChosenFile]) -> Plan:
    """The uploads and faults of this seed."""
    chance = random.Random(f"plan {seed}")
    seconds = max(SHORTEST, jobs / JOBS_A_SECOND)
    uploads = tuple(_upload(chance, number, files) for number in range(jobs))
    faults = [
        PlannedFault(chance.uniform(0.04, 0.9) * seconds, kind, chance.randrange(1 << 30))
        for kind, interval in FREQUENCY.items()
        for _ in range(max(1, round(seconds / interval)))
    ]
    return Plan(seed, seconds, uploads, tuple(sorted(faults, key=lambda fault: fault.at)))


def _upload(chance: random.Random, number: int, files: Sequence[ChosenFile]) -> PlannedUpload:
    large = [index for index, file in enumerate(files) if file.large]
    file = chance.choice(large) if chance.random() < 0.1 else chance.randrange(len(files) - len(large))
    return PlannedUpload(
        number=number,
        file=file,
        account=chance.choices(ACCOUNTS, [6, 3, 1])[0],
        split=files[file].can_split and chance.random() < 0.5,
        priority=chance.choice([0, 0, 0, 5, -5]),
        twice=chance.random() < 0.05,
        cut=chance.choices([None, "abandon", "again"], [94, 2, 4])[0],
        then=chance.choices([None, "cancel", "dismiss", "delete", "retry"], [80, 6, 4, 4, 6])[0],
        wait=chance.uniform(0, 0.5),
    )
