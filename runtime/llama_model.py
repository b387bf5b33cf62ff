"""A GGUF model in llama.cpp: its weights, prompts to tokens, tokens to pieces of text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import ModelCorrupt, ModelError
from .engine import Message
from .gguf_header import GgufHeader
from .llama_library import forget_errors, last_error, library

_PIECE_BYTES: Final = 512
_ALL_LAYERS: Final = 0x7FFFFFFF
# private-use characters: no template and no tokenizer gives them a meaning
_QUOTED_TOKEN: Final = re.compile("\ue000(\\d+)\ue001")


class LlamaModel:
    """Loads ``path``. Everything blocks and is safe from any thread, until :meth:`close`.

    Raises:
        ModelCorrupt: llama.cpp cannot load the file.
        ModelError: the model has no chat template.
    """

    def __init__(self, path: Path, header: GgufHeader) -> None:
        if header.chat_template is None:
            raise ModelError(
                f"the model file {path} holds no chat template",
                remedy="choose an instruct or chat model",
            )
        self._c = library()
        self.handle: Any = _load(self._c, path)
        self.vocabulary: Any = self._c.llama_model_get_vocab(self.handle)
        self.vocabulary_size: int = self._c.llama_vocab_n_tokens(self.vocabulary)
        self._template = self._chat_template(header.chat_template)
        self._control_texts = self._find_control_texts()

    @property
    def keeps_one_state(self) -> bool:
        """Whether what it remembers of a sequence cannot be cut back to its beginning (Mamba)."""
        c = self._c
        return bool(c.llama_model_is_recurrent(self.handle) or c.llama_model_is_hybrid(self.handle))

    def close(self) -> None:
        """Free the weights; contexts over them are freed before."""
        if self.handle is not None:
            self._c.llama_model_free(self.handle)
            self.handle = None

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
                tokens += self._encode(self._control_texts[int(part)], special=False)
            elif part:
                tokens += self._encode(part, special=True)
        return tokens

    def piece(self, token: int) -> bytes:
        """The bytes of ``token``, which may be a part of a character."""
        buffer = bytes(_PIECE_BYTES)
        length = self._c.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, False)
        return buffer[: max(0, length)]

    def ends_answer(self, token: int) -> bool:
        return bool(self._c.llama_vocab_is_eog(self.vocabulary, token))

    def _encode(self, text: str, *, special: bool) -> list[int]:
        data = text.encode()
        # a token has a byte at least, but for what the tokenizer may put before the text
        tokens = (self._c.llama_token * (len(data) + 2))()
        count = self._c.llama_tokenize(
            self.vocabulary, data, len(data), tokens, len(tokens), False, special
        )
        if count < 0:
            raise ModelError(
                f"llama.cpp could not tokenize a text of {len(data):,} bytes", remedy="shorten it"
            )
        return list(tokens[:count])

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
            text = self._c.llama_vocab_get_text(self.vocabulary, token) if token >= 0 else b""
            return str(text.decode())

        return Jinja2ChatFormatter(
            source,
            bos_token=text_of(self._c.llama_vocab_bos(self.vocabulary)),
            eos_token=text_of(self._c.llama_vocab_eos(self.vocabulary)),
        )

    def _find_control_texts(self) -> tuple[str, ...]:
        c = self._c
        special = c.LLAMA_TOKEN_ATTR_CONTROL | c.LLAMA_TOKEN_ATTR_UNKNOWN
        texts = {
            c.llama_vocab_get_text(self.vocabulary, token).decode("utf-8", errors="replace")
            for token in range(self.vocabulary_size)
            if c.llama_vocab_get_attr(self.vocabulary, token) & special
        }
        return tuple(sorted(filter(None, texts), key=len, reverse=True))


def _load(c: Any, path: Path) -> Any:
    forget_errors()
    params = c.llama_model_default_params()
    params.n_gpu_layers = _ALL_LAYERS
    handle = c.llama_model_load_from_file(str(path).encode(), params)
    if not handle:
        raise ModelCorrupt(
            f"llama.cpp cannot load the model file {path} ({last_error() or 'no reason given'})",
            remedy="pull the model again: leadline models pull; if it is your own file, "
            "check that this version of llama.cpp knows its architecture",
        )
    return handle


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """For templates that know no system turn: its text opens the first user turn."""
    system, first, *rest = turns
    return [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]
