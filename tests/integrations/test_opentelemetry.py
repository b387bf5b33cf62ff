from __future__ import annotations

import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from leadline import AsyncLeadline
from leadline.errors import MissingExtra
from leadline.extras import import_extra
from leadline.integrations.opentelemetry import RunTracer
from own_engine import QUESTION


async def test_a_run_is_a_trace(lead: AsyncLeadline) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with lead:
        report = await lead.run(QUESTION, on_event=RunTracer(provider))
        await lead.run(QUESTION, on_event=RunTracer(provider))
    spans = exporter.get_finished_spans()
    mine = [s for s in spans if (s.attributes or {}).get("leadline.run_id") == report.run_id]
    named = {span.name: span for span in mine}
    assert set(named) == {
        "leadline.run",
        "leadline.sub_question",
        "leadline.search",
        "leadline.read",
    }
    run, node = named["leadline.run"], named["leadline.sub_question"]
    assert run.parent is None
    assert run.attributes is not None
    assert run.attributes["leadline.status"] == "complete"
    assert node.parent is not None
    assert node.parent.span_id == run.context.span_id
    for name in ("leadline.search", "leadline.read"):
        parent = named[name].parent
        assert parent is not None
        assert parent.span_id == node.context.span_id
    assert len({span.context.trace_id for span in spans}) == 2
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
    assert "harbour" not in str([dict(span.attributes or {}) for span in spans]).lower()


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("opentelemetry.trace", "otel"),
        ("mcp.server.mcpserver", "mcp"),
        ("langchain_core.tools", "langchain"),
        ("starlette.applications", "api"),
        ("pandas", "pandas"),
    ],
)
def test_what_is_not_installed_is_named_with_its_extra(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = module.partition(".")[0]
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name == top:
                raise ModuleNotFoundError(f"No module named {top!r}", name=top)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(MissingExtra, match=rf"{top}.*leadline\[{extra}\]"):
        import_extra(module, extra=extra, purpose="this test")


def test_an_error_inside_a_package_is_not_taken_for_its_absence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "halfthere.py").write_text("import nosuchmodule_of_theirs\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nosuchmodule_of_theirs"):
        import_extra("halfthere", extra="api", purpose="this test")
