"""What can go wrong between a chat assistant and its tools."""

from __future__ import annotations

from varloom.errors import define

TOOL_ARGUMENTS_INVALID = define(
    "tool_arguments_invalid",
    "The arguments do not fit the tool",
    cause="A chat assistant called a tool with an argument that is missing, unknown or of the wrong kind.",
    resolution=("Correct the named arguments; the tool's schema says what each may be.",),
)
TOOL_UNKNOWN = define(
    "tool_unknown",
    "No such tool",
    cause="A chat assistant called a tool that this server does not offer. Tools that change something are offered "
    "only where `varloom mcp` was started with --allow-changes.",
    resolution=(
        "Use one of the tools that the server lists.",
        "To submit, retry or cancel jobs, ask whoever runs the server to start it with `varloom mcp --allow-changes`.",
    ),
    status=404,
)
TOOL_FAILED = define(
    "tool_failed",
    "The tool failed unexpectedly",
    cause="Something happened in a tool, or in the Varloom server's answer to it, that Varloom does not know.",
    resolution=(
        "Check that `varloom mcp` and the Varloom server have the same version: `varloom --version`.",
        "If it fails again, send the standard error of `varloom mcp` to whoever maintains Varloom.",
    ),
    retryable=True,
    status=500,
)
BEARER_TOKEN_MISSING = define(
    "bearer_token_missing",
    "An API token is needed",
    cause="A request to `varloom mcp --http` carries no API token of a Varloom account, or one that the Varloom server "
    "does not know.",
    resolution=(
        "Make a token with `varloom tokens create LABEL`.",
        "Let the chat assistant send it in the header `Authorization: Bearer TOKEN`.",
    ),
    status=401,
)
