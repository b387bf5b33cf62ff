"""Bytes from a decoder become text: whole characters only, and nothing past a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class DecodedText:
    """Collects the bytes of tokens and gives out text that is certain to stay.

    A character split over two tokens waits for its rest; text that may be the beginning of a
    stop string waits until that is decided.
    """

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(filter(None, stop))
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self.ended = False
        """Whether a stop string was met; what is fed after it is ignored."""

    def feed(self, piece: bytes) -> str:
        """Take the bytes of one token; returns the text that is now certain."""
        return self._release(self._decoder.decode(piece), final=False)

    def finish(self) -> str:
        """The text that was held back, once no more bytes come."""
        return self._release(self._decoder.decode(b"", final=True), final=True)

    def _release(self, text: str, *, final: bool) -> str:
        if self.ended:
            return ""
        self._held += text
        decided = len(self._held) if final else self._undecided()
        starts = [at for stop in self._stop if (at := self._held.find(stop)) >= 0]
        if starts and min(starts) <= decided:
            self.ended = True
            decided = min(starts)
        certain, self._held = self._held[:decided], self._held[decided:]
        return certain

    def _undecided(self) -> int:
        """Where the longest tail starts that is the beginning of a stop string."""
        for start in range(max(0, len(self._held) - self._longest() + 1), len(self._held)):
            if any(stop.startswith(self._held[start:]) for stop in self._stop):
                return start
        return len(self._held)

    def _longest(self) -> int:
        return max(map(len, self._stop), default=0)
