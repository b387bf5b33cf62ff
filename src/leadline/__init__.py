"""Leadline: local-first deep research in which every claim leads to the exact words it rests on.

```python
from leadline import Leadline

with Leadline(corpora=["./docs"]) as lead:
    print(lead.run("Which pragma sets the busy timeout?").to_markdown())
```

``Leadline`` blocks; ``AsyncLeadline`` is awaited. What they use can be replaced by objects that
follow the protocols ``Engine``, ``Reader``, ``SearchBackend``, ``Source`` and ``PageStorage``.
Every error is a ``LeadlineError``; :mod:`leadline.errors` has all of them, drawn as a tree:

    LeadlineError
    ├── ConfigError            a setting or an argument that cannot be used
    ├── InputError             a question, a file or a folder that cannot be used
    ├── ServiceError           something outside this process did not do its part
    ├── ModelError             a local model cannot be used
    ├── ExtractionError        a document holds no text that can be read
    ├── CorpusError            a corpus or its index cannot be used
    ├── ReadingError           the reader cannot read with this model or method
    ├── StorageError           the disk refused
    ├── RunError               a research run failed, or cannot be found
    ├── BudgetExceeded         a limit on time, tokens, pages or money was reached
    └── Cancelled              the user stopped it

Importing the package loads nothing heavy: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"
"""The version of the package; its metadata are made from it."""

if TYPE_CHECKING:
    from .agent.events import Event
    from .agent.report import Report
    from .agent.sources import Source
    from .agent.steering import Clarification, Steering
    from .budget import Limits
    from .cancellation import Cancellation
    from .errors import (
        Cancelled,
        ConfigError,
        InputError,
        LeadlineError,
        ModelError,
        RunError,
        ServiceError,
    )
    from .evidence import Citation, Page
    from .runtime.engine import Engine
    from .runtime.reader import Reader
    from .sdk.async_client import AsyncLeadline
    from .sdk.client import Leadline
    from .sdk.results import ReadResult
    from .settings import Settings
    from .tools.page_storage import PageStorage
    from .tools.search.protocol import SearchBackend

_MODULES = {
    "AsyncLeadline": "sdk.async_client",
    "Cancellation": "cancellation",
    "Cancelled": "errors",
    "Citation": "evidence",
    "Clarification": "agent.steering",
    "ConfigError": "errors",
    "Engine": "runtime.engine",
    "Event": "agent.events",
    "InputError": "errors",
    "Leadline": "sdk.client",
    "LeadlineError": "errors",
    "Limits": "budget",
    "ModelError": "errors",
    "Page": "evidence",
    "PageStorage": "tools.page_storage",
    "ReadResult": "sdk.results",
    "Reader": "runtime.reader",
    "Report": "agent.report",
    "RunError": "errors",
    "SearchBackend": "tools.search.protocol",
    "ServiceError": "errors",
    "Settings": "settings",
    "Source": "agent.sources",
    "Steering": "agent.steering",
}

__all__ = [
    "AsyncLeadline",
    "Cancellation",
    "Cancelled",
    "Citation",
    "Clarification",
    "ConfigError",
    "Engine",
    "Event",
    "InputError",
    "Leadline",
    "LeadlineError",
    "Limits",
    "ModelError",
    "Page",
    "PageStorage",
    "ReadResult",
    "Reader",
    "Report",
    "RunError",
    "SearchBackend",
    "ServiceError",
    "Settings",
    "Source",
    "Steering",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
