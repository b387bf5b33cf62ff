"""Runs as OpenTelemetry traces: a span for the run, its sub-questions, searches and readings.

```python
from leadline import Leadline
from leadline.integrations.opentelemetry import RunTracer

with Leadline(corpora=["./docs"], on_event=RunTracer()) as lead:
    lead.run("Which pragma sets the busy timeout?")
```

Where spans go is the programme's business: set a tracer provider, or pass one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..agent.events import (
    Event,
    NodeChanged,
    ReadingFinished,
    RunFinished,
    RunStarted,
    SearchFinished,
    SearchStarted,
    Warned,
)
from ..extras import import_extra

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

_RUN = "run"
_Key = tuple[str, ...]


class RunTracer:
    """Told of events, of any number of runs at once, it starts and ends their spans.

    No text of a question, an answer or a page goes into a span, but ids, counts and durations do.

    Raises:
        MissingExtra: the package ``opentelemetry-api`` is not installed.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        trace = import_extra("opentelemetry.trace", extra="otel", purpose="tracing")
        self._trace = trace
        self._tracer = trace.get_tracer("leadline", tracer_provider=provider)
        self._open: dict[_Key, Span] = {}

    def __call__(self, event: Event) -> None:
        run = (event.run_id, _RUN)
        if isinstance(event, RunStarted):
            self._start(run, "leadline.run", event, **{"leadline.model": event.model})
        elif isinstance(event, RunFinished):
            usage = event.report.usage
            self._end_all(
                event,
                **{
                    "leadline.status": event.report.status,
                    "leadline.prompt_tokens": usage.prompt_tokens,
                    "leadline.completion_tokens": usage.completion_tokens,
                    "leadline.read_tokens": usage.read_tokens,
                    "leadline.pages": usage.pages,
                },
            )
        elif isinstance(event, NodeChanged):
            self._node(event)
        elif isinstance(event, SearchStarted):
            key = (event.run_id, event.span_id, event.source, event.query)
            self._start(key, "leadline.search", event, **{"leadline.source": event.source})
        elif isinstance(event, SearchFinished):
            key = (event.run_id, event.span_id, event.source, event.query)
            self._end(key, event, **{"leadline.found": event.found})
        elif isinstance(event, ReadingFinished):
            self._reading(event)
        elif isinstance(event, Warned):
            span = self._open.get((event.run_id, event.span_id)) or self._open.get(run)
            if span is not None:
                span.add_event("warning", timestamp=_nanoseconds(event))

    def end(self, run_id: str) -> None:
        """End the spans of a run that was stopped, which has no last event."""
        for key in [key for key in self._open if key[0] == run_id]:
            self._open.pop(key).end()

    def _node(self, event: NodeChanged) -> None:
        key = (event.run_id, event.span_id)
        if event.state == "running":
            self._start(key, "leadline.sub_question", event, **{"leadline.node": event.span_id})
            return
        span = self._open.get(key)
        if span is not None and event.error:
            span.set_status(self._trace.StatusCode.ERROR)
        self._end(key, event, **{"leadline.state": event.state})

    def _reading(self, event: ReadingFinished) -> None:
        """Reading says only how long it took, once it is over."""
        key = (event.run_id, event.span_id, "reading")
        begun = event.model_copy(update={"ts": event.ts - timedelta(seconds=event.seconds)})
        self._start(key, "leadline.read", begun)
        self._end(
            key, event, **{"leadline.pages": event.pages, "leadline.read_tokens": event.read_tokens}
        )

    def _start(self, key: _Key, name: str, event: Event, **attributes: str | int) -> None:
        parent = self._open.get(key[:2]) or self._open.get((key[0], _RUN))
        context = self._trace.set_span_in_context(parent) if parent is not None else None
        self._open[key] = self._tracer.start_span(
            name,
            context=context,
            start_time=_nanoseconds(event),
            attributes={"leadline.run_id": event.run_id, **attributes},
        )

    def _end(self, key: _Key, event: Event, **attributes: str | int) -> None:
        span = self._open.pop(key, None)
        if span is not None:
            span.set_attributes(attributes)
            span.end(_nanoseconds(event))

    def _end_all(self, event: Event, **attributes: str | int) -> None:
        """End what is still open of a run, the run itself last."""
        run = (event.run_id, _RUN)
        for key in [key for key in self._open if key[0] == event.run_id and key != run]:
            self._end(key, event)
        self._end(run, event, **attributes)


def _nanoseconds(event: Event) -> int:
    """The event's time as OpenTelemetry wants it: nanoseconds since 1970."""
    return int(event.ts.timestamp() * 1e9)
