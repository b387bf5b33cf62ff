"""Reading by attention: what the heads of a small model look at when the question is asked.

Softmax scores of different windows cannot be compared, so what is read apart only proposes: the
best of it meet in one window, which decides (:mod:`.tournament`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from ..cancellation import Cancellation
from ..evidence import Evidence, Page
from ..kernels.tiers import select
from ..progress import Progress, silent, told
from ..threads import in_thread
from . import heatmap
from .attention_method import (
    AttentionMethod,
    calibrated_heads,
    in_context_reranking,
)
from .catalogue import ModelFiles
from .converted_model import ConvertedModel
from .decoder import Decoder
from .gguf_weights import convert
from .heads import find_head_table
from .heatmap import HeadMap
from .int8_layers import usable_int8_layers
from .likelihood import LikelihoodRanker
from .passages import Passage, merged_spans, split_pages
from .reader import PassageRanker, Reading, ReadingBudget, first_stage_scores
from .sentence_runs import sentence_runs
from .tokenizer import TextTokenizer
from .tournament import Found, Tournament
from .turns import Turns
from .window_attention import WindowAttention
from .window_store import WindowStore
from .windows import TITLE_CHARS, WindowBuilder

PASSAGE_CHARS = 1000
"""Length of a passage in the window: a paragraph's."""

METHODS = ("heads", "icr")


class AttentionReader:
    """A :class:`~.reader.Reader` on an attention method of a decoder.

    Reads of several tasks take turns: one window uses all cores. With ``likelihood`` the best
    passages are also ranked by it.
    """

    def __init__(
        self,
        attention: WindowAttention,
        ranker: PassageRanker,
        *,
        model_id: str,
        likelihood: LikelihoodRanker | None = None,
    ) -> None:
        self.model_id = model_id
        self._likelihood = likelihood
        self._attention = attention
        self._ranker = ranker
        self._turns = Turns()
        # A character takes four tokens at worst, one for each of its bytes.
        room = attention.context_length // 2 - 4 * TITLE_CHARS
        self._passage_chars = min(PASSAGE_CHARS, max(room // 4, 1))

    @classmethod
    async def open(
        cls,
        files: ModelFiles,
        ranker: PassageRanker,
        *,
        method: str = "heads",
        likelihood: bool = True,
        store: WindowStore | None = None,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> AttentionReader:
        """The reader on a model's files, in a thread.

        ``method`` is one of :data:`METHODS`; windows of pages are kept in ``store``, so that the
        next question need not read them again. ``likelihood`` costs about as much again, and
        needs all layers in memory.

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
            stop.check()
            with told(progress, f"opening {files.id}"):
                chosen = attention_method(model, method)
                decoder = open_decoder(model, chosen, likelihood=likelihood)
            tokenizer = TextTokenizer(model.tokenizer)
            attention = WindowAttention(decoder, WindowBuilder(tokenizer), chosen, store=store)
            expected = LikelihoodRanker(decoder, tokenizer) if likelihood else None
            return cls(attention, ranker, model_id=files.id, likelihood=expected)

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
            tournament = Tournament(
                self._attention,
                self._ranker,
                question,
                passages,
                prior,
                likelihood=self._likelihood,
            )
            with self._turns.take(stop):
                ranked = tournament.run(budget.window_tokens, stop, progress)
            pieces = self._pieces(ranked[: budget.evidence], budget)
            evidence = merged_spans(question, pieces, max_chars=budget.evidence_chars)
            return Reading(evidence, tournament.read_tokens, time.monotonic() - started)

        return [
            await in_thread(partial(read_one, question), cancel=cancel) for question in questions
        ]

    def _pieces(
        self, ranked: Sequence[Found], budget: ReadingBudget
    ) -> list[tuple[Passage, float]]:
        """As many pieces as the budget has room for, best first.

        A passage that is too long for one shares its score out among its pieces: the one that
        attracts most may miss what the passage was found for.
        """
        pieces = []
        for found in ranked:
            offsets = self._attention.windows.offsets(found.passage)
            runs = sentence_runs(found.passage, offsets, found.columns, budget.evidence_chars)
            pieces += [(run, found.score * share) for run, share in runs]
        return sorted(pieces, key=lambda piece: -piece[1])[: budget.evidence]

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
    ) -> list[float]:
        """The score of each passage by attention alone, all in one window in the order given.

        Raises:
            ReadingError: they exceed the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """

        def work(stop: Cancellation) -> list[float]:
            if not passages:
                return []
            window = self._attention.windows.build(passages)
            with self._turns.take(stop):
                asked = self._attention.ask([window], [question], cancel=stop)
            score = self._attention.method.passage_score
            return [score(part) for part in window.titled_parts(asked.columns[0][0])]

        return await in_thread(work, cancel=cancel)

    async def look(
        self,
        question: str,
        pages: Sequence[Page],
        evidence: Sequence[Evidence],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
    ) -> HeadMap:
        """As :meth:`~.heatmap.Looker.look`."""
        passages = split_pages(pages, max_chars=self._passage_chars)
        attention = self._attention

        def work(stop: Cancellation) -> HeadMap:
            with self._turns.take(stop):
                return heatmap.look(
                    attention.decoder,
                    attention.windows,
                    attention.method,
                    question,
                    passages,
                    evidence,
                    window_tokens=budget.window_tokens,
                    cancel=stop,
                )

        return await in_thread(work, cancel=cancel)


def open_decoder(
    model: ConvertedModel, method: AttentionMethod, *, likelihood: bool = False
) -> Decoder:
    """The decoder that a method needs, of all layers where ``likelihood`` is wanted as well: in
    int8 where the method allows it and it is fast here.

    Raises:
        ReadingError, ModelCorrupt: as :class:`~.decoder.Decoder`.
    """
    kernels = select()
    last_layer = model.config.layers - 1 if likelihood else method.exit_layer
    return Decoder(
        model,
        last_layer=last_layer,
        kernels=kernels,
        likelihood=likelihood,
        int8_layers=usable_int8_layers(method, last_layer, kernels),
    )


def attention_method(model: ConvertedModel, name: str) -> AttentionMethod:
    """The method of that name for a model.

    Raises:
        ReadingError: no head table is known for the model.
    """
    if name == "icr":
        return in_context_reranking(model.config)
    return calibrated_heads(find_head_table(model.config.source_sha256))
