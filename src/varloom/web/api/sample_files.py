"""The files of samples: alignments, VCFs and reports, whole or in parts; and what shows reads."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing` and `Owning`

import asyncio
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from varloom.services.aligned_reads import AlignedReadsView
from varloom.services.htsget import HtsgetTicket, Wanted
from varloom.services.pieces import Piece
from varloom.services.views import SampleFileList
from varloom.web.dependencies import CurrentServices, Viewing
from varloom.web.problem_documents import problem_responses

router = APIRouter(tags=["samples"], responses=problem_responses(404))

_MEDIA_TYPES = {
    "json": "application/json",
    "gz": "application/gzip",
    "bam": "application/vnd.ga4gh.bam",
    "cram": "application/vnd.ga4gh.cram",
    "crai": "application/gzip",
}
_HTSGET_TYPE = "application/vnd.ga4gh.htsget.v1.3.0+json"
_FARTHEST = 2**31 - 1
_BYTES: dict[str, Any] = {"content": {"application/octet-stream": {}}}
_IN_PARTS: dict[int | str, dict[str, Any]] = {200: _BYTES, 206: _BYTES, **problem_responses(410, 416)}

PartAsked: TypeAlias = Annotated[str | None, Header(description="one part, such as `bytes=0-65535`")]
IfRange: TypeAlias = Annotated[str | None, Header(description="the ETag of the file of which a part is wanted")]


class Asked(NamedTuple):
    """Which part of a file is asked for, and of which file alone."""

    part: str | None
    only_if: str | None


def _asked(request: Request, range: PartAsked = None, if_range: IfRange = None) -> Asked:  # noqa: A002
    """The headers; of two that contradict each other nobody can say which is meant, so neither counts."""
    if any(len(request.headers.getlist(name)) > 1 for name in ("range", "if-range")):
        return Asked(None, None)
    return Asked(range, if_range)


AskedPart: TypeAlias = Annotated[Asked, Depends(_asked)]


@router.get("/samples/{sample_id}/files")
async def list_files(services: CurrentServices, access: Viewing) -> SampleFileList:
    """What was made for a sample beside its tables; nothing for one that was loaded from a table or a VCF."""
    return await services.sample_files.of_sample(access.account_id, access.sample_id)


@router.head("/samples/{sample_id}/files/{name}", response_class=Response)
async def describe_file(services: CurrentServices, access: Viewing, name: str) -> Response:
    """Size and validator of a file, without its bytes."""
    piece = await services.sample_files.open(access.account_id, access.sample_id, name)
    return Response(headers=_headers(piece), media_type=_media_type(name))


@router.get("/samples/{sample_id}/files/{name}", response_class=StreamingResponse, responses=_IN_PARTS)
async def download_file(
    services: CurrentServices,
    access: Viewing,
    name: str,
    asked: AskedPart,
) -> StreamingResponse:
    """A file, or one part of it."""
    piece = await services.sample_files.open(
        access.account_id, access.sample_id, name, asked.part, only_if=asked.only_if
    )
    return _sent(piece, name)


@router.get("/samples/{sample_id}/reads", responses=problem_responses(409, 410))
async def get_reads(services: CurrentServices, access: Viewing) -> AlignedReadsView:
    """Where a viewer of reads finds the alignment of a sample and its genome."""
    return await services.aligned_reads.of_sample(access.account_id, access.sample_id)


@router.get("/samples/{sample_id}/reads/htsget", response_model=HtsgetTicket, responses=problem_responses(409, 413))
async def get_reads_of_place(
    services: CurrentServices,
    access: Viewing,
    *,
    reference_name: Annotated[
        str | None, Query(alias="referenceName", max_length=200, description="a contig; not for the header")
    ] = None,
    start: Annotated[int, Query(ge=0, le=_FARTHEST, description="0-based")] = 0,
    end: Annotated[int | None, Query(ge=1, le=_FARTHEST, description="before which the place ends")] = None,
    only: Annotated[Literal["header"] | None, Query(alias="class", description="the header alone")] = None,
    format: Annotated[Literal["BAM", "bam"], Query(description="of the answer")] = "BAM",  # noqa: A002, ARG001
) -> Response:
    """The reads of one place of a CRAM, as BAM, in the form of htsget 1.3: viewers in browsers read no CRAM."""
    wanted = Wanted(None, 0, None) if only else Wanted(reference_name or "", start, end)
    ticket = await services.aligned_reads.of_place(access.account_id, access.sample_id, wanted)
    content = await asyncio.to_thread(ticket.model_dump_json, by_alias=True)  # of megabytes
    return Response(content, media_type=_HTSGET_TYPE)


@router.get("/samples/{sample_id}/reads/genome/{name}", response_class=StreamingResponse, responses=_IN_PARTS)
async def download_genome(
    services: CurrentServices,
    access: Viewing,
    name: str,
    asked: AskedPart,
) -> StreamingResponse:
    """A file of the genome that the sample's reads were aligned to, or one part of it."""
    piece = await services.aligned_reads.genome_file(
        access.account_id, access.sample_id, name, asked.part, only_if=asked.only_if
    )
    return _sent(piece, name)


@router.head("/samples/{sample_id}/reads/genome/{name}", response_class=Response)
async def describe_genome(services: CurrentServices, access: Viewing, name: str) -> Response:
    """Size and validator of a file of the genome, without its bytes."""
    piece = await services.aligned_reads.genome_file(access.account_id, access.sample_id, name)
    return Response(headers=_headers(piece), media_type=_media_type(name))


def _sent(piece: Piece, name: str) -> StreamingResponse:
    headers = _headers(piece)
    if piece.is_part:
        headers["Content-Range"] = f"bytes {piece.start}-{piece.end - 1}/{piece.size}"
    return StreamingResponse(
        piece.content, status_code=206 if piece.is_part else 200, media_type=_media_type(name), headers=headers
    )


def _headers(piece: Piece) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{piece.download_name}"',
        "Content-Length": str(piece.end - piece.start),
        "Accept-Ranges": "bytes",
        "ETag": piece.etag,
    }


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
