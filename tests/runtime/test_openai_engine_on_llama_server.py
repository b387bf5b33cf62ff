"""The endpoint engine against a real server: llama-cpp-python's own, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydantic import BaseModel, Field

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, EndpointError, PromptTooLong
from leadline.runtime.engine import Generation, GenerationRequest, Message, TextDelta
from leadline.runtime.openai_engine import OpenAIEngine
from leadline.runtime.structured import generate_object

pytestmark = pytest.mark.slow

CHAT = (Message("user", "Count from 1 to 5."),)


class Answer(BaseModel):
    words: list[str] = Field(min_length=1, max_length=3)


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def server(model_file: Callable[[str], Path], tmp_path: Path) -> Iterator[Server]:
    """A server that has smollm2-135m with a window of 2,048 tokens, and has answered once.

    What it logged is shown when a test fails. One that breaks off its first answer, whoever asks,
    is replaced, once.
    """
    pytest.importorskip("fastapi", reason="llama-cpp-python's server extra is not installed")
    log = tmp_path / "server.log"
    started = _start(model_file("smollm2-135m"), log)
    try:
        try:
            _wait_until_it_answers(started)
        except httpx.RemoteProtocolError as error:
            print(f"the server broke off its first answer ({error}):\n{log.read_text()}")
            _stop(started)
            started = _start(model_file("smollm2-135m"), log)
            _wait_until_it_answers(started)
        yield started
    finally:
        _stop(started)
        print(log.read_text())


def _start(model: Path, log: Path) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--n_ctx", "2048", "--model_alias", "smollm2-135m"]
    command += ["--model", str(model)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "OMP_WAIT_POLICY": "passive"}
        )
    return Server(f"http://127.0.0.1:{port}/v1", process)


def _stop(server: Server) -> None:
    server.process.terminate()
    server.process.wait(10)


def _wait_until_it_answers(server: Server) -> None:
    """Raises RemoteProtocolError if the server breaks off its first answer."""
    deadline = time.monotonic() + 60
    while True:
        assert server.process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server did not start"
        with contextlib.suppress(httpx.ConnectError):
            httpx.get(f"{server.url}/models", timeout=60).raise_for_status()
            break
        time.sleep(0.2)
    question = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2, "stream": True}
    httpx.post(f"{server.url}/chat/completions", json=question, timeout=60).raise_for_status()


async def test_a_real_server(server: Server) -> None:
    engine = await OpenAIEngine.open(server.url, "smollm2-135m", context_tokens=2048)

    request = GenerationRequest(CHAT, 24)
    *deltas, last = [item async for item in engine.stream(request, cancel=Cancellation())]
    assert isinstance(last, Generation)
    assert "".join(d.text for d in deltas if isinstance(d, TextDelta)) == last.text
    assert "3" in last.text
    assert len(deltas) > 3

    wish = GenerationRequest((Message("user", "Three colours, as JSON."),), 120)
    answer = await generate_object(engine, wish, Answer, cancel=Cancellation())
    assert answer.words

    asked = (Message("user", "Is water wet? Answer yes or no."),)
    likely = await engine.generate(
        GenerationRequest(asked, 1, first_tokens=5), cancel=Cancellation()
    )
    assert likely.first_tokens[0].text == likely.text
    assert len(likely.first_tokens) == 5

    long = GenerationRequest((Message("user", "tide " * 2100),), 50)
    with pytest.raises(PromptTooLong, match="2,048 tokens"):
        await engine.generate(long, cancel=Cancellation())
    engine.context_tokens = 100_000
    # this server sees it only after it has answered 200, and hangs up
    with pytest.raises(EndpointError, match=r"broke off.*may exceed the server's window"):
        await engine.generate(long, cancel=Cancellation())

    cancel = Cancellation()
    story = GenerationRequest((Message("user", "Tell a long story."),), 1500)
    task = asyncio.create_task(engine.generate(story, cancel=cancel))
    await asyncio.sleep(1)
    started = time.monotonic()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await task
    assert time.monotonic() - started < 2
    await engine.aclose()


async def test_a_server_that_dies_is_an_endpoint_error(server: Server) -> None:
    engine = await OpenAIEngine.open(server.url, "smollm2-135m")
    story = GenerationRequest((Message("user", "Tell a long story."),), 1500)
    with pytest.raises(EndpointError, match="broke off in the middle"):
        async for _ in engine.stream(story, cancel=Cancellation()):
            server.process.kill()
    with pytest.raises(EndpointError, match="cannot be reached"):
        await engine.generate(story, cancel=Cancellation())
    await engine.aclose()
