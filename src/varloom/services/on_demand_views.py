"""What the outside sees of variants that were annotated on demand."""

from typing import Any

from pydantic import Field

from varloom.services.views import ErrorView, View


class PlaceView(View):
    """A variant at its place, as it was understood."""

    contig: str
    position: int = Field(description="1-based, of the first base of `ref`")
    ref: str
    alt: str


class AnnotatedVariant(View):
    """What is known of one variant."""

    input: str = Field(description="as it was asked for")
    variant: PlaceView | None = Field(description="null where the text was not understood")
    error: ErrorView | None = Field(default=None, description="why it was not")
    annotation: dict[str, Any] = Field(description="values by column, as the columns of an annotated table are called")
    synthetic: bool = Field(
        default=False, description="whether it is a variant of the demonstration, of which all that is told is made"
    )
    not_annotated: dict[str, str] = Field(default={}, description="by source, why that one says nothing of the variant")


class ReleaseView(View):
    """A release of reference data."""

    kind: str
    name: str
    release: str


class AnnotatedVariants(View):
    """What is known of several variants, in the order in which they were asked for."""

    assembly: str
    releases: list[ReleaseView] = Field(description="the reference data that was used")
    variants: list[AnnotatedVariant]
