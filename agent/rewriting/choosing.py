"""Which strategies rewrite next, and what is learnt from what their queries brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import StorageError
from ..answer_types import answer_type
from ..bandit import Reward, choose
from ..events import Warned
from ..learnt import LearntChoices
from ..toolbox import Toolbox
from .strategy import StrategyName

BANDIT = "rewriting"


async def chosen_strategies(
    question: str, used: Sequence[str], box: Toolbox, *, seed: str
) -> list[StrategyName]:
    """The strategies for the next round: of those that are on, some that were not ``used`` yet.

    With the bandit, so many as the effort allows, drawn by what paid for such questions before.
    """
    free = [name for name in box.effort.rewrites if name not in used]
    allowed = box.effort.rewrites_in_a_round
    if not box.effort.rewrite_bandit or len(free) <= allowed:
        return free[:allowed]
    try:
        posteriors = await LearntChoices(BANDIT).load()
    except StorageError as error:
        box.emit(Warned(message=str(error)))
        return free[:allowed]
    picked = choose(posteriors, answer_type(question), free, count=allowed, seed=seed)
    return [name for name in free if name in picked]


def rewards(
    question: str,
    *,
    brought: Mapping[str, Sequence[str]],
    own: Sequence[str],
    cited: Sequence[str],
) -> list[Reward]:
    """What each strategy's queries added to the answer.

    ``brought`` are the ids of the pages that the queries of each strategy found, ``own`` those
    that the question itself found, ``cited`` those that the answer cites. A strategy earns the
    share of the cited pages that it brought and the question alone would not have.
    """
    wanted = set(cited)
    context = answer_type(question)
    return [
        Reward(
            context=context,
            arm=strategy,
            value=len((wanted & set(pages)) - set(own)) / len(wanted) if wanted else 0.0,
        )
        for strategy, pages in brought.items()
    ]


async def learn(found: Sequence[Reward], box: Toolbox) -> None:
    """Keep what was earned; that it cannot be kept is said and costs nothing else."""
    if not box.effort.rewrite_bandit:
        return
    try:
        await LearntChoices(BANDIT).learn(found, cancel=box.deadline)
    except StorageError as error:
        box.emit(Warned(message=str(error)))
