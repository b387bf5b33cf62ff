"""A reader of your own: which words of the pages bear on a question."""

from __future__ import annotations

import time
from collections.abc import Sequence

from leadline import Cancellation, Leadline, Page
from leadline.evidence import Evidence
from leadline.progress import Progress, silent
from leadline.runtime.reader import Reading, ReadingBudget
from own_engine import QUESTION, RuleEngine, documents


class LineReader:
    """Takes the lines that share the most words with the question."""

    model_id = "lines"

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        return [self._read_one(question, pages, budget, cancel) for question in questions]

    def _read_one(
        self, question: str, pages: Sequence[Page], budget: ReadingBudget, cancel: Cancellation
    ) -> Reading:
        started = time.monotonic()
        words = set(question.lower().split())
        found = []
        for page in pages:
            cancel.check()
            start = 0
            for line in page.text.splitlines(keepends=True):
                shared = len(words & set(line.lower().split()))
                if shared and line.strip():
                    # A span quotes its page to the letter; page.span makes sure of it.
                    span = page.span(start, start + len(line.rstrip()))
                    found.append(Evidence(span=span, score=float(shared), question=question))
                start += len(line)
        found.sort(key=lambda evidence: -evidence.score)
        return Reading(tuple(found[: budget.evidence]), 0, time.monotonic() - started)


def main() -> None:
    with Leadline(corpora=[documents()], engine=RuleEngine(), reader=LineReader()) as lead:
        print(lead.run(QUESTION).to_markdown())
        for item in lead.read(documents() / "ferry.md", "When does the ferry leave?").evidence:
            print(item.score, item.quote)


if __name__ == "__main__":
    main()
