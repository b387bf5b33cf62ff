"""From bytes to characters."""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARATION = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})"""
    rb"""|<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 4096
_SAMPLE = 256 * 1024


def decode(data: bytes, *, declared: str | None = None, markup: bool = False) -> str:
    """The text of ``data``: by byte order mark, then UTF-8, then what is declared, then a guess.

    UTF-8 comes before the declaration because text of another encoding hardly ever passes for it,
    while wrong declarations are common. ``markup`` looks for the declaration inside HTML or XML
    too. Bytes that do not fit become U+FFFD; this never fails.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    candidates = [declared, _declared_in_markup(data) if markup else None]
    for name in filter(None, candidates):
        if (text := _strictly(data, name)) is not None:
            return text
    lenient = data.decode("utf-8", "replace")
    broken, foreign = lenient.count("\ufffd"), sum(1 for char in lenient if ord(char) > 127)
    if broken <= 0.1 * foreign:
        return lenient
    return data.decode(_guess(data), "replace")


def _strictly(data: bytes, name: str) -> str | None:
    # Browsers read these labels as their supersets (WHATWG Encoding Standard §4.2).
    supersets = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
    try:
        encoding = codecs.lookup(name).name
        return data.decode(supersets.get(encoding, encoding))
    except (LookupError, ValueError):
        return None


def _declared_in_markup(data: bytes) -> str | None:
    found = _DECLARATION.search(data[:_DECLARED_WITHIN])
    return (found[1] or found[2]).decode("ascii") if found else None


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[:_SAMPLE]).best()
    return best.encoding if best else "cp1252"
