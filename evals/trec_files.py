"""What was measured as files that other tools evaluate.

TREC runs (``qid Q0 docid rank score tag``) with their qrels (``qid 0 docid grade``), as trec_eval
reads them; answers as the TREC RAG track and Ragnarök exchange them (Pradeep et al., "Ragnarök",
arXiv 2406.16828), a JSON object a line.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..storage import write_atomically
from .rankings import Ranking
from .scores import Score

_NOT_IN_NAMES = re.compile(r"[^\w.+=-]+")


def write_trec_runs(scores: Sequence[Score], folder: Path) -> list[Path]:
    """A run for each set and method, a file of qrels for each set.

    Scores without a ranking are left out.

    Raises:
        StorageError: the disk refused.
    """
    files = _files(scores, "run", _run_lines)
    qrels: dict[str, dict[str, Ranking]] = defaultdict(dict)
    for score in scores:
        if score.ranking is not None:
            qrels[score.sets[0]].setdefault(score.ranking.topic, score.ranking)
    for set_name, rankings in qrels.items():
        lines = [line for ranking in rankings.values() for line in _qrel_lines(ranking)]
        files[f"{_name(set_name)}.qrels"] = lines
    return _written(files, folder)


def write_trec_answers(scores: Sequence[Score], folder: Path) -> list[Path]:
    """A file of answers for each set and method. Scores without an answer are left out.

    Raises:
        StorageError: the disk refused.
    """

    def lines(score: Score) -> Iterator[str]:
        if score.answer is not None:
            yield score.answer.model_dump_json()

    return _written(_files(scores, "jsonl", lines), folder)


def _files(
    scores: Sequence[Score], ending: str, lines: Callable[[Score], Iterator[str]]
) -> dict[str, list[str]]:
    """By file name, the lines of all scores that have any."""
    files: dict[str, list[str]] = defaultdict(list)
    for score in scores:
        for line in lines(score):
            files[f"{_name(score.sets[0])}.{_name(score.method)}.{ending}"].append(line)
    return files


def _run_lines(score: Score) -> Iterator[str]:
    if score.ranking is None:
        return
    topic, tag = _name(score.ranking.topic), _name(score.method)
    for rank, (document, value) in enumerate(score.ranking.documents, start=1):
        yield f"{topic} Q0 {_name(document)} {rank} {value:.6g} {tag}"


def _qrel_lines(ranking: Ranking) -> Iterator[str]:
    for document, grade in ranking.relevant.items():
        yield f"{_name(ranking.topic)} 0 {_name(document)} {grade}"


def _written(files: dict[str, list[str]], folder: Path) -> list[Path]:
    paths = []
    for name, lines in files.items():
        path = folder.absolute() / name
        write_atomically(path, "".join(f"{line}\n" for line in lines))
        paths.append(path)
    return paths


def _name(text: str) -> str:
    """``text`` without white space, which parts the columns, and without what parts folders."""
    return _NOT_IN_NAMES.sub("-", text) or "-"
