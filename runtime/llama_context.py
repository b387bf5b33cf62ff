"""A llama.cpp context that evaluates the tokens of several sequences in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..errors import ModelError
from .llama_library import AbortSwitch, forget_errors, last_error, library
from .llama_model import LlamaModel

BATCH_TOKENS: Final = 512
"""Tokens evaluated at once at most."""
_ABORTED: Final = 2


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next tokens of one sequence."""

    sequence: int
    tokens: Sequence[int]
    start: int
    """The position of the first one."""
    sampled: bool
    """Whether the last one's logits are wanted."""


class LlamaContext:
    """Keys and values of up to ``cells`` tokens, shared by ``sequences`` sequences over ``model``.

    For one thread at a time, :meth:`interrupt` apart. A token that several sequences have in
    common is kept once.

    Raises:
        ModelError: llama.cpp cannot make the context, for want of memory as a rule.
    """

    def __init__(self, model: LlamaModel, *, cells: int, sequences: int, threads: int) -> None:
        self._c = library()
        self._switch = AbortSwitch()
        params = self._c.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = min(BATCH_TOKENS, cells)
        params.n_seq_max = sequences
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        forget_errors()
        self._handle: Any = self._c.llama_init_from_model(model.handle, params)
        if not self._handle:
            raise ModelError(
                f"llama.cpp cannot keep {cells:,} tokens ({last_error() or 'no reason given'})",
                remedy="use a smaller window, or a smaller model",
            )
        self._switch.connect(self._handle)
        self._memory = self._c.llama_get_memory(self._handle)
        self.batch_tokens = params.n_batch
        self._batch = self._c.llama_batch_init(self.batch_tokens, 0, 1)
        self._rows: list[int] = []
        self.cuts_back = not model.keeps_one_state
        self.vocabulary_size = model.vocabulary_size

    def close(self) -> None:
        if self._handle is not None:
            self._c.llama_batch_free(self._batch)
            self._c.llama_free(self._handle)
            self._handle = None

    def cut(self, sequence: int, length: int) -> bool:
        """See :meth:`~leadline.runtime.sequence_cache.SequenceMemory.cut`."""
        return bool(self._c.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def share(self, source: int, target: int, length: int) -> None:
        """See :meth:`~leadline.runtime.sequence_cache.SequenceMemory.share`."""
        self._c.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def interrupt(self) -> None:
        """Let the evaluation that is under way, or the next, end early. From any thread."""
        self._switch.press()

    def resume(self) -> None:
        """Evaluate again, after :meth:`interrupt`."""
        self._switch.release()

    def evaluate(self, chunks: Sequence[Chunk]) -> bool:
        """Evaluate all ``chunks`` together; False, with nothing evaluated, if interrupted.

        At most ``batch_tokens`` tokens. The logits that are wanted are then in :meth:`logits`,
        row by row in the order of the chunks.

        Raises:
            ModelError: llama.cpp failed; what the sequences hold is unknown.
        """
        self._fill(chunks)
        forget_errors()
        code = self._c.llama_decode(self._handle, self._batch)
        if code == _ABORTED:
            # a batch is one physical batch here, of which llama.cpp keeps nothing when it stops
            return False
        if code:
            raise ModelError(
                f"llama.cpp could not evaluate {self._batch.n_tokens} tokens "
                f"({last_error() or f'code {code}'})",
                remedy="use a smaller window, or a smaller model",
            )
        return True

    def logits(self, row: int) -> Any:
        """The logits of the ``row``-th chunk that wanted them, as a C array of float32."""
        return self._c.llama_get_logits_ith(self._handle, self._rows[row])

    def sample(self, chain: Any, row: int) -> int:
        """The token that a chain of samplers draws from the logits of ``row``."""
        token: int = self._c.llama_sampler_sample(chain, self._handle, self._rows[row])
        return token

    def _fill(self, chunks: Sequence[Chunk]) -> None:
        batch, at = self._batch, 0
        self._rows = []
        for chunk in chunks:
            for offset, token in enumerate(chunk.tokens):
                batch.token[at + offset] = token
                batch.pos[at + offset] = chunk.start + offset
                batch.n_seq_id[at + offset] = 1
                batch.seq_id[at + offset][0] = chunk.sequence
                batch.logits[at + offset] = 0
            at += len(chunk.tokens)
            if chunk.sampled:
                batch.logits[at - 1] = 1
                self._rows.append(at - 1)
        batch.n_tokens = at
