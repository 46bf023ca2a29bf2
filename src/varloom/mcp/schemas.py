"""JSON Schemas of what tools take and give, as assistants read them: without what only Python needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from varloom.mcp.tool import Arguments, Result


def input_schema(arguments: type[Arguments]) -> dict[str, Any]:
    """What a tool takes."""
    return _plain(arguments.model_json_schema(mode="validation"))


def output_schema(result: type[Result]) -> dict[str, Any]:
    """What a tool gives."""
    return _plain(result.model_json_schema(mode="serialization"))


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the titles that pydantic makes of Python names; a property that is called title stays."""
    cleaned: dict[str, Any] = {}
    for key, value in schema.items():
        if key in {"properties", "$defs"}:
            cleaned[key] = {name: _plain(inner) for name, inner in value.items()}
        elif isinstance(value, dict):
            cleaned[key] = _plain(value)
        elif isinstance(value, list):
            cleaned[key] = [_plain(item) if isinstance(item, dict) else item for item in value]
        elif key != "title":
            cleaned[key] = value
    return cleaned
