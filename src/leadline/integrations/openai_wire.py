"""The parts of OpenAI's chat completions that a report can be told in."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..agent.citation_numbers import CitationNumbers
from ..agent.report import Report
from ..errors import InputError
from ..evidence import Citation

MODEL_ID = "leadline"


class TextPart(BaseModel):
    """A piece of a message that is made of several."""

    model_config = ConfigDict(extra="ignore")

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class ChatRequest(BaseModel):
    """A request; what has no meaning for research (temperature and the like) is ignored."""

    model_config = ConfigDict(extra="ignore")

    messages: list[ChatMessage] = Field(min_length=1)
    model: str = MODEL_ID
    stream: bool = False

    @property
    def question(self) -> str:
        """What the user said last.

        Raises:
            InputError: the user said nothing.
        """
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text
        raise InputError("no message is the user's", remedy="ask in a message of the role user")


def completion(run: str, model: str, report: Report) -> dict[str, Any]:
    """A whole answer. ``leadline`` holds the report; ``annotations`` its citations."""
    message = {
        "role": "assistant",
        "content": report.markdown,
        "refusal": None,
        "annotations": url_citations(report),
    }
    return {
        "id": run,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": finish_reason(report),
                "logprobs": None,
            }
        ],
        "usage": usage(report),
        "leadline": report.to_dict(),
    }


def chunk(run: str, model: str, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """One piece of an answer that is streamed."""
    return {
        "id": run,
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}],
    }


def url_citations(report: Report) -> list[dict[str, Any]]:
    """Every citation of a statement, at its number's first place in the Markdown (``[1]``).

    The place is empty, at the beginning, where the Markdown does not have the number.
    """
    numbers = CitationNumbers(citation for claim in report.claims for citation in claim.citations)
    return [_url_citation(n, source, report) for n, source in enumerate(numbers.sources, 1)]


def _url_citation(number: int, source: Citation, report: Report) -> dict[str, Any]:
    mark = f"[{number}]"
    start = report.markdown.find(mark)
    place = {"start_index": start, "end_index": start + len(mark)}
    if start < 0:
        place = {"start_index": 0, "end_index": 0}
    return {
        "type": "url_citation",
        "url_citation": {"url": source.url, "title": source.title, **place},
    }


def finish_reason(report: Report) -> str:
    """``length`` where a budget ended the run."""
    return "length" if report.status == "budget_exhausted" else "stop"


def usage(report: Report) -> dict[str, int]:
    """Tokens of the model that wrote."""
    prompt, written = report.usage.prompt_tokens, report.usage.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }
