"""Rounds over more passages than a window holds, on a tiny random model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.progress import Progress, silent
from leadline.runtime.attention_method import AttentionMethod
from leadline.runtime.decoder import Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head
from leadline.runtime.likelihood import LikelihoodRanker
from leadline.runtime.passages import Passage
from leadline.runtime.tokenizer import TextTokenizer
from leadline.runtime.tournament import Found, Tournament
from leadline.runtime.window_attention import WindowAttention
from leadline.runtime.window_store import WindowStore
from leadline.runtime.windows import WindowBuilder

from .test_links import passage
from .tiny_models import make_model, write_gguf

QUESTION = "Where was the author of The Brass Lamp born?"
CONTEXT = 4096


class SharedWords:
    """Scores a passage by the number of the question's words that it holds."""

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        words = set(question.lower().split())
        return [float(len(words & set(text.lower().split()))) for text in passages]


@pytest.fixture(scope="module")
def attention(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowAttention]:
    folder = tmp_path_factory.mktemp("tournament")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADLINE_HOME", str(folder))
        model = convert(write_gguf(make_model("qwen2", context=CONTEXT), folder / "tiny.gguf"))
        decoder = Decoder(model, last_layer=model.config.layers - 1, likelihood=True)
        builder = WindowBuilder(TextTokenizer(model.tokenizer))
        method = AttentionMethod("heads", (Head(1, 2), Head(0, 1)))
        with WindowStore(warn=pytest.fail) as store:
            yield WindowAttention(decoder, builder, method, store=store)


@pytest.fixture(scope="module")
def likelihood(attention: WindowAttention) -> LikelihoodRanker:
    return LikelihoodRanker(attention.decoder, attention.windows.tokenizer)


def passages(count: int) -> list[Passage]:
    return [passage(f"Page number {n}", f"Text {n} of the sea. " * 10) for n in range(count)]


def run(
    attention: WindowAttention,
    found: Sequence[Passage],
    prior: Sequence[float],
    limit: int | None,
    likelihood: LikelihoodRanker | None = None,
) -> tuple[list[Found], int]:
    tournament = Tournament(attention, SharedWords(), QUESTION, found, prior, likelihood=likelihood)
    return tournament.run(limit, Cancellation(), silent), tournament.read_tokens


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(1, 25),
    limit=st.one_of(st.none(), st.integers(1, 6000)),
    seed=st.randoms(use_true_random=False),
)
def test_whatever_the_budget_passages_come_back_once_and_best_first(
    attention: WindowAttention, count: int, limit: int | None, seed: Random
) -> None:
    given_passages = passages(count)
    prior = [seed.random() for _ in given_passages]
    found, _ = run(attention, given_passages, prior, limit)
    assert found
    assert len({item.passage for item in found}) == len(found)
    assert {item.passage for item in found} <= set(given_passages)
    for item in found:
        assert len(item.columns) == len(attention.windows.offsets(item.passage))


def test_what_fits_one_window_is_read_together(attention: WindowAttention) -> None:
    few = passages(3)
    found, read_tokens = run(attention, few, [0.0, 1.0, 2.0], None)
    assert {item.passage for item in found} == set(few)
    size = sum(attention.windows.size(each) for each in few)
    assert size < read_tokens < 2 * size + 400


def test_the_budget_bounds_what_is_read(attention: WindowAttention) -> None:
    many = passages(40)
    prior = [float(n) for n in range(40)]
    _, some = run(attention, many, prior, 2500)
    _, more = run(attention, many, prior, 5000)
    _, everything = run(attention, many, prior, None)
    asked = attention.windows.overhead(QUESTION)
    assert some < 2500 + 4 * asked
    assert some < more < 5000 + 12 * asked
    assert everything > sum(len(each.text) for each in many)


def test_pages_that_a_leader_names_join_the_deciding_window(attention: WindowAttention) -> None:
    novel = passage("The Brass Lamp", "The Brass Lamp is a novel whose author is Ida Holm.")
    author = passage("Ida Holm", "Ida Holm grew up in Tarn.")
    crowd = [*passages(30), author, novel]
    prior = [0.5] * 30 + [0.0, 1.0]
    found, _ = run(attention, crowd, prior, 2000)
    assert author in [item.passage for item in found]


def test_a_first_window_without_leaders_that_name_pages_goes_by_likeness(
    attention: WindowAttention,
) -> None:
    alike = passage("Likeness", "quartz feldspar mica")
    leader = passage("Leader", "quartz feldspar mica granite")
    crowd = [*passages(30), alike, leader]
    found, _ = run(attention, crowd, [0.5] * 30 + [0.0, 1.0], 2000)
    assert alike in [item.passage for item in found]


def test_the_best_are_lifted_by_their_likelihood(
    attention: WindowAttention, likelihood: LikelihoodRanker
) -> None:
    crowd = passages(20)
    prior = [float(n) for n in range(20)]
    without, read_tokens = run(attention, crowd, prior, None)
    found, more_tokens = run(attention, crowd, prior, None, likelihood)
    assert more_tokens > read_tokens
    before = {item.passage: item.score for item in without}
    lift = {item.passage: item.score - before[item.passage] for item in found}
    best = [item.passage for item in without][:12]
    expected = likelihood.rank(QUESTION, [each.titled_text for each in best], cancel=Cancellation())
    by_likelihood = sorted(zip(best, expected, strict=True), key=lambda pair: -pair[1])
    for rank, (each, _) in enumerate(by_likelihood):
        assert lift[each] == pytest.approx(1 / (3 + rank))
    assert all(lift[each] == 0 for each in crowd if each not in best)
