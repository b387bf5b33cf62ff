"""Events in a line each, for clients that show how far a run is."""

from __future__ import annotations

from ..agent.events import Event


def message_of(event: Event) -> str:
    """What a person would want to know of an event; empty for the rest."""
    match event.kind:
        case "plan.updated":
            return "plan: " + "; ".join(node.text for node in event.graph.nodes)
        case "search.finished":
            return f"{event.found} pages in {event.source} for “{event.query}”"
        case "reading.finished":
            return f"read {event.pages} pages"
        case "node.changed":
            told = event.answer or event.error
            return "" if event.state == "running" else f"{event.state}: {told}"
        case "rows.found":
            return f"{event.rows} rows"
        case "cells.filled":
            return f"{event.filled} of {event.cells} cells"
        case "warning":
            return event.message
        case _:
            return ""
