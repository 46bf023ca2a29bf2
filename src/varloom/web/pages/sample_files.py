"""What was made of a sample's reads: the quality of the reads, and files to download."""

from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from varloom.services.views import SampleFileView
from varloom.web.api.openapi import PREFIX
from varloom.web.dependencies import CurrentAccount, CurrentServices
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
    account: CurrentAccount,
    sample_id: UUID,
    dataset: UUID | None = None,
) -> HTMLResponse:
    """The files of a sample."""
    sample = await services.samples.get(account.id, sample_id)
    files = (await services.sample_files.of_sample(account.id, sample_id)).files
    return await page(
        request,
        "sample_files.html",
        tab="files",
        **await sample_heading(services, account, sample, chosen_table(sample, dataset)),
        files=[_row(sample_id, file) for file in files],
        quality=await services.sample_files.quality(account.id, sample_id),
        genome=await services.aligned_reads.genome_name(account.id, sample_id),
        alignment=next((file.download_name for file in files if file.role == "alignment"), None),
    )


def _row(sample_id: UUID, file: SampleFileView) -> FileRow:
    return FileRow(
        TITLES.get(file.role, file.role),
        file.download_name,
        f"{PREFIX}/samples/{sample_id}/files/{file.name}",
        size(file.bytes),
    )
