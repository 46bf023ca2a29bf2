"""What the outside sees of the reference data: what is installed, and what full annotation still needs."""

from typing import Literal

from pydantic import Field

from varloom.services.views import UtcTime, View

AssemblyName = Literal["GRCh38", "GRCh37"]


class ReferenceView(View):
    """An installed release."""

    name: str
    kind: str = Field(description="genes, fasta, variants, scores, structural, dosage, mane or pgx")
    assembly: AssemblyName
    release: str
    bytes: int = Field(description="of the installed files")
    sha256: str = Field(description="of the published file; of a list of checksums and names where there are several")
    added_at: UtcTime
    licence: str | None
    source: str = Field(description="the URL or the name of the published file")
    rows: int | None = Field(description="variants that can be looked up; null where the release has none")
    synthetic: bool = Field(
        description="whether it is of the demonstration: synthetic data, which serves its own files alone"
    )
    notes: list[str] = Field(description="what has to be known of it, such as that indels are not left-aligned")


class MissingReferenceView(View):
    """What full annotation of an assembly needs and is not installed. Varloom fetches none of it by itself."""

    name: str
    kind: str
    assembly: AssemblyName
    title: str
    gives: str = Field(description="what it adds to a table")
    licence: str
    url: str = Field(description="where it is published")
    bytes: int = Field(description="about how large the published file is")


class DemoView(View):
    """The demonstration data."""

    installed: bool = Field(description="whether all of it is")
    releases: int = Field(description="of it that are installed")
    files: list[str] = Field(description="the names of the files to load: small variants, and structural ones")


class ReferencesView(View):
    """The library of reference data."""

    installed: list[ReferenceView]
    missing: list[MissingReferenceView]
    demo: DemoView
