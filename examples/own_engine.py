"""An engine of your own: rules here, any model that answers in JSON elsewhere."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from leadline import Cancellation, Leadline
from leadline.runtime.engine import Generation, GenerationRequest, Message, TextDelta

DOCUMENTS = {
    "harbour.md": "# Harbour\n\nThe harbour of Port Alder was opened in 1902. It has 14 berths.\n",
    "ferry.md": "# Ferry\n\nThe ferry to Elm Island leaves at 07:30 and takes 45 minutes.\n",
}
QUESTION = "When was the harbour of Port Alder opened?"


class RuleEngine:
    """Answers each step of a run by the JSON Schema that the step asks for.

    It takes the first passage for the answer. A real engine sends ``request.messages`` to a model,
    has it follow ``request.json_schema``, and stops when ``cancel`` is set.
    """

    model_id = "rules"
    context_tokens = 8192

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content) for message in messages) // 3

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        cancel.check()
        # Without a schema a step wants a word or a sentence: here, whether a source bears a claim out.
        text = json.dumps(self.reply(request)) if request.json_schema else "yes"
        yield TextDelta(text)
        yield Generation(text, await self.count_tokens(request.messages), len(text) // 3, "stop")

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        generation = Generation("", 0, 0, "stop")
        async for item in self.stream(request, cancel=cancel):
            if isinstance(item, Generation):
                generation = item
        return generation

    async def aclose(self) -> None:
        """There is nothing to close."""

    def reply(self, request: GenerationRequest) -> dict[str, object]:
        schema = request.json_schema or {}
        properties = schema.get("properties")
        assert isinstance(properties, dict)
        prompt = request.messages[-1].content
        replies: dict[str, dict[str, object]] = {
            "sub_questions": {"kind": "fact", "sub_questions": []},
            "found": {"found": True, "short": "", "statements": [_statement(prompt, "passages")]},
            "statements": {"statements": [_statement(prompt, "notes")]},
            "enough": {"enough": True, "question": ""},
            "clear": {"clear": True, "question": "", "choices": []},
            "queries": {"queries": []},
        }
        return next(reply for name, reply in replies.items() if name in properties)


def _statement(prompt: str, references: str) -> dict[str, object]:
    """The first sentence that a prompt numbers, with its number."""
    sentence = re.search(r"[A-Z][^.\n<>]*\d[^.\n<>]*\.", prompt)
    return {"text": sentence.group() if sentence else "It is so.", references: [1]}


def documents() -> Path:
    """A folder with a few documents."""
    folder = Path(tempfile.mkdtemp(prefix="leadline-example-"))
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    return folder


def main() -> None:
    with Leadline(corpora=[documents()], engine=RuleEngine(), reader="none") as lead:
        report = lead.run(QUESTION)
    print(report.status)
    print(report.to_markdown())


if __name__ == "__main__":
    main()
