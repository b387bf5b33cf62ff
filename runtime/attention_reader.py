"""Reading by attention: what a few calibrated heads look at when the question is asked.

One window holds the candidates that a first stage left; attention from the question's tokens is
summed over the chosen heads, less what the same text attracts when nothing is asked (content-free
calibration, ICR, arXiv 2410.02642; heads as in QRHead, arXiv 2506.09944). Ranks of attention and
of the first stage are fused, and of each good passage the best sentences are brought back.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..evidence import Page
from ..progress import Progress, silent
from ..threads import in_thread
from .catalogue import ModelFiles
from .decoder import Decoder, Prefix
from .gguf_weights import convert
from .heads import HeadTable, find_head_table
from .passages import Passage, merged_spans, split_pages
from .reader import PassageRanker, Reading, ReadingBudget, first_stage_scores
from .sentence_runs import best_run
from .tokenizer import TextTokenizer
from .windows import CONTENT_FREE, TITLE_CHARS, Window, WindowBuilder

PASSAGE_CHARS = 1000
"""Length of a passage in the window: a paragraph's."""

WINDOW_TOKENS = 4096
"""Largest window, where the budget does not ask for less: attention's own cost is still small."""

_KEPT_SHARE = 0.25
"""Share of a window that goes on to the next round when there is more than one window."""

_RANK_OFFSET = 10
"""Of the fusion; small, because a window holds few passages."""

_PATIENCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Scored:
    """A passage with its fused score and the attention on each of its columns."""

    passage: Passage
    score: float
    attention: Tensor
    offsets: tuple[tuple[int, int], ...]


