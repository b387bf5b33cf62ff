from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.runtime.engine import GenerationRequest, Message, TokenLikelihood
from leadline.runtime.option_scoring import option_probabilities, score_options
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.runtime.token_likelihoods import likeliest_tokens

ASKED = (Message("user", "Is it so?"),)


async def test_the_first_tokens_probabilities_are_shared_among_the_options() -> None:
    def likelihoods(request: GenerationRequest) -> dict[str, float]:
        return {"Yes": math.log(0.5), " yes": math.log(0.1), "No": math.log(0.2), "It": -3.0}

    engine = ScriptedEngine(["It is"], likelihoods=likelihoods)
    scores = await score_options(engine, ASKED, ["yes", "no"], cancel=Cancellation())
    assert scores is not None
    assert scores.best == "yes"
    assert scores.of("yes") == pytest.approx(0.75)
    assert engine.requests[0].max_tokens == 1


async def test_an_engine_that_cannot_tell_is_taken_by_its_word() -> None:
    engine = ScriptedEngine(['"No."', "Perhaps"])
    said = await score_options(engine, ASKED, ["yes", "no"], cancel=Cancellation())
    assert said is not None
    assert said.probabilities == (0.0, 1.0)
    assert await score_options(engine, ASKED, ["yes", "no"], cancel=Cancellation()) is None


@pytest.mark.parametrize("options", [[], ["yes", "Yesterday"]])
async def test_options_that_begin_alike_are_refused(options: list[str]) -> None:
    with pytest.raises(ValueError, match="begin differently"):
        await score_options(ScriptedEngine(["a"]), ASKED, options, cancel=Cancellation())


TOKENS = st.lists(
    st.builds(TokenLikelihood, st.text(max_size=5), st.floats(-50.0, 0.0)), max_size=20
)


@given(TOKENS)
def test_probabilities_add_up_to_one_or_there_are_none(tokens: list[TokenLikelihood]) -> None:
    scores = option_probabilities(tokens, ["1", "2", "3"])
    if scores is not None:
        assert sum(scores.probabilities) == pytest.approx(1.0)
        assert scores.best in scores.options


@given(st.lists(st.floats(-40.0, 40.0, width=32), min_size=1, max_size=30), st.integers(1, 40))
def test_the_likeliest_tokens_are_a_softmax(logits: list[float], count: int) -> None:
    told = likeliest_tokens(
        np.array(logits, dtype=np.float32), len(logits), count, piece=lambda token: b"%d" % token
    )
    probabilities = [math.exp(token.log_probability) for token in told]
    assert len(told) == min(count, len(logits))
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1.0 + 1e-6
    if count >= len(logits):
        assert sum(probabilities) == pytest.approx(1.0)
    assert logits[int(told[0].text)] == max(logits)
