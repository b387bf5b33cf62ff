"""Which fonts of this machine a PDF needs so that every character of it can be seen.

A PDF that shows more than Latin-1 has to carry its fonts. They are looked for where the system and
its user keep them; known ones come first, then any that have what is missing.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError

_ENDINGS = (".ttf", ".otf", ".ttc", ".otc")

_TEXT_FONTS = (
    ("NotoSans-Regular.ttf", "NotoSans-Bold.ttf"),
    ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("LiberationSans-Regular.ttf", "LiberationSans-Bold.ttf"),
    ("Arial.ttf", "Arial Bold.ttf"),
    ("arial.ttf", "arialbd.ttf"),
    ("segoeui.ttf", "segoeuib.ttf"),
)
"""Regular and bold, the best first."""

_WIDE_FONTS = {
    "NotoSansCJK-Regular.ttc": 2,
    "NotoSansSC-Regular.otf": 0,
    "NotoSansSC-Regular.ttf": 0,
    "NotoSansCJKsc-Regular.otf": 0,
    "SourceHanSansSC-Regular.otf": 0,
    "SourceHanSansCN-Regular.otf": 0,
    "wqy-microhei.ttc": 0,
    "wqy-zenhei.ttc": 0,
    "DroidSansFallbackFull.ttf": 0,
    "PingFang.ttc": 0,
    "Hiragino Sans GB.ttc": 0,
    "STHeiti Light.ttc": 0,
    "Arial Unicode.ttf": 0,
    "msyh.ttc": 0,
    "simsun.ttc": 0,
}
"""Fonts with Chinese characters, the best first, and which face of the file is meant."""


@dataclass(frozen=True, slots=True)
class FontFile:
    """A font, and the number of its face where a file holds several."""

    path: Path
    face: int = 0


@dataclass(frozen=True, slots=True)
class Fonts:
    """What a text is set in; the others have what ``regular`` lacks."""

    regular: FontFile | None
    """None: the PDF's own Helvetica is enough."""
    bold: FontFile | None
    others: tuple[FontFile, ...]
    unknown: frozenset[str]
    """Signs that no font here has; letters that none has are an error."""


def fonts_for(text: str, folders: tuple[Path, ...] | None = None) -> Fonts:
    """The fonts for ``text``. Blocks: reads the tables of fonts.

    Raises:
        ConfigError: a letter of the text is in no font of this machine.
    """
    wanted = {character for character in text if character > "\x7e" and not character.isspace()}
    if all(character <= "\xff" for character in wanted):
        return Fonts(None, None, (), frozenset())
    files = {path.name: path for path in _files(folders or font_folders())}
    regular, bold = _text_font(files)
    missing = wanted - (_characters(regular) if regular else _LATIN)
    others: list[FontFile] = []
    for font in _candidates(files):
        if not missing:
            break
        if had := missing & _characters(font):
            others.append(font)
            missing -= had
    if letters := sorted(c for c in missing if unicodedata.category(c).startswith(("L", "N"))):
        raise ConfigError(
            f"no font on this machine has {''.join(letters[:12])!r}, which the PDF has to show",
            remedy="install one (for Chinese, fonts-noto-cjk), or write .html",
        )
    return Fonts(regular, bold, tuple(others), frozenset(missing))


_LATIN = frozenset(map(chr, range(0x20, 0x100)))


def font_folders() -> tuple[Path, ...]:
    """Where fonts lie on this system."""
    if sys.platform == "darwin":
        named = ["~/Library/Fonts", "/Library/Fonts", "/System/Library/Fonts"]
    elif sys.platform == "win32":
        named = [os.path.expandvars(r"%WINDIR%\Fonts")]
    else:
        data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        named = [f"{data}/fonts", "~/.fonts", "/usr/local/share/fonts", "/usr/share/fonts"]
    return tuple(Path(name).expanduser() for name in named)


def _files(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        for where, _, names in os.walk(folder):
            for name in sorted(names):
                if name.lower().endswith(_ENDINGS):
                    yield Path(where, name)


def _text_font(files: dict[str, Path]) -> tuple[FontFile | None, FontFile | None]:
    for regular, bold in _TEXT_FONTS:
        if regular in files:
            return FontFile(files[regular]), FontFile(files[bold]) if bold in files else None
    return None, None


def _candidates(files: dict[str, Path]) -> Iterator[FontFile]:
    """Fonts in the order in which they are tried."""
    for name, face in _WIDE_FONTS.items():
        if name in files:
            yield FontFile(files[name], face)
    for name, path in files.items():
        if name not in _WIDE_FONTS:
            yield FontFile(path)


def _characters(font: FontFile) -> frozenset[str]:
    """The characters that a font has; none if it cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(font.path, fontNumber=font.face, lazy=True) as opened:
            return frozenset(map(chr, opened.getBestCmap() or {}))
    except (TTLibError, OSError, AssertionError):
        return frozenset()
