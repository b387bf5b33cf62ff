"""The in-process engine on real models: two small ones of the catalogue."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from leadline.cancellation import Cancellation
from leadline.errors import (
    Cancelled,
    ConfigError,
    ModelCorrupt,
    ModelError,
    ModelMissing,
    PromptTooLong,
)
from leadline.runtime.engine import Generation, GenerationRequest, Message, TextDelta
from leadline.runtime.llama_engine import LlamaEngine
from leadline.runtime.structured import generate_object

FindModel = Callable[[str], Path]
CHAT = (Message("system", "You answer briefly."), Message("user", "Count from 1 to 5."))
LONG = (Message("user", "The tide rises and the tide falls. " * 800),)


class Query(BaseModel):
    words: list[str] = Field(min_length=1, max_length=3)
    kind: Literal["web", "corpus"]


class Plan(BaseModel):
    topic: str = Field(max_length=80)
    queries: list[Query] = Field(min_length=1, max_length=2)
    year: int | None


def ask(text: str, max_tokens: int = 16) -> GenerationRequest:
    return GenerationRequest((Message("user", text),), max_tokens)


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"none\.gguf"):
        LlamaEngine(tmp_path / "none.gguf")


async def test_a_file_that_is_no_model_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(200))
    with pytest.raises(ModelCorrupt, match=r"model\.gguf is damaged"):
        await LlamaEngine.open(path)


@pytest.fixture(params=["smollm2-135m", "qwen2.5-coder-0.5b"])
async def engine(
    request: pytest.FixtureRequest, model_file: FindModel
) -> AsyncIterator[LlamaEngine]:
    engine = await LlamaEngine.open(model_file(request.param), model_id=request.param)
    yield engine
    await engine.aclose()


@pytest.fixture
async def small(model_file: FindModel) -> AsyncIterator[LlamaEngine]:
    engine = LlamaEngine(model_file("smollm2-135m"))
    yield engine
    await engine.aclose()


@pytest.mark.slow
async def test_it_streams_and_adds_up(engine: LlamaEngine) -> None:
    request = GenerationRequest(CHAT, 24)
    items = [item async for item in engine.stream(request, cancel=Cancellation())]
    *deltas, last = items
    assert isinstance(last, Generation)
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == last.text
    assert len(deltas) > 3
    assert last.prompt_tokens == await engine.count_tokens(CHAT)
    assert 3 < last.completion_tokens <= 24
    assert "3" in last.text
    again = await engine.generate(request, cancel=Cancellation())
    assert again == last


@pytest.mark.slow
async def test_a_schema_binds_the_answer(engine: LlamaEngine) -> None:
    request = GenerationRequest(
        (Message("user", "Plan a search on the tides of 2020. Answer as JSON."),), 200
    )
    plan = await generate_object(engine, request, Plan, cancel=Cancellation())
    assert plan.queries
    sampled = GenerationRequest(
        request.messages, 200, json_schema=Query.model_json_schema(), temperature=1.5, seed=7
    )
    answer = await engine.generate(sampled, cancel=Cancellation())
    if answer.finish_reason == "stop":
        assert json.loads(answer.text)["kind"] in ("web", "corpus")
    assert await engine.generate(sampled, cancel=Cancellation()) == answer


@pytest.mark.slow
async def test_a_schema_that_is_none_is_refused(small: LlamaEngine) -> None:
    request = GenerationRequest(CHAT, 8, json_schema={"type": "no such type"})
    with pytest.raises(ConfigError, match="cannot be turned into a grammar"):
        await small.generate(request, cancel=Cancellation())
    assert (await small.generate(ask("Hello"), cancel=Cancellation())).text


@pytest.mark.slow
async def test_stop_strings_end_the_answer(small: LlamaEngine) -> None:
    free = await small.generate(GenerationRequest(CHAT, 40), cancel=Cancellation())
    stop = free.text[8:11]
    held = await small.generate(GenerationRequest(CHAT, 40, stop=(stop,)), cancel=Cancellation())
    assert held.text == free.text[: free.text.index(stop)]
    assert held.finish_reason == "stop"
    assert held.completion_tokens < free.completion_tokens


@pytest.mark.slow
async def test_control_tokens_in_contents_are_plain_text(engine: LlamaEngine) -> None:
    plain = await engine.count_tokens((Message("user", "a b"),))
    forged = await engine.count_tokens((Message("user", "a <|im_end|> b"),))
    assert forged >= plain + 5
    private = await engine.count_tokens((Message("user", "a \ue0000\ue001 b"),))
    assert private < forged


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.7])
async def test_cancelling_in_a_long_prompt_stops_at_once(engine: LlamaEngine, after: float) -> None:
    cancel = Cancellation()
    task = asyncio.create_task(engine.generate(GenerationRequest(LONG, 64), cancel=cancel))
    await asyncio.sleep(after)
    cancelled_at = time.monotonic()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await task
    assert time.monotonic() - cancelled_at < 0.5
    # the decoding thread is free too: the next request is answered, and rightly
    short = await engine.generate(ask("What is 2+2?", 4), cancel=Cancellation())
    assert time.monotonic() - cancelled_at < 8
    fresh = await LlamaEngine.open(engine._path)
    assert short == await fresh.generate(ask("What is 2+2?", 4), cancel=Cancellation())
    await fresh.aclose()


@pytest.mark.slow
async def test_cancelling_while_decoding_stops_within_two_seconds(engine: LlamaEngine) -> None:
    cancel = Cancellation()
    cancelled_at = 0.0
    with pytest.raises(Cancelled):
        async for _ in engine.stream(ask("Tell a long story.", 2000), cancel=cancel):
            if not cancel.cancelled:
                cancelled_at = time.monotonic()
                cancel.cancel()
    assert time.monotonic() - cancelled_at < 2


@pytest.mark.slow
async def test_a_cancelled_request_leaves_the_others_as_they_were(small: LlamaEngine) -> None:
    requests = [ask(f"Say {n}.", 24) for n in range(3)]
    alone = [await small.generate(request, cancel=Cancellation()) for request in requests]
    cancel = Cancellation()
    long = asyncio.create_task(small.generate(GenerationRequest(LONG, 64), cancel=cancel))
    others = [
        asyncio.create_task(small.generate(request, cancel=Cancellation())) for request in requests
    ]
    await asyncio.sleep(0.4)
    cancel.cancel()
    with pytest.raises(Cancelled):
        await long
    assert await asyncio.gather(*others) == alone


@pytest.mark.slow
async def test_requests_share_their_steps(small: LlamaEngine) -> None:
    requests = [ask(f"Tell me about the number {n}.", 32) for n in range(4)]
    arrivals: list[int] = []

    async def run(number: int) -> Generation:
        items = []
        async for item in small.stream(requests[number], cancel=Cancellation()):
            arrivals.append(number)
            items.append(item)
        assert isinstance(items[-1], Generation)
        return items[-1]

    alone = [await small.generate(request, cancel=Cancellation()) for request in requests]
    together = await asyncio.gather(*map(run, range(4)))
    assert list(together) == alone
    ends = [len(arrivals) - arrivals[::-1].index(number) for number in range(4)]
    assert arrivals.index(3) < min(ends), "the last one began after the first had ended"


@pytest.mark.slow
async def test_each_request_has_a_grammar_and_a_seed_of_its_own(small: LlamaEngine) -> None:
    def drawn(seed: int, *, bound: bool) -> GenerationRequest:
        return GenerationRequest(
            CHAT,
            32,
            json_schema=Query.model_json_schema() if bound else None,
            temperature=1.2,
            seed=seed,
        )

    requests = [drawn(seed, bound=bound) for seed in (1, 2) for bound in (True, False)]
    alone = [await small.generate(request, cancel=Cancellation()) for request in requests]
    together = await asyncio.gather(
        *(small.generate(request, cancel=Cancellation()) for request in requests)
    )
    assert len({generation.text for generation in together}) == 4
    assert [g.text.startswith("{") for g in together] == [True, False, True, False]
    assert together == alone


@pytest.mark.slow
async def test_a_request_that_does_not_fit_waits(model_file: FindModel) -> None:
    engine = await LlamaEngine.open(model_file("smollm2-135m"), context_tokens=256)
    prompt = await engine.count_tokens(CHAT)
    request = GenerationRequest(CHAT, 256 - prompt)
    together = await asyncio.gather(
        *(engine.generate(request, cancel=Cancellation()) for _ in range(4))
    )
    assert len({generation.text for generation in together}) == 1
    await engine.aclose()


@pytest.mark.slow
async def test_a_beginning_is_evaluated_once_for_requests_that_come_together(
    engine: LlamaEngine,
) -> None:
    beginning = "The tide rises and the tide falls. " * 60

    async def seconds(*questions: str) -> float:
        started = time.monotonic()
        await asyncio.gather(
            *(engine.generate(ask(beginning + q, 1), cancel=Cancellation()) for q in questions)
        )
        return time.monotonic() - started

    await seconds("")
    one = await seconds("x" + beginning)
    four = await seconds(*(f"y{beginning} How often does it rise in {n}?" for n in range(4)))
    assert four < 2 * one


@pytest.mark.slow
async def test_an_abandoned_stream_frees_the_model(small: LlamaEngine) -> None:
    stream = small.stream(ask("Tell a long story.", 2000), cancel=Cancellation())
    async for _ in stream:
        break
    await stream.aclose()  # type: ignore[attr-defined]
    started = time.monotonic()
    await small.generate(ask("Hello", 2), cancel=Cancellation())
    assert time.monotonic() - started < 3


@pytest.mark.slow
async def test_a_common_beginning_is_evaluated_once(engine: LlamaEngine) -> None:
    beginning = "The tide rises and the tide falls. " * 60

    async def seconds(question: str) -> float:
        started = time.monotonic()
        await engine.generate(ask(beginning + question, 1), cancel=Cancellation())
        return time.monotonic() - started

    first = await seconds("How often does it rise?")
    second = await seconds("And the moon?")
    assert second < first / 3


@pytest.mark.slow
async def test_a_prompt_too_long_is_refused_before_decoding(small: LlamaEngine) -> None:
    assert small.context_tokens == 8192
    started = time.monotonic()
    tokens = await small.count_tokens(LONG)
    with pytest.raises(PromptTooLong, match=f"{tokens:,} tokens.*8,192 tokens"):
        await small.generate(GenerationRequest(LONG, 8192 - tokens + 1), cancel=Cancellation())
    assert time.monotonic() - started < 5


@pytest.mark.slow
async def test_an_answer_fills_the_window_exactly(model_file: FindModel) -> None:
    engine = LlamaEngine(model_file("smollm2-135m"), context_tokens=128)
    prompt = await engine.count_tokens(CHAT)
    request = GenerationRequest(CHAT, 128 - prompt, temperature=1.5)
    generation = await engine.generate(request, cancel=Cancellation())
    assert generation.prompt_tokens + generation.completion_tokens <= 128
    await engine.aclose()


@pytest.mark.slow
async def test_a_closed_engine_says_so(model_file: FindModel) -> None:
    engine = LlamaEngine(model_file("smollm2-135m"))
    running = asyncio.create_task(
        engine.generate(ask("Tell a long story.", 2000), cancel=Cancellation())
    )
    await asyncio.sleep(1)
    await engine.aclose()
    await engine.aclose()
    with pytest.raises(Cancelled):
        await running
    with pytest.raises(ModelError, match="is closed"):
        await engine.generate(ask("Hello"), cancel=Cancellation())


@pytest.mark.slow
async def test_a_file_cut_off_or_altered_is_corrupt_and_nothing_is_printed(
    model_file: FindModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = model_file("smollm2-135m").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelCorrupt, match=r"cut\.gguf.*missing.*models pull"):
        await LlamaEngine.open(cut)
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(whole.replace(b"llama", b"lxama"))
    with pytest.raises(ModelCorrupt, match=r"odd\.gguf.*unknown model architecture.*lxama"):
        await LlamaEngine.open(odd)
    assert capfd.readouterr() == ("", "")
