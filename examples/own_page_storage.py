"""Pages of the web kept where you want them: here in memory."""

from __future__ import annotations

import threading
from datetime import datetime
from http.server import ThreadingHTTPServer

from leadline import Leadline, Page
from leadline.errors import StorageError
from leadline.tools.extraction import Extracted
from leadline.tools.page_store import page_id_of
from own_engine import QUESTION, RuleEngine
from own_search import Intranet, Site


class Memory:
    """Keeps pages as long as the programme runs."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self._lock = threading.Lock()

    def put(
        self,
        body: bytes,
        *,
        url: str,
        final_url: str,
        media_type: str,
        fetched_at: datetime,
        extracted: Extracted,
    ) -> Page:
        page = Page(
            page_id=page_id_of(body),
            url=url,
            final_url=final_url,
            fetched_at=fetched_at,
            media_type=media_type,
            title=extracted.title,
            text=extracted.text,
            sheet_starts=extracted.sheet_starts,
            language=extracted.language,
            published=extracted.published,
            authors=extracted.authors,
        )
        with self._lock:
            # The text of known bytes is settled: offsets into it must stay valid.
            return self.pages.setdefault(page.page_id, page)

    def get(self, page_id: str) -> Page:
        try:
            return self.pages[page_id]
        except KeyError:
            raise StorageError(f"page {page_id[:12]} is not in memory") from None

    def latest(self, *urls: str) -> Page | None:
        with self._lock:
            found = [page for page in self.pages.values() if {page.url, page.final_url} & {*urls}]
        return max(found, key=lambda page: page.fetched_at, default=None)


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    memory = Memory()
    try:
        with Leadline(
            search=[Intranet(f"http://{host}/harbour")],
            pages=memory,
            engine=RuleEngine(),
            reader="none",
            embedder="none",
            allow_hosts=[host],
        ) as lead:
            print(lead.run(QUESTION).to_markdown())
    finally:
        server.shutdown()
        server.server_close()
    print("in memory:", [page.final_url for page in memory.pages.values()])


if __name__ == "__main__":
    main()
