"""PGx: star alleles, phenotypes and recommendations of a sample."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing` and `Owning`

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from varloom.web.dependencies import CurrentServices, Viewing
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["samples"], responses=problem_responses(404))

_TSV = "text/tab-separated-values"


@router.get(
    "/samples/{sample_id}/pgx",
    response_class=Response,
    responses={200: {"content": {"application/json": {}, _TSV: {}}}},
)
async def get_pgx(
    services: CurrentServices,
    access: Viewing,
    format: Annotated[  # noqa: A002 - the name of the parameter
        Literal["json", "tsv", "drugs", "pharmcat"],
        Query(
            description="`json` is all there is; `tsv` has PharmCAT's columns, a line for each gene; `drugs` is a TSV "
            "with a line for each recommendation; `pharmcat` is what its matcher writes"
        ),
    ] = "json",
) -> Response:
    """The PGx calls of a sample, of all samples of its file."""
    if format in {"tsv", "drugs"}:
        of = services.pgx.tsv if format == "tsv" else services.pgx.drugs_tsv
        text = await of(access.account_id, access.sample_id)
        name = "pgx.tsv" if format == "tsv" else "pgx-drugs.tsv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text.encode(), media_type=f"{_TSV}; charset=utf-8", headers=headers)
    if format == "pharmcat":
        found = await services.pgx.pharmcat(access.account_id, access.sample_id)
        return Response(json.dumps(found, ensure_ascii=False).encode(), media_type="application/json")
    return Response(await services.pgx.content(access.account_id, access.sample_id), media_type="application/json")
