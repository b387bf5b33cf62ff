"""What every rewriting strategy does: a question and what is known of it in, queries out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol

from ...cancellation import Cancellation
from ...runtime.engine import Engine, GenerationRequest, Message
from ...tools.quarantine import fence, neutralise

StrategyName = Literal["rewording", "instructions", "intents", "context", "reasoning", "time"]
_LONGEST_QUERY = 300


@dataclass(frozen=True, slots=True)
class Rewritable:
    """A question for which other queries are wanted."""

    question: str
    today: date
    known: tuple[tuple[str, str], ...] = ()
    """What parents answered: (question, answer)."""
    tried: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    """What was found so far, best first: text of pages, to be fenced in a prompt."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Texts whose words a query may have with good reason."""
        answers = [text for pair in self.known for text in pair]
        return (self.question, *answers, *self.passages)


class Strategy(Protocol):
    """One way to other queries."""

    @property
    def name(self) -> StrategyName: ...

    async def rewrite(
        self, asked: Rewritable, engine: Engine, *, cancel: Cancellation
    ) -> Sequence[str]:
        """Queries, the most promising first; none where the strategy does not apply.

        Raises:
            OutputInvalid: what the model wrote cannot be read.
            PromptTooLong: the question does not fit the window.
            Cancelled, ModelError, EndpointError: as the engine raises them.
        """
        ...


def described(asked: Rewritable) -> str:
    """The question and what is known of it, as the user's turn of a prompt."""
    lines = [f"Question: {asked.question}"]
    if asked.known:
        known = "\n".join(f"- {question} {answer}" for question, answer in asked.known)
        lines += ["Known:", fence(known, "known")]
    if asked.tried:
        lines += ["Tried:", *(f"- {neutralise(query)}" for query in asked.tried)]
    return "\n".join(lines)


async def written(
    engine: Engine, system: str, user: str, *, max_tokens: int, cancel: Cancellation
) -> str:
    """What the model writes, on one line."""
    request = GenerationRequest(
        messages=(Message("system", system), Message("user", user)), max_tokens=max_tokens
    )
    return one_line((await engine.generate(request, cancel=cancel)).text)


def one_line(text: str) -> str:
    """``text`` as a query: one line without quotation marks around it, of bounded length."""
    line = " ".join(text.split()).strip("\"'`“”‘’ ")
    return line[:_LONGEST_QUERY].strip()
