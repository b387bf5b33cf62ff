"""The endpoint on a real socket, asked by the official client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import openai
import pytest
import uvicorn

from leadline import AsyncLeadline, Cancellation, Report
from leadline.cancellation import unless_cancelled
from leadline.errors import ConfigError
from leadline.integrations.openai_api import build_app
from leadline.loopback import is_loopback
from leadline.runtime.engine import Generation, GenerationRequest, TextDelta
from own_engine import QUESTION, RuleEngine


class StuckEngine(RuleEngine):
    """Never answers."""

    def __init__(self) -> None:
        self.asked, self.stopped = asyncio.Event(), asyncio.Event()

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        self.asked.set()
        try:
            await unless_cancelled(asyncio.Event().wait(), cancel)
        finally:
            self.stopped.set()
        yield TextDelta("")


@asynccontextmanager
async def served(lead: AsyncLeadline, key: str | None = None) -> AsyncIterator[str]:
    """The base URL of a server that runs in this loop."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(build_app(lead, key=key), log_level="warning")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await task
        listening.close()


async def test_an_answer_comes_with_citations(lead: AsyncLeadline) -> None:
    async with served(lead) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        assert [model.id async for model in client.models.list()] == ["leadline"]
        answer = await client.chat.completions.create(
            model="leadline",
            messages=[
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": QUESTION},
            ],
        )
    [choice] = answer.choices
    assert choice.message.content is not None
    assert choice.message.annotations is not None
    [annotation] = choice.message.annotations
    cited = annotation.url_citation
    assert cited.url.endswith("harbour.md")
    assert choice.message.content[cited.start_index : cited.end_index] == "[1]"
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0
    assert answer.model_extra is not None
    report = Report.from_dict(answer.model_extra["leadline"])
    assert report.markdown == choice.message.content


async def test_a_streamed_answer_tells_its_progress_first(lead: AsyncLeadline) -> None:
    content, progress, finished = "", "", None
    async with served(lead) as url, openai.AsyncOpenAI(base_url=url, api_key="none") as client:
        stream = await client.chat.completions.create(
            model="leadline", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        async for piece in stream:
            [choice] = piece.choices
            extra = choice.delta.model_extra or {}
            progress += extra.get("reasoning_content", "")
            assert not (extra.get("reasoning_content") and content)
            content += choice.delta.content or ""
            finished = choice.finish_reason or finished
    assert "opened in 1902" in content
    assert "plan (fact): " in progress
    assert finished == "stop"


async def test_without_the_key_nobody_is_answered(lead: AsyncLeadline) -> None:
    async with served(lead, key="s3cret") as url:
        for key in ("wrong", "s3cre", "s3crets"):
            async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
                with pytest.raises(openai.AuthenticationError):
                    await client.chat.completions.create(
                        model="leadline", messages=[{"role": "user", "content": QUESTION}]
                    )
        async with openai.AsyncOpenAI(base_url=url, api_key="s3cret") as client:
            assert [model.id async for model in client.models.list()] == ["leadline"]


def test_beyond_this_machine_a_key_is_needed(lead: AsyncLeadline) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        with pytest.raises(ConfigError, match="LEADLINE_API_KEY"):
            build_app(lead, host=host)
        build_app(lead, host=host, key="k")
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost")))


async def test_requests_that_a_strange_page_could_make_are_refused(lead: AsyncLeadline) -> None:
    body = '{"messages": [{"role": "user", "content": "x y"}]}'
    async with served(lead) as url, httpx.AsyncClient() as client:
        address = f"{url}/chat/completions"
        plain = await client.post(address, content=body, headers={"content-type": "text/plain"})
        other = await client.post(
            address,
            content=body,
            headers={"content-type": "application/json", "host": "attacker.example"},
        )
    assert (plain.status_code, other.status_code) == (415, 400)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"messages": []}', "messages: "),
        ("{", "Invalid JSON"),
        ('{"messages": [{"role": "user", "content": " "}]}', "question is empty"),
        ('{"messages": [{"role": "system", "content": "hello"}]}', "no message is the user's"),
        (f'{{"messages": [{{"role": "user", "content": "{"x" * 1_100_000}"}}]}}', "bytes"),
    ],
)
async def test_a_bad_request_is_explained(lead: AsyncLeadline, body: str, message: str) -> None:
    async with served(lead) as url, httpx.AsyncClient() as client:
        response = await client.post(
            f"{url}/chat/completions", content=body, headers={"content-type": "application/json"}
        )
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_hanging_up_stops_the_run(documents: Path, stream: bool) -> None:
    engine = StuckEngine()
    lead = AsyncLeadline(corpora=[documents], engine=engine, reader="none")
    async with served(lead) as url, httpx.AsyncClient() as client:
        body = {"messages": [{"role": "user", "content": QUESTION}], "stream": stream}
        task = asyncio.create_task(client.post(f"{url}/chat/completions", json=body))
        async with asyncio.timeout(30):
            await engine.asked.wait()
            task.cancel()
            await engine.stopped.wait()
