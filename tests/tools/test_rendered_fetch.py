"""Pages made by scripts, in a real Chromium that must reach nothing by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ExtractionError, FetchError
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard
from leadline.tools.page_store import PageStore
from leadline.tools.rendered_fetch import BrowserRenderer, RenderLimits, why_not
from leadline.tools.web_pages import WebPages

from ..web.served_pages import ServedPage
from ..web.site import WebSite
from .hostile.urls import REFUSED

needs_browser = pytest.mark.skipif(bool(why_not()), reason="; ".join(why_not()) or "here")

_SCRIPTED = b"""<html><head><title>Tides</title></head><body><main id=m></main><script src=/app.js>
</script></body></html>"""
_APP = b"""fetch('/tide.json').then(r => r.json()).then(tide => {
  document.getElementById('m').innerHTML =
    `<h1>Tides</h1><p>High water at the quay comes at ${tide.high}, an hour after Dover.</p>`;
});"""
_PAGES = {
    "/": ServedPage(_SCRIPTED),
    "/app.js": ServedPage(_APP, "text/javascript"),
    "/tide.json": ServedPage(b'{"high": "quarter past nine"}', "application/json"),
    "/plain": ServedPage(
        b"<html><body><p>" + b"Nothing to run here. " * 30 + b"</p></body></html>"
    ),
    "/empty": ServedPage(b"<html><body><script>1</script></body></html>"),
    "/loop": ServedPage(b"<html><body><script>while (true) {}</script></body></html>"),
}


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


class Opened:
    """Pages of a site, its scripts run."""

    def __init__(self, site: WebSite, store: PageStore, limits: RenderLimits | None = None) -> None:
        guard = NetworkGuard(allow_hosts=[site.host])
        self._fetcher = Fetcher(guard, limits=FetchLimits(seconds=5, host_delay=0.0))
        self._renderer = BrowserRenderer(self._fetcher, limits=limits)
        self._store = store

    async def __aenter__(self) -> WebPages:
        await self._fetcher.__aenter__()
        return WebPages(self._fetcher, self._store, renderer=self._renderer)

    async def __aexit__(self, *error: object) -> None:
        await self._renderer.__aexit__(None, None, None)
        await self._fetcher.__aexit__(None, None, None)


@needs_browser
async def test_a_page_made_by_a_script(store: PageStore, cancel: Cancellation) -> None:
    with WebSite(_PAGES) as site:
        async with Fetcher(NetworkGuard(allow_hosts=[site.host])) as fetcher:
            with pytest.raises(ExtractionError, match="without running its scripts"):
                await WebPages(fetcher, store).open(site.url("/"), cancel=cancel)
        async with Opened(site, store) as pages:
            page = await pages.open(site.url("/"), cancel=cancel)
            assert "High water at the quay comes at quarter past nine" in page.text
            assert page.title == "Tides"
            assert page.url == site.url("/")
            asked = len(site.requests)
            assert "Nothing to run" in (await pages.open(site.url("/plain"), cancel=cancel)).text
            assert site.requests[asked:] == ["/plain"]
        assert store.get(page.page_id) == page


@needs_browser
async def test_a_browser_reaches_nothing_by_itself(store: PageStore, cancel: Cancellation) -> None:
    """A page that asks for every refused address, in every way that a page has."""
    with WebSite({}) as listener:
        forms = [form for category in REFUSED.values() for form in category[:3]]
        urls = [form.replace("{port}", str(listener.port)) for form in forms]
        urls += [listener.url("/secret"), f"http://localhost:{listener.port}/secret"]
        script = (
            f"const urls = {[u for u in urls if u.isprintable()]!r};"
            f"const base = {listener.host!r};"
            """
            for (const u of urls) {
              fetch(u, {mode: 'no-cors'}).catch(() => 0);
              for (const tag of ['img', 'iframe', 'script', 'embed', 'video', 'link', 'object']) {
                const e = document.createElement(tag);
                e.src = e.href = e.data = u; e.rel = 'prefetch'; document.body.append(e);
              }
              try { navigator.sendBeacon(u, 'x'); } catch {}
            }
            try { new WebSocket(`ws://${base}/secret`); } catch {}
            try { new EventSource(`http://${base}/secret`); } catch {}
            try { new Worker(`http://${base}/secret`); } catch {}
            try { window.open(`http://${base}/secret`); } catch {}
            try {
              const rtc = new RTCPeerConnection({iceServers: [{urls: `stun:${base}`}]});
              rtc.createDataChannel('x'); rtc.createOffer().then(o => rtc.setLocalDescription(o));
            } catch {}
            const form = document.createElement('form');
            form.action = `http://${base}/secret`; form.method = 'post';
            document.body.append(form);
            const p = document.createElement('p');
            p.textContent = 'The scripts have run to their end.'; document.body.append(p);
            setTimeout(() => { try { form.submit(); } catch {} }, 100);
            setTimeout(() => { location = `http://${base}/secret`; }, 200);
            """
        )
        attack = f"<html><body><main></main><script>{script}</script></body></html>".encode()
        with WebSite({"/": ServedPage(attack)}) as site:
            async with Opened(site, store, RenderLimits(seconds=12)) as pages:
                page = await pages.open(site.url("/"), cancel=cancel)
            assert site.page_requests[:1] == ["/"]
        assert "The scripts have run to their end." in page.text
        assert listener.requests == []


@needs_browser
async def test_a_page_that_never_ends(store: PageStore, cancel: Cancellation) -> None:
    with WebSite(_PAGES) as site:
        async with Opened(site, store, RenderLimits(seconds=2)) as pages:
            with pytest.raises(FetchError, match="could not be rendered"):
                await pages.open(site.url("/loop"), cancel=cancel)


@needs_browser
async def test_rendering_can_be_stopped(store: PageStore, cancel: Cancellation) -> None:
    with WebSite(_PAGES) as site:
        async with Opened(site, store) as pages:
            opening = asyncio.create_task(pages.open(site.url("/loop"), cancel=cancel))
            await asyncio.to_thread(site.wait_for, "/loop")
            await asyncio.sleep(0.5)
            cancel.cancel()
            with pytest.raises(Cancelled):
                await opening


@needs_browser
async def test_a_page_that_stays_empty(store: PageStore, cancel: Cancellation) -> None:
    with WebSite(_PAGES) as site:
        async with Opened(site, store) as pages:
            with pytest.raises(ExtractionError):
                await pages.open(site.url("/empty"), cancel=cancel)


def test_a_browser_that_is_not_there() -> None:
    assert any("no Chromium" in reason for reason in why_not("/no/such/browser"))
