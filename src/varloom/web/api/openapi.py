"""The OpenAPI document: what FastAPI finds out by itself, completed by what it cannot know."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic.json_schema import models_json_schema

from varloom.web.problem_documents import ProblemDocument
from varloom.web.security import SESSION_COOKIE

PREFIX = "/api/v1"
SCHEMAS = "#/components/schemas/"

CREATE_JOB_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "description": "once; for reads (FASTQ, BAM, CRAM) once for each of up to 64 files",
                    },
                    "sample_name": {"type": "string", "maxLength": 200, "description": "default: from the file's name"},
                    "options": {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": {"$ref": SCHEMAS + "JobOptions"},
                        "description": "options as a JSON object; each may instead be a field of its own",
                    },
                    "assembly": {"type": "string", "enum": ["GRCh37", "GRCh38"]},
                    "reads": {"type": "boolean", "description": "default: whether a file is called as reads are"},
                    "split_by_sample": {"type": "boolean"},
                    "priority": {"type": "integer", "minimum": -1000, "maximum": 1000, "default": 0},
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "oneOf": [{"required": ["source_url"]}, {"required": ["source_urls"]}],
                "additionalProperties": False,
                "properties": {
                    "source_url": {
                        "type": "string",
                        "maxLength": 8192,
                        "description": "https://, s3://, gs:// or az://",
                    },
                    "source_urls": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 64,
                        "items": {"type": "string", "maxLength": 8192},
                        "description": "several files of one sample's reads, such as R1 and R2",
                    },
                    "sample_name": {"type": "string", "maxLength": 200, "description": "default: from the URL"},
                    "options": {"$ref": SCHEMAS + "JobOptions"},
                    "priority": {"type": "integer", "minimum": -1000, "maximum": 1000, "default": 0},
                },
            }
        },
    },
}

_JOB_OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "assembly": {"enum": ["GRCh37", "GRCh38", None], "default": None},
        "split_by_sample": {"type": "boolean", "default": False},
        "reads": {"type": "boolean", "description": "FASTQ, BAM or CRAM; default: by the names of the files"},
        "reference": {
            "type": ["string", "null"],
            "description": "for reads: the name of an installed genome, or ASSEMBLY/NAME/RELEASE",
        },
        "caller": {"enum": ["bcftools", "haplotypecaller", "deepvariant", None], "default": None},
        "engine": {"enum": ["auto", "cpu", "parabricks"], "default": "auto"},
        "alignment_format": {
            "enum": ["bam", "cram"],
            "default": "bam",
            "description": "for reads: how the alignment is kept",
        },
        "sex_chromosomes": {
            "enum": ["auto", "xx", "xy"],
            "default": "auto",
            "description": "for reads: the sample's, where they are known; auto: by coverage",
        },
        "credential": {"type": ["string", "null"], "description": "the name of a stored one, for a URL"},
    },
}

_SECURITY_SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "description": "an API token"},
    "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "a browser's session"},
}

router = APIRouter(tags=["openapi"])


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi_document(request: Request) -> JSONResponse:
    """The OpenAPI document of this API."""
    return JSONResponse(request.app.openapi())


def describe(app: FastAPI) -> None:
    """Let the application's OpenAPI document be complete: problems, security, and bodies that are read by hand."""
    generate = app.openapi

    def complete() -> dict[str, Any]:
        document = generate()
        components = document.setdefault("components", {})
        components["securitySchemes"] = _SECURITY_SCHEMES
        schemas = components.setdefault("schemas", {})
        schemas.update(_problem_schemas())
        schemas["JobOptions"] = _JOB_OPTIONS
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                if path.startswith(PREFIX):
                    operation["security"] = [{"token": []}, {"session": []}]
        return document

    app.openapi = complete  # type: ignore[method-assign]


def _problem_schemas() -> dict[str, Any]:
    _, definitions = models_json_schema([(ProblemDocument, "serialization")], ref_template=SCHEMAS + "{model}")
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas
