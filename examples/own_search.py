"""A search backend of your own: addresses for a query; fetching and keeping are Leadline's."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from leadline import Cancellation, Leadline
from leadline.tools.search.protocol import SearchResult
from own_engine import QUESTION, RuleEngine


class Intranet:
    """Knows one address."""

    name = "intranet"
    description = "Pages about the harbour, the ferries and the offices of Port Alder."

    def __init__(self, url: str) -> None:
        self._url = url

    def why_not(self) -> list[str]:
        return []

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        return [SearchResult(self._url, "Harbour", "The harbour of Port Alder", rank=1)][:limit]


class Site(BaseHTTPRequestHandler):
    """A web page on this machine."""

    def do_GET(self) -> None:
        found = self.path == "/harbour"
        body = b"<title>Harbour</title><h1>Harbour</h1><p>The harbour of Port Alder was opened in 1902."
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep stderr for the programme."""


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    try:
        # A private address is refused unless the settings allow it.
        with Leadline(
            search=[Intranet(f"http://{host}/harbour")],
            engine=RuleEngine(),
            reader="none",
            embedder="none",
            allow_hosts=[host],
        ) as lead:
            print(lead.run(QUESTION).to_markdown())
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
