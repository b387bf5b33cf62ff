"""Continuous batching: many answers, one evaluation of the model for the next token of each.

After Yu et al., "Orca" (OSDI 2022): a request joins between two steps and leaves as soon as it is
answered; prompts are evaluated in chunks beside the tokens of answers (Agrawal et al., "Sarathi",
2023). A step costs little more for four answers than for one, because the weights are read from
memory once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .llama_context import Chunk, LlamaContext
from .llama_model import LlamaModel
from .llama_sampling import TokenSampler
from .pending_answer import PendingAnswer
from .sequence_cache import CachedSequence, SequenceCache, common_length
from .token_likelihoods import likeliest_tokens

_WORTH_WAITING: Final = 32
"""Tokens that another request is about to evaluate, from which a request waits for them."""


@dataclass(eq=False, slots=True)
class _Running:
    answer: PendingAnswer
    sequence: CachedSequence
    sampler: TokenSampler
    pending: list[int]
    """Tokens to evaluate next."""
    forget: Callable[[], None]
    """Takes back the subscription to the answer's cancellation."""

    @property
    def in_prompt(self) -> bool:
        return len(self.sequence.tokens) < len(self.answer.prompt)


class BatchedDecoder:
    """Decodes up to ``parallel`` answers together over ``cells`` tokens that they share.

    For one thread, :meth:`submit` apart. Requests are taken in the order in which they came,
    except that one which does not fit yet lets shorter ones pass, and that one which begins like
    a prompt under evaluation waits until it can take that beginning over.
    """

    def __init__(self, model: LlamaModel, *, cells: int, parallel: int, threads: int) -> None:
        # as many again keep the beginnings of finished requests
        sequences = 2 * parallel
        self._model = model
        self._context = LlamaContext(model, cells=cells, sequences=sequences, threads=threads)
        self._cache = SequenceCache(self._context, cells=cells, sequences=sequences)
        self._parallel = parallel
        self._submitted: deque[PendingAnswer] = deque()
        self._waiting: list[PendingAnswer] = []
        self._running: list[_Running] = []

    def submit(self, answer: PendingAnswer) -> None:
        """Let ``answer`` join at the next step. From any thread."""
        self._submitted.append(answer)

    def close(self) -> None:
        """Free the context; no answer is under way any more."""
        self._context.close()

    def run(self) -> None:
        """Decode until no answer is left; each is told of its own errors, and nothing raised."""
        while self._running or self._waiting or self._submitted:
            try:
                self._step()
            except Exception as error:  # noqa: BLE001 whoever waits is told, and the next served
                self._fail_all(error)

    def _step(self) -> None:
        self._context.resume()
        self._drop_cancelled()
        self._admit()
        chunks = list(self._next_chunks())
        if not chunks or not self._context.evaluate([chunk for _, chunk in chunks]):
            return
        row = 0
        for running, chunk in chunks:
            self._cache.extend(running.sequence, chunk.tokens)
            del running.pending[: len(chunk.tokens)]
            if chunk.sampled:
                self._sample(running, row)
                row += 1

    def _drop_cancelled(self) -> None:
        for running in [r for r in self._running if r.answer.stop.cancelled]:
            self._leave(running)
        self._waiting = [answer for answer in self._waiting if not answer.stop.cancelled]

    def _admit(self) -> None:
        while self._submitted:
            self._waiting.append(self._submitted.popleft())
        self._waiting = [answer for answer in self._waiting if not self._admitted(answer)]

    def _admitted(self, answer: PendingAnswer) -> bool:
        free = len(self._running) < self._parallel
        return free and not self._better_later(answer) and self._start(answer)

    def _better_later(self, answer: PendingAnswer) -> bool:
        """Whether more of the prompt's beginning will soon be there to take over."""
        for running in self._running:
            if running.in_prompt:
                shared = common_length(running.answer.prompt, answer.prompt)
                if shared - len(running.sequence.tokens) >= _WORTH_WAITING:
                    return True
        return False

    def _start(self, answer: PendingAnswer) -> bool:
        """Give ``answer`` a sequence; False while there is none or no room for it."""
        request = answer.request
        sequence = self._cache.open(answer.prompt, request.max_tokens)
        if sequence is None:
            return False
        try:
            sampler = TokenSampler(
                self._model,
                json_schema=request.json_schema,
                temperature=request.temperature,
                seed=request.seed,
            )
        except Exception as error:  # noqa: BLE001 it is this request's own
            self._cache.close(sequence)
            answer.fail(error)
            return True
        pending = answer.prompt[len(sequence.tokens) :]
        forget = answer.stop.on_cancel(self._context.interrupt)
        self._running.append(_Running(answer, sequence, sampler, pending, forget))
        return True

    def _next_chunks(self) -> Iterator[tuple[_Running, Chunk]]:
        """The next token of each answer, and as much of prompts as fits beside them."""
        budget = self._context.batch_tokens
        for running in sorted(self._running, key=lambda running: running.in_prompt):
            tokens = running.pending[:budget]
            if tokens:
                budget -= len(tokens)
                start = len(running.sequence.tokens)
                sampled = len(tokens) == len(running.pending)
                yield running, Chunk(running.sequence.id, tokens, start, sampled)

    def _sample(self, running: _Running, row: int) -> None:
        answer = running.answer
        if answer.wants_first_tokens:
            answer.first_tokens = likeliest_tokens(
                self._context.logits(row),
                self._context.vocabulary_size,
                answer.request.first_tokens,
                piece=self._model.piece,
            )
        if answer.tokens_left <= 0:
            self._finish(running, by_model=False)
            return
        token = running.sampler.sample(self._context, row)
        if self._model.ends_answer(token):
            self._finish(running, by_model=True)
        elif answer.take(self._model.piece(token)):
            running.pending.append(token)
        else:
            self._finish(running, by_model=False)

    def _finish(self, running: _Running, *, by_model: bool) -> None:
        self._leave(running)
        running.answer.finish(by_model=by_model)

    def _leave(self, running: _Running) -> None:
        self._running.remove(running)
        running.forget()
        running.sampler.close()
        self._cache.close(running.sequence)

    def _fail_all(self, error: Exception) -> None:
        for running in list(self._running):
            self._leave(running)
            running.answer.fail(error)
        self._cache.clear()
