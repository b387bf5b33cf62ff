"""Re-ranking of BM25's best hundred passages: TREC Deep Learning 2019.

Craswell et al., "Overview of the TREC 2019 Deep Learning Track" (arXiv 2003.07820): judged
queries, grades 0 to 3 by NIST. The measure is nDCG@10 with the grade itself as gain.
"""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, TypeAdapter

from ..cancellation import Cancellation
from ..progress import Progress
from ..runtime.passages import Passage
from .data_files import DataRecord, damaged, read_data_text, read_json
from .paragraphs import paragraph
from .rankers import best_first
from .rankings import Ranking
from .reading_method import ReadingMethod
from .scores import Score
from .trials import Evaluation

_SET = "trec-dl19"
_METRIC = "ndcg@10"
_DEPTH = 10


class _Hit(DataRecord):
    content: str
    qid: int
    docid: str


class _Ranking(DataRecord):
    query: str
    hits: tuple[_Hit, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query with the passages that BM25 found, best first."""

    query: str
    topic: str
    """The query's id."""
    passages: tuple[Passage, ...]
    documents: tuple[str, ...]
    """The passages' ids."""
    judged: Mapping[str, int]
    """All grades of the query by document, those of passages that BM25 missed too."""

    @property
    def grades(self) -> list[int]:
        """One for each passage; 0 where none was given."""
        return [self.judged.get(document, 0) for document in self.documents]

    def score(
        self, method: str, model: str, scores: Sequence[float], costs: Mapping[str, float]
    ) -> Score:
        """nDCG@10 of the passages in the order of ``scores``."""
        grades = self.grades
        gains = [grades[place] for place in best_first(scores)]
        return Score(
            method=method,
            model=model,
            sets=(_SET,),
            question=self.query,
            shares={_METRIC: ndcg(gains, list(self.judged.values()), at=_DEPTH)},
            costs=dict(costs),
            ranking=Ranking.of(self.topic, self.documents, scores, self.judged),
        )


@dataclass(frozen=True, slots=True)
class RerankTrial:
    """The passages of one query, read together."""

    key: str
    item: JudgedQuery

    async def measure(
        self, method: ReadingMethod, *, cancel: Cancellation, progress: Progress
    ) -> list[Score]:
        item, started = self.item, time.monotonic()
        scores = await method.rank(item.query, item.passages, cancel=cancel, progress=progress)
        seconds = time.monotonic() - started
        return [item.score(method.name, method.model, scores, {"seconds": seconds})]


def ndcg(gains: Sequence[int], judged: Sequence[int], *, at: int) -> float:
    """Normalised discounted cumulative gain of the first ``at`` of ``gains``.

    Järvelin and Kekäläinen, TOIS 2002, with linear gain. ``judged`` are the gains of all documents
    that were judged: what the best possible ranking of them would get is 1. Without any gain there
    it is 0.
    """
    best = _dcg(sorted(judged, reverse=True)[:at])
    return _dcg(gains[:at]) / best if best else 0.0


def read_queries(folder: Path) -> list[JudgedQuery]:
    """The queries of ``bm25_top100.json`` with the grades of ``qrels.txt``.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    path = folder / "bm25_top100.json"
    grades = _read_grades(folder / "qrels.txt")
    queries = []
    for raw in read_json(path, TypeAdapter(list[_Ranking])):
        query_id = raw.hits[0].qid
        if query_id not in grades:
            raise damaged(folder / "qrels.txt", f"query {query_id} has no grades")
        queries.append(
            JudgedQuery(
                query=raw.query,
                topic=str(query_id),
                passages=tuple(paragraph("", hit.content) for hit in raw.hits),
                documents=tuple(hit.docid for hit in raw.hits),
                judged=grades[query_id],
            )
        )
    return queries


def load(folder: Path, *, limit: int | None = None, seed: int | None = None) -> Evaluation:
    """The evaluation over ``folder``: the first ``limit`` queries, after a shuffle by ``seed``.

    Its references are the order of the file and the best possible one.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    queries = read_queries(folder)
    if seed is not None:
        random.Random(seed).shuffle(queries)
    queries = queries[:limit]
    references = []
    for item in queries:
        falling = range(len(item.passages), 0, -1)
        references.append(item.score("bm25 order of the data", "none", falling, {}))
    references += [item.score("best possible", "none", item.grades, {}) for item in queries]
    return Evaluation(
        name="rerank",
        folders=(folder,),
        settings={"limit": limit, "seed": seed},
        trials=[RerankTrial(item.query, item) for item in queries],
        questions=len(queries),
        references=tuple(references),
    )


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))


def _read_grades(path: Path) -> dict[int, dict[str, int]]:
    """By query, the grade of each judged document."""
    grades: dict[int, dict[str, int]] = defaultdict(dict)
    for number, line in enumerate(read_data_text(path).splitlines(), start=1):
        try:
            query_id, _, document, grade = line.split()
            grades[int(query_id)][document] = int(grade)
        except ValueError as error:
            raise damaged(path, f"line {number}: {error}") from error
    return grades
