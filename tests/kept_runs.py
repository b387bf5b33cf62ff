"""Runs that stand in the store of a test, with pages that hold what they cite."""

from __future__ import annotations

from datetime import UTC, datetime

from leadline.agent.report import Claim, Report, Status, render_markdown
from leadline.agent.run_store import RunFolder, RunStore
from leadline.budget import Usage
from leadline.evidence import Citation, Page
from leadline.locations import locations
from leadline.tools.extraction import extract
from leadline.tools.page_store import PageStore


def keep_page(url: str, text: str) -> Page:
    """A page in the user's store."""
    body = text.encode()
    return PageStore(locations().pages).put(
        body,
        url=url,
        final_url=url,
        media_type="text/plain",
        fetched_at=datetime.now(UTC),
        extracted=extract(body, name="page.txt"),
    )


def cite(page: Page, quote: str) -> Citation:
    start = page.text.index(quote)
    return Citation.of(page.span(start, start + len(quote)), page)


def keep_run(question: str, *claims: Claim, status: Status | None = "complete") -> RunFolder:
    """A run in the user's store; unfinished where ``status`` is None."""
    folder = RunStore(locations().runs).create(question, model="m", reader="r", sources=("town",))
    if status is not None:
        now = datetime.now(UTC)
        folder.save_report(
            Report(
                run_id=folder.path.name,
                status=status,
                question=question,
                markdown=render_markdown(claims, status=status),
                claims=claims,
                open_questions=(),
                usage=Usage(seconds=3, pages=2),
                model="m",
                reader="r",
                started_at=now,
                finished_at=now,
            )
        )
    return folder
