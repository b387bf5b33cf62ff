"""A head map as a picture: sentences down, heads across, darker where a head looked more."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..evidence import Evidence
from ..runtime.heatmap import HeadMap
from ..runtime.heatmap_view import Strengths, evidence_at, row_code, sentences_of
from ..safe_text import safe_line

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

_PAPER, _INK, _QUIET = (253, 253, 251), (28, 27, 25), (110, 106, 98)
_MARK = (11, 98, 196)
_RAMP = ((247, 245, 239), (255, 190, 70), (196, 62, 0))
"""None, half, as much as the head's strongest sentence."""

_NO_LETTER = "\U0010ffff"
_SCALE = 2
"""Pixels for each unit below, so that letters are sharp."""
_TEXT_WIDTH, _CELL_WIDTH, _ROW_HEIGHT, _MARGIN, _NUMBER_WIDTH = 620, 46, 22, 20, 24
_QUESTION_CHARS = 80
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
)
"""Fonts with more letters than the one that Pillow brings along, the best first."""


def require_pillow() -> None:
    """Raises ConfigError unless pictures can be drawn."""
    try:
        import PIL.ImageFont  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"a PNG cannot be drawn ({error})",
            remedy="pip install 'leadline[png]', or name an .html file",
        ) from error


@dataclass(frozen=True, slots=True)
class _Row:
    """A sentence as it is drawn; without strengths, a page's title."""

    text: str
    number: int | None = None
    """Of the evidence it belongs to."""
    strengths: Sequence[float] = ()


def heatmap_png(head_map: HeadMap, evidence: Sequence[Evidence], *, model_id: str) -> bytes:
    """The picture for one question; rows of ``evidence`` are numbered and framed.

    Raises:
        ConfigError: Pillow is not installed.
    """
    require_pillow()
    from PIL import Image, ImageDraw

    columns = [row_code(head) for head in head_map.rows]
    rows = _rows(head_map, evidence)
    question = textwrap.wrap(safe_line(head_map.question), _QUESTION_CHARS)
    head_height = len(question) * 24 + 54
    width = 2 * _MARGIN + _NUMBER_WIDTH + _TEXT_WIDTH + len(columns) * _CELL_WIDTH
    height = 2 * _MARGIN + head_height + len(rows) * _ROW_HEIGHT + 46
    image = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
    sheet = _Sheet(ImageDraw.Draw(image), "".join([*question, *(row.text for row in rows)]))
    for number, line in enumerate(question):
        sheet.text(_MARGIN, _MARGIN + 24 * number, line, size=18)
    part = "all of the text" if head_map.whole else "the text around the evidence"
    about = f"What attention heads (layer.head) of {safe_line(model_id)} looked at: {part}"
    if not sheet.complete:
        about += "; boxes are letters that no font here has (Noto Sans CJK has most)"
    sheet.text(_MARGIN, _MARGIN + 24 * len(question), about, size=12, colour=_QUIET)
    top = _MARGIN + head_height
    left = _MARGIN + _NUMBER_WIDTH + _TEXT_WIDTH
    for place, name in enumerate(columns):
        centre = left + place * _CELL_WIDTH + _CELL_WIDTH // 2
        sheet.text(centre, top - 18, name, size=12, colour=_QUIET, anchor="ma")
    for place, row in enumerate(rows):
        _draw_row(sheet, row, top + place * _ROW_HEIGHT, left)
    _frame_evidence(sheet, rows, top, left, len(columns) * _CELL_WIDTH)
    _draw_legend(sheet, top + len(rows) * _ROW_HEIGHT + 16)
    return _encoded(image)


class _Sheet:
    """Draws in units of ``_SCALE`` pixels, in the font that has most letters of ``text``."""

    def __init__(self, draw: ImageDraw, text: str) -> None:
        self._draw = draw
        self._font_name, self.complete = _font_name(text)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: int,
        colour: tuple[int, int, int] = _INK,
        anchor: str = "la",
    ) -> None:
        font = _font(self._font_name, size * _SCALE)
        self._draw.text((x * _SCALE, y * _SCALE), text, fill=colour, font=font, anchor=anchor)

    def fitted(self, text: str, width: float, *, size: int) -> str:
        """``text``, cut with an ellipsis where it is wider than ``width``."""
        font, room = _font(self._font_name, size * _SCALE), width * _SCALE
        if font.getlength(text) <= room:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if font.getlength(text[:middle].rstrip() + "…") <= room:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "…"

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: tuple[int, int, int] | None = None,
        outline: tuple[int, int, int] | None = None,
    ) -> None:
        corners = (x * _SCALE, y * _SCALE, (x + width) * _SCALE - 1, (y + height) * _SCALE - 1)
        self._draw.rectangle(corners, fill=fill, outline=outline, width=_SCALE)


