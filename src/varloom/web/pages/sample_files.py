"""What was made of a sample's reads: the quality of the reads, and files to download."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing` and `Owning`

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from varloom.services.views import SampleFileView
from varloom.web.api.openapi import PREFIX
from varloom.web.dependencies import CurrentServices, Viewing
from varloom.web.pages.formatting import size
from varloom.web.pages.rendering import page
from varloom.web.pages.samples import chosen_table, sample_heading

router = APIRouter(include_in_schema=False)

TITLES = {
    "alignment": "Alignment",
    "alignment_index": "Index of the alignment",
    "variants": "Variants",
    "variants_index": "Index of the variants",
    "genotyped": "Genotypes at PGx positions",
    "genotyped_index": "Index of these genotypes",
    "quality": "Quality of the reads",
    "pgx": "PGx calls",
}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file to download."""

    title: str
    name: str
    url: str
    size: str


@router.get("/samples/{sample_id}/files")
async def files_page(
    request: Request,
    services: CurrentServices,
    access: Viewing,
    dataset: UUID | None = None,
) -> HTMLResponse:
    """The files of a sample."""
    sample = await services.samples.get(access)
    holder, sample_id = access.account_id, access.sample_id
    files = (await services.sample_files.of_sample(holder, sample_id)).files
    return await page(
        request,
        "sample_files.html",
        tab="files",
        **await sample_heading(services, access, sample, chosen_table(sample, dataset)),
        files=[_row(sample_id, file) for file in files],
        quality=await services.sample_files.quality(holder, sample_id),
        genome=await services.aligned_reads.genome_name(holder, sample_id),
        alignment=next((file.download_name for file in files if file.role == "alignment"), None),
    )


def _row(sample_id: UUID, file: SampleFileView) -> FileRow:
    return FileRow(
        TITLES.get(file.role, file.role),
        file.download_name,
        f"{PREFIX}/samples/{sample_id}/files/{file.name}",
        size(file.bytes),
    )
