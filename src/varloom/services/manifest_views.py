"""What the outside sees of a manifest: its lines before they become jobs, and the jobs."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from varloom.services.views import ProblemView, View


class ManifestLineView(View):
    """What one line would be."""

    line: int
    url: str = Field(description="without what could be secret")
    name: str = Field(description="what the file is called there")
    sample_name: str
    assembly: Literal["GRCh37", "GRCh38"] | None
    annotate: Literal["small", "structural"] | None
    split_by_sample: bool
    credential: str | None
    priority: int
    pgx: bool = False
    further: list[str] = Field(default=[], description="the other files, where several are the reads of one sample")
    reference: str | None = Field(default=None, description="the genome, for reads")
    alignment_format: Literal["bam", "cram"] = Field(default="bam", description="how it is kept, for reads")
    sex_chromosomes: Literal["auto", "xx", "xy"] = Field(default="auto", description="of the sample, for reads")


class ManifestPreflight(View):
    """What a manifest would be. Nothing was created, and no source was asked."""

    lines: list[ManifestLineView] = Field(description="those that can become jobs")
    total: int = Field(description="of all lines, faulty ones too")
    faulty: int = Field(description="lines that cannot become jobs")
    problems: list[ProblemView] = Field(description="why they cannot; the first fifty")


class ManifestJob(View):
    """A line that became a job."""

    line: int
    id: UUID = Field(description="of the job")
    sample_name: str


class ManifestJobs(View):
    """What a manifest became."""

    id: UUID
    is_new: bool = Field(description="false where an earlier, equal request had made the jobs")
    jobs: list[ManifestJob] = Field(description="in the order of the lines")
    faulty: int = Field(description="lines that were left out, where that was asked for")
    problems: list[ProblemView] = Field(description="why they were; the first fifty")
