"""Stories of the bAbI tasks (Weston et al., arXiv 1502.05698): facts, a question, its evidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .data_files import damaged, read_data_text

_LINE = re.compile(r"(\d+) (.+)")
_QUESTION = re.compile(r"(.+?)\s*[\t|]\s*([^\t|]+)[\t|]([\d ]+)")
"""Question, answer, numbers of the supporting lines; some copies part them by bars."""


@dataclass(frozen=True, slots=True)
class StoryQuestion:
    """A question, the facts told up to it, and the places of those that answer it."""

    question: str
    facts: tuple[str, ...]
    supporting: tuple[int, ...]


def read_stories(folder: Path, task: int) -> list[list[StoryQuestion]]:
    """The stories of a task, each with its questions.

    Raises:
        ConfigError: the task's file is missing or damaged.
    """
    found = sorted(folder.glob(f"qa{task}_*_train.txt"))
    path = found[0] if found else folder / f"qa{task}_*_train.txt"
    stories: list[list[StoryQuestion]] = []
    facts: dict[int, str] = {}
    for position, line in enumerate(read_data_text(path).splitlines(), start=1):
        if (match := _LINE.fullmatch(line.strip())) is None:
            raise damaged(path, f"line {position} has no number")
        number, text = int(match[1]), match[2]
        if number == 1:
            stories.append([])
            facts = {}
        if (asked := _QUESTION.fullmatch(text)) is None:
            facts[number] = text.strip()
            continue
        supporting = [int(line_number) for line_number in asked[3].split()]
        if not stories or not supporting or not facts.keys() >= set(supporting):
            raise damaged(path, f"line {position} rests on facts that are not told")
        places = {line_number: place for place, line_number in enumerate(facts)}
        stories[-1].append(
            StoryQuestion(
                question=asked[1],
                facts=tuple(facts.values()),
                supporting=tuple(places[line_number] for line_number in supporting),
            )
        )
    return [story for story in stories if story]
