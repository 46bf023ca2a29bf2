"""POST /api/v1/annotate: what is known of chosen variants, at once."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from varloom.services.on_demand_views import AnnotatedVariants
from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["annotation"])


class WantedVariants(BaseModel):
    """Which variants."""

    model_config = ConfigDict(extra="forbid")

    variants: Annotated[
        list[Annotated[str, Field(max_length=20_000)]],
        Field(
            min_length=1,
            max_length=1000,
            description="such as `chr7:117559590:A:G`, `chr7:g.117559590A>G`, `NM_000492.4:c.1521_1523del`, "
            "`CFTR:c.1521_1523del` (on the MANE Select transcript) or `rs113993960`",
        ),
    ]
    assembly: Literal["GRCh38", "GRCh37"] = "GRCh38"


@router.post("/annotate", responses=problem_responses(400, 409))
async def annotate_variants(services: CurrentServices, _: CurrentAccount, wanted: WantedVariants) -> AnnotatedVariants:
    """Annotate small variants with the reference data that is installed. One that is not understood stops no other."""
    return await services.on_demand.annotate(wanted.variants, wanted.assembly)
