"""What extraction brings out of a document's bytes."""

from __future__ import annotations

import re
import threading
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...evidence import Page

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\ufeff\ufffe\uffff\ud800-\udfff]"
)
_TRAILING_SPACE = re.compile(r"[ \t]+(?=\n|\Z)")
_BLANK_LINES = re.compile(r"\n{3,}")

_KANA = re.compile(r"[\u3040-\u30ff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_SAMPLE = 20_000
_SCRIPT_SHARE = 0.1
_ENOUGH_TO_TELL = 100
"""Characters below which words tell one language from another too seldom."""
_TELLING = 3000
_LANGID = threading.Lock()


@dataclass(frozen=True, slots=True)
class Extracted:
    """A document's text, normalised once; offsets into it stay valid for ever."""

    media_type: str
    title: str
    """Empty when the document names none."""
    text: str
    language: str | None = None
    """BCP 47 tag, as declared, or told by the script or by the words; None when nothing tells."""
    sheet_starts: tuple[int, ...] = ()
    """For paged documents: the offset in ``text`` at which each sheet starts."""
    published: date | None = None
    authors: tuple[str, ...] = ()

    @classmethod
    def of(cls, page: Page) -> Extracted:
        """What was extracted when ``page`` was kept."""
        return cls(
            page.media_type,
            page.title,
            page.text,
            page.language,
            page.sheet_starts,
            page.published,
            page.authors,
        )


def normalised(text: str) -> str:
    """NFC, ``\\n`` line ends, no control characters, no trailing spaces, one blank line at most."""
    text = _LINE_ENDS.sub("\n", text)
    text = unicodedata.normalize("NFC", _CONTROLS.sub("", text))
    return _BLANK_LINES.sub("\n\n", _TRAILING_SPACE.sub("", text)).strip()


def one_line(text: str, limit: int = 300) -> str:
    """``text`` normalised to a single line of at most ``limit`` characters, for titles."""
    line = " ".join(normalised(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def language_of(text: str) -> str | None:
    """The language of ``text``, told by its script or, where there are enough, by its words.

    Words are told apart by langid's model (Lui and Baldwin, ACL 2012), as py3langid ships it.
    """
    if (told := language_by_script(text)) is not None:
        return told
    if len(text) < _ENOUGH_TO_TELL:
        return None
    import py3langid

    try:
        with _LANGID:  # its model is loaded at the first call, by way of a file
            language, _ = py3langid.classify(text[:_TELLING])
    except OSError:
        return None  # a full disk costs the language, not the page
    return str(language)


def language_by_script(text: str) -> str | None:
    """ "ja", "ko" or "zh" where the script tells; None elsewhere."""
    sample = text[:_SAMPLE]
    enough = max(1.0, _SCRIPT_SHARE * len(sample))
    kana, han = len(_KANA.findall(sample)), len(_HAN.findall(sample))
    if len(_HANGUL.findall(sample)) >= enough:
        return "ko"
    if kana + han < enough:
        return None
    return "ja" if kana > 0.1 * (kana + han) else "zh"
