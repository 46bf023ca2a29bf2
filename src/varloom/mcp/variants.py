"""The tool that annotates chosen variants."""

from typing import Annotated, Any, Literal

from pydantic import Field

from varloom.mcp.cutting import Cutter, as_text, plain
from varloom.mcp.tool import Answer, Arguments, Result, Tool, Varloom

MOST_VARIANTS = 50
VALUE_LIMIT = 1_000
"""The most characters of one value."""


class Wanted(Arguments):
    """Which variants."""

    variants: list[Annotated[str, Field(min_length=1, max_length=1_000)]] = Field(
        min_length=1,
        max_length=MOST_VARIANTS,
        description="small variants such as chr7:117559590:A:G (position 1-based), chr7:g.117559590A>G, rs113993960, "
        "NM_000492.4:c.1521_1523del, or CFTR:c.1521_1523del (a gene's symbol stands for its MANE Select transcript); "
        f"up to {MOST_VARIANTS}",
    )
    assembly: Literal["GRCh37", "GRCh38"] = Field(description="of the coordinates (hg38 is GRCh38, hg19 is GRCh37)")


class Place(Result):
    """A variant at its place, as it was understood."""

    contig: str
    position: int = Field(description="1-based, of the first base of ref")
    ref: str
    alt: str


class NotUnderstood(Result):
    """Why a variant was not annotated."""

    code: str
    message: str
    resolution: list[str]


class VariantAnnotation(Result):
    """What is known of one variant."""

    input: str = Field(description="as it was asked for")
    variant: Place | None = Field(description="null where it was not understood")
    error: NotUnderstood | None = Field(description="why it was not; null where it was")
    synthetic: bool = Field(
        description="true for a variant of Varloom's demonstration: all that is told of it is made up, so say that"
    )
    annotation: dict[str, Any] = Field(
        description="values by column: csq.* (worst consequence), mane.* (on the MANE Select transcript), clinvar.*, "
        "gnomad.* (frequencies from 0 to 1), scores; columns without a value are left out"
    )
    not_annotated: dict[str, str] = Field(description="by source of annotation, why that one says nothing of it")
    cut: list[str] = Field(description=f"columns with a value cut after {VALUE_LIMIT:,} characters (ends in …)")


class Release(Result):
    """A release of reference data."""

    kind: str
    name: str
    release: str


class AnnotatedVariants(Result):
    """What is known of the variants, in the order in which they were asked for."""

    assembly: str
    releases: list[Release] = Field(description="the reference data that was used; quote it with the findings")
    variants: list[VariantAnnotation]


def annotate_variants(varloom: Varloom, asked: Wanted) -> Answer:
    """Annotate variants with the reference data of the server."""
    found = varloom.post("/annotate", {"variants": list(asked.variants), "assembly": asked.assembly})
    answer = AnnotatedVariants(
        assembly=found["assembly"],
        releases=[Release(kind=one["kind"], name=one["name"], release=one["release"]) for one in found["releases"]],
        variants=[_annotated(one) for one in found["variants"]],
    )
    releases = ", ".join(f"{one.name} {one.release}" for one in answer.releases)
    lines = [f"Reference data: {releases} ({answer.assembly})", *(_told(one) for one in answer.variants)]
    return Answer(answer, "\n".join(lines))


def _annotated(variant: dict[str, Any]) -> VariantAnnotation:
    cutter = Cutter(VALUE_LIMIT)
    known = {name: value for name, value in variant["annotation"].items() if value is not None}
    place, error = variant["variant"], variant["error"]
    return VariantAnnotation(
        input=plain(variant["input"]),
        variant=place and Place(**{name: place[name] for name in ("contig", "position", "ref", "alt")}),
        error=error and NotUnderstood(code=error["code"], message=error["message"], resolution=error["resolution"]),
        synthetic=variant["synthetic"],
        annotation=cutter.row(known),
        not_annotated={name: plain(why) for name, why in variant["not_annotated"].items()},
        cut=list(cutter.names),
    )


def _told(variant: VariantAnnotation) -> str:
    if variant.error is not None:
        return "\n  ".join([f"{variant.input}: {variant.error.message}", *variant.error.resolution])
    values = [f"{name}: {plain(as_text(value), VALUE_LIMIT + 1)}" for name, value in variant.annotation.items()]
    silent = [f"{source}: {why}" for source, why in variant.not_annotated.items()]
    made = ["synthetic demonstration data: nothing that is told of it is real"] if variant.synthetic else []
    return "\n  ".join([variant.input, *made, *values, *silent])


TOOLS = (
    Tool(
        name="annotate_variants",
        title="Annotate chosen variants",
        description="Tells what is known of chosen small variants: consequence, HGVS, ClinVar, population frequency, "
        "scores, as far as reference data is installed on the server. Nothing is sent elsewhere and nothing is stored. "
        "A variant that is not understood says so and stops no other. 'Not found in a source' (X.found false) is not "
        "the same as 'source not installed' (not_annotated). State the assembly; never guess it. Not for clinical "
        "decisions without review.",
        arguments=Wanted,
        result=AnnotatedVariants,
        run=annotate_variants,
    ),
)
