from __future__ import annotations

import asyncio

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, EndpointError, ModelError, PromptTooLong
from leadline.runtime.engine import Engine, Generation, GenerationRequest, Message, TextDelta
from leadline.runtime.scripted_engine import ScriptedEngine


def ask(text: str, *, max_tokens: int = 50, stop: tuple[str, ...] = ()) -> GenerationRequest:
    return GenerationRequest((Message("user", text),), max_tokens, stop=stop)


async def test_replies_are_replayed_in_order_and_requests_recorded() -> None:
    engine: Engine = (scripted := ScriptedEngine(["one"], model_id="replay"))
    scripted.enqueue(lambda request: request.messages[-1].content.upper())
    first, second = ask("a"), ask("b")
    assert (await engine.generate(first, cancel=Cancellation())).text == "one"
    assert (await engine.generate(second, cancel=Cancellation())).text == "B"
    assert scripted.requests == [first, second]


async def test_the_stream_is_deltas_and_then_their_sum() -> None:
    engine = ScriptedEngine(["The answer is 42."])
    items = [item async for item in engine.stream(ask("12345"), cancel=Cancellation())]
    *deltas, last = items
    assert last == Generation("The answer is 42.", 2, 5, "stop")
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == "The answer is 42."
    assert len(deltas) == 5


async def test_an_empty_queue_is_refused() -> None:
    with pytest.raises(ModelError, match="no reply left"):
        await ScriptedEngine().generate(ask("a"), cancel=Cancellation())


async def test_after_the_queue_respond_answers() -> None:
    engine = ScriptedEngine(["first"], respond=lambda request: "always")
    texts = [(await engine.generate(ask("a"), cancel=Cancellation())).text for _ in range(3)]
    assert texts == ["first", "always", "always"]


async def test_an_exception_in_the_queue_is_raised() -> None:
    engine = ScriptedEngine([EndpointError("it failed"), "then it works"])
    with pytest.raises(EndpointError, match="it failed"):
        await engine.generate(ask("a"), cancel=Cancellation())
    assert (await engine.generate(ask("a"), cancel=Cancellation())).text == "then it works"


async def test_stop_strings_and_the_token_limit_end_a_reply() -> None:
    engine = ScriptedEngine(["keep this. END drop this", "0123456789"])
    stopped = await engine.generate(ask("a", stop=("END", "drop")), cancel=Cancellation())
    assert (stopped.text, stopped.finish_reason) == ("keep this. ", "stop")
    cut = await engine.generate(ask("a", max_tokens=2), cancel=Cancellation())
    assert (cut.text, cut.finish_reason) == ("01234567", "length")


async def test_a_prompt_that_does_not_fit_is_not_sent() -> None:
    engine = ScriptedEngine(["never"], context_tokens=60)
    with pytest.raises(PromptTooLong, match=r"25 tokens.*50.*scripted, 60 tokens"):
        await engine.generate(ask("x" * 100), cancel=Cancellation())
    assert engine.requests == []


async def test_cancelling_at_a_closed_gate_ends_the_stream() -> None:
    engine = ScriptedEngine(["a long reply"], gate=asyncio.Event())
    cancel = Cancellation()
    seen: list[object] = []
    begun = asyncio.Event()

    async def consume() -> None:
        async for item in engine.stream(ask("a"), cancel=cancel):
            seen.append(item)
            begun.set()

    task = asyncio.create_task(consume())
    await begun.wait()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(task, 1)
    assert seen == [TextDelta("a lo")]


async def test_an_open_gate_lets_the_reply_through() -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(["a long reply"], gate=gate)
    task = asyncio.create_task(engine.generate(ask("a"), cancel=Cancellation()))
    await asyncio.sleep(0.01)
    assert not task.done()
    gate.set()
    assert (await task).text == "a long reply"
