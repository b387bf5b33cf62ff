"""Sessions of follow-up questions: how soon does reading bring what the whole session is after?

``sessions.jsonl`` has a session a line: queries one after the other, each with the documents that
may be shown for it and their grades. A method ranks the documents of each query; the best of them
are read, and the session's trail text is measured by NUM (:mod:`leadline.evals.session_measure`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, TypeAdapter

from ..cancellation import Cancellation
from ..progress import Progress
from ..runtime.passages import Passage
from .data_files import DataRecord, damaged, read_json_lines
from .paragraphs import paragraph
from .rankers import best_first
from .reading_method import ReadingMethod
from .scores import Score
from .session_measure import PATIENCE, TrailText, num
from .trials import Evaluation

FILE = "sessions.jsonl"

_SET = "sessions"
_AS_GIVEN = "order of the data"


class _Document(DataRecord):
    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    grade: int = Field(default=0, ge=0, le=10)


class _Query(DataRecord):
    query: str = Field(min_length=1)
    documents: tuple[_Document, ...] = Field(min_length=1)


class _Session(DataRecord):
    id: str = Field(min_length=1)
    queries: tuple[_Query, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """A query and what may be shown for it."""

    text: str
    documents: tuple[str, ...]
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Session:
    """Queries one after the other; grades by document, each the highest that a query gives it."""

    name: str
    queries: tuple[SessionQuery, ...]
    grades: Mapping[str, int]
    highest: int
    """Of the scale."""

    def num(self, orders: Sequence[Sequence[int]], *, depth: int, patience: int) -> float:
        """NUM where the first ``depth`` of each query's documents, in that order, are read."""
        trail: list[TrailText] = []
        for query, order in zip(self.queries, orders, strict=True):
            trail.append(TrailText(len(query.text)))
            trail += [self._text(query, place) for place in order[:depth]]
        everything = [
            self._text(query, place)
            for query in self.queries
            for place in range(len(query.documents))
        ]
        first = TrailText(len(self.queries[0].text))
        return num(trail, first, everything, highest=self.highest, patience=patience)

    def _text(self, query: SessionQuery, place: int) -> TrailText:
        name = query.documents[place]
        return TrailText(len(query.passages[place].page.text), name, self.grades[name])


@dataclass(frozen=True, slots=True)
class SessionTrial:
    """One session."""

    key: str
    session: Session
    depth: int
    """Documents that are read for each query."""
    patience: int

    async def measure(
        self, method: ReadingMethod, *, cancel: Cancellation, progress: Progress
    ) -> list[Score]:
        started = time.monotonic()
        orders = [
            best_first(
                await method.rank(query.text, query.passages, cancel=cancel, progress=progress)
            )
            for query in self.session.queries
        ]
        seconds = time.monotonic() - started
        return [self.score(method.name, method.model, orders, {"seconds": seconds})]

    def score(
        self,
        method: str,
        model: str,
        orders: Sequence[Sequence[int]],
        costs: Mapping[str, float],
    ) -> Score:
        value = self.session.num(orders, depth=self.depth, patience=self.patience)
        return Score(
            method=method,
            model=model,
            sets=(_SET,),
            question=self.session.name,
            shares={"NUM": value},
            costs=dict(costs),
        )

    def as_given(self) -> Score:
        """NUM of the documents in the order of the data."""
        orders = [range(len(query.documents)) for query in self.session.queries]
        return self.score(_AS_GIVEN, "none", orders, {})


def read_sessions(folder: Path) -> list[Session]:
    """The sessions of ``sessions.jsonl``; the highest grade in it is that of the scale.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    path = folder / FILE
    raw = read_json_lines(path, TypeAdapter(_Session))
    if not raw:
        raise damaged(path, "it has no session")
    grades = [_grades(path, each) for each in raw]
    highest = max(grade for of_session in grades for grade in of_session.values())
    return [
        Session(
            name=each.id,
            queries=tuple(
                SessionQuery(
                    query.query,
                    tuple(document.id for document in query.documents),
                    tuple(paragraph("", document.text) for document in query.documents),
                )
                for query in each.queries
            ),
            grades=of_session,
            highest=highest,
        )
        for each, of_session in zip(raw, grades, strict=True)
    ]


def load(
    folder: Path,
    *,
    depth: int,
    patience: int = PATIENCE,
    limit: int | None = None,
    seed: int | None = None,
) -> Evaluation:
    """The evaluation over ``folder``: the first ``limit`` sessions, after a shuffle by ``seed``.

    Its reference is the order of the data.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    sessions = read_sessions(folder)
    if seed is not None:
        random.Random(seed).shuffle(sessions)
    trials = [
        SessionTrial(f"{place} {session.name}", session, depth, patience)
        for place, session in enumerate(sessions[:limit])
    ]
    return Evaluation(
        name="session",
        folders=(folder,),
        settings={"depth": depth, "patience": patience, "limit": limit, "seed": seed},
        trials=trials,
        questions=len(trials),
        references=tuple(trial.as_given() for trial in trials),
    )


def _grades(path: Path, session: _Session) -> dict[str, int]:
    """By document. Raises ConfigError: one id stands for two texts."""
    texts: dict[str, str] = {}
    grades: dict[str, int] = {}
    for query in session.queries:
        for document in query.documents:
            if texts.setdefault(document.id, document.text) != document.text:
                raise damaged(path, f"session {session.id}: {document.id!r} has two texts")
            grades[document.id] = max(document.grade, grades.get(document.id, 0))
    return grades
