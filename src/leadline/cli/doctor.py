"""``leadline doctor``: what works on this machine, and why the rest does not."""

from __future__ import annotations

import asyncio
import platform
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from .. import __version__
from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..locations import Locations, locations
from .exit_codes import ExitCode
from .running import run_async
from .terminal import stdout_console, write_json

if TYPE_CHECKING:
    from ..settings import Settings
    from ..tools.search.protocol import SearchBackend

_QUERY = "depth sounding"
"""What search backends are asked, to see whether they answer."""
_ASK_SECONDS = 11.0
"""Longer than a backend waits that is told to come back, so that it can say so."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``why_not`` is empty when it works."""

    part: str
    name: str
    detail: str
    why_not: tuple[str, ...] = ()
    needed: bool = False
    """Whether a question cannot be answered without it."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option(
    "--all-backends", is_flag=True, help="Ask the search backends that are not in use, too."
)
def doctor(as_json: bool, all_backends: bool) -> int:
    """Say what works on this machine, and why the rest does not.

    Each search backend in use is asked one short query. Exits with 3 if a question could not be
    answered with the settings in force.
    """
    from ..settings import load_settings

    settings = load_settings()
    places = locations()
    findings = [
        Finding("leadline", __version__, f"Python {platform.python_version()}"),
        *_disk(places),
        *_kernels(),
        *_models(settings),
        *run_async(lambda cancel: _endpoint(settings, cancel)),
        *run_async(lambda cancel: _search(settings, all_backends, cancel)),
        *_rendering(settings),
    ]
    if as_json:
        write_json([asdict(finding) for finding in findings])
    else:
        _print(findings)
    broken = any(finding.needed and finding.why_not for finding in findings)
    return ExitCode.UNAVAILABLE if broken else ExitCode.OK


def _disk(places: Locations) -> list[Finding]:
    findings = []
    for name, folder in (("cache", places.cache), ("state", places.state)):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free / 1e9
        findings.append(Finding("disk", name, f"{folder}, {free:,.0f} GB free"))
    return findings


def _kernels() -> list[Finding]:
    from ..kernels.tiers import available

    return [Finding("kernels", tier.name, tier.detail, tier.reasons) for tier in available()]


def _models(settings: Settings) -> list[Finding]:
    from ..runtime.catalogue import resolve
    from ..runtime.reader import FIRST_STAGE_IDS

    wanted = [("reader", settings.reader), ("embedder", settings.embedder)]
    if not settings.endpoint:
        wanted.insert(0, ("model", settings.model))
    findings = []
    for role, name in wanted:
        if name in FIRST_STAGE_IDS:
            findings.append(Finding("models", name, role))
            continue
        try:
            files = resolve(name)
        except LeadlineError as error:
            needed = role != "embedder"
            findings.append(Finding("models", name, role, (str(error),), needed=needed))
        else:
            findings.append(Finding("models", name, f"{role}, {files.path}"))
    return findings


async def _endpoint(settings: Settings, cancel: Cancellation) -> list[Finding]:
    """Ask the endpoint for one token."""
    if not settings.endpoint:
        return []
    from ..agent.assembly import open_engine
    from ..runtime.engine import GenerationRequest, Message

    detail = f"model {settings.model}"
    try:
        engine = await open_engine(settings)
        try:
            request = GenerationRequest((Message("user", "Say yes."),), max_tokens=1)
            await engine.generate(request, cancel=cancel)
        finally:
            await engine.aclose()
    except LeadlineError as error:
        return [Finding("endpoint", settings.endpoint, detail, (str(error),), needed=True)]
    return [Finding("endpoint", settings.endpoint, detail)]


async def _search(settings: Settings, all_backends: bool, cancel: Cancellation) -> list[Finding]:
    """Every backend: those in use, and those that could be."""
    from ..tools.search.configured import BACKEND_NAMES, search_backend

    async def look(name: str) -> Finding:
        in_use = name in settings.search_backends
        use = "in use" if in_use else "not in use"
        try:
            backend = search_backend(name, settings)
        except LeadlineError as error:
            return Finding("search", name, use, (str(error),))
        if reasons := backend.why_not():
            return Finding("search", name, use, tuple(reasons))
        if not in_use and not all_backends:
            return Finding("search", name, use)
        if settings.offline:
            return Finding("search", name, f"{use}, not asked: offline")
        return await _answer(backend, use, cancel)

    servers = (f"mcp:{name}" for name in settings.mcp_servers)
    names = dict.fromkeys((*settings.search_backends, *BACKEND_NAMES, *servers))
    return await asyncio.gather(*(look(name) for name in names))


async def _answer(backend: SearchBackend, use: str, cancel: Cancellation) -> Finding:
    """Ask ``backend`` one query."""
    from ..tools.search.health import BackendHealth

    health = BackendHealth(backend)
    outcome = await health.ask(_QUERY, limit=5, cancel=cancel, seconds=_ASK_SECONDS)
    if isinstance(outcome, LeadlineError):
        return Finding("search", backend.name, use, (str(outcome),))
    results = "1 result" if len(outcome) == 1 else f"{len(outcome)} results"
    took = f"{health.last_seconds * 1000:,.0f} ms"
    return Finding("search", backend.name, f"{use}, answered {results} in {took}")


def _rendering(settings: Settings) -> list[Finding]:
    from ..tools.rendered_fetch import why_not

    detail = "pages that need a browser" if settings.render == "needed" else "not in use"
    return [Finding("fetch", "rendering", detail, tuple(why_not(settings.browser)))]


def _print(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("", "part", "name", "", box=None, show_header=False)
    for finding in findings:
        mark = Text("✗", "red") if finding.why_not else Text("✓", "green")
        text = Text(finding.detail)
        for reason in finding.why_not:
            text.append(f"\n{reason}", "yellow")
        table.add_row(mark, finding.part, finding.name, text)
    stdout_console().print(table)
