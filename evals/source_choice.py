"""How often the right source is chosen for a question from what sources say that they find."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import product
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..agent.source_need import source_need
from ..cancellation import Cancellation
from ..runtime.engine import Engine
from ..tools.passage_ranker import HybridRanker
from ..tools.search.backend_choice import BackendChoice
from ..tools.search.protocol import WHOLE_WEB
from ..tools.search.reference_search import ArxivSearch, CrossrefSearch, WikipediaSearch
from .intervals import wilson
from .rows import Row

Part = Literal["development", "held-out", "all"]

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
    need: str = ""

    def right(self, most: int) -> bool:
        return self.source in self.chosen[:most]


def load(part: Part = "all") -> LabelledQuestions:
    """The set that ships; what a model is asked for was chosen on every other question."""
    file = resources.files(__package__) / "source_choices" / "questions.json"
    labelled = LabelledQuestions.model_validate_json(file.read_text("utf-8"))
    questions = {
        "development": labelled.questions[::2],
        "held-out": labelled.questions[1::2],
        "all": labelled.questions,
    }[part]
    return labelled.model_copy(update={"questions": questions})


def offered(labelled: LabelledQuestions) -> list[Offered]:
    """The services as they describe themselves, and what the set adds."""
    described = {"web": WHOLE_WEB, **_SERVICES, **labelled.descriptions}
    return [Offered(name, description) for name, description in described.items()]


async def measure(
    labelled: LabelledQuestions,
    rankers: Mapping[str, HybridRanker],
    *,
    engine: Engine | None = None,
    cancel: Cancellation,
) -> AsyncIterator[Choice]:
    """What each ranker chooses for each question; with an ``engine`` also by the need it writes.

    Raises:
        ModelError, EndpointError: ``engine`` could not be asked.
        Cancelled: ``cancel`` was set.
    """
    sources = offered(labelled)
    for item in labelled.questions:
        needs = {"": ""}
        if engine is not None:
            needs[", need written"] = await source_need(item.question, engine, cancel=cancel)
        for (method, ranker), (how, need) in product(rankers.items(), needs.items()):
            choice = BackendChoice(ranker, len(sources) - 1)
            chosen = await choice.choose(sources, item.question, need=need, cancel=cancel)
            names = tuple(source.name for source in chosen)
            yield Choice(f"{method}{how}", item.question, item.source, names, need)


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
