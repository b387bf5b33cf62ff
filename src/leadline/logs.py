"""Events of runs in Python's own logging, under the logger ``leadline``.

Nothing is configured here: a programme that wants to see them adds a handler. :class:`JsonFormatter`
writes a line of JSON for each record.

```python
import logging
from leadline.logs import JsonFormatter

handler = logging.StreamHandler()
handler.setFormatter(JsonFormatter())
logging.getLogger("leadline").addHandler(handler)
logging.getLogger("leadline").setLevel(logging.INFO)
```
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agent.events import Event

LOGGER = logging.getLogger("leadline")

_LEVELS = {
    "warning": logging.WARNING,
    "run.started": logging.INFO,
    "run.finished": logging.INFO,
    "node.changed": logging.INFO,
}
_TOLD = ("state", "source", "query", "found", "page_id", "url", "pages", "read_tokens", "seconds")
"""Fields of events that a log keeps beside their kind; never a question, an answer or a page's text."""


def log_event(event: Event) -> None:
    """Log one event: warnings as such, the course of a run as INFO, its details as DEBUG."""
    level = _LEVELS.get(event.kind, logging.DEBUG)
    if not LOGGER.isEnabledFor(level):
        return
    fields = {name: getattr(event, name) for name in _TOLD if hasattr(event, name)}
    if event.kind == "run.finished":
        usage = event.report.usage.model_dump(mode="json")
        fields = {"status": event.report.status, **usage}
    message = event.message if event.kind == "warning" else event.kind
    told = {"kind": event.kind, "run_id": event.run_id, "span_id": event.span_id, **fields}
    LOGGER.log(level, message, extra={"leadline": told})


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: ``ts``, ``level``, ``logger``, ``message``, an event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end; ``error`` holds the traceback where there is one."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, tz=UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "leadline", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
