"""``leadline doctor``: what works on this machine, and why the rest does not."""

from __future__ import annotations

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
def doctor(as_json: bool) -> int:
    """Say what works on this machine, and why the rest does not.

    Exits with 3 if a question could not be answered with the settings in force.
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
        *_search(settings),
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


def _search(settings: Settings) -> list[Finding]:
    """Every backend: those in use, and those that could be."""
    from ..tools.search.configured import BACKEND_NAMES, search_backend

    findings = []
    servers = (f"mcp:{name}" for name in settings.mcp_servers)
    for name in dict.fromkeys((*settings.search_backends, *BACKEND_NAMES, *servers)):
        use = "in use" if name in settings.search_backends else "not in use"
        try:
            reasons = tuple(search_backend(name, settings).why_not())
        except LeadlineError as error:
            reasons = (str(error),)
        findings.append(Finding("search", name, use, reasons))
    return findings


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
