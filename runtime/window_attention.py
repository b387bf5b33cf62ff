"""Windows read once and asked many times: how much each column bears on each question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from ..cancellation import Cancellation
from ..progress import Progress, silent
from .attention_method import AttentionMethod
from .decoder import Branch, Decoder, Prefix
from .stored_window import Baseline, StoredWindow, WindowKey
from .window_store import WindowStore
from .windows import CONTENT_FREE, Window, WindowBuilder

_TOGETHER = 8
"""Windows whose keys and values are held at once, where they are not kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What several questions attract in several windows."""

    columns: list[list[Tensor]]
    """``[window][question]``: ``(columns,)``, from the first passage's title to the last's end."""
    read_tokens: int
    """Tokens that went through the model."""


class WindowAttention:
    """Asks one method of one decoder. Blocks; not for several threads at once."""

    def __init__(
        self,
        decoder: Decoder,
        windows: WindowBuilder,
        method: AttentionMethod,
        *,
        store: WindowStore | None = None,
    ) -> None:
        self.decoder = decoder
        self.windows = windows
        self.method = method
        self._store = store
        self._content_free = self._branch(CONTENT_FREE)
        self._baseline_id = f"{method} {self._content_free.ids}"

    @property
    def context_length(self) -> int:
        return self.decoder.config.context_length

    def ask(
        self,
        windows: Sequence[Window],
        questions: Sequence[str],
        *,
        keep: bool = False,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> Asked:
        """What each question attracts in each window, beyond what asking nothing does.

        ``keep`` is for windows that will be asked again: they go to the store, and what the store
        has is not read a second time.

        Raises:
            ReadingError: a window with a question exceeds the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        branches = [self._branch(question) for question in questions]
        columns: list[list[Tensor]] = []
        read_tokens = 0
        for start in range(0, len(windows), _TOGETHER):
            group = windows[start : start + _TOGETHER]
            read, tokens = self._kept(group, cancel) if keep else self._read(group, cancel)
            read_tokens += tokens
            found = self.decoder.score_many(
                [prefix for prefix, _ in read], branches, heads=self.method.heads, cancel=cancel
            )
            read_tokens += len(group) * sum(len(branch.ids) for branch in branches)
            columns += [
                [self.method.column_scores(attention, baseline) for attention in asked]
                for asked, (_, baseline) in zip(found, read, strict=True)
            ]
            progress("reading", start + len(group), len(windows), "windows")
        return Asked(columns, read_tokens)

    def _kept(
        self, windows: Sequence[Window], cancel: Cancellation
    ) -> tuple[list[tuple[Prefix, Tensor]], int]:
        """As :meth:`_read`, but only what the store does not have is read, and it has it then."""
        if self._store is None:
            return self._read(windows, cancel)
        keys = [self._key(window) for window in windows]
        found: dict[WindowKey, tuple[Prefix, Tensor]] = {}
        for key, window, stored in zip(keys, windows, self._store.get_many(keys), strict=True):
            baseline = stored.baseline if stored else None
            if stored and baseline and baseline.asked == self._baseline_id:
                stored.prefix.columns = window.columns
                found[key] = stored.prefix, baseline.scores
        missing = {k: w for k, w in zip(keys, windows, strict=True) if k not in found}
        read, tokens = self._read(list(missing.values()), cancel)
        for (key, window), (prefix, scores) in zip(missing.items(), read, strict=True):
            page_ids = frozenset(passage.page.page_id for passage in window.members)
            baseline = Baseline(self._baseline_id, scores)
            self._store.put(key, StoredWindow(prefix, page_ids, baseline), cancel=cancel)
            found[key] = prefix, scores
        return [found[key] for key in keys], tokens

    def _read(
        self, windows: Sequence[Window], cancel: Cancellation
    ) -> tuple[list[tuple[Prefix, Tensor]], int]:
        """Each window's keys and values with its content-free baseline; and the tokens read."""
        prefixes = self.decoder.prefill_many(
            [window.ids for window in windows], last_layer=self.method.exit_layer, cancel=cancel
        )
        for window, prefix in zip(windows, prefixes, strict=True):
            prefix.columns = window.columns
        baselines = self.decoder.score_many(
            prefixes, [self._content_free], heads=self.method.heads, cancel=cancel
        )
        tokens = sum(len(window.ids) + len(self._content_free.ids) for window in windows)
        return [(p, scores) for p, [scores] in zip(prefixes, baselines, strict=True)], tokens

    def _key(self, window: Window) -> WindowKey:
        return WindowKey.of(
            window.ids,
            model_sha256=self.decoder.weights_sha256,
            last_layer=self.method.exit_layer,
            dtype=self.decoder.dtype,
        )

    def _branch(self, question: str) -> Branch:
        tokens = self.windows.ask(question)
        rows = tokens.rows if self.method.rows == "question" else (0, len(tokens.ids))
        return Branch(tokens.ids, rows)
