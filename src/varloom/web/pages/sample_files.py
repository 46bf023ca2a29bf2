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
from varloom.web.pages.renewal import renewal_notice
from varloom.web.pages.samples import chosen_table, sample_row, table_head

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
    version, table = chosen_table(sample, dataset)
    files = (await services.sample_files.of_sample(account.id, sample_id)).files
    return await page(
        request,
        "sample_files.html",
        section="samples",
        tab="files",
        has_files=True,
        has_pgx=await services.pgx.has(account.id, sample_id),
        sample=sample_row(sample),
        table=table_head(table),
        tables=[(str(one.id), one.name) for one in version.datasets],
        is_newest=version.version == sample.version,
        notice=renewal_notice(sample, version.version),
        files=[_row(sample_id, file) for file in files],
        quality=await services.sample_files.quality(account.id, sample_id),
        alignment=next((file.download_name for file in files if file.role == "alignment"), None),
    )


def _row(sample_id: UUID, file: SampleFileView) -> FileRow:
    return FileRow(
        TITLES.get(file.role, file.role),
        file.download_name,
        f"{PREFIX}/samples/{sample_id}/files/{file.name}",
        size(file.bytes),
    )
