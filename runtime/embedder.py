"""Sentence embeddings by a small BERT-shaped model.

Mean-pooled last hidden states, scaled to length one (Sentence-BERT, arXiv 1908.10084).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch.nn.functional import normalize

from ..cancellation import Cancellation
from ..errors import ModelCorrupt
from ..progress import Progress, silent

MAX_TOKENS = 256
"""What all-MiniLM-L6-v2 was trained to read of a text; the rest of a longer one is not seen."""

_BATCH = 16


class Embedder:
    """A model folder as sentence-transformers lays it out.

    ``folder`` holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``; nothing is
    fetched.

    Raises:
        ModelCorrupt: a file is missing, truncated or altered.
    """

    def __init__(self, folder: Path, *, model_id: str) -> None:
        self.model_id = model_id
        self._tokenizer, self._model = _load(folder, model_id)
        self.dimensions = int(self._model.config.hidden_size)

    def embed(
        self,
        texts: Sequence[str],
        *,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> NDArray[np.float32]:
        """One row per text: ``(len(texts), dimensions)`` float32 of length one. Blocks.

        Raises:
            ModelCorrupt: the weights give no finite numbers.
            Cancelled: ``cancel`` was set meanwhile.
        """
        cancel = cancel or Cancellation()
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        # Texts of a length share a batch, so that little is computed on padding.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        for start in range(0, len(order), _BATCH):
            cancel.check()
            places = order[start : start + _BATCH]
            vectors[places] = self._embed_batch([texts[place] for place in places])
            progress("embedding", start + len(places), len(texts), "passages")
        if not np.isfinite(vectors).all():
            raise _corrupt(self.model_id, "its weights give no finite numbers")
        return vectors

    @torch.inference_mode()
    def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch(texts)
        ids = torch.tensor([encoding.ids for encoding in encodings])
        mask = torch.tensor([encoding.attention_mask for encoding in encodings])
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1.0)
        vectors: NDArray[np.float32] = normalize(pooled.float(), dim=1).numpy()
        return vectors


def _load(folder: Path, model_id: str) -> tuple[Any, Any]:
    from transformers import AutoModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        model, report = AutoModel.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # tokenizers and safetensors raise bare Exception
        raise _corrupt(model_id, f"{folder} cannot be loaded, {error}") from error
    # The pooler on top of the first token is not used here, and not every such model has one.
    if missing := [name for name in report["missing_keys"] if not name.startswith("pooler.")]:
        raise _corrupt(model_id, f"{min(missing)} is missing from {folder}")
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer, model.eval()


def _corrupt(model_id: str, problem: str) -> ModelCorrupt:
    return ModelCorrupt(
        f"embedder '{model_id}': {problem}", remedy=f"leadline models pull {model_id}"
    )
