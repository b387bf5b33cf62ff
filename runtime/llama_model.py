"""A GGUF model in llama.cpp: prompts to tokens, tokens to pieces of text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ..cancellation import Cancellation
from ..errors import ModelCorrupt, ModelError
from .engine import GenerationRequest, Message, TokenLikelihood
from .gguf_header import GgufHeader
from .llama_library import AbortSwitch, forget_errors, last_error, library
from .llama_sampling import TokenSampler
from .token_likelihoods import likeliest_tokens

_PROMPT_BATCH: Final = 512
_PIECE_BYTES: Final = 512
# private-use characters: no template and no tokenizer gives them a meaning
_QUOTED_TOKEN: Final = re.compile("\ue000(\\d+)\ue001")


class LlamaModel:
    """Loads ``path``. Everything blocks; all but :meth:`tokenize` is for one thread at a time.

    Raises:
        ModelCorrupt: llama.cpp cannot load the file.
        ModelError: the model has no chat template.
    """

    def __init__(
        self, path: Path, header: GgufHeader, *, context_tokens: int, threads: int
    ) -> None:
        if header.chat_template is None:
            raise ModelError(
                f"the model file {path} holds no chat template",
                remedy="choose an instruct or chat model",
            )
        self._c = library()
        self._llama = _load(self._c, path, context_tokens=context_tokens, threads=threads)
        self._vocabulary = self._c.llama_model_get_vocab(self._llama.model)
        self._template = self._chat_template(header.chat_template)
        self._control_texts = self._find_control_texts()

    def close(self) -> None:
        self._llama.close()

    def tokenize(self, messages: Sequence[Message]) -> list[int]:
        """The prompt's tokens, by the model's own chat template.

        Control tokens that the messages' *contents* spell out (``<|im_end|>`` in a page's text)
        are encoded as plain text: contents cannot open or end a turn.
        """
        turns = [
            {"role": message.role, "content": self._quote(message.content)} for message in messages
        ]
        tokens: list[int] = []
        for position, part in enumerate(_QUOTED_TOKEN.split(self._render(turns))):
            if position % 2:
                text, special = self._control_texts[int(part)], False
            else:
                text, special = part, True
            if text:
                tokens += self._llama.tokenize(text.encode(), add_bos=False, special=special)
        return tokens

    def decode(
        self,
        prompt: Sequence[int],
        request: GenerationRequest,
        stop: Cancellation,
        tell: Callable[[tuple[TokenLikelihood, ...]], None] = lambda likeliest: None,
    ) -> Iterator[bytes | None]:
        """The bytes of each token as it is decoded, and None once the model ends its answer.

        ``tell`` gets the likeliest first tokens, where the request asks for them.
        The part of ``prompt`` that the previous request had in common is not evaluated again.
        """
        abort = AbortSwitch(self._llama.ctx)
        unsubscribe = stop.on_cancel(abort.press)
        try:
            sampler = TokenSampler(
                self._llama,
                json_schema=request.json_schema,
                temperature=request.temperature,
                seed=request.seed,
            )
            with sampler:
                self._evaluate(prompt[self._keep_common_prefix(prompt) :], stop)
                if request.first_tokens:
                    tell(self._likeliest(request.first_tokens))
                for _ in range(request.max_tokens):
                    stop.check()
                    token = sampler.sample()
                    if self._c.llama_vocab_is_eog(self._vocabulary, token):
                        yield None
                        return
                    yield self._piece(token)
                    self._evaluate([token], stop)
        finally:
            unsubscribe()
            abort.remove()

    def _evaluate(self, tokens: Sequence[int], stop: Cancellation) -> None:
        for start in range(0, len(tokens), _PROMPT_BATCH):
            stop.check()
            try:
                self._llama.eval(tokens[start : start + _PROMPT_BATCH])
            except RuntimeError as error:
                stop.check()
                raise ModelError(
                    f"llama.cpp could not evaluate the prompt ({last_error() or error})",
                    remedy="use a smaller window, or a smaller model",
                ) from error

    def _likeliest(self, count: int) -> tuple[TokenLikelihood, ...]:
        logits = self._c.llama_get_logits_ith(self._llama.ctx, -1)
        return likeliest_tokens(logits, self._llama.n_vocab(), count, piece=self._piece)

    def _keep_common_prefix(self, prompt: Sequence[int]) -> int:
        """Keep the cached keys and values that ``prompt`` shares; returns how many tokens."""
        cached = self._llama.input_ids[: self._llama.n_tokens].tolist()
        # the last token is always evaluated: its logits are what is sampled from
        limit = min(len(cached), len(prompt) - 1)
        shared = next((at for at in range(limit) if cached[at] != prompt[at]), limit)
        memory = self._c.llama_get_memory(self._llama.ctx)
        if not shared or not self._c.llama_memory_seq_rm(memory, 0, shared, -1):
            self._c.llama_memory_clear(memory, True)
            shared = 0
        self._llama.n_tokens = shared
        return shared

    def _piece(self, token: int) -> bytes:
        buffer = bytes(_PIECE_BYTES)
        length = self._c.llama_token_to_piece(
            self._vocabulary, token, buffer, len(buffer), 0, False
        )
        return buffer[: max(0, length)]

    def _render(self, turns: list[dict[str, str]]) -> str:
        from jinja2 import TemplateError

        try:
            # Qwen3 and its like would otherwise think aloud before each answer
            prompt: str = self._template(messages=turns, enable_thinking=False).prompt
        except (TemplateError, ValueError) as error:
            if turns[0]["role"] == "system" and len(turns) > 1:
                return self._render(_without_system(turns))
            raise ModelError(
                f"the model's chat template refuses these messages ({error})",
                remedy="alternate user and assistant, the user first",
            ) from error
        return prompt

    def _quote(self, content: str) -> str:
        quoted = _QUOTED_TOKEN.sub("", content)
        for number, text in enumerate(self._control_texts):
            quoted = quoted.replace(text, f"\ue000{number}\ue001")
        return quoted

    def _chat_template(self, source: str) -> Any:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        def text_of(token: int) -> str:
            text = self._c.llama_vocab_get_text(self._vocabulary, token) if token >= 0 else b""
            return str(text.decode())

        return Jinja2ChatFormatter(
            source,
            bos_token=text_of(self._c.llama_vocab_bos(self._vocabulary)),
            eos_token=text_of(self._c.llama_vocab_eos(self._vocabulary)),
        )

    def _find_control_texts(self) -> tuple[str, ...]:
        c = self._c
        special = c.LLAMA_TOKEN_ATTR_CONTROL | c.LLAMA_TOKEN_ATTR_UNKNOWN
        texts = {
            c.llama_vocab_get_text(self._vocabulary, token).decode("utf-8", errors="replace")
            for token in range(self._llama.n_vocab())
            if c.llama_vocab_get_attr(self._vocabulary, token) & special
        }
        return tuple(sorted(filter(None, texts), key=len, reverse=True))


def _load(llama_cpp: Any, path: Path, *, context_tokens: int, threads: int) -> Any:
    forget_errors()
    try:
        return llama_cpp.Llama(
            str(path),
            n_ctx=context_tokens,
            n_batch=min(_PROMPT_BATCH, context_tokens),
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=-1,
            verbose=False,
        )
    except (ValueError, RuntimeError, AssertionError) as error:
        raise ModelCorrupt(
            f"llama.cpp cannot load the model file {path} ({last_error() or error})",
            remedy="pull the model again: leadline models pull; if it is your own file, "
            "check that this version of llama.cpp knows its architecture",
        ) from error


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """For templates that know no system turn: its text opens the first user turn."""
    system, first, *rest = turns
    return [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]
