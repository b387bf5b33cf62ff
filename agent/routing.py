"""Which of the models that are there answers a question, by what scored runs told.

Small models together (the Avengers, arXiv 2505.19797): each is good at other kinds of questions. A
table of posteriors, one for each kind of question and model, is filled by runs whose answers
somebody scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..cancellation import Cancellation
from .answer_types import answer_type
from .bandit import Posteriors, Reward, choose
from .learnt import LearntChoices

Routing = Literal["off", "best", "explore"]

_TABLE = "routing"
_LEAST_TRIALS = 5.0
"""Scored runs of a kind before which a model does not take over from the first one."""


async def routed(question: str, models: Sequence[str], routing: Routing) -> str:
    """The id of the model that answers ``question``; the first of ``models`` is the user's own.

    ``best`` takes the model with the highest mean score for such questions, ``explore`` draws
    from the posteriors, so that a scored series of runs tries them all.

    Raises:
        StorageError: what was learnt cannot be read.
    """
    if routing == "off" or len(models) < 2:
        return models[0]
    learnt = await LearntChoices(_TABLE).load()
    kind = answer_type(question)
    if routing == "explore":
        [drawn] = choose(learnt, kind, models, count=1, seed=question)
        return drawn
    return best(learnt, kind, models)


def best(learnt: Posteriors, kind: str, models: Sequence[str]) -> str:
    """The model with the highest mean for ``kind``; the first until another is known well enough."""
    own, *others = models
    known = [model for model in others if learnt.of(kind, model).trials >= _LEAST_TRIALS]
    if learnt.of(kind, own).trials < _LEAST_TRIALS:
        return own
    return max([own, *known], key=lambda model: learnt.of(kind, model).mean)


async def learn_score(question: str, model: str, score: float, *, cancel: Cancellation) -> None:
    """Keep that ``model`` answered ``question`` with ``score``, in [0, 1].

    Raises:
        StorageError: it cannot be kept.
        Cancelled: ``cancel`` was set while another process held the table.
    """
    reward = Reward(context=answer_type(question), arm=model, value=min(max(score, 0.0), 1.0))
    await LearntChoices(_TABLE).learn([reward], cancel=cancel)
