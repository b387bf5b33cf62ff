"""What strangers put on the web to reach this machine, to break it, or to command a model.

The cases are tables under ``hostile/``; ``pytest -v tests/tools/test_hostile.py`` lists each with
its result. Nothing may crash, no refused address may be connected
to (a listener on every address of this machine proves it), and no text may look like anything
but text to a model or to whoever reads the report.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import httpcore
import pytest
from markdown_it import MarkdownIt

from leadline.cancellation import Cancellation
from leadline.errors import ExtractionError, FetchError
from leadline.tools.extraction import extract
from leadline.tools.extraction.document import normalised
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard, Resolver, is_public
from leadline.tools.quarantine import fence, neutralise, safe_markdown

from .hostile.answers import BOMBS, BROKEN_HTTP
from .hostile.html_documents import HTML
from .hostile.injections import COMMANDS, HIDDEN_PLACES, PDF_LAYERS, SHOWN_PLACES, html_with
from .hostile.pdf_documents import PDF
from .hostile.urls import REBINDING, REFUSED

if TYPE_CHECKING:
    from tests.tools.conftest import LoopbackSite, Request

LIMITS = FetchLimits(seconds=2, silence=0.3, bytes=1_000_000, host_delay=0.0)
REFUSED_URLS = list(chain.from_iterable(REFUSED.values()))
each_refused = pytest.mark.parametrize(
    "url",
    REFUSED_URLS,
    ids=[f"{category} {n}" for category, urls in REFUSED.items() for n in range(len(urls))],
)
INJECTIONS = [
    (place, language, number)
    for place in chain(HIDDEN_PLACES, SHOWN_PLACES)
    for language, commands in COMMANDS.items()
    for number in range(len(commands))
]
CASES = {
    **{f"address: {category}": len(urls) for category, urls in REFUSED.items()},
    "redirects": len(REFUSED_URLS),
    "DNS rebinding": len(REBINDING),
    "bombs": len(BOMBS),
    "broken HTTP": len(BROKEN_HTTP),
    "malformed HTML": len(HTML),
    "malformed PDF": len(PDF),
    "injections in HTML": len(INJECTIONS),
    "injections in PDF": len(PDF_LAYERS),
}


def test_the_set_covers_every_category() -> None:
    assert sum(CASES.values()) >= 500
    assert all(count >= 7 for count in CASES.values()), CASES


@dataclass
class Listener:
    """Somebody who listens on one port of every address of this machine."""

    port: int = 0
    connections: int = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    first = await asyncio.start_server(listener.take, "0.0.0.0", 0)
    listener.port = first.sockets[0].getsockname()[1]
    second = await asyncio.start_server(listener.take, "::", listener.port)
    async with first, second:
        yield listener


@dataclass
class Watch(httpcore.AnyIOBackend):
    """Writes down where connections go; those that would leave this machine fail."""

    asked: list[str] = field(default_factory=list)

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append(f"{host} {port}")
        if is_public(ipaddress.ip_address(host)):
            raise httpcore.ConnectError("the Internet is not here")
        return await super().connect_tcp(host, port, timeout)


@asynccontextmanager
async def watched(
    watch: Watch, allow: str = "", resolver: Resolver | None = None
) -> AsyncIterator[Fetcher]:
    guard = NetworkGuard(allow_hosts=[allow] if allow else [], resolver=resolver)
    async with Fetcher(guard, limits=LIMITS, connector=watch, respect_robots=False) as fetcher:
        yield fetcher


async def test_the_listener_hears(listener: Listener, cancel: Cancellation) -> None:
    for host in ("127.0.0.1", "[::1]"):
        async with watched(Watch(), allow=f"{host}:{listener.port}") as fetcher:
            page = await fetcher.fetch(f"http://{host}:{listener.port}/", cancel=cancel)
            assert page.body == b"secret"
    assert listener.connections == 2


@each_refused
async def test_no_refused_address_is_asked(
    listener: Listener, cancel: Cancellation, url: str
) -> None:
    watch = Watch()
    async with watched(watch) as fetcher:
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(url.replace("{port}", str(listener.port)), cancel=cancel)
        assert "secret" not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    assert watch.asked == []
    assert listener.connections == 0


@each_refused
async def test_no_redirect_leads_to_a_refused_address(
    site: LoopbackSite, listener: Listener, cancel: Cancellation, url: str
) -> None:
    """Some targets are relative to a parser that follows RFC 3986: they stay on the site."""
    location = url.replace("{port}", str(listener.port))
    raw = location.encode("utf-8").decode("latin-1").replace("\n", " ")

    async def redirect(request: Request, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 302 Found\r\nLocation: {raw}\r\nContent-Length: 0\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode("latin-1"))

    site.on("/", redirect)
    watch = Watch()
    async with watched(watch, allow=f"127.0.0.1:{site.port}") as fetcher:
        with pytest.raises(FetchError):
            await fetcher.fetch(site.url(), cancel=cancel)
    assert set(watch.asked) == {f"127.0.0.1 {site.port}"}
    assert listener.connections == 0


@pytest.mark.parametrize("name", REBINDING)
async def test_a_name_that_turns_inward(
    listener: Listener, cancel: Cancellation, name: str
) -> None:
    answers = [*REBINDING[name]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    watch = Watch()
    async with watched(watch, resolver=resolve) as fetcher:
        for _ in range(2):
            with pytest.raises(FetchError):
                await fetcher.fetch(f"http://rebind.example:{listener.port}/", cancel=cancel)
    assert {asked.split()[0] for asked in watch.asked} <= {"93.184.216.34"}
    assert listener.connections == 0


@pytest.mark.parametrize(
    "answer", [*BOMBS.values(), *BROKEN_HTTP.values()], ids=[*BOMBS, *BROKEN_HTTP]
)
async def test_an_answer_is_a_page_or_one_line(
    site: LoopbackSite, cancel: Cancellation, answer: bytes
) -> None:
    async def send(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    site.on("/", send)
    started = time.monotonic()
    async with watched(Watch(), allow=f"127.0.0.1:{site.port}") as fetcher:
        try:
            page = await fetcher.fetch(site.url(), cancel=cancel)
        except FetchError as error:
            assert len(str(error).splitlines()) == 1
            assert error.remedy
        else:
            assert 0 < len(page.body) <= LIMITS.bytes
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("name", BOMBS)
async def test_no_bomb_goes_off(site: LoopbackSite, cancel: Cancellation, name: str) -> None:
    async def send(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(BOMBS[name])

    site.on("/", send)
    async with watched(Watch(), allow=f"127.0.0.1:{site.port}") as fetcher:
        with pytest.raises(FetchError):
            await fetcher.fetch(site.url(), cancel=cancel)


@pytest.mark.parametrize(
    ("data", "suffix"),
    [*((data, "html") for data in HTML.values()), *((data, "pdf") for data in PDF.values())],
    ids=[*HTML, *PDF],
)
def test_a_document_is_text_or_one_line(data: bytes, suffix: str) -> None:
    started = time.process_time()
    try:
        text = extract(data, name=f"x.{suffix}").text
    except ExtractionError as error:
        assert len(str(error).splitlines()) == 1
        assert error.remedy
    else:
        assert text == normalised(text) != ""
        assert "root:x:0" not in text
    assert time.process_time() - started < 10


@pytest.mark.parametrize(("place", "language", "number"), INJECTIONS)
def test_an_injection_in_a_page(place: str, language: str, number: int) -> None:
    command = COMMANDS[language][number]
    template = HIDDEN_PLACES.get(place) or SHOWN_PLACES[place]
    extracted = extract(html_with(template, command), name="x.html")
    if place in HIDDEN_PLACES:
        for words in re.findall(r"\w{3,}(?:\s\w+)*", command):
            assert words not in extracted.text
    check_quarantined(extracted.text)


@pytest.mark.parametrize("name", PDF_LAYERS)
def test_an_injection_in_a_pdf(name: str) -> None:
    try:
        extracted = extract(PDF_LAYERS[name], name="x.pdf")
    except ExtractionError:
        return
    check_quarantined(extracted.text)
    check_quarantined(extracted.title)


def check_quarantined(text: str) -> None:
    """``text`` is nothing but text to a chat template, to the fence, and to a Markdown viewer."""
    first, *inside, last = fence(text, "page 1").split("\n")
    assert last not in inside
    assert first.startswith("[begin ") and last == f"[end {first.split()[1]}]"
    prompt = "\n".join(inside)
    assert prompt == neutralise(text)
    assert not re.search(r"<[|｜]|\[/?INST\]|</?tool_call>|!\[", prompt)
    assert not re.search(
        r"^\W*(system|assistant|human|系统|助手|用户|指令)\s*[:：]",
        prompt,
        re.IGNORECASE | re.MULTILINE,
    )
    for block in MarkdownIt("gfm-like").parse(safe_markdown(text, [])):
        for token in (block, *(block.children or ())):
            assert token.type not in ("image", "link_open", "html_inline", "html_block")
