"""The MCP server itself: it lists the tools, checks arguments, calls, and tells errors as the tools' own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp.server import Server, ServerRequestContext
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as ListedTool
from pydantic import ValidationError

import varloom
from varloom.errors import VarloomError, safe_excerpt
from varloom.mcp.catalogue import offered
from varloom.mcp.cutting import MESSAGE_LIMIT, NAME_LIMIT, plain
from varloom.mcp.problems import TOOL_ARGUMENTS_INVALID, TOOL_FAILED, TOOL_UNKNOWN
from varloom.mcp.schemas import input_schema, output_schema
from varloom.mcp.tool import UNTRUSTED

if TYPE_CHECKING:
    from varloom.mcp.tool import Answer, Arguments, Tool, Varloom

Context = ServerRequestContext[Any, Any]
AccountOf = Callable[[Context], "Varloom"]
"""Whose account a request is about."""

logger = logging.getLogger(__name__)

INSTRUCTIONS = (
    "Varloom turns genomic files (VCF, BCF, CSV, TSV) into tables. Each upload is a job; a completed job leaves a "
    "sample whose table can be queried. Start with list_jobs or list_samples; call describe_columns before "
    "query_table; call explain_failure for a job that failed. Positions are 1-based; state assembly and releases with "
    f"what you report. {UNTRUSTED}"
)
ERROR_META = "varloom/error"
"""Under which name of a result's metadata an error stands as data."""


def make_server(account_of: AccountOf, *, allow_changes: bool) -> Server[Any]:
    """A server of tools.

    Args:
        account_of: whose account a request is about.
        allow_changes: whether tools that change something are offered.
    """
    tools = offered(allow_changes=allow_changes)
    listed = ListToolsResult(tools=[listed_tool(tool) for tool in tools.values()])

    async def list_tools(_context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return listed

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        return await _call(tools, account_of(context), params)

    return Server(
        "varloom",
        version=varloom.__version__,
        title="Varloom",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def listed_tool(tool: Tool) -> ListedTool:
    """A tool as assistants see it."""
    return ListedTool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=input_schema(tool.arguments),
        output_schema=output_schema(tool.result),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=not tool.changes,
            destructive_hint=tool.destroys,
            idempotent_hint=tool.repeatable,
            open_world_hint=tool.reaches_out,
        ),
    )


async def _call(tools: dict[str, Tool], account: Varloom, params: CallToolRequestParams) -> CallToolResult:
    """What a call gives; whatever goes wrong is told as the tool's error."""
    try:
        tool = _named(tools, params.name)
        arguments = _checked(tool, params.arguments or {})
        answer = await anyio.to_thread.run_sync(tool.run, account, arguments, abandon_on_cancel=True)
    except VarloomError as error:
        return failed(error)
    except Exception:
        logger.exception("The tool %s failed.", plain(params.name, 60))
        return failed(VarloomError(TOOL_FAILED, "Something unexpected happened in the tool."))
    return _succeeded(answer)


def _named(tools: dict[str, Tool], name: str) -> Tool:
    tool = tools.get(name)
    if tool is None:
        raise VarloomError(TOOL_UNKNOWN, f"There is no tool {plain(name, 60)!r} here.")
    return tool


def _checked(tool: Tool, given: dict[str, Any]) -> Arguments:
    try:
        return tool.arguments.model_validate(given)
    except ValidationError as error:
        # not the values themselves: one may be a URL that holds a secret
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    raise VarloomError(TOOL_ARGUMENTS_INVALID, plain("; ".join(faults)))


def _succeeded(answer: Answer) -> CallToolResult:
    data = answer.result.model_dump(mode="json")
    return CallToolResult(content=[TextContent(type="text", text=_sendable(answer.text))], structured_content=data)


def failed(error: VarloomError) -> CallToolResult:
    """An error that the assistant can read and act on: what, where, its code, and how to mend it."""
    told = error.as_dict()
    place = [f"{name} {told[name]}" for name in ("line", "column", "field") if told[name] is not None]
    where = f" ({', '.join(place)})" if place else ""
    steps = [plain(step) for step in told["resolution"]]
    lines = [
        f"{error.kind.title}: {plain(error.message)}{where}",
        f"Code: {error.code}",
        "What to do:",
        *(f"- {step}" for step in steps),
    ]
    data = {
        "code": error.code,
        "title": error.kind.title,
        "message": plain(error.message),
        "line": told["line"],
        "column": told["column"],
        "field": told["field"] and safe_excerpt(told["field"], NAME_LIMIT),
        "excerpt": told["excerpt"] and safe_excerpt(told["excerpt"], MESSAGE_LIMIT),
        "resolution": steps,
        "retryable": error.kind.retryable,
    }
    # as metadata, not as structured content: that would have to fit the schema of the tool's results
    text = TextContent(type="text", text=_sendable("\n".join(lines)))
    return CallToolResult(content=[text], is_error=True, _meta={ERROR_META: data})


def _sendable(text: str) -> str:
    """Text that can be sent as UTF-8: bytes of a file that were no text are shown as such."""
    return text.encode("utf-8", "replace").decode()
