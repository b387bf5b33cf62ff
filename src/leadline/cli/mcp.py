"""``leadline mcp``: research, table, read and search as tools for an MCP client, over stdio."""

from __future__ import annotations

from typing import Any

import click

from .serving_options import serving_options


@click.command()
@serving_options
def mcp(**options: Any) -> None:
    """Serve tools to a client of the Model Context Protocol on stdin and stdout.

    \b
    A client's configuration:
    {"mcpServers": {"leadline": {"command": "leadline", "args": ["mcp", "--corpus", "docs"]}}}
    """
    from ..integrations.mcp_server import build_server
    from .serving_options import open_client

    build_server(open_client(**options)).run("stdio")
