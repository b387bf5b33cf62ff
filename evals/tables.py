"""Wide tables measured: precision, recall and F1 of rows and items, success, seconds and tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ..agent.assembly import Wishes, open_engine, open_researcher
from ..cancellation import Cancellation
from ..locations import locations
from ..progress import Progress
from ..settings import Settings
from ..tools.page_store import PageStore
from .indexed_folder import indexed_folder
from .method_names import effort_of
from .scores import Score
from .table_methods import BASELINES, ModelAlone, OneShot, Research, TableAnswer, TableMethod
from .table_tasks import TableTask
from .trials import FinishedTrials, Questions, answer_all
from .widesearch.judge import LiteralJudge
from .widesearch.rules import CorrectedRules
from .widesearch.scoring import ScoredTable, score_response
from .widesearch.tasks import WideSearchTask


@dataclass(frozen=True, slots=True)
class Tabulated:
    """What came of a task, and how it compares with the gold table."""

    answer: TableAnswer
    table: ScoredTable


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
                return
            store = PageStore(locations().pages)
            stack.callback(store.close)
            indexed = indexed_folder(
                self._pages,
                store,
                self._settings,
                cancel=self.cancel,
                progress=self.progress,
                warn=self._warn,
            )
            yield OneShot(engine, await stack.enter_async_context(indexed))


async def measure(
    tasks: Sequence[TableTask],
    methods: Sequence[str],
    finished: FinishedTrials,
    bench: TableBench,
    *,
    tell: Callable[[Score, Tabulated], None],
    model: str,
) -> list[Score]:
    """The scores of all tasks with each method; ``finished`` ones are not asked again.

    Raises:
        ModelError, ServiceError: a model cannot be used.
        StorageError: scores cannot be kept.
        Cancelled: the run was stopped; what is finished is kept.
    """

    async def ask(name: str, method: TableMethod, task: TableTask) -> tuple[Score, Tabulated]:
        answer = await method.tabulate(task, cancel=bench.cancel)
        done = Tabulated(answer, await _compared(task, answer.response))
        return scored(task, name, model, done), done

    return await answer_all(
        "tables",
        [Questions(bench.method, [(task.instance_id, task) for task in tasks])],
        methods,
        finished,
        ask,
        tell=tell,
        unit="tasks",
        cancel=bench.cancel,
        progress=bench.progress,
    )


def scored(task: TableTask, method: str, model: str, done: Tabulated) -> Score:
    """How an answer does, by WideSearch's metrics."""
    failed = float(done.answer.status.startswith("failed"))
    return Score(
        method=method,
        model=model,
        sets=(task.set, "all"),
        question=task.instance_id,
        shares={**done.table.score.as_dict(), "failed": failed},
        costs={"seconds": done.answer.seconds, "tokens": float(done.answer.tokens)},
    )


async def _compared(task: TableTask, response: str) -> ScoredTable:
    evaluation = WideSearchTask.model_validate(task.record).evaluation
    return await score_response(
        response, task.gold_csv, evaluation, rules=CorrectedRules(), judge=LiteralJudge()
    )
