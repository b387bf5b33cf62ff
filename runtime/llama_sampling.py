"""Choosing the next token with llama.cpp's samplers, under a grammar where one is asked for."""

from __future__ import annotations

import ctypes
import json
import math
import random
from collections.abc import Mapping
from typing import Any, Final

from ..errors import ConfigError
from .llama_context import LlamaContext
from .llama_library import forget_errors, last_error, library
from .llama_model import LlamaModel

_TOP_K: Final = 40
_TOP_P: Final = 0.95
_MIN_P: Final = 0.05


class TokenSampler:
    """One request's samplers, until :meth:`close` frees them.

    The grammar is asked about the chosen token first, and about the whole vocabulary only when
    it refuses that one (as ``common/sampling.cpp`` of llama.cpp does): over 150,000 tokens it
    takes as long as decoding one.

    Raises:
        ConfigError: the schema cannot be expressed as a grammar.
    """

    def __init__(
        self,
        model: LlamaModel,
        *,
        json_schema: Mapping[str, object] | None,
        temperature: float,
        seed: int | None,
    ) -> None:
        self._c = library()
        # made first: it can fail, and nothing would free the chain then
        self._grammar = None if json_schema is None else self._make_grammar(model, json_schema)
        self._chain = self._make_chain(temperature, seed)

    def close(self) -> None:
        for sampler in filter(None, (self._chain, self._grammar)):
            self._c.llama_sampler_free(sampler)
        self._chain = self._grammar = None

    def sample(self, context: LlamaContext, row: int) -> int:
        """The token that follows what was evaluated last in ``row``."""
        token = context.sample(self._chain, row)
        if self._grammar is None:
            return token
        if not self._allows(token):
            token = self._sample_allowed(context, row)
        self._c.llama_sampler_accept(self._grammar, token)
        return token

    def _allows(self, token: int) -> bool:
        candidate = (self._c.llama_token_data * 1)(self._c.llama_token_data(token, 1.0, 0.0))
        candidates = self._c.llama_token_data_array(candidate, 1, -1, False)
        self._c.llama_sampler_apply(self._grammar, ctypes.byref(candidates))
        return not math.isinf(candidate[0].logit)

    def _sample_allowed(self, context: LlamaContext, row: int) -> int:
        import numpy as np

        size = context.vocabulary_size
        table = np.empty(size, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        table["id"] = np.arange(size)
        table["logit"] = np.ctypeslib.as_array(context.logits(row), shape=(size,))
        table["p"] = 0.0
        rows = table.ctypes.data_as(ctypes.POINTER(self._c.llama_token_data))
        candidates = self._c.llama_token_data_array(rows, size, -1, False)
        self._c.llama_sampler_apply(self._grammar, ctypes.byref(candidates))
        self._c.llama_sampler_apply(self._chain, ctypes.byref(candidates))
        token: int = candidates.data[candidates.selected].id
        return token

    def _make_chain(self, temperature: float, seed: int | None) -> Any:
        c = self._c
        chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        if temperature <= 0:
            c.llama_sampler_chain_add(chain, c.llama_sampler_init_greedy())
            return chain
        number = random.getrandbits(32) if seed is None else seed % (1 << 32)
        for sampler in (
            c.llama_sampler_init_top_k(_TOP_K),
            c.llama_sampler_init_top_p(_TOP_P, 1),
            c.llama_sampler_init_min_p(_MIN_P, 1),
            c.llama_sampler_init_temp(temperature),
            c.llama_sampler_init_dist(number),
        ):
            c.llama_sampler_chain_add(chain, sampler)
        return chain

    def _make_grammar(self, model: LlamaModel, json_schema: Mapping[str, object]) -> Any:
        from llama_cpp.llama_grammar import json_schema_to_gbnf

        forget_errors()
        try:
            rules: str = json_schema_to_gbnf(json.dumps(json_schema))
        except Exception as error:  # the converter raises whatever it stumbles over
            raise _not_a_grammar(str(error)) from error
        grammar = self._c.llama_sampler_init_grammar(model.vocabulary, rules.encode(), b"root")
        if not grammar:
            raise _not_a_grammar(last_error())
        return grammar


def _not_a_grammar(reason: str) -> ConfigError:
    return ConfigError(
        f"the JSON schema cannot be turned into a grammar ({reason or 'no reason given'})",
        remedy="use plain objects, arrays, strings, numbers, enums and references",
    )
