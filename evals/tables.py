"""Wide tables measured: precision, recall and F1 of rows and items, success, seconds and tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from ..agent.assembly import Wishes, open_embedder, open_engine, open_researcher
from ..cancellation import Cancellation
from ..locations import locations
from ..progress import Progress
from ..settings import Settings
from ..tools.corpus import Corpus
from ..tools.corpus_catalogue import CorpusCatalogue
from ..tools.page_store import PageStore
from .method_names import effort_of
from .scores import Score
from .table_methods import BASELINES, ModelAlone, OneShot, Research, TableAnswer, TableMethod
from .table_tasks import TableTask
from .trials import FinishedTrials
from .widesearch.judge import LiteralJudge
from .widesearch.rules import CorrectedRules
from .widesearch.scoring import ScoredTable, score_response
from .widesearch.tasks import WideSearchTask

Tell = Callable[[TableTask, str, TableAnswer, ScoredTable], None]
"""Is told of each task when it is done: task, method, answer, score."""


class TableBench:
    """Opens methods over a folder of pages."""

    def __init__(
        self,
        settings: Settings,
        pages: Path,
        *,
        cancel: Cancellation,
        progress: Progress,
        warn: Callable[[str], None],
    ) -> None:
        self._settings, self._pages = settings, pages
        self.cancel, self.progress, self._warn = cancel, progress, warn

    @asynccontextmanager
    async def method(self, name: str) -> AsyncIterator[TableMethod]:
        """The method of that name.

        Raises:
            ConfigError: there is none.
            ModelError: a model is not here or cannot be used.
            Cancelled: the run was stopped meanwhile.
        """
        async with AsyncExitStack() as stack:
            if name not in BASELINES:
                wishes = Wishes(
                    settings=self._settings,
                    corpora=(str(self._pages),),
                    effort=effort_of(name, BASELINES),
                )
                work = open_researcher(
                    wishes, cancel=self.cancel, progress=self.progress, warn=self._warn
                )
                yield Research(await stack.enter_async_context(work), self._settings.seconds)
                return
            engine = await open_engine(self._settings)
            stack.push_async_callback(engine.aclose)
            if name == "closed-book":
                yield ModelAlone(engine)
            else:
                yield OneShot(engine, await self._corpus(stack))

    async def _corpus(self, stack: AsyncExitStack) -> Corpus:
        """The pages, indexed with vectors."""
        store = PageStore(locations().pages)
        stack.callback(store.close)
        embedder = await open_embedder(self._settings, progress=self.progress, warn=self._warn)
        corpus = CorpusCatalogue(store=store, embedder=embedder).open_directory(str(self._pages))
        stack.callback(corpus.close)
        await corpus.update(cancel=self.cancel, progress=self.progress)
        return corpus


async def measure(
    tasks: Sequence[TableTask],
    methods: Sequence[str],
    finished: FinishedTrials,
    bench: TableBench,
    *,
    tell: Tell,
    model: str,
) -> list[Score]:
    """The scores of all tasks with each method; ``finished`` ones are not asked again.

    Raises:
        ModelError, ServiceError: a model cannot be used.
        StorageError: scores cannot be kept.
        Cancelled: the run was stopped; what is finished is kept.
    """
    scores: list[Score] = []
    for name in methods:
        known = {task: finished.get(name, task.instance_id) for task in tasks}
        if not all(known.values()):
            async with bench.method(name) as method:
                for done, task in enumerate(tasks):
                    bench.progress(f"tables, {name}", done, len(tasks), "tasks")
                    if known[task] is None:
                        bench.cancel.check()
                        answer = await method.tabulate(task, cancel=bench.cancel)
                        table = await _compared(task, answer.response)
                        known[task] = (scored(task, name, model, answer, table),)
                        finished.add(name, task.instance_id, known[task] or ())
                        tell(task, name, answer, table)
                bench.progress(f"tables, {name}", len(tasks), len(tasks), "tasks")
        scores += [score for found in known.values() for score in found or ()]
    return scores


def scored(
    task: TableTask, method: str, model: str, answer: TableAnswer, table: ScoredTable
) -> Score:
    """How ``answer`` does, by WideSearch's metrics."""
    failed = float(answer.status.startswith("failed"))
    return Score(
        method=method,
        model=model,
        sets=(task.set, "all"),
        question=task.instance_id,
        shares={**table.score.as_dict(), "failed": failed},
        costs={"seconds": answer.seconds, "tokens": float(answer.tokens)},
    )


async def _compared(task: TableTask, response: str) -> ScoredTable:
    evaluation = WideSearchTask.model_validate(task.record).evaluation
    return await score_response(
        response, task.gold_csv, evaluation, rules=CorrectedRules(), judge=LiteralJudge()
    )
