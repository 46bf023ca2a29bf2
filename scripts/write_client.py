"""Writes what the Python client takes from the server's code, and the half of it that follows from the other half.

- `models.py`: the answers of the API as frozen dataclasses, from the OpenAPI document.
- `synchronous*.py`: the client without `await`, from `asynchronous*.py`.

Run by hand after a change (`scripts/write_reference.py` does it, too); a test fails while one is not up to date.
"""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from varloom.settings import Settings
from varloom.web.app import create_app

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "src" / "varloom" / "client"
RUFF = [str(Path(sys.executable).parent / "ruff")]

ANSWERS = (
    "JobList",
    "EventList",
    "SampleList",
    "ColumnList",
    "RowPage",
    "CountView",
    "FacetsView",
    "AnnotatedVariants",
    "ReferencesView",
    "TokenList",
    "TokenSecret",
    "StorageView",
    "ProjectList",
    "ProjectDetails",
)
"""The answers that the client's methods give; whatever they consist of comes with them."""

NAMES = {"EventView": "HistoryEvent", "ErrorView": "JobError", "PlaceView": "VariantPlace", "SourceView": "JobSource"}
"""Where a name without its `View` would say too little."""

MODELS_HEAD = '''"""The answers of the API. Written by `scripts/write_client.py` from the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

'''

TYPES = {
    "uuid": "UUID",
    "date-time": "datetime",
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}

WITHOUT_AWAIT = [
    (r"AsyncGenerator\[([^\n]*)\]:", r"Generator[\1]:"),
    (r"AsyncGenerator", "Generator"),
    (r"async def ", "def "),
    (r"async for ", "for "),
    (r"async with ", "with "),
    (r"await ", ""),
    (r"AsyncIterator", "Iterator"),
    (r"AsyncClient", "Client"),
    (r"AsyncExitStack", "ExitStack"),
    (r"asynccontextmanager", "contextmanager"),
    (r"aclosing", "closing"),
    (r"async_io", "sync_io"),
    (r"aiter_(lines|bytes)", r"iter_\1"),
    (r"aread", "read"),
    (r"aclose", "close"),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"asynchronous", "synchronous"),
    (r"# written by hand", "# written by scripts/write_client.py"),
]


def openapi() -> dict[str, Any]:
    """The OpenAPI document of the server."""
    return create_app(Settings(data=Path("unused")), contextlib.nullcontext).openapi()  # type: ignore[arg-type]


def class_name(schema_name: str) -> str:
    """What a schema is called in the client."""
    return NAMES.get(schema_name, schema_name.removesuffix("View"))


def wanted_schemas(schemas: dict[str, Any]) -> list[str]:
    """The names of the schemas that become classes, in the order of the classes."""
    wanted: list[str] = []
    for name in ANSWERS:
        _gather(name, schemas, wanted)
    return sorted(wanted, key=class_name)


def models_module() -> str:
    """`models.py`."""
    schemas = openapi()["components"]["schemas"]
    return _formatted(MODELS_HEAD + "\n\n".join(_dataclass(name, schemas[name]) for name in wanted_schemas(schemas)))


def _gather(name: str, schemas: dict[str, Any], wanted: list[str]) -> None:
    """Add a schema and all that it refers to."""
    if name not in wanted:
        wanted.append(name)
        for target in re.findall(r"'#/components/schemas/(\w+)'", repr(schemas[name])):
            _gather(target, schemas, wanted)


def _dataclass(name: str, schema: dict[str, Any]) -> str:
    """One dataclass."""
    fields = schema["properties"]
    told = [f"{key}: {field['description']}" for key, field in fields.items() if field.get("description")]
    summary = schema.get("description", f"{class_name(name)}.").strip()
    attributes = "\n\n    Attributes:\n" + "\n".join(_wrapped(line) for line in told) + "\n    " if told else ""
    lines = [f"    {key}: {python_type(field)}" for key, field in fields.items()]
    return "\n".join(
        [
            "@dataclass(frozen=True, slots=True, kw_only=True)",
            f"class {class_name(name)}:",
            f'    """{summary}{attributes}"""\n',
            *lines,
            "",
        ]
    )


def _wrapped(line: str) -> str:
    """A line of a docstring, broken where it is too long."""
    import textwrap

    return "\n".join(textwrap.wrap(line, 118, initial_indent=" " * 8, subsequent_indent=" " * 12))


def python_type(schema: dict[str, Any]) -> str:
    """The Python type of a value."""
    if "anyOf" in schema:
        return " | ".join(python_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return class_name(schema["$ref"].rpartition("/")[2])
    if "enum" in schema or "const" in schema:
        values = schema.get("enum") or [schema["const"]]
        return f"Literal[{', '.join(repr(value) for value in values)}]"
    kind = schema.get("type")
    if kind == "array":
        return f"tuple[{python_type(schema['items'])}, ...]"
    if kind == "object":
        values = schema.get("additionalProperties", True)
        keys = python_type(schema.get("propertyNames", {"type": "string"}))
        return f"dict[{keys}, {python_type(values) if isinstance(values, dict) else 'Any'}]"
    return TYPES.get(schema.get("format", kind), TYPES.get(kind, "Any"))


def synchronous_module(name: str) -> str:
    """The module without `await`, of the one with it."""
    text = (CLIENT / name.replace("synchronous", "asynchronous")).read_text(encoding="utf-8")
    for pattern, instead in WITHOUT_AWAIT:
        text = re.sub(pattern, instead, text)
    return _formatted(text)


def _formatted(text: str) -> str:
    """The code as `make format` leaves it."""
    for arguments in (["check", "--fix-only", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(
            [*RUFF, *arguments, "--stdin-filename", str(CLIENT / "written.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        text = done.stdout
    return text


MODULES = {
    "models.py": models_module,
    **{
        name: functools.partial(synchronous_module, name)
        for name in (
            "synchronous.py",
            "synchronous_following.py",
            "synchronous_sending.py",
            "synchronous_transport.py",
        )
    },
}


def main() -> None:
    """Write all modules."""
    for name, module in MODULES.items():
        (CLIENT / name).write_text(module(), encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
