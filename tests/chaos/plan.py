"""What a chaos run will do: a pure function of its seed. When exactly each thing happens, the machine decides."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
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
    "freeze_download": 15.0,
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


SOURCES = (
    *["sound"] * 3,
    *["rough"] * 11,
    *["replaced"] * 4,
    *("changing", "deleted", "missing", "forbidden", "busy", "limit", "hopeless", "hopeless", "damaged", "page"),
)
"""How an object behaves that is loaded by its URL: a deck that is dealt, so that each kind comes."""
EVERY = 6
"""One of so many uploads is by URL."""
TOLD = ("etag", "etag", "digest", "digest", "modified", "weak", "nothing")
"""What the server of an object tells of its version."""


@dataclass(frozen=True)
class PlannedSource:
    """The object behind a URL. `replacement` is the file that may take the place of the upload's own."""

    kind: str
    told: str
    replacement: int


@dataclass(frozen=True)
class PlannedUpload:
    """One upload and what its user does with it; with a `source` it comes by URL.

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
    source: PlannedSource | None = None

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
    uploads = _by_url(random.Random(f"sources {seed}"), uploads, files)
    faults = [
        PlannedFault(chance.uniform(0.04, 0.9) * seconds, kind, chance.randrange(1 << 30))
        for kind, interval in FREQUENCY.items()
        for _ in range(max(1, round(seconds / interval)))
    ]
    return Plan(seed, seconds, uploads, tuple(sorted(faults, key=lambda fault: fault.at)))


def _sizes(files: Sequence[ChosenFile]) -> tuple[list[int], list[int], list[int]]:
    """The numbers of the small files, of those whose stages last, and of those that are downloaded in parts."""
    numbers: dict[str, list[int]] = {"small": [], "large": [], "huge": []}
    for index, file in enumerate(files):
        numbers[file.size].append(index)
    return numbers["small"], numbers["large"], numbers["huge"]


def _by_url(
    chance: random.Random, uploads: tuple[PlannedUpload, ...], files: Sequence[ChosenFile]
) -> tuple[PlannedUpload, ...]:
    """The uploads, of which some come by URL."""
    small, large, huge = _sizes(files)
    deck: list[str] = []
    planned = list(uploads)
    for number in range(EVERY // 2, len(uploads), EVERY):
        deck = deck or chance.sample(SOURCES, len(SOURCES))
        kind = deck.pop()
        file = chance.choice(chance.choices([small, large, huge], [6, 3, 1] if kind == "rough" else [3, 1, 0])[0])
        split = files[file].can_split and chance.random() < 0.5
        told = "nothing" if kind == "hopeless" else "etag" if kind == "changing" else chance.choice(TOLD)
        source = PlannedSource(kind, told, _replacement(chance, file, files, split=split))
        then = uploads[number].then
        if kind != "sound" and then == "cancel":  # on a slow machine nobody would have asked for it, and met its fault
            then = None
        planned[number] = replace(uploads[number], file=file, split=split, cut=None, then=then, source=source)
    return tuple(planned)


def _replacement(chance: random.Random, file: int, files: Sequence[ChosenFile], *, split: bool) -> int:
    """Another file that could have the same name; the file itself where there is none."""
    suffixes = Path(files[file].name).suffixes
    others = [
        index
        for index, other in enumerate(files)
        if index != file
        and other.size != "huge"
        and Path(other.name).suffixes == suffixes
        and (other.can_split or not split)
    ]
    return chance.choice(others) if others else file


def _upload(chance: random.Random, number: int, files: Sequence[ChosenFile]) -> PlannedUpload:
    small, large, _ = _sizes(files)
    file = chance.choice(large if chance.random() < 0.1 else small)
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
