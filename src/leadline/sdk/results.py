"""What reading brings back to a programme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import InputError
from ..evidence import Citation, Page
from ..runtime.reader import Reading
from ..tools.quarantine import safe_markdown


class ScoredCitation(Citation):
    """Words of a page that bear on a question, and how strongly: higher is more."""

    score: float


class ReadResult(BaseModel):
    """What a text says to a question, in its own words; best first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    """The question as it was asked."""
    evidence: tuple[ScoredCitation, ...]
    """Quotes, best first; empty where nothing bears on the question."""
    reader: str
    """The id of the model that read."""
    read_tokens: int
    """Tokens that attention went over."""
    seconds: float
    """How long reading took."""
    unreadable: tuple[str, ...] = ()
    """Files that were left out, each with the reason."""

    @classmethod
    def of(
        cls,
        question: str,
        reading: Reading,
        pages: Mapping[str, Page],
        *,
        reader: str,
        unreadable: tuple[str, ...] = (),
    ) -> Self:
        """The result of a reading; what shows no sign of bearing on the question is left out."""
        cited = [
            (Citation.of(found.span, pages[found.span.page_id]), found.score)
            for found in reading.evidence
            if found.score > 0
        ]
        return cls(
            question=question,
            evidence=tuple(
                ScoredCitation(**citation.model_dump(), score=score) for citation, score in cited
            ),
            reader=reader,
            read_tokens=reading.read_tokens,
            seconds=reading.seconds,
            unreadable=unreadable,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data; :meth:`from_dict` takes it back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """The result that :meth:`to_dict` was made of.

        Raises:
            InputError: ``data`` is no such result's.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(
                f"this is no reading ({error.error_count()} fields do not fit)",
                remedy="give what ReadResult.to_dict made",
            ) from error

    def to_markdown(self) -> str:
        """The quotes, each with its page."""
        parts = [
            f"> {_line(item.quote)}\n>\n> — {_line(item.title or item.url)}"
            for item in self.evidence
        ]
        return "\n\n".join(parts or ["Nothing in it bears on the question."]) + "\n"

    def _repr_markdown_(self) -> str:
        return self.to_markdown()


def _line(text: str) -> str:
    return safe_markdown(" ".join(text.split()), []).strip()
