"""The header of a GGUF file, walked before llama.cpp is let near it.

llama.cpp ends the whole process on some malformed files, so a file is first checked here: that
its structure holds and that every tensor lies inside it. Layout: the GGUF specification, versions
2 and 3, little-endian. (The ``gguf`` package's reader takes seconds for the vocabulary alone.)
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..errors import ModelCorrupt, ModelMissing

_SCALARS: Final = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_STRING: Final = 8
_ARRAY: Final = 9
_MAX_DIMENSIONS: Final = 4
_DEFAULT_ALIGNMENT: Final = 32
_MAX_ENTRIES: Final = 1 << 20

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a model's file says about itself."""

    architecture: str
    context_length: int
    """Tokens of the window that the model was trained for."""
    chat_template: str | None
    """Jinja source; None for a base model."""
    tensor_count: int


class _Malformed(Exception):
    """The header breaks the format."""


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of the GGUF file at ``path``.

    Raises:
        ModelMissing: there is no such file, or it cannot be opened.
        ModelCorrupt: it is no GGUF file, its header is malformed, or tensors are cut off.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Walk(data).header()
    except OSError as error:
        raise ModelMissing(
            f"the model file {path} cannot be opened ({error.strerror or error})",
            remedy="check the path, or pull the model: leadline models pull",
        ) from error
    except (_Malformed, ValueError, struct.error) as error:
        raise ModelCorrupt(
            f"the model file {path} is damaged ({error})",
            remedy="delete it and pull the model again: leadline models pull",
        ) from error


class _Walk:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> GgufHeader:
        if self._bytes(4) != b"GGUF":
            raise _Malformed("it does not start with GGUF")
        version = self._scalar("<I")
        if version not in (2, 3):
            raise _Malformed(f"GGUF version {version} is not known")
        tensor_count, entry_count = self._count(), self._count()
        entries: dict[str, Scalar | None] = {}
        for _ in range(entry_count):
            key = self._string()
            entries[key] = self._value(self._scalar("<I"))
        self._check_tensors(tensor_count, entries.get("general.alignment"))
        architecture = entries.get("general.architecture")
        context_length = entries.get(f"{architecture}.context_length")
        template = entries.get("tokenizer.chat_template")
        if not isinstance(architecture, str) or not isinstance(context_length, int):
            raise _Malformed("it names no architecture or no context length")
        return GgufHeader(
            architecture=architecture,
            context_length=context_length,
            chat_template=template if isinstance(template, str) else None,
            tensor_count=tensor_count,
        )

    def _check_tensors(self, count: int, alignment: Scalar | None) -> None:
        from gguf.constants import GGML_QUANT_SIZES

        block_sizes = {int(kind): sizes for kind, sizes in GGML_QUANT_SIZES.items()}
        ends: list[int] = []
        for _ in range(count):
            name = self._string()
            dimensions = self._scalar("<I")
            if not 1 <= dimensions <= _MAX_DIMENSIONS:
                raise _Malformed(f"tensor {name} has {dimensions} dimensions")
            elements = 1
            for _ in range(dimensions):
                elements *= self._scalar("<Q")
            kind = self._scalar("<I")
            if kind not in block_sizes:
                raise _Malformed(f"tensor {name} has the unknown type {kind}")
            elements_per_block, bytes_per_block = block_sizes[kind]
            size = -(-elements // elements_per_block) * bytes_per_block
            ends.append(self._scalar("<Q") + size)
        step = alignment if isinstance(alignment, int) and alignment > 0 else _DEFAULT_ALIGNMENT
        start = -(-self._at // step) * step
        if ends and start + max(ends) > len(self._data):
            missing = start + max(ends) - len(self._data)
            raise _Malformed(f"the last {missing:,} bytes are missing")

    def _value(self, kind: int) -> Scalar | None:
        """The value at the cursor; arrays are passed over and give None."""
        if kind in _SCALARS:
            value: Scalar = self._scalar(_SCALARS[kind])
            return value
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            self._skip_array()
            return None
        raise _Malformed(f"a value has the unknown type {kind}")

    def _skip_array(self) -> None:
        kind, length = self._scalar("<I"), self._scalar("<Q")
        if kind in _SCALARS:
            self._skip(length * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING and length <= len(self._data):
            for _ in range(length):
                self._skip(self._scalar("<Q"))
        else:
            raise _Malformed(f"an array of {length} values of type {kind} cannot be read")

    def _string(self) -> str:
        return self._bytes(self._scalar("<Q")).decode("utf-8", errors="replace")

    def _count(self) -> int:
        count = self._scalar("<Q")
        if count > _MAX_ENTRIES:
            raise _Malformed(f"it announces {count:,} entries")
        return count

    def _scalar(self, form: str) -> int:
        (value,) = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        number: int = value
        return number

    def _bytes(self, length: int) -> bytes:
        start = self._at
        self._skip(length)
        return self._data[start : self._at]

    def _skip(self, length: int) -> None:
        if length > len(self._data) - self._at:
            raise _Malformed("it ends in the middle of its header")
        self._at += length
