"""Text to token ids with character offsets, by the tokenizer that a GGUF file describes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from ..errors import ModelCorrupt


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids and, for each, the characters ``[start, end)`` it was made from."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class TextTokenizer:
    """Reads text as text: what looks like a control token in a page stays plain characters.

    Raises:
        ModelCorrupt: ``path`` is no tokenizer.json.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelCorrupt(
                f"tokenizer {path} cannot be read ({error})",
                remedy=f"remove the folder {path.parent}, it will be made again",
            ) from error
        self._tokenizer.encode_special_tokens = True

    def encode(self, text: str) -> Tokens:
        """Ids and offsets of ``text``; never a control token. Safe from any thread."""
        # Lone surrogates cannot be handed over; each becomes one "?".
        text = text.encode("utf-8", "replace").decode()
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return Tokens(encoding.ids, encoding.offsets)

    def control_id(self, token: str) -> int | None:
        """The id of a control token such as ``<|im_start|>``; None if the model has no such."""
        token_id: int | None = self._tokenizer.token_to_id(token)
        return token_id


def save_gguf_tokenizer(gguf: Path, target: Path) -> None:
    """Write the tokenizer that a GGUF file describes as a tokenizer.json. Takes many seconds.

    Raises:
        ModelCorrupt: the file describes none that can be built.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, trust_remote_code=False
        )
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise ModelCorrupt(f"no tokenizer can be built from {gguf} ({error})") from error
    tokenizer.backend_tokenizer.save(str(target))
