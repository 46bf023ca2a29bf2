"""Reference data: what is installed, and what is missing, with where it is published."""

from collections import Counter
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from varloom.errors import counted
from varloom.services.accounts import Account
from varloom.services.reference_views import MissingReferenceView, ReferencesView, ReferenceView
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.pages.formatting import moment, size
from varloom.web.pages.rendering import page

KINDS = {
    "fasta": "reference genome",
    "genes": "gene models",
    "mane": "MANE summary",
    "variants": "known variants",
    "scores": "scores",
    "structural": "structural variants",
    "dosage": "dosage",
    "pgx": "PGx",
}
_FILES_NAMED = 3
"""Of a release that was made of more files, so many are named at once."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class InstalledRow:
    """One installed release."""

    name: str
    kind: str
    assembly: str
    release: str
    licence: str
    size: str
    holds: str
    synthetic: bool
    source: str
    sha256: str
    added: str
    added_iso: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MissingRow:
    """One thing that full annotation needs."""

    title: str
    gives: str
    licence: str
    size: str
    url: str
    command: str


@router.get("/refs")
async def references_page(request: Request, services: CurrentServices, account: CurrentAccount) -> HTMLResponse:
    """The library of reference data as it is."""
    found = await services.references.overview()
    await services.annotations.look()  # what is shown here is offered elsewhere
    return await _page(request, found, account)


@router.post("/refs/demo")
async def install_demo(request: Request, services: CurrentServices, account: CurrentAccount) -> HTMLResponse:
    """Install the demonstration data; the page as it is then."""
    found = await services.references.install_demo(account)
    await services.annotations.look()
    return await _page(request, found, account)


@router.delete("/refs/demo")
async def remove_demo(request: Request, services: CurrentServices, account: CurrentAccount) -> HTMLResponse:
    """Remove the demonstration data; the page as it is then."""
    await services.on_demand.close()
    found = await services.references.remove_demo(account)
    await services.annotations.look()
    return await _page(request, found, account)


async def _page(request: Request, found: ReferencesView, account: Account) -> HTMLResponse:
    lacking = Counter(one.assembly for one in found.missing)
    return await page(
        request,
        "refs.html",
        section="refs",
        is_owner=account.role == "owner",
        demo=found.demo,
        demo_rows=[_installed(one) for one in found.installed if one.synthetic],
        installed=[_installed(one) for one in found.installed if not one.synthetic],
        missing=[
            (assembly, [_missing(one) for one in found.missing if one.assembly == assembly]) for assembly in lacking
        ],
    )


def _installed(one: ReferenceView) -> InstalledRow:
    return InstalledRow(
        name=one.name,
        kind=KINDS.get(one.kind, one.kind),
        assembly=one.assembly,
        release=one.release,
        licence=one.licence or "not told",
        size=size(one.bytes),
        synthetic=one.synthetic,
        holds="" if one.rows is None else counted(one.rows, "variant"),
        source=_first_of(one.source),
        sha256=one.sha256,
        added=moment(one.added_at),
        added_iso=one.added_at.isoformat(),
        notes=tuple(one.notes),
    )


def _first_of(files: str) -> str:
    """The first of several names, and how many more there are."""
    names = files.split(", ")
    more = len(names) - _FILES_NAMED
    return f"{', '.join(names[:_FILES_NAMED])} and {more:,} more" if more > 1 else files


def _missing(one: MissingReferenceView) -> MissingRow:
    command = f"varloom refs add {one.name} --kind {one.kind} --assembly {one.assembly} --from FILE"
    return MissingRow(one.title, one.gives, one.licence, size(one.bytes), one.url, command)
