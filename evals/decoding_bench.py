"""Tokens a second that searchers on one local model get together, by how many they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..cancellation import Cancellation
from ..progress import Progress
from ..runtime.engine import Engine, GenerationRequest, Message
from .rows import Row
from .timing import median_row, time_interleaved

SEARCHERS = (1, 2, 4, 8)
_SYSTEM = "You are a careful writer. Answer at length, in plain English."
_SCHEMA = {
    "type": "object",
    "properties": {
        "statements": {
            "type": "array",
            "minItems": 30,
            "items": {"type": "string", "minLength": 20, "maxLength": 200},
        }
    },
    "required": ["statements"],
}
_KINDS: Mapping[str, Mapping[str, object] | None] = {"text": None, "JSON by a schema": _SCHEMA}


@dataclass(frozen=True, slots=True)
class DecodingBench:
    """Greedy answers of ``tokens`` tokens to short prompts, asked for together."""

    engine: Engine
    searchers: Sequence[int] = SEARCHERS
    """How many ask at the same time; the first is what the others are compared with."""
    tokens: int = 64
    rounds: int = 3

    def rows(self, *, cancel: Cancellation, progress: Progress) -> list[Row]:
        """All figures. Blocks, in a thread without a running loop.

        Raises:
            ModelError: the model cannot be used.
            Cancelled: ``cancel`` was set meanwhile.
        """
        rows: list[Row] = []
        for place, (kind, schema) in enumerate(_KINDS.items()):
            progress("decoding", place, len(_KINDS), "kinds of answers")
            rows += self._measure(kind, schema, cancel)
        progress("decoding", len(_KINDS), len(_KINDS), "kinds of answers")
        return rows

    def _measure(
        self, kind: str, schema: Mapping[str, object] | None, cancel: Cancellation
    ) -> list[Row]:
        decoded: dict[str, int] = {}

        def answer(name: str, count: int) -> None:
            decoded[name] = asyncio.run(self._decode(count, schema, cancel))

        calls: dict[str, Callable[[], object]] = {
            _named(count): partial(answer, _named(count), count) for count in self.searchers
        }
        found = time_interleaved(calls, rounds=self.rounds, cancel=cancel)
        rates = {name: timing.rates(decoded[name]) for name, timing in found.items()}
        alone = rates[_named(self.searchers[0])]
        rows = []
        for name, values in rates.items():
            gains = [value / one for value, one in zip(values, alone, strict=True)]
            rows += [
                self._row(values, kind, name, "tokens a second"),
                self._row(gains, kind, name, "times one searcher"),
            ]
        return rows

    async def _decode(
        self, count: int, schema: Mapping[str, object] | None, cancel: Cancellation
    ) -> int:
        """Tokens that ``count`` answers have together."""
        requests = [
            GenerationRequest(
                (
                    Message("system", _SYSTEM),
                    Message("user", f"Tell the history of lighthouse number {number}."),
                ),
                max_tokens=self.tokens,
                json_schema=schema,
            )
            for number in range(count)
        ]
        answers = await asyncio.gather(
            *(self.engine.generate(request, cancel=cancel) for request in requests)
        )
        return sum(generation.completion_tokens for generation in answers)

    def _row(self, values: Sequence[float], kind: str, name: str, metric: str) -> Row:
        return median_row(
            values, method=name, model=self.engine.model_id, set_name=kind, metric=metric
        )


def _named(count: int) -> str:
    return "1 searcher" if count == 1 else f"{count} searchers"
