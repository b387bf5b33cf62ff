from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from leadline.retrying import RetryTransport

URL = "http://model.test/v1"


class Replies(httpx.AsyncBaseTransport):
    """Gives prepared responses or errors, and remembers which responses were closed."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies = list(replies)
        self.asked = 0
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for; none is waited."""
    asked: list[float] = []

    async def record(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr("leadline.retrying.sleep", record)
    return asked


async def get(transport: httpx.AsyncBaseTransport) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.get(URL)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_busy_server_is_asked_again(status: int) -> None:
    busy = httpx.Response(status)
    replies = Replies(busy, httpx.ConnectError("refused"), httpx.Response(200))
    assert (await get(RetryTransport(replies))).status_code == 200
    assert replies.asked == 3
    assert busy.is_closed


@pytest.mark.parametrize("status", [200, 301, 400, 401, 404, 422, 501])
async def test_other_answers_are_returned_at_once(status: int) -> None:
    replies = Replies(httpx.Response(status))
    assert (await get(RetryTransport(replies))).status_code == status
    assert replies.asked == 1


async def test_a_read_timeout_is_not_repeated() -> None:
    replies = Replies(httpx.ReadTimeout("silence"))
    with pytest.raises(httpx.ReadTimeout):
        await get(RetryTransport(replies))
    assert replies.asked == 1


async def test_the_last_answer_is_returned_and_the_last_error_raised(waits: list[float]) -> None:
    replies = Replies(*(httpx.Response(503, text=f"busy {n}") for n in range(3)))
    response = await get(RetryTransport(replies, attempts=3))
    assert response.text == "busy 2"
    with pytest.raises(httpx.ConnectError, match="second"):
        refused = Replies(httpx.ConnectError("first"), httpx.ConnectError("second"))
        await get(RetryTransport(refused, attempts=2))
    assert len(waits) == 3
    assert all(wait > 0 for wait in waits)


def _in_five_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=5), usegmt=True)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        (lambda: "7", 7, 7),
        (_in_five_seconds, 3, 5),
        (lambda: "Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        (lambda: "soon", 0.1, 2),
        (lambda: "-3", 0.1, 2),
    ],
)
async def test_retry_after_sets_the_wait(
    value: Callable[[], str], least: float, most: float, waits: list[float]
) -> None:
    busy = httpx.Response(429, headers={"Retry-After": value()})
    assert (await get(RetryTransport(Replies(busy, httpx.Response(200))))).status_code == 200
    (wait,) = waits
    assert least <= wait <= most


async def test_a_server_that_asks_for_too_long_is_not_asked_again(waits: list[float]) -> None:
    replies = Replies(httpx.Response(429, headers={"Retry-After": "3600"}))
    assert (await get(RetryTransport(replies, longest_wait=60))).status_code == 429
    assert waits == []


@pytest.mark.real_retry_wait
async def test_cancelling_the_task_ends_a_wait() -> None:
    replies = Replies(httpx.Response(429, headers={"Retry-After": "30"}), httpx.Response(200))
    task = asyncio.create_task(get(RetryTransport(replies)))
    await asyncio.sleep(0.05)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 1
    assert replies.asked == 1


class ReadyAtTheThirdTime(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        self.asked[request.url.path] += 1
        return httpx.Response(200 if self.asked[request.url.path] == 3 else 503)


async def test_requests_side_by_side_do_not_share_their_attempts() -> None:
    transport = RetryTransport(ReadyAtTheThirdTime(), attempts=3)
    async with httpx.AsyncClient(transport=transport) as client:
        responses = await asyncio.gather(*(client.get(f"{URL}/{n}") for n in range(5)))
    assert [response.status_code for response in responses] == [200] * 5


async def test_closing_closes_the_wrapped_transport() -> None:
    replies = Replies(httpx.Response(200))
    await get(RetryTransport(replies))
    assert replies.closed
