"""What the outside sees of an upload that arrives over several requests."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from varloom.services.preflights import assembly_warning
from varloom.services.resumable_rows import ResumableUpload
from varloom.services.views import ErrorView, JobView, ProblemView, UtcTime, View


class PreflightView(View):
    """What the beginning of a file tells."""

    verdict: Literal["sound", "refused", "unknown"] = Field(
        description="`unknown`: the beginning does not tell, as that of a zip archive"
    )
    format: str | None = Field(description="such as vcf, bcf, csv or tsv")
    compression: str | None
    samples: int | None = Field(description="of a VCF or BCF")
    columns: int | None = Field(description="of a CSV or TSV")
    names: list[str] = Field(description="of the first 200 samples or columns")
    assembly: Literal["GRCh37", "GRCh38"] | None = Field(
        description="by the header; null where it is neither, or unknown"
    )
    assembly_evidence: str | None = Field(description="by what the assembly is told; null where nothing tells it")
    problems: list[ProblemView] = Field(description="why the file is refused, else what is odd about its header")


class UploadView(View):
    """An upload on its way, or one that has become a job."""

    id: UUID
    name: str = Field(description="as the user's machine called it")
    bytes: int = Field(description="of the whole file")
    offset: int = Field(description="how many of them cannot be lost any more")
    sample_name: str
    options: dict[str, Any]
    priority: int
    set: str | None = Field(description="the same for all files of a set; null for a file that is alone")
    position: int = Field(description="of the file in the set that becomes one job; 1 for a file that is alone")
    files: int = Field(description="how many files the set has")
    created_at: UtcTime
    expires_at: UtcTime = Field(description="until then it can be gone on with; what comes gives it time anew")
    preflight: PreflightView | None = Field(description="what the beginning told; null until it did")
    assembly_warning: str | None = Field(description="why the chosen assembly looks wrong")
    error: ErrorView | None = Field(description="why the rest of the file is not wanted")
    job: JobView | None = Field(description="what it became")


class UploadList(View):
    """Uploads that can be gone on with, newest first."""

    uploads: list[UploadView]


def upload_view(upload: ResumableUpload, job: JobView | None = None) -> UploadView:
    """The view of an upload, with the job that it became."""
    return UploadView(
        id=upload.id,
        name=upload.name,
        bytes=upload.bytes,
        offset=upload.durable,
        sample_name=upload.sample_name,
        options=upload.options,
        priority=upload.priority,
        set=upload.set_key,
        position=upload.position,
        files=upload.files,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        preflight=PreflightView.model_validate(upload.preflight) if upload.preflight else None,
        assembly_warning=assembly_warning(
            upload.preflight, upload.options.get("assembly"), pgx=bool(upload.options.get("pgx"))
        ),
        error=ErrorView.model_validate(upload.error) if upload.error else None,
        job=job,
    )
