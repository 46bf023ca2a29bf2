"""Writes the reference pages that say what the code says: error codes, settings, commands, routes, tools, methods.

Run by hand after a change (`.venv/bin/python scripts/write_reference.py`); a test fails while a page is not up to date.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import code_pages
import write_client
from pydantic_core import PydanticUndefined

import varloom
from varloom.errors import ErrorKind
from varloom.mcp.catalogue import TOOLS
from varloom.mcp.schemas import input_schema, output_schema
from varloom.settings import Settings

if TYPE_CHECKING:
    from types import ModuleType

    from varloom.mcp.tool import Tool

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"

SECTIONS = {
    "varloom.reader": "Files: what is wrong with their content",
    "varloom.genomics": "Files: what they are",
    "varloom.jobs": "Jobs and their stages",
    "varloom.pipeline": "Stages and what they read",
    "varloom.dataset": "Datasets, filters and export",
    "varloom.annotation": "Reference data and annotation",
    "varloom.processing": "Reads, secondary analysis and PGx",
    "varloom.transfer": "Downloads from URLs",
    "varloom.storage": "Storage and disk space",
    "varloom.db": "The database",
    "varloom.services": "Requests, accounts and access",
    "varloom.web": "The web server",
    "varloom.cli": "The command line",
    "varloom.client": "The Python client",
    "varloom.mcp": "Chat assistants",
    "varloom": "Everywhere",
}

ERRORS_HEAD = """# Error codes

Every failure has a stable code, a title, a message that says what happened and where, and a resolution. The codes below
are all there are; scripts may rely on them. *Tried again* says whether a job that fails so is retried by itself.

This page is written by `scripts/write_reference.py` from the code.
"""

SETTINGS_HEAD = """# Settings

A setting is taken from the first of these that has it: the command's flag, the environment variable, the file
`varloom.toml` in the data folder, the default. Settings are read once, at start. Durations are in seconds and sizes in
bytes, unless the name says otherwise.

```toml
# DATA/varloom.toml
port = 8500
retry_delay = 10
slots = { parse = 4 }
```

This page is written by `scripts/write_reference.py` from the code.

| setting | environment variable | default | meaning |
| --- | --- | --- | --- |
"""

MCP_HEAD = """# Tools for chat assistants

What `varloom mcp` offers to an assistant that speaks the [Model Context Protocol](https://modelcontextprotocol.io).
[Use Varloom from a chat assistant](../how-to/chat-assistants.md) tells how to connect one. The complete JSON schemas,
with all inner shapes, are what the server lists (`tools/list`).

- A result is structured content, and the same as a text. Its size is bounded: long values are cut and end in `…`, and
  the result says so.
- An error is a tool error: its text tells title, message, place, code and resolution, and the same stands as data under
  `varloom/error` in the metadata of the result. The codes are those of the [list of errors](errors.md).
- Ids are UUIDs; times are ISO 8601 in UTC; sizes are in bytes; positions, lines and columns are counted from 1.

This page is written by `scripts/write_reference.py` from the code.
"""


def modules() -> list[ModuleType]:
    """Every module of the package, imported, except the programs among them."""
    names = ["varloom", *(found.name for found in pkgutil.walk_packages(varloom.__path__, "varloom."))]
    return [importlib.import_module(name) for name in names if not name.endswith(".__main__")]


def kinds_by_section() -> dict[str, list[ErrorKind]]:
    """The kinds of failure by the heading under which they stand; each under the package that declares it."""
    declared: dict[str, tuple[str, ErrorKind]] = {}
    for module in sorted(modules(), key=lambda module: (not module.__name__.endswith("problems"), module.__name__)):
        for kind in vars(module).values():
            if isinstance(kind, ErrorKind):
                declared.setdefault(kind.code, (module.__name__, kind))
    sections: dict[str, list[ErrorKind]] = {heading: [] for heading in SECTIONS.values()}
    for module_name, kind in declared.values():
        package = ".".join(module_name.split(".")[:2])
        sections[SECTIONS.get(package, SECTIONS["varloom"])].append(kind)
    return sections


def errors_page() -> str:
    """`errors.md`."""
    parts = [ERRORS_HEAD]
    for heading, kinds in kinds_by_section().items():
        if kinds:
            parts.append(f"## {heading}\n")
            parts.extend(_entry(kind) for kind in sorted(kinds, key=lambda kind: kind.code))
    return "\n".join(parts)


def _entry(kind: ErrorKind) -> str:
    """One code with cause and resolution."""
    steps = "\n".join(f"- {step}" for step in kind.resolution)
    again = "yes" if kind.retryable else "no"
    what = f"**{kind.title}.** {kind.cause}"
    return f"### `{kind.code}`\n\n{what}\n\n{steps}\n\n*Tried again: {again}. HTTP: {kind.status}.*\n"


def settings_page() -> str:
    """`settings.md`."""
    rows = []
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{name}` | `VARLOOM_{name.upper()}` | {_default(name)} | {field.description} |")
    return SETTINGS_HEAD + "\n".join(rows) + "\n"


def _default(name: str) -> str:
    """The default as a person would write it."""
    field = Settings.model_fields[name]
    if name == "data":
        return "the platform's user data folder"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value is None:
        return ""
    if isinstance(value, dict):
        return "`" + ",".join(f"{stage}={count}" for stage, count in value.items()) + "`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def mcp_page() -> str:
    """`mcp.md`."""
    return "\n".join([MCP_HEAD, *(_tool(tool) for tool in TOOLS)])


def _tool(tool: Tool) -> str:
    """A tool with what it takes and gives."""
    properties = input_schema(tool.arguments)
    required = properties.get("required", ())
    takes = [
        f"| `{name}`{'' if name in required else ' (optional)'} | {_kind(one)} | {_told(one)} |"
        for name, one in properties["properties"].items()
    ]
    gives = [
        f"| `{name}` | {_kind(one)} | {_told(one)} |" for name, one in output_schema(tool.result)["properties"].items()
    ]
    changes = "changes something, `--allow-changes` only" if tool.changes else "reads only"
    hints = [changes, *(["destructive"] if tool.destroys else []), *(["open world"] if tool.reaches_out else [])]
    return "\n".join(
        [
            f"## `{tool.name}`\n",
            f"{tool.description}\n",
            f"*{', '.join(hints)}.*\n",
            "| argument | kind | meaning |\n| --- | --- | --- |",
            *takes,
            "\n| gives | kind | meaning |\n| --- | --- | --- |",
            *gives,
            "",
        ]
    )


def _kind(schema: dict[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    kind = schema.get("format", schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema['items'])}"
    bounds = [f"{schema[key]:,}" for key in ("minimum", "maximum") if key in schema]
    return f"{kind}, {' to '.join(bounds)}" if len(bounds) > 1 else kind


def _told(schema: dict[str, Any]) -> str:
    default = schema.get("default")
    told = schema.get("description", "").replace("|", "\\|")
    return told if default is None else f"{told} (default: `{json.dumps(default)}`)"


PAGES = {
    "errors.md": errors_page,
    "settings.md": settings_page,
    "mcp.md": mcp_page,
    "cli-options.md": code_pages.commands_page,
    "api-routes.md": code_pages.routes_page,
    "python-client.md": code_pages.client_page,
    "webhooks.md": code_pages.webhook_page,
}


def main() -> None:
    """Write all pages, and what the Python client takes from the code."""
    write_client.main()
    for name, page in PAGES.items():
        (REFERENCE / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
