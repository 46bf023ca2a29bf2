"""All tools, in the order in which they are offered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.mcp import changes, jobs, tables, variants

if TYPE_CHECKING:
    from varloom.mcp.tool import Tool

TOOLS: tuple[Tool, ...] = (*jobs.TOOLS, *tables.TOOLS, *variants.TOOLS, *changes.TOOLS)


def offered(*, allow_changes: bool) -> dict[str, Tool]:
    """The tools by name; those that change something only where that is allowed."""
    return {tool.name: tool for tool in TOOLS if allow_changes or not tool.changes}
