"""The plan: which stages a job has, fixed when it is created, and which options each of them depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.jobs.lifecycle import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

PLAN_VERSION = 6
"""Of the plans and options that this version makes, and the newest that its workers know.

A worker takes no job with a newer one. Raise it with every stage or option that a worker of the version before would
not know, or would understand in another way.
"""

_PGX = ("pgx", "reference_sites_listed", "outside_calls")
STAGE_OPTIONS: Mapping[Stage, frozenset[str]] = {
    Stage.DOWNLOAD: frozenset({"credential"}),
    Stage.PROCESS: frozenset(
        {"assembly", "reads", "reference", "caller", "engine", "alignment_format", "sex_chromosomes", *_PGX}
    ),
    Stage.ANNOTATE: frozenset({"assembly", "annotate"}),
    Stage.PARSE: frozenset({"assembly", "annotate", *_PGX, "split_by_sample"}),
}
"""The options by which a stage would leave something else."""


def make_plan(options: Mapping[str, Any], source_kind: str = "file") -> tuple[Stage, ...]:
    """The ordered stages for these options and a source that is a `file` or a `url`. Every plan ends with parsing."""
    stages: list[Stage] = []
    if source_kind == "url":
        stages.append(Stage.DOWNLOAD)
    if options.get("reads") or options.get("pgx"):
        stages.append(Stage.PROCESS)
    if options.get("annotate"):
        stages.append(Stage.ANNOTATE)
    return (*stages, Stage.PARSE)


def version_of(plan: tuple[Stage, ...]) -> int:
    """The first version that knows all stages of the plan: workers of an earlier one leave the job to others."""
    if Stage.PROCESS in plan:
        return 6
    if Stage.ANNOTATE in plan:
        return 3
    return 2 if Stage.DOWNLOAD in plan else 1


def plan_of_renewal() -> tuple[Stage, ...]:
    """The stages of a job that annotates a sample again: the file that it was made of is there already."""
    return (Stage.ANNOTATE, Stage.PARSE)


VERSION_OF_RENEWAL = 4
"""The first version that knows jobs which annotate a sample again: an earlier one would make another sample of it."""


def stale_stages(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[Stage]:
    """The stages whose artefacts do not hold any more when the options change."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return frozenset(stage for stage, names in STAGE_OPTIONS.items() if names & changed)
