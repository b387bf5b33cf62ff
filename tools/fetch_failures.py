"""What can go wrong with a fetch, told in one line each."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from ..errors import FetchError, LeadlineError
from .host_slots import LONGEST_REST_SECONDS
from .http_body import BodyTooLarge, BodyUndecodable
from .media_types import declared_type, is_readable
from .network_guard import redacted

_TRY_LATER = "try again later, or use another source"


def check_declared_type(url: str, headers: httpx.Headers) -> None:
    """Refuse images, archives and films before their bytes are asked for."""
    media_type, _ = declared_type(headers)
    if media_type and media_type != "application/octet-stream" and not is_readable(media_type):
        raise unreadable(url, media_type)


def unreadable(url: str, media_type: str) -> FetchError:
    kind = media_type or "of an unknown type"
    return FetchError(
        f"{redacted(url)} is {kind}, which holds no text that can be read",
        remedy="give the address of an HTML, PDF, text, JSON or XML document",
    )


def check_status(url: str, status: int, retry_after: float | None) -> None:
    """Raises FetchError for every status that brings no page.

    ``retry_after`` is how many seconds the server asks to be left alone, where it says so.
    """
    if status in (200, 203):
        return
    shown = redacted(url)
    match status:
        case 401 | 402 | 403 | 407 | 451:
            raise FetchError(
                f"{shown} refuses access (status {status})",
                remedy="it may need a login or shut out programmes: use another source",
            )
        case 404 | 410:
            raise FetchError(
                f"{shown} does not exist (status {status})", remedy="check the address"
            )
        case 429:
            raise FetchError(
                f"{shown} asks for fewer requests (status 429)", remedy=_try_after(retry_after)
            )
        case _ if status >= 500:
            raise FetchError(f"{shown} fails with status {status}", remedy=_try_after(retry_after))
        case _:
            raise FetchError(f"{shown} answers with status {status}", remedy="use another source")


@contextmanager
def explained(url: str, *, seconds: float, silence: float, max_bytes: int) -> Iterator[None]:
    """Turn what goes wrong with a request into one FetchError that says so."""
    shown = redacted(url)
    try:
        yield
    except LeadlineError:
        raise
    except TimeoutError as error:
        raise FetchError(
            f"{shown} was not complete within {seconds:g} s", remedy=_TRY_LATER
        ) from error
    except httpx.TimeoutException as error:
        raise FetchError(f"{shown} sent nothing for {silence:g} s", remedy=_TRY_LATER) from error
    except BodyTooLarge as error:
        raise FetchError(
            f"{shown} is larger than {max_bytes / 1e6:,.1f} MB", remedy="use a smaller document"
        ) from error
    except BodyUndecodable as error:
        raise FetchError(f"{shown} cannot be decoded, {error}", remedy=_TRY_LATER) from error
    except Exception as error:  # a hostile server provokes more than httpx maps
        raise FetchError(f"{shown} {connection_failure(error)}", remedy=_TRY_LATER) from error


def resting(url: str, seconds: float) -> FetchError:
    """The host of ``url`` has asked for a rest that is longer than anybody waits."""
    return FetchError(
        f"the host of {redacted(url)} asks for no requests now", remedy=_try_after(seconds)
    )


def _try_after(seconds: float | None) -> str:
    if not seconds:
        return _TRY_LATER
    wait = min(seconds, LONGEST_REST_SECONDS)
    return f"try again in {wait:,.0f} s, as it asks, or use another source"


def connection_failure(error: Exception) -> str:
    """What a failed connection comes to, as what is said of a server: "refuses …"."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that cannot be trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return f"cannot be reached over TLS ({cause.reason or cause})"
        if isinstance(cause, ConnectionRefusedError):
            return "refuses the connection, no server listens there"
    if isinstance(error, httpx.ConnectError):
        return f"cannot be reached ({causes[-1]})"
    return f"broke off the answer ({str(error) or type(error).__name__})"
