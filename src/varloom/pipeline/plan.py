"""The plan: which stages a job has, fixed when it is created."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.jobs.lifecycle import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_plan(options: Mapping[str, Any]) -> tuple[Stage, ...]:  # noqa: ARG001  (stages to come read them)
    """The ordered stages for these options. Every plan ends with parsing."""
    return (Stage.PARSE,)
