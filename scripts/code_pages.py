"""The reference pages of what programs and people call: commands, routes, and the methods of the Python client."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

import click
import write_client

from varloom.cli import main as varloom_command
from varloom.client import Client
from varloom.services.notices.payload import JobNotice, TestNotice

WRITTEN = "This page is written by `scripts/write_reference.py` from the code."

COMMANDS_HEAD = f"""# Every command and option

What `--help` tells of each command. [Command line](cli.md) tells what they do, what they print, and their exit status.

{WRITTEN}
"""

ROUTES_HEAD = f"""# Every route and shape

What the OpenAPI document of the server (`/api/v1/openapi.json`) tells. [HTTP API](api.md) tells how routes work
together. A body and an answer are JSON unless it is said otherwise; every route can also answer with a problem
document.

{WRITTEN}
"""

CLIENT_HEAD = f"""# Python client

Every method of `varloom.client.Client`, and what they give. `AsyncClient` has the same methods, to be awaited; what is
an iterator there is an asynchronous one. [Use Varloom from Python](../how-to/python-client.md) shows them at work.

{WRITTEN}
"""


WEBHOOK_HEAD = f"""# What webhooks are told

The body of each call is one of these, as JSON. [Be told when jobs end](../how-to/notices.md) tells how it is
signed, and when it is sent again. Keys are never left out; new ones may come with later versions.

{WRITTEN}
"""


def webhook_page() -> str:
    """`webhooks.md`."""
    parts = [WEBHOOK_HEAD]
    for title, told in (("A job has ended", JobNotice), ("A test", TestNotice)):
        schema = json.dumps(told.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False)
        parts.append(f"## {title}\n\n```json\n{schema}\n```\n")
    return "\n".join(parts)


def commands_page() -> str:
    """`cli-options.md`."""
    return "\n".join([COMMANDS_HEAD, *(_command(path, one) for path, one in _commands(varloom_command))])


def _commands(
    group: click.Group, before: tuple[str, ...] = ("varloom",)
) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, by name."""
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in sorted(group.list_commands(click.Context(group))):
        command = group.get_command(click.Context(group), name)
        if command is None or command.hidden:
            continue
        found.append(((*before, name), command))
        if isinstance(command, click.Group):
            found += _commands(command, (*before, name))
    return found


