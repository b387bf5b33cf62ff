"""An event as a line for people."""

from __future__ import annotations

from ..budget import Limits
from . import events


def line_of(event: events.Event) -> str | None:
    """What an event says in one line; None for what nobody needs to be told in words."""
    match event:
        case events.Warned(message=message):
            return f"{_of(event)}{message}"
        case events.ClarificationAsked(question=question, choices=choices):
            return f"asked back: {question} ({'; '.join(choices)})"
        case events.ClarificationAnswered(answer=answer):
            return f"meant: {answer}" if answer else "meant: left to the run"
        case events.PlanUpdated(graph=graph):
            asked = "; ".join(f"{node.id} {node.text}" for node in graph.nodes)
            return f"plan ({graph.kind}): {asked}"
        case events.PlanEdited(edit=edit, refused=refused):
            return f"not taken, {edit.action}: {refused}" if refused else f"plan: {edit.action}"
        case events.SearchFinished(span_id=node, source=source, query=query, found=found):
            return f"{node}  {found} pages in {source} for “{query}”"
        case events.QueryRewritten(strategy=strategy, query=query, weight=weight):
            dropped = "" if weight else ", not searched for"
            return f"{_of(event)}reworded ({strategy}{dropped}): “{query}”"
        case events.PageRecalled(span_id=node, url=url, earlier_run=run, found_at=when):
            return f"{node}  recalled {url}, which run {run} rested on ({when:%Y-%m-%d})"
        case events.ReadingFinished(span_id=node, pages=pages, read_tokens=tokens, seconds=seconds):
            speed = f", {tokens / seconds:,.0f} tokens/s" if tokens and seconds else ""
            return f"{node}  read {pages} pages: {tokens:,} tokens{speed}"
        case events.NodeChanged(span_id=node, state=state, answer=answer, error=error):
            return None if state == "running" else f"{node}  {state}: {answer or error}"
        case events.ClaimVerified(claim=claim, verdict=verdict, reason=reason):
            return f"{verdict}: {claim}{f' ({reason})' if reason else ''}"
        case events.ContradictionFound(contradiction=two):
            return f"sources disagree on “{two.question}”: {two.first} or {two.second}"
        case events.TablePlanned(table_schema=schema):
            keys = ", ".join(schema.keys)
            return f"table of {schema.subject}: {', '.join(schema.names)} (keys: {keys})"
        case events.RowsFound(title=title, found=found, rows=rows):
            return f"{found} rows in “{title}”, {rows} in all"
        case events.CellsFilled(filled=filled, cells=cells, rows=rows):
            return f"{filled} of {cells} cells filled, {rows} rows"
        case events.RunPaused():
            return "paused"
        case events.RunUnpaused():
            return "going on"
        case events.LimitsChanged(limits=limits):
            return f"limits: {_told(limits)}"
        case _:
            return None


def _of(event: events.Event) -> str:
    """The sub-question or the table that an event belongs to, in front of what it says."""
    return "" if event.span_id == "run" else f"{event.span_id}  "


def _told(limits: Limits) -> str:
    parts = [
        "" if limits.seconds is None else f"{limits.seconds:,.0f} s",
        "" if limits.tokens is None else f"{limits.tokens:,} tokens",
        "" if limits.pages is None else f"{limits.pages:,} pages",
        "" if limits.money is None else f"{limits.money:.2f} dollars",
    ]
    return ", ".join(filter(None, parts)) or "none"
