"""Multi-hop questions answered over a pool: right answers, evidence, citations, cost.

Exact match and F1 of the short answer; the share of the gold paragraphs among the pages that
evidence came from; the share of citations that lead to gold paragraphs, and that quote their page
to the letter; the share of claims not borne out by what they cite.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from ..agent.assembly import Wishes, open_engine, open_researcher
from ..agent.corpus_source import CorpusSource
from ..agent.exports.trec_answer import answer_of
from ..cancellation import Cancellation
from ..locations import locations
from ..progress import Progress
from ..settings import Settings
from ..tools.page_store import PageStore
from .answer_match import exact_match, word_f1
from .hop_methods import (
    BASELINES,
    GoldParagraphs,
    HopAnswer,
    HopMethod,
    ModelAlone,
    OneShot,
    Research,
)
from .hop_questions import HopQuestion, HopSet
from .indexed_folder import indexed_folder
from .method_names import effort_of
from .scores import Score
from .trials import FinishedTrials, Questions, answer_all


class HopBench:
    """Opens methods over pools that are kept as folders and indexed once."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        *,
        cancel: Cancellation,
        progress: Progress,
        warn: Callable[[str], None],
    ) -> None:
        """``folder`` takes the pools and the runs."""
        self._settings, self._folder = settings, folder
        self.cancel, self.progress, self._warn = cancel, progress, warn

    @asynccontextmanager
    async def method(self, name: str, hop_set: HopSet) -> AsyncIterator[HopMethod]:
        """The method of that name over the set's pool.

        Raises:
            ConfigError: there is none.
            ModelError: a model is not here or cannot be used.
            Cancelled: the run was stopped meanwhile.
        """
        async with AsyncExitStack() as stack:
            if name in ("closed-book", "gold-paragraphs"):
                engine = await open_engine(self._settings)
                stack.push_async_callback(engine.aclose)
                yield ModelAlone(engine) if name == "closed-book" else GoldParagraphs(engine)
                return
            store = PageStore(locations().pages)
            stack.callback(store.close)
            pool = hop_set.write_pool(self._folder / hop_set.name)
            indexed = indexed_folder(
                pool,
                store,
                self._settings,
                cancel=self.cancel,
                progress=self.progress,
                warn=self._warn,
            )
            source = CorpusSource(await stack.enter_async_context(indexed))
            if name in BASELINES:
                engine = await open_engine(self._settings)
                stack.push_async_callback(engine.aclose)
                yield OneShot(engine, source)
                return
            wishes = Wishes(
                settings=self._settings,
                corpora=(str(pool),),
                effort=effort_of(name, BASELINES),
                runs=self._folder / "runs",
            )
            researcher = await stack.enter_async_context(
                open_researcher(wishes, cancel=self.cancel, progress=self.progress, warn=self._warn)
            )
            yield Research(researcher, store.get, seconds=self._settings.seconds)


async def measure(
    sets: Sequence[HopSet],
    methods: Sequence[str],
    finished: FinishedTrials,
    bench: HopBench,
    *,
    tell: Callable[[Score, HopAnswer], None],
    model: str,
) -> list[Score]:
    """The scores of all questions with each method; ``finished`` ones are not asked again.

    Raises:
        ModelError, ServiceError: a model cannot be used.
        StorageError: scores cannot be kept.
        Cancelled: the run was stopped; what is finished is kept.
    """

    async def ask(name: str, method: HopMethod, question: HopQuestion) -> tuple[Score, HopAnswer]:
        answer = await method.answer(question, cancel=bench.cancel)
        return scored(name, model, question, answer), answer

    groups = [
        Questions(
            partial(bench.method, hop_set=hop_set),
            [(f"{hop_set.name} {question.question}", question) for question in hop_set.questions],
        )
        for hop_set in sets
    ]
    return await answer_all(
        "hop",
        groups,
        methods,
        finished,
        ask,
        tell=tell,
        unit="questions",
        cancel=bench.cancel,
        progress=bench.progress,
    )


def scored(method: str, model: str, question: HopQuestion, answer: HopAnswer) -> Score:
    """How ``answer`` does; what cannot be told of it, such as citations it has not, is left out."""
    shares = {
        "exact match": exact_match(answer.answer, question.answers),
        "F1": word_f1(answer.answer, question.answers),
        "failed": float(answer.status.startswith("failed")),
    }
    if answer.evidence:
        found = [url for url in dict.fromkeys(answer.evidence) if question.is_gold(url)]
        shares["evidence recall"] = min(1.0, len(found) / len(question.gold))
    if answer.citations:
        gold = sum(question.is_gold(url) for url in answer.citations)
        shares["citation precision"] = gold / len(answer.citations)
        shares["citations resolve"] = answer.resolved / len(answer.citations)
    if answer.claims:
        shares["claims unsupported"] = answer.unsupported / answer.claims
    return Score(
        method=method,
        model=model,
        sets=(question.set,),
        question=question.question,
        shares=shares,
        costs={"seconds": answer.seconds, "tokens": float(answer.tokens)},
        answer=answer_of(
            answer.statements or [(answer.answer, ())],
            run_id=method,
            topic_id=question.id,
            topic=question.question,
        ),
    )
