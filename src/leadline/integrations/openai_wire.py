"""The parts of OpenAI's chat completions that a report can be told in."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..agent.report import Report
from ..errors import InputError

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
    """Every citation, at its number's first place in the Markdown (``[1]``) where it has one."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for claim in report.claims:
        for citation in claim.citations:
            key = (citation.page_id, citation.start, citation.end)
            if key in found:
                continue
            mark = f"[{len(found) + 1}]"
            start = max(0, report.markdown.find(mark))
            found[key] = {
                "type": "url_citation",
                "url_citation": {
                    "url": citation.url,
                    "title": citation.title,
                    "start_index": start,
                    "end_index": start + len(mark),
                },
            }
    return list(found.values())


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
