"""MCP over the standard input and output, for an assistant on this machine that starts the process itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp.server.stdio import stdio_server

from varloom.mcp.server import make_server

if TYPE_CHECKING:
    from varloom.mcp.tool import Varloom


async def serve_stdio(account: Varloom, *, allow_changes: bool) -> None:
    """Answer until the standard input ends."""
    server = make_server(lambda _context: account, allow_changes=allow_changes)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
