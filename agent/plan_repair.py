"""What a small model gets wrong in a plan, put right before the graph sees it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .research_graph import Proposal, QuestionKind, Refusal, content_words

_REFERENCE = re.compile(r"#\s*q?\d+", re.IGNORECASE)
_CAPITALISED = re.compile(
    r"(?<=[^\s.!?:\"“] )[A-ZÀ-Þ][\w'’-]*(?: (?:of |the |de |van )?[A-ZÀ-Þ][\w'’-]*)*"
)
_ENGLISH = re.compile(
    r"\b(?:the|of|is|was|are|were|who|what|which|when|how|does|did)\b", re.IGNORECASE
)
_STEM = 4
"""Letters by which words are held to be akin: "designed" and "designer"."""


def repaired_proposals(
    proposals: Sequence[Proposal], question: str, kind: QuestionKind
) -> tuple[list[Proposal], list[Refusal]]:
    """The proposals that stay, with repairs, and why the others do not.

    - A name that neither the question nor an earlier proposal has is a guess. In a chain it stands
      for the answer of the question before, and is replaced by a reference to it; elsewhere the
      proposal is refused.
    - What shares no word with the question and refers to nothing does not belong to it.

    Numbers in ``needs`` and references keep their meaning: a refused proposal is left empty.
    """
    kept: list[Proposal] = []
    refusals: list[Refusal] = []
    for number, proposal in enumerate(proposals, start=1):
        text = " ".join(proposal.question.split())
        guess = guessed_name(text, question)
        if guess and kind == "multi-hop" and number > 1:
            text = text.replace(guess, f"#{number - 1}")
            proposal = Proposal(question=text, needs=[*proposal.needs, number - 1])
        elif guess:
            refusals.append(Refusal(proposal=text, reason=f"it guesses {guess!r}"))
            proposal = Proposal(question="")
        elif _is_elsewhere(text, question):
            refusals.append(Refusal(proposal=text, reason="it has nothing of the question"))
            proposal = Proposal(question="")
        kept.append(proposal)
    return kept, refusals


def guessed_name(text: str, known: str) -> str | None:
    """A name in the middle of an English sentence that ``known`` does not have."""
    if len(_ENGLISH.findall(f"{known} {text}")) < 2:
        return None  # Elsewhere capitals mean other things.
    words = {word.casefold() for word in re.findall(r"\w+", known)}
    for name in _CAPITALISED.findall(text):
        parts = [part.casefold() for part in re.findall(r"\w{2,}", name)]
        if parts and not any(_akin(part, words) for part in parts):
            return str(name)
    return None


def _akin(word: str, words: set[str]) -> bool:
    return word in words or any(
        other.startswith(word[:_STEM]) for other in words if len(word) >= _STEM
    )


def _is_elsewhere(text: str, question: str) -> bool:
    words = content_words(text)
    if not words or _REFERENCE.search(text) or not text.isascii():
        return False
    known = set(content_words(question))
    return not any(_akin(word, known) for word in words)
