"""The normalised U-measure of a search session.

NUM: Chen, Dou and Mao, "Session-level normalization and click-through data enhancement for
session-based evaluation" (CIKM 2023, arXiv 2401.12445). The session is taken as one query: its
U-measure (Sakai and Dou, "Summaries, ranked retrieval and sessions", SIGIR 2013) over the trail
text, all that was read one after the other, is divided by that of an ideal session, which shows the
relevant documents before all others. A document's grade is one of the session: whatever is relevant
to a later query is relevant to the earlier ones, too.

The definition that is taken here, where the two papers leave a choice or theirs is not copied:

- Trail text: each query, then each document that is read for it, whole and in order. A query has
  its own length and no gain: asking again costs reading.
- Position: the offset of a string's last character in the trail text.
- Gain: (2^grade - 1) / 2^highest, once for each document; read again it brings nothing.
- Decay: max(0, 1 - position / L), with L = 132,000 characters.
- Ideal session: the first query alone, then all documents of the session, each once, those that
  bring most for their length first, and so the relevant ones before all others. As long as all of
  them lie within L, no order is better (Smith's rule of weighted completion times), and NUM is at
  most 1.

Clicks are not looked at: labels are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PATIENCE = 132_000
"""L: the characters after which nothing that is read counts any more."""


@dataclass(frozen=True, slots=True)
class TrailText:
    """A string of the trail: a document that is read, or a query that is asked."""

    length: int
    """Characters."""
    document: str = ""
    """The document's id; empty for a query."""
    grade: int = 0
    """Of the document for the session."""

    def gain(self, highest: int) -> float:
        """What it brings when it is read first, on a scale of grades up to ``highest``."""
        return float((2**self.grade - 1) / 2**highest)


def u_measure(trail: Iterable[TrailText], *, highest: int, patience: int = PATIENCE) -> float:
    """The gains of the trail's documents, each discounted by how much was read until its end.

    Args:
        highest: the highest grade of the scale, not of the session.
        patience: L, in characters.
    """
    total, position = 0.0, 0
    read: set[str] = set()
    for text in trail:
        position += text.length
        if text.document and text.document not in read:
            read.add(text.document)
            total += text.gain(highest) * max(0.0, 1.0 - position / patience)
    return total


def ideal_trail(first_query: TrailText, documents: Sequence[TrailText]) -> list[TrailText]:
    """The first query and what answers the whole session, at once."""
    different = {text.document: text for text in documents}.values()
    # The scale divides all gains alike: any will do.
    return [
        first_query,
        *sorted(different, key=lambda text: -text.gain(0) / max(1, text.length)),
    ]


def num(
    trail: Sequence[TrailText],
    first_query: TrailText,
    documents: Sequence[TrailText],
    *,
    highest: int,
    patience: int = PATIENCE,
) -> float:
    """NUM of ``trail``; ``documents`` are all that the session could show.

    0 where nothing there is relevant, or nothing within ``patience``.
    """
    ideal = u_measure(ideal_trail(first_query, documents), highest=highest, patience=patience)
    return u_measure(trail, highest=highest, patience=patience) / ideal if ideal else 0.0
