"""What is said above a table: that it is not the newest version, is being annotated again, or could be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.services.views import NewerReleaseView, SampleView


@dataclass(frozen=True, slots=True)
class RenewalNotice:
    """What stands above a table: that it is not the newest, is being renewed, or could be.

    Attributes:
        tone: of its colour.
        text: what is the case.
        link: where to go, with its label; None where there is nowhere to.
        can_annotate: whether a button annotates the sample again.
    """

    tone: str
    text: str
    link: tuple[str, str] | None = None
    can_annotate: bool = False


def renewal_notice(sample: SampleView, shown: int) -> RenewalNotice | None:
    """What is said above the table of a version; None where there is nothing to say."""
    if sample.renewal_job_id is not None:
        text = "A new version of this table is being made. This one stays as it is."
        return RenewalNotice("run", text, ("Open the job", f"/jobs/{sample.renewal_job_id}"))
    if shown != sample.version:
        text = f"This is version {shown} of the table; the newest is version {sample.version}."
        return RenewalNotice("warn", text, (f"Show version {sample.version}", f"/samples/{sample.id}"))
    if sample.newer and sample.role == "owner":
        return RenewalNotice("warn", newer_text(sample.newer), can_annotate=True)
    if sample.newer:
        return RenewalNotice("warn", f"{newer_text(sample.newer)} {sample.shared_by} can annotate it again.")
    return None


def newer_text(newer: Sequence[NewerReleaseView]) -> str:
    """Which reference data is newer than what a sample was annotated with, as a sentence."""
    told = [
        f"{one.title} {one.release} is newer than this sample's ({one.used})"
        if one.used is not None
        else f"{one.title} {one.release} was not there when this sample was annotated"
        for one in newer
    ]
    return "; ".join(told) + "."
