"""InfiniRetri as a reader of pages: the baseline that attention by chosen heads has to beat."""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from ..cancellation import Cancellation
from ..evidence import Page
from ..progress import Progress, silent
from ..threads import in_thread
from .catalogue import ModelFiles
from .gguf_weights import convert
from .infiniretri import InfiniRetri
from .last_layer import LastLayer
from .passages import Passage, merged_spans, split_pages
from .reader import PassageRanker, Reading, ReadingBudget, first_stage_scores
from .tokenizer import TextTokenizer
from .turns import Turns

_PASSAGE_CHARS = 1000
_GAP = "\n\n"
"""Between excerpts: ends a sentence, published or not."""


class InfiniRetriReader:
    """A :class:`~.reader.Reader` that reads all pages as one text, in their order.

    Where ``budget.window_tokens`` asks for less than that, passages of the pages are read: those
    that ``ranker`` finds best, or the first ones if there is no ranker. Reads of several tasks
    take turns.
    """

    def __init__(
        self,
        method: InfiniRetri,
        tokenizer: TextTokenizer,
        *,
        model_id: str,
        ranker: PassageRanker | None = None,
    ) -> None:
        self.model_id = model_id
        self._method = method
        self._tokenizer = tokenizer
        self._ranker = ranker
        self._turns = Turns()

    @classmethod
    async def open(
        cls,
        files: ModelFiles,
        ranker: PassageRanker | None = None,
        *,
        as_published: bool = False,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> InfiniRetriReader:
        """The reader on a model's files, in a thread; the first time its weights are converted.

        Raises:
            ModelCorrupt: the model's file is damaged.
            ReadingError: it is of an unknown kind.
            StorageError: the converted weights cannot be written.
            Cancelled: ``cancel`` was set meanwhile.
        """

        def work(stop: Cancellation) -> InfiniRetriReader:
            model = convert(files.weights, sha256=files.sha256, cancel=stop, progress=progress)
            tokenizer = TextTokenizer(model.tokenizer)
            method = InfiniRetri(LastLayer(model), tokenizer, as_published=as_published)
            return cls(method, tokenizer, model_id=files.id, ranker=ranker)

        return await in_thread(work, cancel=cancel)

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        def read_one(question: str, stop: Cancellation) -> Reading:
            started = time.monotonic()
            excerpts = self._excerpts(question, pages, budget.window_tokens, stop, progress)
            text = _JoinedText.of(excerpts)
            with self._turns.take(stop):
                found = self._method.retrieve(question, text.text, cancel=stop, progress=progress)
            pieces = [
                (piece, sentence.score)
                for sentence in found.sentences
                for piece in text.pieces(sentence.start, sentence.end)
            ]
            evidence = merged_spans(question, pieces, max_chars=budget.evidence_chars)
            return Reading(
                evidence[: budget.evidence],
                found.read_tokens,
                seconds=time.monotonic() - started,
            )

        return [
            await in_thread(partial(read_one, question), cancel=cancel) for question in questions
        ]

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
    ) -> list[float]:
        """The score of each passage below its page's title, all in one window in the order given.

        Raises:
            ReadingError: they exceed the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        texts = [passage.titled_text for passage in passages]

        def work(stop: Cancellation) -> list[float]:
            with self._turns.take(stop):
                return self._method.rank(question, texts, cancel=stop)

        return await in_thread(work, cancel=cancel)

    def _excerpts(
        self,
        question: str,
        pages: Sequence[Page],
        limit: int | None,
        stop: Cancellation,
        progress: Progress,
    ) -> list[Passage]:
        """What is read, in order: all pages, or passages of at most ``limit`` tokens together."""
        unique = {page.page_id: page for page in pages}.values()
        if limit is None:
            return [Passage(page, 0, len(page.text)) for page in unique]
        passages = split_pages(pages, max_chars=_PASSAGE_CHARS)
        sizes = [len(self._tokenizer.encode(passage.text).ids) for passage in passages]
        order = list(range(len(passages)))
        if self._ranker is not None and sum(sizes) > limit:
            scores = first_stage_scores(self._ranker, question, passages, stop, progress)
            order.sort(key=lambda place: -scores[place])
        totals = accumulate(sizes[place] for place in order)
        # One passage is read whatever its size.
        chosen = [place for place, total in zip(order, totals, strict=True) if total <= limit]
        return [passages[place] for place in sorted(chosen or order[:1])]


@dataclass(frozen=True, slots=True)
class _JoinedText:
    """Excerpts as one text, and where each of them starts in it."""

    text: str
    excerpts: Sequence[Passage]
    starts: Sequence[int]

    @classmethod
    def of(cls, excerpts: Sequence[Passage]) -> _JoinedText:
        starts = [0, *accumulate(len(excerpt.text) + len(_GAP) for excerpt in excerpts)]
        return cls(_GAP.join(excerpt.text for excerpt in excerpts), excerpts, starts[:-1])

    def pieces(self, start: int, end: int) -> Iterator[Passage]:
        """Characters ``[start, end)`` as passages of the pages: one for each excerpt they touch."""
        first = bisect.bisect_right(self.starts, start) - 1
        last = bisect.bisect_left(self.starts, end)
        for excerpt, origin in zip(self.excerpts[first:last], self.starts[first:last], strict=True):
            length = excerpt.end - excerpt.start
            inside = Passage(
                excerpt.page,
                excerpt.start + max(start - origin, 0),
                excerpt.start + min(end - origin, length),
            )
            bare = inside.text.strip()
            if bare:
                offset = inside.start + inside.text.index(bare)
                yield Passage(excerpt.page, offset, offset + len(bare))
