from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.bandit import Posterior, Posteriors, Reward, choose
from leadline.agent.learnt import LearntChoices
from leadline.cancellation import Cancellation

ARMS = ["a", "b", "c"]
REWARDS = st.lists(
    st.builds(
        Reward,
        context=st.sampled_from(["date", "person"]),
        arm=st.sampled_from(ARMS),
        value=st.floats(0, 1),
    ),
    max_size=30,
)


@given(REWARDS)
def test_every_trial_counts_once(rewards: list[Reward]) -> None:
    learnt = Posteriors().updated(rewards)
    trials = sum(p.trials for arms in learnt.by_context.values() for p in arms.values())
    assert round(trials, 6) == len(rewards)


@given(REWARDS, st.text(), st.integers(0, 5))
def test_a_choice_is_repeatable_and_of_the_arms(
    rewards: list[Reward], seed: str, count: int
) -> None:
    learnt = Posteriors().updated(rewards)
    chosen = choose(learnt, "date", ARMS, count=count, seed=seed)
    assert chosen == choose(learnt, "date", list(reversed(ARMS)), count=count, seed=seed)
    assert set(chosen) <= set(ARMS)
    assert len(chosen) == min(count, len(ARMS))


def test_the_arm_that_pays_in_a_context_is_chosen_there() -> None:
    paid = [Reward(context="date", arm="a", value=1.0), Reward(context="date", arm="b", value=0.0)]
    other = [Reward(context="person", arm="b", value=1.0)]
    learnt = Posteriors().updated([*paid * 40, *other * 40])
    firsts = {
        context: [choose(learnt, context, ["a", "b"], count=1, seed=str(n))[0] for n in range(50)]
        for context in ("date", "person")
    }
    assert firsts["date"].count("a") > 45
    assert firsts["person"].count("b") > 30


def test_what_is_unknown_is_tried() -> None:
    learnt = Posteriors().updated([Reward(context="date", arm="a", value=0.5)] * 4)
    firsts = {choose(learnt, "date", ARMS, count=1, seed=str(n))[0] for n in range(60)}
    assert firsts == set(ARMS)


async def test_what_was_learnt_is_kept(tmp_path: Path) -> None:
    choices, cancel = LearntChoices("rewriting", folder=tmp_path), Cancellation()
    assert await choices.load() == Posteriors()
    await choices.learn([Reward(context="date", arm="a", value=0.25)], cancel=cancel)
    await LearntChoices("rewriting", folder=tmp_path).learn(
        [Reward(context="date", arm="a", value=1.0)], cancel=cancel
    )
    assert (await choices.load()).of("date", "a") == Posterior(successes=1.25, failures=0.75)


async def test_tasks_and_processes_that_learn_at_a_time_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys, pathlib\n"
        "from leadline.agent.learnt import LearntChoices\n"
        "from leadline.agent.bandit import Reward\n"
        "from leadline.cancellation import Cancellation\n"
        "async def main():\n"
        "    for _ in range(10):\n"
        "        await LearntChoices('r', folder=pathlib.Path(sys.argv[1])).learn(\n"
        "            [Reward(context='x', arm='y', value=1.0)], cancel=Cancellation())\n"
        "asyncio.run(main())\n"
    )
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(tmp_path))
    choices, reward = LearntChoices("r", folder=tmp_path), Reward(context="x", arm="y", value=1.0)
    await asyncio.gather(*(choices.learn([reward], cancel=Cancellation()) for _ in range(10)))
    assert await other.wait() == 0
    assert (await choices.load()).of("x", "y").successes == 20


async def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "rewriting.json"
    for content in ("{", json.dumps({"version": 2, "posteriors": {}})):
        path.write_text(content)
        choices = LearntChoices("rewriting", folder=tmp_path)
        assert await choices.load() == Posteriors()
        await choices.learn([Reward(context="x", arm="y", value=1.0)], cancel=Cancellation())
        assert (await choices.load()).of("x", "y").successes == 1
        assert (tmp_path / "rewriting.unread").read_text() == content