def _rows(head_map: HeadMap, evidence: Sequence[Evidence]) -> list[_Row]:
    strengths = Strengths(sentences_of(head_map))
    rows = []
    page_id = None
    several = len({part.passage.page.page_id for part in head_map.passages}) > 1
    for part in head_map.passages:
        page = part.passage.page
        if several and page.page_id != page_id:
            rows.append(_Row(safe_line(page.title or page.final_url, 400)))
        page_id = page.page_id
        for sentence in part.sentences:
            text = safe_line(page.text[sentence.start : sentence.end], 400)
            number = evidence_at(evidence, page.page_id, sentence.start, sentence.end)
            rows.append(_Row(text, number, strengths.of(sentence)))
    return rows


def _draw_row(sheet: _Sheet, row: _Row, y: float, left: float) -> None:
    x = _MARGIN + _NUMBER_WIDTH
    if not row.strengths:
        sheet.text(_MARGIN, y + 3, sheet.fitted(row.text, _TEXT_WIDTH, size=14), size=14)
        return
    sheet.text(x, y + 4, sheet.fitted(row.text, _TEXT_WIDTH - 12, size=12), size=12)
    for place, strength in enumerate(row.strengths):
        cell = left + place * _CELL_WIDTH
        sheet.box(cell, y, _CELL_WIDTH - 1, _ROW_HEIGHT - 1, fill=_colour(strength))


def _frame_evidence(
    sheet: _Sheet, rows: Sequence[_Row], top: float, left: float, width: float
) -> None:
    """One frame and one number for the neighbouring rows of a piece of evidence."""
    place = 0
    for number, group in groupby(rows, key=lambda row: row.number):
        count = len(list(group))
        if number is not None:
            y, x = top + place * _ROW_HEIGHT, _MARGIN + _NUMBER_WIDTH
            sheet.box(left - 2, y - 2, width + 3, count * _ROW_HEIGHT + 3, outline=_MARK)
            sheet.box(x - 6, y + 2, 2, count * _ROW_HEIGHT - 5, fill=_MARK)
            sheet.text(x - 11, y + 4, str(number), size=12, colour=_MARK, anchor="ra")
        place += count


def _draw_legend(sheet: _Sheet, y: float) -> None:
    x = _MARGIN + _NUMBER_WIDTH
    sheet.text(x, y, "none", size=12, colour=_QUIET)
    for step in range(40):
        sheet.box(x + 40 + 3 * step, y + 1, 3, 14, fill=_colour(step / 39))
    told = "as much as the head's strongest sentence (square-root scale)"
    sheet.text(x + 170, y, told, size=12, colour=_QUIET)
    sheet.box(x + 560, y + 1, 22, 14, outline=_MARK)
    sheet.text(x + 590, y, "evidence", size=12, colour=_QUIET)


def _colour(strength: float) -> tuple[int, int, int]:
    """The ramp's colour at ``strength``, from 0 to 1."""
    place = min(max(strength, 0.0), 1.0) * (len(_RAMP) - 1)
    first = min(int(place), len(_RAMP) - 2)
    share = place - first
    red, green, blue = (
        round(a + (b - a) * share) for a, b in zip(_RAMP[first], _RAMP[first + 1], strict=True)
    )
    return red, green, blue


def _font_name(text: str) -> tuple[str | None, bool]:
    """The font that has the letters of ``text``, and whether it has all; None: Pillow's own."""
    fewest, best = len(text) + 1, None
    for name in (None, *_WIDE_FONTS):
        try:
            font = _font(name, 12)
        except OSError:
            continue
        missing = bytes(font.getmask(_NO_LETTER))
        lacking = sum(bytes(font.getmask(letter)) == missing for letter in set(text))
        if lacking < fewest:
            fewest, best = lacking, name
        if not lacking:
            break
    return best, not fewest


def _font(name: str | None, size: int) -> Font:
    """Raises OSError when this machine has no font of that name."""
    from PIL import ImageFont

    return ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)


def _encoded(image: Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