class AttentionReader:
    """A :class:`~.reader.Reader` on the ``heads`` of a decoder.

    Reads of several tasks take turns: one window uses all cores.
    """

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: TextTokenizer,
        table: HeadTable,
        ranker: PassageRanker,
    ) -> None:
        if decoder.last_layer < table.exit_layer:
            raise ReadingError(
                f"the heads of {table.model_id} need layer {table.exit_layer}, "
                f"{decoder.last_layer} is the last one loaded"
            )
        self.model_id = table.model_id
        self._decoder = decoder
        self._heads = table.decoder_heads
        self._ranker = ranker
        self._windows = WindowBuilder(tokenizer)
        self._lock = threading.Lock()
        # A character takes four tokens at worst, one for each of its bytes.
        room = decoder.config.context_length // 2 - 4 * TITLE_CHARS
        self._passage_chars = min(PASSAGE_CHARS, max(room // 4, 1))

    @classmethod
    async def open(
        cls,
        files: ModelFiles,
        ranker: PassageRanker,
        *,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> AttentionReader:
        """The reader on a model's files, in a thread.

        The first time with a model its weights are converted, which takes about a minute for each
        half billion parameters; afterwards it opens in seconds.

        Raises:
            ModelCorrupt: the model's file is damaged.
            ReadingError: it is of an unknown kind, or no head table is known for it.
            StorageError: the converted weights cannot be written.
            Cancelled: ``cancel`` was set meanwhile.
        """

        def work(stop: Cancellation) -> AttentionReader:
            model = convert(files.weights, sha256=files.sha256, cancel=stop, progress=progress)
            table = find_head_table(model.config.gguf_sha256)
            decoder = Decoder(model, last_layer=table.exit_layer)
            return cls(decoder, TextTokenizer(model.tokenizer), table, ranker)

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
        passages = split_pages(pages, max_chars=self._passage_chars)

        def read_one(question: str, stop: Cancellation) -> Reading:
            started = time.monotonic()
            if not passages:
                return Reading((), read_tokens=0, seconds=0.0)
            prior = first_stage_scores(self._ranker, question, passages, stop, progress)
            with self._turn(stop):
                ranked, read_tokens = self._rank(
                    question, passages, prior, budget.window_tokens, stop, progress
                )
            best = ranked[: budget.evidence]
            pieces = [
                (best_run(s.passage, s.offsets, s.attention, budget.evidence_chars), s.score)
                for s in best
            ]
            evidence = merged_spans(question, pieces, max_chars=budget.evidence_chars)
            return Reading(evidence, read_tokens, seconds=time.monotonic() - started)

        return [
            await in_thread(partial(read_one, question), cancel=cancel) for question in questions
        ]

    @contextlib.contextmanager
    def _turn(self, stop: Cancellation) -> Iterator[None]:
        """Wait until no other read is going on."""
        while not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            stop.check()
        try:
            yield
        finally:
            self._lock.release()

    def _rank(
        self,
        question: str,
        passages: Sequence[Passage],
        prior: Sequence[float],
        limit: int | None,
        stop: Cancellation,
        progress: Progress,
    ) -> tuple[list[_Scored], int]:
        """Passages best first, and the tokens read: one window, or rounds of them without a limit."""
        room = self._decoder.config.context_length - self._windows.overhead(question)
        window_tokens = min(limit or WINDOW_TOKENS, max(room, 1))
        order = sorted(range(len(passages)), key=lambda place: -prior[place])
        groups = self._grouped(passages, order, window_tokens, first_only=limit is not None)
        read_tokens = 0
        while len(groups) > 1:
            survivors = []
            for number, group in enumerate(groups):
                scored, tokens = self._read_window(question, passages, group, prior, stop)
                progress("reading", number, len(groups) + 1, "windows")
                read_tokens += tokens
                survivors += [place for place, _ in scored[: math.ceil(len(scored) * _KEPT_SHARE)]]
            order = sorted(survivors, key=lambda place: -prior[place])
            # Windows of one passage each would never become fewer.
            stuck = all(len(group) == 1 for group in groups)
            groups = self._grouped(passages, order, window_tokens, first_only=stuck)
        scored, tokens = self._read_window(question, passages, groups[0], prior, stop)
        progress("reading", 1, 1, "windows")
        return [result for _, result in scored], read_tokens + tokens

    def _grouped(
        self,
        passages: Sequence[Passage],
        order: Sequence[int],
        limit: int,
        *,
        first_only: bool = False,
    ) -> list[list[int]]:
        """``order`` cut into windows of at most ``limit`` tokens; a passage alone may be longer."""
        groups: list[list[int]] = [[]]
        room = limit
        for place in order:
            size = self._windows.size(passages[place])
            if groups[-1] and size > room:
                if first_only:
                    break
                groups.append([])
                room = limit
            groups[-1].append(place)
            room -= size
        return groups

    def _read_window(
        self,
        question: str,
        passages: Sequence[Passage],
        places: Sequence[int],
        prior: Sequence[float],
        stop: Cancellation,
    ) -> tuple[list[tuple[int, _Scored]], int]:
        """Passages of one window with their places, best first, and the tokens read."""
        ordered = _reading_order(passages, places, prior)
        window = self._windows.build([passages[place] for place in ordered])
        attention, asked = self._attention(window, question, stop)
        first = window.columns[0]
        parts = [attention[:, p.start - first : p.stop - first] for p in window.passages]
        fused = _fused(
            [float(part.amax(dim=1).sum()) for part in parts], [prior[place] for place in ordered]
        )
        scored = [
            (place, _Scored(placed.passage, score, part.sum(dim=0), placed.offsets))
            for place, placed, part, score in zip(
                ordered, window.passages, parts, fused, strict=True
            )
        ]
        scored.sort(key=lambda item: -item[1].score)
        return scored, len(window.ids) + asked

    def _attention(self, window: Window, question: str, stop: Cancellation) -> tuple[Tensor, int]:
        """``(heads, columns)``: what the question attracts on the passages' columns beyond what the
        content-free one does; and the tokens of both."""
        prefix = self._decoder.prefill(window.ids, cancel=stop)
        asked, asked_tokens = self._ask(prefix, window, question, stop)
        baseline, baseline_tokens = self._ask(prefix, window, CONTENT_FREE, stop)
        return asked - baseline, asked_tokens + baseline_tokens

    def _ask(
        self, prefix: Prefix, window: Window, question: str, stop: Cancellation
    ) -> tuple[Tensor, int]:
        tokens = self._windows.ask(question)
        scores = self._decoder.score(
            prefix,
            tokens.ids,
            heads=self._heads,
            columns=window.columns,
            rows=tokens.rows,
            cancel=stop,
        )
        return scores, len(tokens.ids)


def _reading_order(
    passages: Sequence[Passage], places: Sequence[int], prior: Sequence[float]
) -> list[int]:
    """Pages from the least to the most promising, so that the best stand next to the question;
    the passages of a page in the order of its text."""
    promise: dict[str, float] = {}
    for place in places:
        page_id = passages[place].page.page_id
        promise[page_id] = max(promise.get(page_id, prior[place]), prior[place])
    return sorted(
        places,
        key=lambda place: (
            promise[passages[place].page.page_id],
            passages[place].page.page_id,
            passages[place].start,
        ),
    )


def _fused(attention: Sequence[float], prior: Sequence[float]) -> list[float]:
    """Reciprocal-rank fusion (Cormack et al., SIGIR 2009) of attention and first stage."""
    scores = [0.0] * len(attention)
    for values in (attention, prior):
        ranking = sorted(range(len(values)), key=lambda place: -values[place])
        for rank, place in enumerate(ranking, start=1):
            scores[place] += 1 / (_RANK_OFFSET + rank)
    return scores
