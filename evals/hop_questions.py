"""Multi-hop questions over a folder of all their paragraphs, one file each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from ..runtime.passages import Passage
from ..storage import write_atomically
from .multihop import CORPORA, Part, name_in_pool, read_pool, read_questions
from .trials import choose_sets


@dataclass(frozen=True, slots=True)
class HopQuestion:
    """A question with its right answers, and which paragraphs of the pool it takes."""

    set: str
    question: str
    answers: tuple[str, ...]
    """Any of these is right."""
    gold: frozenset[int]
    paragraphs: tuple[str, ...]
    """The gold paragraphs themselves, titles first, in the order of the pool."""
    id: str = ""
    """As the data names it, or its number in the file."""

    def is_gold(self, url: str) -> bool:
        """Whether the file at ``url`` is one of the gold paragraphs."""
        return place_of(url) in self.gold


@dataclass(frozen=True, slots=True)
class HopSet:
    """The questions of a set and the pool that they are answered from."""

    name: str
    pool: tuple[Passage, ...]
    questions: tuple[HopQuestion, ...]

    def write_pool(self, folder: Path) -> Path:
        """One Markdown file for each paragraph, named by its place in the pool; returns ``folder``.

        Of paragraphs that are the same to the letter the last one counts.

        Raises:
            StorageError: the disk refused.
        """
        for place in _places(self.pool).values():
            path = folder / f"{name_in_pool(place)}.md"
            if not path.exists():
                write_atomically(path, _as_markdown(self.pool[place]))
        return folder


def place_of(url: str) -> int | None:
    """The place in the pool of the paragraph at ``url``; None for a page from elsewhere."""
    stem = PurePosixPath(urlsplit(url).path).stem
    return int(stem) if stem.isdecimal() else None


def load_sets(
    folder: Path,
    *,
    sets: Sequence[str] = (),
    part: Part = "held-out",
    limit: int | None = None,
    seed: int | None = None,
) -> list[HopSet]:
    """The sets ("musique", "hotpotqa"; none means all) with the chosen questions of each.

    Raises:
        ConfigError: a file is missing or damaged, a set unknown, or a part empty.
    """
    return [
        _load(folder, name, part=part, limit=limit, seed=seed)
        for name in choose_sets(sets, CORPORA)
    ]


def _load(folder: Path, name: str, *, part: Part, limit: int | None, seed: int | None) -> HopSet:
    pool = read_pool(name, folder)
    places = _places(pool)
    questions = []
    for item in read_questions(name, folder, part=part, limit=limit, seed=seed):
        gold = sorted(places[item.passages[at].page.page_id] for at in item.gold)
        texts = tuple(_as_markdown(pool[place]) for place in gold)
        questions.append(
            HopQuestion(name, item.question, item.answers, frozenset(gold), texts, item.id)
        )
    return HopSet(name, pool, tuple(questions))


def _places(pool: Sequence[Passage]) -> dict[str, int]:
    """Places in the pool by page."""
    return {passage.page.page_id: place for place, passage in enumerate(pool)}


def _as_markdown(passage: Passage) -> str:
    return f"# {passage.page.title}\n\n{passage.page.text}\n"