def _command(path: tuple[str, ...], command: click.Command) -> str:
    """One command."""
    context = click.Context(command, info_name=path[-1])
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [f"## `{' '.join(path)}`\n", f"```\n{' '.join(path)} {usage}\n```\n", _paragraphs(command.help or "")]
    rows = [_option(one, context) for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if rows:
        parts.append("| option | meaning |\n| --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _option(option: click.Option, context: click.Context) -> str:
    """The row of an option."""
    names, told = option.get_help_record(context) or (", ".join(option.opts), option.help or "")
    return f"| `{_cell(names)}` | {_cell(told)} |"


def _cell(text: str) -> str:
    """A text that can stand in a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _paragraphs(text: str) -> str:
    """The paragraphs of a help text; those that click must not wrap keep their lines."""
    found = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        as_it_is = paragraph.lstrip("\n").startswith("\b")
        inner = paragraph.replace("\b\n", "").strip("\n")
        found.append(f"```\n{inner}\n```" if as_it_is else " ".join(inner.split()).replace("<", "&lt;"))
    return "\n\n".join(found) + "\n"


def routes_page() -> str:
    """`api-routes.md`."""
    document = write_client.openapi()
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["health"])[0]
            by_tag.setdefault(tag, []).append(_route(method, path, operation))
    parts = [ROUTES_HEAD]
    for tag, routes in by_tag.items():
        parts += [f"## {tag.capitalize()}\n", *routes]
    parts.append("## Shapes\n")
    parts += [_shape(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "\n".join(parts)


def _route(method: str, path: str, operation: dict[str, Any]) -> str:
    """One route."""
    parts = [f"### `{method.upper()} {path}`\n", f"{(operation.get('description') or operation['summary']).strip()}\n"]
    rows = [
        f"| `{one['name']}` | {one['in']}{', required' if one.get('required') else ''} | {_kind(one['schema'])} "
        f"| {_cell(one.get('description', ''))} |"
        for one in operation.get("parameters", [])
        if one["name"] not in {"authorization", "varloom_session"}
    ]
    if rows:
        parts.append("| parameter | where | kind | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n")
    body = operation.get("requestBody", {}).get("content", {})
    for media_type, content in body.items():
        parts.append(f"Body (`{media_type}`): {_kind(content.get('schema', {}))}\n")
    answers = [_answer(status, told) for status, told in operation["responses"].items() if status < "300"]
    parts.append(f"Answers: {'; '.join(answers)}.\n")
    return "\n".join(parts)


def _answer(status: str, told: dict[str, Any]) -> str:
    """What a status brings."""
    content = told.get("content", {})
    shapes = [
        _kind(one["schema"]) if "$ref" in one.get("schema", {}) else f"`{media_type}`"
        for media_type, one in content.items()
    ]
    return " ".join([status, ", ".join(shapes)]).strip()


def _shape(name: str, schema: dict[str, Any]) -> str:
    """One schema."""
    parts = [f"### {name}\n"]
    if schema.get("description"):
        parts.append(f"{schema['description'].strip()}\n")
    required = schema.get("required", ())
    rows = [
        f"| `{key}`{'' if key in required else ' (optional)'} | {_kind(one)} | {_cell(one.get('description', ''))} |"
        for key, one in schema.get("properties", {}).items()
    ]
    if rows:
        parts.append("| key | kind | meaning |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _kind(schema: dict[str, Any]) -> str:  # noqa: PLR0911 - one for each kind of schema
    """What a value may be, in a few words, with links to shapes."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    if kind == "object" and "properties" in schema:
        return "object with " + ", ".join(f"`{key}`" for key in schema["properties"])
    told = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{told} ({schema['format']})" if "format" in schema else told


def client_page() -> str:
    """`python-client.md`."""
    source = Path(inspect.getsourcefile(Client) or "").read_text(encoding="utf-8")
    tree = next(one for one in ast.parse(source).body if isinstance(one, ast.ClassDef) and one.name == "Client")
    parts = [CLIENT_HEAD, "## Client\n", _docstring(inspect.getdoc(Client) or ""), ""]
    methods = [one for one in tree.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]
    parts += [_method(one) for one in methods]
    parts.append("## What they give\n")
    schemas = write_client.openapi()["components"]["schemas"]
    parts += [_answer_class(name, schemas[name]) for name in write_client.wanted_schemas(schemas)]
    return "\n".join(parts)


def _method(method: ast.FunctionDef) -> str:
    """One method with its signature and its docstring."""
    arguments = method.args
    shown = [ast.unparse(one) for one in arguments.args[1:]]
    defaults: list[ast.expr | None] = [None] * (len(shown) - len(arguments.defaults)) + list(arguments.defaults)
    words = [f"{one} = {ast.unparse(value)}" if value else one for one, value in zip(shown, defaults, strict=True)]
    if arguments.vararg:
        words.append(f"*{ast.unparse(arguments.vararg)}")
    elif arguments.kwonlyargs:
        words.append("*")
    for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        words.append(f"{ast.unparse(one)} = {ast.unparse(value)}" if value else ast.unparse(one))
    if arguments.kwarg:
        words.append(f"**{ast.unparse(arguments.kwarg)}")
    gives = ast.unparse(method.returns).replace("models.", "") if method.returns else "None"
    line = f"{method.name}({', '.join(words)}) -> {gives}".replace("models.", "")
    if len(line) > 90:
        inner = "".join(f"    {word},\n" for word in words).replace("models.", "")
        line = f"{method.name}(\n{inner}) -> {gives}"
    return f"### `{method.name}`\n\n```python\n{line}\n```\n\n{_docstring(ast.get_docstring(method) or '')}\n"


def _docstring(text: str) -> str:
    """A docstring as Markdown: its lists of arguments and errors become lists."""
    parts: list[str] = []
    for paragraph in text.split("\n\n"):
        heading, _, rest = paragraph.partition("\n")
        if heading in {"Args:", "Raises:"} and rest:
            parts.append("Arguments:\n" if heading == "Args:" else "Raises:\n")
            parts.append(_entries(rest))
        else:
            parts.append(" ".join(paragraph.split()))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _entries(text: str) -> str:
    """The entries of a list in a docstring."""
    entries: list[str] = []
    for line in textwrap.dedent(text).splitlines():
        if line.startswith(" "):
            entries[-1] += f" {line.strip()}"
        else:
            name, _, told = line.partition(":")
            entries.append(f"- `{name}`: {told.strip()}")
    return "\n".join(entries)


def _answer_class(name: str, schema: dict[str, Any]) -> str:
    """One dataclass of an answer."""
    rows = [
        f"| `{key}` | `{_cell(write_client.python_type(one))}` | {_cell(one.get('description', ''))} |"
        for key, one in schema["properties"].items()
    ]
    told = f"{schema['description'].strip()}\n" if schema.get("description") else ""
    head = "| attribute | type | meaning |\n| --- | --- | --- |\n"
    return f"### {write_client.class_name(name)}\n\n{told}\n{head}" + "\n".join(rows) + "\n"
