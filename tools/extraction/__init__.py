"""From a document's bytes to its text: HTML, PDF, Markdown and other text.

Pure: bytes in, result out. Safe in threads and in worker processes.
"""

from __future__ import annotations

import mimetypes
import os.path

from ...errors import ExtractionError
from ..media_types import true_type
from .charset import decode
from .document import Extracted

__all__ = ["Extracted", "extract"]

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_TYPES_BY_EXTENSION = {
    ".htm": "text/html",
    ".html": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".pdf": "application/pdf",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".txt": "text/plain",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".xml": "application/xml",
}
_BINARY_KINDS = (
    (b"PK\x03\x04", "a ZIP or office file", "save it as PDF, HTML or text first"),
    (b"\xd0\xcf\x11\xe0", "an office file", "save it as PDF, HTML or text first"),
    (b"\x1f\x8b", "a gzip file", "unpack it first"),
    (b"\xfd7zXZ\x00", "an xz file", "unpack it first"),
    (b"BZh", "a bzip2 file", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstandard file", "unpack it first"),
)


def extract(
    data: bytes, *, name: str, media_type: str = "", charset: str | None = None
) -> Extracted:
    """The text of a document.

    ``name`` is its file name or URL: the errors say it, and its extension stands in for a missing
    ``media_type``. Where the bytes contradict the type, the bytes are believed.

    Raises:
        ExtractionError: empty, binary, broken, encrypted, or without text; names the remedy.
    """
    from .plain_text import extract_text

    if not data.strip(b"\0 \t\r\n"):
        raise ExtractionError(f"'{name}' is empty", remedy="check the file")
    kind = true_type(media_type or type_by_extension(name), data, charset)
    if not kind or data.startswith(tuple(magic for magic, _, _ in _BINARY_KINDS)):
        raise _binary(data, name)
    if kind == "application/pdf":
        from .pdf import extract_pdf

        return extract_pdf(data, name=name)
    text = decode(data, declared=charset, markup=kind in _HTML_TYPES or kind.endswith("xml"))
    if kind in _HTML_TYPES:
        from .html import extract_html

        return extract_html(text, name=name)
    if _is_noise(text):
        raise _binary(data, name)
    return extract_text(text, name=name, media_type=kind)


def type_by_extension(name: str) -> str:
    """The media type that a file's name suggests; empty when it suggests none."""
    extension = os.path.splitext(name)[1].lower()
    if known := _TYPES_BY_EXTENSION.get(extension):
        return known
    guessed, encoding = mimetypes.guess_type(name)
    # mimetypes takes source files for video ("x.ts") and the like: the bytes decide.
    return guessed if guessed and encoding is None and guessed.startswith("text/") else ""


def _is_noise(text: str) -> bool:
    """Whether decoded characters are no text: many controls or replacement characters."""
    sample = text[:8192]
    noise = sum(
        1 for char in sample if (char < " " and char not in "\t\n\r\f\b\x1b") or char == "\ufffd"
    )
    return noise > 0.05 * len(sample)


def _binary(data: bytes, name: str) -> ExtractionError:
    for magic, kind, remedy in _BINARY_KINDS:
        if data.startswith(magic):
            return ExtractionError(f"'{name}' is {kind}", remedy=remedy)
    return ExtractionError(f"'{name}' is a binary file", remedy="give HTML, Markdown, PDF or text")
