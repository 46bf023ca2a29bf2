"""Figures for Prometheus, for owners of the server."""

from fastapi import APIRouter, Request, Response

from varloom.web.dependencies import CurrentAccount, CurrentServices
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problem_responses(401, 403, 503)},
)
async def metrics(request: Request, services: CurrentServices, account: CurrentAccount) -> Response:
    """For owners: jobs, queue, slots, durations and failures of all accounts, in the text format of Prometheus."""
    body, content_type = await services.metrics.told(account, request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": content_type})
