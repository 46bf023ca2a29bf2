"""The versions of a sample's table: what each was annotated with, what changed, and annotating the sample again."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing` and `Owning`

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from varloom.errors import VarloomError, counted
from varloom.services.renewals import WantedAnnotation
from varloom.services.views import ChangesView, SampleView, VersionView, holds_variants
from varloom.web.dependencies import CurrentAccount, CurrentServices, Owning, Viewing
from varloom.web.pages.formatting import count, moment, size
from varloom.web.pages.rendering import page, render
from varloom.web.pages.renewal import renewal_notice
from varloom.web.pages.samples import chosen_table, sample_heading

router = APIRouter(include_in_schema=False)

MOST_CHANGES = 4
"""Columns whose changes are told in a row; the others are counted."""
KINDS = {"small": "Small variants", "structural": "Structural variants"}
_FIRST = ("clinvar.significance", "sv.class", "csq.consequence", "gnomad.af")
"""The columns whose changes are told before those of others."""


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version as the list shows it."""

    number: int
    is_newest: bool
    url: str
    job_id: str | None
    created_iso: str
    created: str
    kind: str
    releases: list[str]
    changes: list[str]
    rows: str
    size: str


@router.get("/samples/{sample_id}/versions")
async def versions_page(request: Request, services: CurrentServices, access: Viewing) -> HTMLResponse:
    """All versions of a sample's table, and how to make another."""
    sample = await services.samples.get(access)
    table = sample.datasets[0]
    return await page(
        request,
        "sample_versions.html",
        tab="versions",
        **await sample_heading(services, access, sample, chosen_table(sample, None)),
        versions=[_version_row(sample, version) for version in sample.versions],
        kind=sample.versions[0].annotate or "small",
        kinds=KINDS,
        assembly=table.assembly or "",
        can_annotate=access.is_own and holds_variants(table.format) and sample.renewal_job_id is None,
    )


@router.get("/samples/{sample_id}/renewal")
async def renewal(services: CurrentServices, access: Viewing, dataset: UUID | None = None) -> HTMLResponse:
    """The notice above a table, as it is now."""
    sample = await services.samples.get(access)
    chosen = chosen_table(sample, dataset)
    return _notice(sample, chosen.version.version, str(chosen.table.id))


@router.post("/samples/{sample_id}/annotate")
async def annotate_sample(
    *,
    services: CurrentServices,
    access: Owning,
    annotate: Annotated[Literal["", "small", "structural"], Form()] = "",
    assembly: Annotated[Literal["", "GRCh38", "GRCh37"], Form()] = "",
) -> HTMLResponse:
    """Annotate a sample again; the notice that stands above its table from now on."""
    wanted = WantedAnnotation(annotate or None, assembly or None)
    shown = await services.samples.get(access)  # before, for the new version may be there when the answer is made
    await services.renewals.annotate(access.account_id, access.sample_id, wanted)
    sample = await services.samples.get(access)
    return _notice(sample, shown.version, str(shown.datasets[0].id))


@router.post("/samples/annotate")
async def annotate_samples(
    services: CurrentServices, account: CurrentAccount, sample: Annotated[list[UUID], Form(max_length=100)]
) -> HTMLResponse:
    """Annotate several samples again, each with a job of its own; what became of them."""
    refused: list[str] = []
    for sample_id in dict.fromkeys(sample):
        try:
            access = await services.access.to_sample(account.id, sample_id, "owner")
            await services.renewals.annotate(access.account_id, sample_id, WantedAnnotation())
        except VarloomError as error:
            refused.append(error.message)
    begun = len(dict.fromkeys(sample)) - len(refused)
    return HTMLResponse(render("parts/renewals_begun.html", begun=begun, refused=list(dict.fromkeys(refused))))


def _notice(sample: SampleView, shown: int, dataset: str) -> HTMLResponse:
    notice = renewal_notice(sample, shown)
    return HTMLResponse(render("parts/renewal.html", sample_id=str(sample.id), dataset=dataset, notice=notice))


def _version_row(sample: SampleView, version: VersionView) -> VersionRow:
    first = version.datasets[0]
    is_newest = version.version == sample.version
    return VersionRow(
        number=version.version,
        is_newest=is_newest,
        url=f"/samples/{sample.id}" + ("" if is_newest else f"?dataset={first.id}"),
        job_id=str(version.job_id) if version.job_id else None,
        created_iso=version.created_at.isoformat(),
        created=moment(version.created_at),
        kind=KINDS[version.annotate] if version.annotate else "Not annotated",
        releases=[f"{name.partition(' ')[2]} {release}" for name, release in sorted(version.releases.items())],
        changes=_changes(version.changes),
        rows=count(first.variants),
        size=size(sum(dataset.bytes for dataset in version.datasets)),
    )


def _changes(changes: ChangesView | None) -> list[str]:
    """What changed, a line for each of the columns that matter most; nothing where there was nothing to compare."""
    if changes is None:
        return []
    names = sorted(changes.columns, key=lambda name: (_rank(name), name))
    told = [f"{name}: {_counts(changes, name)}" for name in names[:MOST_CHANGES]]
    if len(names) > MOST_CHANGES:
        told.append(f"and {counted(len(names) - MOST_CHANGES, 'further column')}")
    for what, columns in (("new", changes.added), ("gone", changes.removed)):
        if columns:
            sources = sorted({column.partition(".")[0] for column in columns})
            told.append(f"{counted(len(columns), 'column')} {what}: {', '.join(sources)}")
    return told or ["Nothing changed"]


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _counts(changes: ChangesView, name: str) -> str:
    found = changes.columns[name]
    counts = (("changed", found.changed), ("new", found.gained), ("gone", found.lost))
    return ", ".join(f"{count(number)} {what}" for what, number in counts if number)
