"""How often the right source is chosen for a question from what sources say that they find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from pydantic import BaseModel, ConfigDict

from ..cancellation import Cancellation
from ..tools.passage_ranker import HybridRanker
from ..tools.search.backend_choice import BackendChoice
from ..tools.search.protocol import WHOLE_WEB
from ..tools.search.reference_search import ArxivSearch, CrossrefSearch, WikipediaSearch
from .intervals import wilson
from .rows import Row

_SET = "source-choice"
_SERVICES = {
    service.name: service.description for service in (ArxivSearch, CrossrefSearch, WikipediaSearch)
}


class LabelledQuestion(BaseModel):
    """A question and the source that a person would look it up in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    source: str


class LabelledQuestions(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    descriptions: Mapping[str, str]
    """Of sources that no backend describes."""
    questions: tuple[LabelledQuestion, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """A source that can be chosen."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for one question, best first."""

    method: str
    question: str
    source: str
    chosen: tuple[str, ...]

    def right(self, most: int) -> bool:
        return self.source in self.chosen[:most]


def load() -> LabelledQuestions:
    """The set that ships."""
    file = resources.files(__package__) / "source_choices" / "questions.json"
    return LabelledQuestions.model_validate_json(file.read_text("utf-8"))


def offered(labelled: LabelledQuestions) -> list[Offered]:
    """The services as they describe themselves, and what the set adds."""
    described = {"web": WHOLE_WEB, **_SERVICES, **labelled.descriptions}
    return [Offered(name, description) for name, description in described.items()]


async def measure(
    labelled: LabelledQuestions, rankers: Mapping[str, HybridRanker], *, cancel: Cancellation
) -> AsyncIterator[Choice]:
    """What each ranker chooses for each question.

    Raises:
        Cancelled: ``cancel`` was set.
    """
    sources = offered(labelled)
    for item in labelled.questions:
        for method, ranker in rankers.items():
            choice = BackendChoice(ranker, len(sources) - 1)
            chosen = await choice.choose(sources, item.question, cancel=cancel)
            names = tuple(source.name for source in chosen)
            yield Choice(method, item.question, item.source, names)


def rows(choices: Sequence[Choice], *, model: str) -> list[Row]:
    """How often the right source is the first, and among the first two."""
    found = []
    for method in dict.fromkeys(choice.method for choice in choices):
        of_method = [choice for choice in choices if choice.method == method]
        for most in (1, 2):
            hits, n = sum(choice.right(most) for choice in of_method), len(of_method)
            low, high = wilson(hits, n)
            metric = f"right source among {most}"
            found.append(Row(method, model, _SET, metric, hits / n, low, high, n))
    return found
