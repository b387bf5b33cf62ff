"""Our InfiniRetri beside the published package: the same sentences kept, at what cost?

Both read MuSiQue's questions in processes of their own, on the same weights: in one window as many
of a question's paragraphs as fit it, in a few windows all of them. What the heads that are read with
by default cost on the same text stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cancellation import Cancellation
from ..progress import Progress
from ..runtime.catalogue import ModelFiles
from .library_model import Precision
from .multihop import MultihopQuestion, read_musique
from .reference_reader import Implementation, MeasuredRuns, agreement, measure, require_package
from .scores import Score

ONE_WINDOW_CHARS = 3000
"""Less than a window of 1,024 tokens holds."""

_SETS = {"one window": ONE_WINDOW_CHARS, "a few windows": None}
_METHODS: dict[Implementation, str] = {
    "published": "infini-retri 0.0.3",
    "leadline": "infiniretri",
    "heads on torch": "heads, torch alone",
    "heads": "heads",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both scored, and the texts that they read, in tokens by set."""

    scores: tuple[Score, ...]
    tokens: dict[str, int]


def compare(
    folder: Path,
    files: ModelFiles,
    *,
    limit: int,
    precision: Precision,
    cancel: Cancellation,
    progress: Progress,
) -> Comparison:
    """Read the first ``limit`` questions of ``folder`` with each. Blocks.

    Raises:
        ConfigError: the data or the package is not here.
        ReadingError: the package fails on a text.
        ModelError: the model's file cannot be used.
        Cancelled: ``cancel`` was set, seen between one process and the next.
    """
    questions = read_musique(folder)[:limit]
    cancel.check()
    require_package()
    scores: list[Score] = []
    tokens: dict[str, int] = {}
    total = len(_METHODS) * len(_SETS)
    for step, (set_name, max_chars) in enumerate(_SETS.items()):
        cases = [(item.question, text_of(item, max_chars)) for item in questions]
        found: dict[Implementation, MeasuredRuns] = {}
        for place, implementation in enumerate(_METHODS):
            cancel.check()
            found[implementation] = measure(implementation, files, cases, precision=precision)
            progress("reading", len(_METHODS) * step + place + 1, total, "runs")
        scores += _scores(set_name, files.id, cases, found)
        tokens[set_name] = sum(run.text_tokens for run in found["leadline"].runs)
    return Comparison(tuple(scores), tokens)


def text_of(item: MultihopQuestion, max_chars: int | None) -> str:
    """The paragraphs of a question under their titles: those that fit, or all without a limit."""
    text = ""
    for passage in item.passages:
        added = f"{passage.titled_text}\n\n"
        if max_chars is None or len(text) + len(added) <= max_chars:
            text += added
    return text


def _scores(
    set_name: str,
    model: str,
    cases: Sequence[tuple[str, str]],
    found: dict[Implementation, MeasuredRuns],
) -> Iterator[Score]:
    pairs = zip(found["published"].runs, found["leadline"].runs, strict=True)
    shared = [agreement(theirs, ours) for theirs, ours in pairs]
    for implementation, method in _METHODS.items():
        measured = found[implementation]
        keeps = implementation in ("published", "leadline")
        for (question, _), run, share in zip(cases, measured.runs, shared, strict=True):
            yield Score(
                method=method,
                model=model,
                sets=(set_name,),
                question=question,
                shares={"same pieces kept": share} if keeps else {},
                costs={
                    "tokens/s": run.text_tokens / run.seconds,
                    "tokens/cpu-s": run.text_tokens / run.cpu_seconds,
                    "windows": run.windows,
                    "peak GB": measured.peak_bytes / 1e9,
                },
            )
