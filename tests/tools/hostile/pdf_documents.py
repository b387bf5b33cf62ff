"""PDF files that are broken, loaded or hide something."""

from __future__ import annotations

import zlib


def pdf(*objects: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of ``objects``, numbered from 1, with a table of where they stand."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d %s>>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % table)


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (entries, len(data), data)


def page_with(content: bytes, *more: bytes, page: bytes = b"", catalog: bytes = b"") -> bytes:
    """One sheet drawn by ``content``, whose font is /F; ``more`` are objects from number 6."""
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R %s>>" % catalog,
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
        b"/Resources<</Font<</F 5 0 R>>%s>>>>" % page,
        content,
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        *more,
    )


def shown(text: str, *, before: str = "", at: str = "50 700") -> bytes:
    """A content stream that shows one line of ``text``."""
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return stream(f"BT {before} /F 12 Tf {at} Td ({escaped}) Tj ET".encode("latin-1", "replace"))


_LINE = "By the mark seven the water shoals toward the harbour mouth"
_WHOLE = page_with(shown(_LINE))
_FLATE = b"/Filter/FlateDecode"

PDF = {
    "whole": _WHOLE,
    "header only": b"%PDF-1.7\n",
    "header and noise": b"%PDF-1.7\n" + bytes(range(256)) * 200,
    "cut at a quarter": _WHOLE[: len(_WHOLE) // 4],
    "cut at a half": _WHOLE[: len(_WHOLE) // 2],
    "cut before the table": _WHOLE[: _WHOLE.index(b"xref")],
    "cut in the trailer": _WHOLE[: _WHOLE.index(b"trailer") + 10],
    "junk before the header": b"junk\n" * 50 + _WHOLE,
    "wrong offsets": _WHOLE.replace(b"0000000", b"0000999"),
    "table far away": _WHOLE.replace(b"startxref\n", b"startxref\n9999999999"),
    "table within itself": pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[]/Count 0>>",
        trailer=b"/Root 1 0 R/Prev 9",
    ),
    "no pages": pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"),
    "no catalog": pdf(b"<</Type/Pages/Kids[]/Count 0>>", trailer=b""),
    "pages in a circle": pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 2>>"
    ),
    "two billion pages": pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 2147483647>>", b"<<>>"
    ),
    "minus one page": pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count -1>>", b"<<>>"
    ),
    "a million pages": pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count 1000000>>" % (b"3 0 R " * 1000),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    ),
    "page that is a number": pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"42"
    ),
    "huge page": page_with(shown(_LINE), page=b"/X<<>>").replace(b"600 800", b"1e38 1e38"),
    "page without size": page_with(shown(_LINE)).replace(b"/MediaBox[0 0 600 800]", b""),
    "compressed bomb": page_with(stream(zlib.compress(bytes(50_000_000), 9), _FLATE)),
    "bomb in a bomb": page_with(
        stream(
            zlib.compress(zlib.compress(bytes(50_000_000), 9), 9),
            b"/Filter[/FlateDecode/FlateDecode]",
        )
    ),
    "broken compression": page_with(stream(b"no zlib at all", _FLATE)),
    "unknown filter": page_with(stream(b"x", b"/Filter/Mystery")),
    "wrong stream length": _WHOLE.replace(b"/Length ", b"/Length 99999"),
    "length that is itself": page_with(b"<</Length 4 0 R>>\nstream\nBT ET\nendstream"),
    "unbalanced drawing": page_with(stream(b"q " * 200_000 + b"BT ET")),
    "deep arrays": page_with(stream(b"[" * 100_000)),
    "form within itself": page_with(
        stream(b"/X Do"),
        stream(
            b"/X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>"
        ),
        page=b"/XObject<</X 6 0 R>>",
    ),
    "font within itself": page_with(shown(_LINE)).replace(
        b"/Subtype/Type1", b"/Subtype/Type0/DescendantFonts[5 0 R]"
    ),
    "text of bad codes": page_with(stream(b"BT /F 12 Tf 9 9 Td <FFFEFDFC00D800DC> Tj ET")),
    "numbers out of range": page_with(
        stream(b"BT /F 1e308 Tf 1e308 -1e308 Td (deep) Tj 99999999999999999999 Tw ET")
    ),
    "long line": page_with(shown("fathom " * 50_000)),
    "many letters": page_with(stream(b"BT /F 9 Tf " + b"(a) Tj 1 0 Td " * 50_000 + b"ET")),
    "script on opening": page_with(
        shown(_LINE),
        catalog=b"/OpenAction<</S/JavaScript/JS(app.launchURL\\('http://127.0.0.1'\\))>>",
    ),
    "launch on opening": page_with(shown(_LINE), catalog=b"/OpenAction<</S/Launch/F(/bin/sh)>>"),
    "address on opening": page_with(
        shown(_LINE), catalog=b"/OpenAction<</S/URI/URI(http://127.0.0.1/)>>"
    ),
    "attached file": page_with(
        shown(_LINE),
        b"<</Type/Filespec/F(a.exe)/EF<</F 7 0 R>>>>",
        stream(b"MZ" + bytes(99)),
        catalog=b"/Names<</EmbeddedFiles<</Names[(a.exe)6 0 R]>>>>",
    ),
    "pictures only": page_with(stream(b"0 0 99 99 re f")),
    "title of control characters": page_with(shown(_LINE)).replace(
        b"trailer\n<<", b"trailer\n<</Info<</Title(a\\000\\033[31m\\n\\nb)>> "
    ),
    "HTML inside": b"%PDF-1.7\n<html><body><p>" + _LINE.encode() + b"</p></body></html>",
}
