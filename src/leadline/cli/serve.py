"""``leadline serve``: the terminal application in a browser."""

from __future__ import annotations

import click

from ..errors import ConfigError
from ..extras import import_extra
from ..loopback import is_loopback
from .terminal import warn


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port."
)
@click.option("--public-url", metavar="URL", help="Where visitors find it, behind a proxy.")
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Listen on an address that other machines reach. There is no password.",
)
def serve(host: str, port: int, public_url: str | None, allow_remote: bool) -> None:
    """Serve the terminal application to browsers, on this machine unless told otherwise.

    Each visitor gets a process that acts as you, with your files and your keys.
    """
    import_extra("textual_serve", extra="serve", purpose="serving the application")
    from ..tui.web_server import ApplicationServer

    if not is_loopback(host):
        danger = f"whoever reaches {host}:{port} acts as you, with your files and keys"
        if not allow_remote:
            raise ConfigError(
                f"not served: {danger}",
                remedy="leave --host out, or give --allow-remote if everyone there may do so",
            )
        warn(f"{danger}; there is no password")
        if host in ("0.0.0.0", "::") and public_url is None:
            raise ConfigError(
                f"{host} is no address that a browser can open",
                remedy=f"say where visitors find it: --public-url http://NAME:{port}",
            )
    ApplicationServer(host, port, public_url=public_url).serve()
