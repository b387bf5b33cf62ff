"""HTTP requests that are repeated when the other side is not ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import tenacity

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
RETRIED_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ReadError,
    httpx.RemoteProtocolError,
    httpx.WriteError,
)

_backoff = tenacity.wait_exponential(multiplier=0.5, max=8.0) + tenacity.wait_random(0, 0.5)


async def sleep(seconds: float) -> None:
    """Every wait between attempts goes through here; cancelling the task ends it."""
    await asyncio.sleep(seconds)


class RetryTransport(httpx.AsyncBaseTransport):
    """Repeats requests that failed before a response body began, through ``transport``.

    Repeated are failed connections and the statuses 408, 429, 500, 502, 503 and 504, up to
    ``attempts`` times in all; a timeout while waiting for the response is not, the time is up.
    ``Retry-After`` (RFC 9110 §10.2.3, seconds or a date) sets the wait; a server that asks for
    more than ``longest_wait`` seconds is not asked again. The last response is returned as it
    came, and the last error raised, for the caller to explain. For requests that are safe to
    repeat only: reading, and generating text.

    ``waits`` is told of each ``Retry-After``, in seconds, so that other requests can wait too.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        attempts: int = 4,
        longest_wait: float = 60.0,
        waits: Callable[[httpx.Request, float], None] = lambda request, seconds: None,
    ) -> None:
        self._transport = transport or httpx.AsyncHTTPTransport()
        self._attempts = attempts
        self._longest_wait = longest_wait
        self._waits = waits

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(RETRIED_ERRORS)
            | tenacity.retry_if_result(_asks_for_patience),
            wait=_wait,
            stop=self._gives_up,
            before_sleep=_close_response,
            retry_error_callback=_last_outcome,
            # looked up at each wait, so that tests can replace it
            sleep=lambda seconds: sleep(seconds),
        )
        return await retrying(self._send, request)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        if _asks_for_patience(response) and (seconds := retry_after(response)):
            self._waits(request, seconds)
        return response

    def _gives_up(self, state: tenacity.RetryCallState) -> bool:
        asked = _asked_wait(state)
        too_long = asked is not None and asked > self._longest_wait
        return state.attempt_number >= self._attempts or too_long


def _asks_for_patience(response: httpx.Response) -> bool:
    return response.status_code in RETRIED_STATUSES


def _wait(state: tenacity.RetryCallState) -> float:
    asked = _asked_wait(state)
    return _backoff(state) if asked is None else asked


def _response(state: tenacity.RetryCallState) -> httpx.Response | None:
    if state.outcome is None or state.outcome.failed:
        return None
    response: httpx.Response = state.outcome.result()
    return response


def _asked_wait(state: tenacity.RetryCallState) -> float | None:
    response = _response(state)
    return None if response is None else retry_after(response)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks us to wait; None where it names none that can be read."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


async def _close_response(state: tenacity.RetryCallState) -> None:
    response = _response(state)
    if response is not None:
        await response.aclose()


def _last_outcome(state: tenacity.RetryCallState) -> httpx.Response:
    assert state.outcome is not None
    response: httpx.Response = state.outcome.result()
    return response
