"""An answer that is being decoded: what is evaluated, what is sampled, what was said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..cancellation import Cancellation
from .decoded_text import DecodedText
from .engine import FinishReason, Generation, GenerationRequest, TextDelta

Item = TextDelta | Generation
Emit = Callable[[Item | Exception], None]


class PendingAnswer:
    """The answer to ``request``, whose prompt has the tokens ``prompt``.

    Text goes to ``emit`` as it is certain, and at the end one Generation or one error.
    """

    def __init__(
        self,
        prompt: Sequence[int],
        request: GenerationRequest,
        *,
        stop: Cancellation,
        emit: Emit,
    ) -> None:
        self.prompt = list(prompt)
        self.request = request
        self.stop = stop
        self._emit = emit
        self._text = DecodedText(request.stop)
        self._deltas: list[str] = []
        self._tokens = 0

    @property
    def tokens_left(self) -> int:
        """Tokens that may still be sampled."""
        return self.request.max_tokens - self._tokens

    def take(self, piece: bytes) -> bool:
        """Take the bytes of the next token; returns whether the answer goes on behind it."""
        self._tokens += 1
        self._send(self._text.feed(piece))
        return not self._text.ended and self.tokens_left > 0

    def finish(self, *, by_model: bool) -> None:
        """Say the whole answer; ``by_model`` if the model ended it."""
        self._send(self._text.finish())
        reason: FinishReason = "stop" if by_model or self._text.ended else "length"
        self._emit(Generation("".join(self._deltas), len(self.prompt), self._tokens, reason))

    def fail(self, error: Exception) -> None:
        self._emit(error)

    def _send(self, delta: str) -> None:
        if delta:
            self._deltas.append(delta)
            self._emit(TextDelta(delta))
