"""The MCP server: what chat assistants can ask of a Varloom server, as the account of one token."""
