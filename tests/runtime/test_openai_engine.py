"""The endpoint engine against loopback servers that behave, misbehave and break off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError, EndpointError, MissingKey, PromptTooLong
from leadline.runtime.engine import (
    Generation,
    GenerationRequest,
    Message,
    TextDelta,
    TokenLikelihood,
)
from leadline.runtime.openai_engine import OpenAIEngine

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
REQUEST = GenerationRequest((Message("user", "Say hello."),), 20, stop=("END",), seed=3)


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, object]


Reply = bytes | Callable[[asyncio.StreamWriter], object]


@dataclass
class Endpoint:
    """A server on loopback that answers chat requests with raw, prepared replies."""

    replies: list[Reply] = field(default_factory=list)
    other: dict[str, bytes] = field(default_factory=dict)
    """Replies to other paths; 404 where there is none."""
    chats: list[Received] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            received = await _receive(reader)
            if received.path.endswith("/chat/completions"):
                self.chats.append(received)
                self.asked.set()
                reply = self.replies.pop(0)
            else:
                reply = self.other.get(received.path, answer(404))
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                reply(writer)
                await reader.read()
                self.hung_up.set()
        writer.close()


async def _receive(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(first.split()[1], headers, json.loads(body) if body else {})


def answer(status: int, body: str = "{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


def events(*chunks: object, end: str = "data: [DONE]\n\n") -> bytes:
    text = "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks) + end
    head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"
    return (head + text).encode()


def delta(content: str | None = None, finish: str | None = None) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


USAGE = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}}
HELLO = events(delta(), delta("Hel"), delta("lo"), delta(finish="stop"), USAGE)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    endpoint.url = f"http://{host}:{port}/v1"
    yield endpoint
    server.close()


@pytest.fixture
async def engine(endpoint: Endpoint) -> AsyncIterator[OpenAIEngine]:
    engine = OpenAIEngine(endpoint.url, "m1", api_key="s3cret", idle_seconds=0.5)
    yield engine
    await engine.aclose()


async def ask(engine: OpenAIEngine, request: GenerationRequest = REQUEST) -> Generation:
    return await engine.generate(request, cancel=Cancellation())


async def test_a_stream_of_deltas_and_the_servers_own_counts(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [HELLO]
    items = [item async for item in engine.stream(REQUEST, cancel=Cancellation())]
    assert items == [TextDelta("Hel"), TextDelta("lo"), Generation("Hello", 11, 2, "stop")]
    (chat,) = endpoint.chats
    assert chat.path == "/v1/chat/completions"
    assert chat.headers["authorization"] == "Bearer s3cret"
    assert chat.body == {
        "model": "m1",
        "messages": [{"role": "user", "content": "Say hello."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 20,
        "stop": ["END"],
        "temperature": 0.0,
        "seed": 3,
    }


async def test_without_counts_they_are_estimated(endpoint: Endpoint, engine: OpenAIEngine) -> None:
    endpoint.replies = [events(delta("Hello"), delta(finish="length"))]
    generation = await ask(engine)
    assert generation == Generation("Hello", 44, 2, "length")


PROBABLE = GenerationRequest((Message("user", "Is it so?"),), 1, first_tokens=2)


def likely(content: str, **log_probabilities: float) -> dict[str, object]:
    top = [{"token": token, "logprob": value} for token, value in log_probabilities.items()]
    told = {"content": [{"token": content, "logprob": top[0]["logprob"], "top_logprobs": top}]}
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None, "logprobs": told}
    return {"choices": [choice]}


async def test_the_likeliest_first_tokens_are_asked_for_and_told(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [events(delta(), likely("Yes", Yes=-0.1, No=-2.4), delta(finish="length"))]
    generation = await ask(engine, PROBABLE)
    assert generation.first_tokens == (TokenLikelihood("Yes", -0.1), TokenLikelihood("No", -2.4))
    assert endpoint.chats[0].body["logprobs"] is True
    assert endpoint.chats[0].body["top_logprobs"] == 2


@pytest.mark.parametrize("status", [400, 422])
async def test_a_server_that_cannot_tell_likelihoods_is_asked_without(
    endpoint: Endpoint, engine: OpenAIEngine, status: int
) -> None:
    endpoint.replies = [answer(status, '{"error": "logprobs is not supported"}'), HELLO, HELLO]
    assert (await ask(engine, PROBABLE)).first_tokens == ()
    await ask(engine, PROBABLE)
    assert ["logprobs" in chat.body for chat in endpoint.chats] == [True, False, False]


async def test_a_server_that_hangs_up_on_likelihoods_is_asked_without(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [events(end=""), HELLO]
    assert (await ask(engine, PROBABLE)).text == "Hello"
    assert ["logprobs" in chat.body for chat in endpoint.chats] == [True, False]


async def test_line_separators_inside_json_do_not_break_the_stream(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [events(delta("a\u2028b\x85c"), delta(finish="stop"), end=": done\r\n\r\n")]
    assert (await ask(engine)).text == "a\u2028b\x85c"


async def test_a_busy_server_is_asked_again(endpoint: Endpoint, engine: OpenAIEngine) -> None:
    endpoint.replies = [answer(429, Retry_After="1"), answer(503), HELLO]
    assert (await ask(engine)).text == "Hello"
    assert len(endpoint.chats) == 3


@pytest.mark.real_retry_wait
async def test_retry_after_is_waited_for(endpoint: Endpoint, engine: OpenAIEngine) -> None:
    endpoint.replies = [answer(429, Retry_After="1"), HELLO]
    started = time.monotonic()
    await ask(engine)
    assert 1 <= time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, "{}", "refuses the key.*LEADLINE_ENDPOINT_KEY"),
        (403, "{}", "refuses the key"),
        (404, "no such model", "does not know the model m1.*no such model"),
        (429, "slow down", "too many requests.*slow down"),
        (500, "CUDA out\nof memory", "failed.*500, CUDA out of memory"),
        (418, "teapot s3cret", "failed.*418, teapot …"),
    ],
)
async def test_refusals_are_one_line_that_names_the_endpoint(
    status: int, body: str, words: str, endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [answer(status, body)] * 4
    with pytest.raises(EndpointError, match=words) as caught:
        await ask(engine)
    message = str(caught.value)
    assert endpoint.url in message
    assert "\n" not in message
    assert "s3cret" not in message + repr(engine)


async def test_a_missing_key_is_named(endpoint: Endpoint) -> None:
    endpoint.replies = [answer(401)]
    with pytest.raises(MissingKey, match="asks for a key: set LEADLINE_ENDPOINT_KEY"):
        await ask(OpenAIEngine(endpoint.url, "m1"))


async def test_the_servers_own_limit_is_a_prompt_too_long(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [answer(400, "maximum context length is 10 tokens, you asked for 30")]
    with pytest.raises(PromptTooLong, match="maximum context length is 10"):
        await ask(engine)


async def test_a_prompt_that_does_not_fit_is_not_sent(endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url, "m1", context_tokens=60)
    with pytest.raises(PromptTooLong, match=r"44 tokens.*20.*m1, 60 tokens"):
        await ask(engine)
    assert endpoint.chats == []


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, "<html>It works!</html>"),
        answer(200, '{"choices": []}'),
        events("a string"),
        events(end="data: {not json\n\n"),
        events(end="data: " + "x" * (2 << 20)),
    ],
)
async def test_nonsense_is_an_endpoint_error(
    reply: bytes, endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [reply]
    with pytest.raises(EndpointError, match="did not answer with a stream"):
        await ask(engine)


async def test_an_answer_that_breaks_off_is_no_answer(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [events(delta("Hel"), end="")]
    seen: list[object] = []
    with pytest.raises(EndpointError, match="broke off in the middle"):
        async for item in engine.stream(REQUEST, cancel=Cancellation()):
            seen.append(item)
    assert seen == [TextDelta("Hel")]
    endpoint.replies = [
        events(delta("Hel"))[:-20].replace(b"\r\n\r\n", b"\r\nContent-Length: 999\r\n\r\n")
    ]
    with pytest.raises(EndpointError, match="broke off"):
        await ask(engine)


async def test_errors_inside_a_stream_are_raised(endpoint: Endpoint, engine: OpenAIEngine) -> None:
    endpoint.replies = [events(delta("Hel"), {"error": {"message": "out of memory"}})]
    with pytest.raises(EndpointError, match="out of memory"):
        await ask(engine)
    endpoint.replies = [events(delta(finish="content_filter"))]
    with pytest.raises(EndpointError, match="withheld"):
        await ask(engine)


async def test_silence_is_a_timeout_and_is_not_repeated(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [lambda writer: None]
    with pytest.raises(EndpointError, match=r"said nothing for 0\.5 seconds"):
        await ask(engine)
    assert len(endpoint.chats) == 1


async def test_a_refused_connection_names_the_address() -> None:
    engine = OpenAIEngine("http://127.0.0.1:9", "m1")
    with pytest.raises(EndpointError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"):
        await ask(engine)


@pytest.mark.parametrize("said", [b"", events(delta("Hel"), end="")])
async def test_cancelling_closes_the_socket(said: bytes, endpoint: Endpoint) -> None:
    engine = OpenAIEngine(endpoint.url, "m1", idle_seconds=30)
    endpoint.replies = [lambda writer: writer.write(said)]
    cancel = Cancellation()
    task = asyncio.create_task(engine.generate(REQUEST, cancel=cancel))
    await endpoint.asked.wait()
    await asyncio.sleep(0.05)
    cancel.cancel()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(task, 2)
    await asyncio.wait_for(endpoint.hung_up.wait(), 2)


async def test_a_cancelled_request_is_not_sent(endpoint: Endpoint, engine: OpenAIEngine) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await engine.generate(REQUEST, cancel=cancel)
    assert endpoint.chats == []


async def test_how_to_ask_for_a_schema_is_found_out_once(
    endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    request = GenerationRequest(REQUEST.messages, 20, json_schema=SCHEMA)
    refusal = answer(422, "response_format: not supported")
    endpoint.replies = [refusal, refusal, HELLO, HELLO]
    await ask(engine, request)
    await ask(engine, request)
    formats = [chat.body["response_format"] for chat in endpoint.chats]
    assert formats == [
        {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        {"type": "json_object", "schema": SCHEMA},
        {"type": "json_object"},
        {"type": "json_object"},
    ]
    assert json.dumps(SCHEMA) in json.dumps(endpoint.chats[-1].body["messages"]).replace("\\", "")


@pytest.mark.parametrize(
    ("complaint", "absent", "present"),
    [
        ("'max_tokens' is not supported, use 'max_completion_tokens'", "max_tokens",
         "max_completion_tokens"),
        ("'temperature' must be 1", "temperature", "max_tokens"),
        ("unknown field seed", "seed", "temperature"),
        ("stream_options: extra inputs are not permitted", "stream_options", "seed"),
    ],
)  # fmt: skip
async def test_what_a_server_does_not_take_is_left_out(
    complaint: str, absent: str, present: str, endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.replies = [answer(400, complaint), HELLO]
    await ask(engine)
    assert absent not in endpoint.chats[1].body
    assert present in endpoint.chats[1].body


@pytest.mark.parametrize(
    ("path", "body", "tokens"),
    [
        ("/tokenize", '{"count": 9, "max_model_len": 99}', 9),
        ("/tokenize", '{"tokens": [1, 2, 3]}', 3 + 40),
        ("/extras/tokenize/count", '{"count": 5}', 5 + 40),
        ("/nothing", "", 4 + 40),
    ],
)
async def test_the_servers_tokenizer_counts(
    path: str, body: str, tokens: int, endpoint: Endpoint, engine: OpenAIEngine
) -> None:
    endpoint.other[path] = answer(200, body)
    for _ in range(2):
        assert await engine.count_tokens(REQUEST.messages) == tokens


async def test_opening_asks_for_the_window(endpoint: Endpoint) -> None:
    listed = {"data": [{"id": "other", "max_model_len": 1}, {"id": "m1", "max_model_len": 4096}]}
    endpoint.other["/v1/models"] = answer(200, json.dumps(listed))
    assert (await OpenAIEngine.open(endpoint.url, "m1")).context_tokens == 4096
    assert (await OpenAIEngine.open(endpoint.url, "m1", context_tokens=512)).context_tokens == 512
    assert (await OpenAIEngine.open(endpoint.url, "unlisted")).context_tokens == 8192


async def test_opening_what_is_no_endpoint_fails(endpoint: Endpoint) -> None:
    endpoint.other["/v1/models"] = answer(200, "<html>")
    with pytest.raises(EndpointError, match="does not list its models"):
        await OpenAIEngine.open(endpoint.url, "m1")
    endpoint.other["/v1/models"] = answer(401)
    with pytest.raises(MissingKey):
        await OpenAIEngine.open(endpoint.url, "m1")


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/v1", "http://", "http://[::"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no http address"):
        OpenAIEngine(url, "m1")


def test_credentials_in_the_address_are_not_shown() -> None:
    engine = OpenAIEngine("https://user:pass@host.test", "m1")
    assert repr(engine) == "OpenAIEngine('https://host.test/v1', 'm1')"
