"""What the outside sees of an upload that arrives over several requests."""

from typing import Any
from uuid import UUID

from pydantic import Field

from varloom.services.resumable_rows import ResumableUpload
from varloom.services.views import JobView, UtcTime, View


class UploadView(View):
    """An upload on its way, or one that has become a job."""

    id: UUID
    name: str = Field(description="as the user's machine called it")
    bytes: int = Field(description="of the whole file")
    offset: int = Field(description="how many of them cannot be lost any more")
    sample_name: str
    options: dict[str, Any]
    priority: int
    created_at: UtcTime
    expires_at: UtcTime = Field(description="until then it can be gone on with; what comes gives it time anew")
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
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        job=job,
    )
