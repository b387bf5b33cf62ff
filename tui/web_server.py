"""The terminal application in a browser: one process of it for each visitor.

Whoever reaches the port acts as the user who serves, so the server answers to its own address
alone: a page of another origin can neither open the socket (it sends its Origin) nor get at it by
a name of its own that leads here (DNS rebinding: the Host differs). A policy keeps the page from
fetching anything from elsewhere.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

from ..loopback import is_loopback

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self' {socket}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ApplicationServer(Server):
    """Serves ``leadline tui``. ``public_url`` is the address at which visitors find it."""

    def __init__(self, host: str, port: int, *, public_url: str | None = None) -> None:
        shown = f"[{host}]" if ":" in host else host
        super().__init__(
            shlex.join([sys.executable, "-m", "leadline", "tui"]),
            host=host,
            port=port,
            title="Leadline",
            public_url=public_url or f"http://{shown}:{port}",
        )
        own = urlsplit(self.public_url)
        names = _LOOPBACK_NAMES if is_loopback(own.hostname or "") else (own.hostname,)
        self._own_names = frozenset(name for name in names if name)
        socket = "wss:" if own.scheme == "https" else "ws:"
        self._policy = _POLICY.format(socket=f"{socket}//{own.netloc}")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse requests that were made for or by another site."""
        if urlsplit(f"//{request.host}").hostname not in self._own_names:
            raise web.HTTPForbidden(text="this server has another name")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="this server answers to its own pages alone")
        if request.path == "/ws" and origin is None:
            raise web.HTTPForbidden(text="the socket is for browsers")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = self._policy
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is, and nothing else."""
        self.console.print(f"Leadline is at {self.public_url}; Ctrl+C ends it", highlight=False)
