"""Questions with answers that code can check."""

from __future__ import annotations

import re
from importlib import resources

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ..errors import ConfigError


class CheckedQuestion(BaseModel):
    """A question, the patterns that a right answer matches, and the pages that hold the answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    answer: tuple[str, ...]
    """Regular expressions; a right answer matches every one."""
    pages: tuple[str, ...]
    """Ends of the URLs of pages that hold the answer."""

    @field_validator("answer")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            re.compile(pattern)
        return patterns

    def is_right(self, answer: str) -> bool:
        """Whether ``answer`` has everything that was asked for."""
        return all(re.search(pattern, answer) for pattern in self.answer)

    def is_gold(self, url: str) -> bool:
        """Whether the page at ``url`` holds the answer."""
        return any(url.endswith("/" + page) for page in self.pages)


class QuestionSet(BaseModel):
    """Questions on one corpus."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str
    questions: tuple[CheckedQuestion, ...]


def names() -> list[str]:
    """The question sets that ship with Leadline."""
    folder = resources.files(__package__) / "question_sets"
    return sorted(
        entry.name.removesuffix(".json")
        for entry in folder.iterdir()
        if entry.name.endswith(".json")
    )


def load(name: str) -> QuestionSet:
    """The set of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in names():
        raise ConfigError(
            f"no evaluation is called {name!r}", remedy=f"there are: {', '.join(names())}"
        )
    text = (resources.files(__package__) / "question_sets" / f"{name}.json").read_text("utf-8")
    try:
        return QuestionSet.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(f"question set {name!r} is damaged ({error})") from error
