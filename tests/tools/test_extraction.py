"""From bytes to text: kinds of documents, character sets, and what cannot be read."""

from __future__ import annotations

import threading
import unicodedata
from datetime import date
from pathlib import Path

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdfium2 import raw as pdfium

from leadline.errors import ExtractionError
from leadline.tools.extraction import extract
from leadline.tools.extraction.document import normalised

PROSE = (
    "The lead line was swung forward of the chains, so that the lead struck bottom "
    "as the line came up and down, and the leadsman called the depth in fathoms. "
)
from .hostile.pdf_documents import page_with, shown


def pdf(*sheets: str) -> bytes:
    """A PDF with one line of text on each sheet."""
    document = pypdfium2.PdfDocument.new()
    font = pdfium.FPDFText_LoadStandardFont(document, b"Helvetica")
    for text in sheets:
        page = document.new_page(400, 200)
        if text:
            line = pdfium.FPDFPageObj_CreateTextObj(document, font, 12)
            encoded = (text + "\0").encode("utf-16-le")
            array = (pdfium.FPDF_WCHAR * (len(encoded) // 2)).from_buffer_copy(encoded)
            pdfium.FPDFText_SetText(line, array)
            pdfium.FPDFPageObj_Transform(line, 1, 0, 0, 1, 20, 100)
            pdfium.FPDFPage_InsertObject(page, line)
            pdfium.FPDFPage_GenerateContent(page)
    import io

    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def html(body: str, title: str = "Soundings") -> bytes:
    return f"<!doctype html><html lang=en><title>{title}</title><body>{body}</body></html>".encode()


def test_html_keeps_headings_lists_tables_and_code() -> None:
    got = extract(
        html(
            f"""<nav><ul><li><a href=/>Home</a><li><a href=/b>Books</a></ul></nav>
            <h1>The lead</h1><p>{PROSE}</p><p>{PROSE * 2}</p>
            <h2>Marks</h2><ul><li>two strips of leather<li>three strips</ul>
            <ol start=3><li>arm the lead<li>swing</ol>
            <table><caption>Depths</caption><tr><th>Fathoms<th>Mark</tr>
            <tr><td>7<td>red <b>bunting</b></tr></table>
            <dl><dt>deep<dd>an unmarked fathom</dl>
            <pre>for x in y:\n    sound(x)  </pre><p>{PROSE}</p>
            <script>var hidden = 1</script><p style="display:none">unseen</p>
            <footer>Imprint and contact</footer>"""
        ),
        name="lead.html",
    )
    assert (got.title, got.language, got.media_type) == ("Soundings", "en", "text/html")
    for block in (
        "# The lead\n\n",
        "\n\n## Marks\n- two strips of leather\n- three strips\n3. arm the lead\n4. swing",
        "Depths\n| Fathoms | Mark |\n| --- | --- |\n| 7 | red bunting |",
        "deep\n: an unmarked fathom",
        "```\nfor x in y:\n    sound(x)\n```",
    ):
        assert block in got.text
    for unseen in ("Home", "hidden", "unseen", "Imprint"):
        assert unseen not in got.text


def test_html_layout_table_is_not_a_table_of_data() -> None:
    inner = "<table><tr><td>1<td>2</tr></table>"
    page = f"<table><tr><td>{PROSE}</td><td>{inner}<p>{PROSE}</td></tr></table>"
    text = extract(html(page), name="old.html").text
    assert text.startswith("The lead line") and "| 1 | 2 |" in text


def test_html_cells_that_span_stand_where_they_reach() -> None:
    table = (
        "<table><tr><th rowspan=2>Port<th colspan=2>Depth<th>Tide</tr><tr><th>min<th>max<th>m</tr>"
        "<tr><td rowspan=2>Alder<td>3<td>9<td>2</tr><tr><td>4<td>8</tr><tr><td>Elm<td>1</table>"
    )
    text = extract(html(f"<p>{PROSE}</p>{table}<p>{PROSE}</p>"), name="t.html").text
    assert (
        "| Port | Depth |  | Tide |\n| --- | --- | --- | --- |\n| Port | min | max | m |\n"
        "| Alder | 3 | 9 | 2 |\n| Alder | 4 | 8 |  |\n| Elm | 1 |  |  |"
    ) in text


META = """<meta name="author" content="Ines Varga">
<meta property="article:published_time" content="2024-05-06T07:08:09Z">"""
JSON_LD = """<script type="application/ld+json">{"@context": "https://schema.org",
"@type": "NewsArticle", "headline": "Soundings", "datePublished": "2023-02-01", "author":
[{"@type": "Person", "name": "Ines Varga"}, {"@type": "Person", "name": "Bo Lind"}]}</script>"""


@pytest.mark.parametrize(
    ("head", "authors", "published"),
    [
        ("", (), None),
        (
            META,
            ("Ines Varga",),
            date(2024, 5, 6),
        ),
        (
            JSON_LD,
            ("Ines Varga", "Bo Lind"),
            date(2023, 2, 1),
        ),
        ('<meta name="date" content="2999-01-01">', (), None),
        ('<meta name="author" content="1234"><meta name="date" content="soon">', (), None),
    ],
)
def test_html_says_who_wrote_it_and_when(
    head: str, authors: tuple[str, ...], published: date | None
) -> None:
    page = f"<html><head><title>T</title>{head}</head><body><p>{PROSE}</p></body></html>"
    got = extract(page.encode(), name="x.html")
    assert (got.authors, got.published) == (authors, published)


def test_html_nested_lists_are_indented() -> None:
    text = extract(html("<ul><li>port<ul><li>aft</ul><li>starboard</ul>"), name="l.html").text
    assert text == "- port\n  - aft\n- starboard"


def test_html_nested_thousands_deep_is_read() -> None:
    text = extract(html("<div>" * 1500 + PROSE), name="deep.html").text
    assert PROSE.strip() in text


def test_html_keeps_a_paragraph_whose_list_goes() -> None:
    """What trafilatura leaves out of an article follows a paragraph as its list would."""
    told = [f"On day {day} the crew slept, and the ship flew on in the dark." for day in range(12)]
    items = "".join(
        f"<li>Read next, and win: our quiz number {n} of the year</li>" for n in range(9)
    )
    before, after = ("".join(f"<p>{p}</p>" for p in half) for half in (told[:6], told[6:]))
    page = (
        '<html><head><meta property="og:type" content="article"></head><body><article>'
        f'<h1>Sleep</h1>{before}<ul class="teaser">{items}</ul>{after}</article></body></html>'
    )
    text = extract(page.encode(), name="sleep.html").text
    assert all(paragraph in text for paragraph in told)
    assert "quiz" not in text


def test_html_keeps_a_page_of_links() -> None:
    links = "".join(f"<li><a href=f{n}.html>function_{n}()</a>" for n in range(80))
    text = extract(html(f"<h1>Functions</h1><ul>{links}</ul>"), name="index.html").text
    assert all(f"function_{n}()" in text for n in range(80))


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("cp1252", None),
        ("latin-1", "latin-1"),
        ("gb18030", "gb2312"),
        ("shift_jis", "shift_jis"),
        ("koi8-r", "koi8-r"),
    ],
)
def test_character_sets(encoding: str, declared: str | None) -> None:
    sample = {
        "gb18030": "测深锤用来测量水的深度。",
        "shift_jis": "測深錘で水の深さを測る。",
        "koi8-r": "Лот служит для измерения глубины.",
    }.get(encoding, "Das Lot mißt die Tiefe über dem Grund, größer als fünf Fäden. ")
    got = extract((sample * 5).encode(encoding), name="lot.txt", charset=declared)
    assert got.text == (sample * 5).strip()


def test_character_set_declared_in_html() -> None:
    page = (
        '<html><head><meta charset="gbk"><title>测深</title></head><body><p>测深锤的故事。</body>'
    )
    assert extract(page.encode("gbk"), name="x.html").title == "测深"


def test_nearly_utf8_loses_only_the_broken_bytes() -> None:
    text = extract("größer ".encode() * 30 + b"\xff", name="x.txt").text
    assert text.count("größer") == 30 and text.endswith("\ufffd")


@pytest.mark.parametrize(
    ("name", "body", "title"),
    [
        ("a.md", "# The *lead* line #\n\ntext", "The *lead* line"),
        ("b.md", "---\ntitle: 'Lead'\n---\ntext\n# other", "Lead"),
        ("c.rst", "intro\n\nThe line\n========\n\ntext", "The line"),
        ("d.txt", "no heading here", ""),
    ],
)
def test_titles_of_text(name: str, body: str, title: str) -> None:
    assert extract(body.encode(), name=name).title == title


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("测深锤用来测量水的深度", "zh"),
        ("そくしんすいで測る", "ja"),
        ("수심을 잰다", "ko"),
        ("plain", None),
    ],
)
def test_language_told_by_the_script(text: str, language: str | None) -> None:
    assert extract(text.encode(), name="x.txt").language == language


def test_pdf_sheets_start_where_they_say() -> None:
    got = extract(pdf("By the mark seven", "", "And a half eight"), name="log.pdf")
    assert got.text == "By the mark seven\n\nAnd a half eight"
    assert got.sheet_starts == (0, 17, 19)
    assert got.media_type == "application/pdf"


def test_pdf_is_known_by_its_bytes() -> None:
    assert extract(pdf("seven"), name="log", media_type="text/html").text == "seven"


def test_pdf_from_many_threads() -> None:
    data = pdf(*(f"sheet {n}" for n in range(20)))
    results: list[str] = []
    threads = [
        threading.Thread(target=lambda: results.append(extract(data, name="x.pdf").text))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and len(set(results)) == 1


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("scan.pdf", pdf("", ""), ["'scan.pdf' has no text layer", "ocrmypdf"]),
        ("cut.pdf", pdf("seven")[:200], ["'cut.pdf' is not a whole PDF", "get the file again"]),
        ("empty.txt", b"", ["'empty.txt' is empty"]),
        ("blank.html", b" \n\t ", ["'blank.html' is empty"]),
        ("zeros.bin", bytes(1000), ["'zeros.bin' is empty"]),
        ("cat.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", ["'cat.png' is a binary file"]),
        ("noise.txt", bytes(range(1, 9)) * 500, ["'noise.txt' is a binary file"]),
        ("a.docx", b"PK\x03\x04" + bytes(50), ["'a.docx' is a ZIP or office file", "PDF"]),
        ("a.html.gz", b"\x1f\x8b\x08abcdef", ["'a.html.gz' is a gzip file", "unpack"]),
        ("app.html", html("<script>go()</script>", ""), ["'app.html' shows no text"]),
    ],
)
def test_what_cannot_be_read_says_why(name: str, body: bytes, words: list[str]) -> None:
    with pytest.raises(ExtractionError) as caught:
        extract(body, name=name)
    assert all(word in str(caught.value) for word in words)
    assert caught.value.remedy


def test_encrypted_pdf_says_so() -> None:
    encrypted = ENCRYPTED_PDF.encode("latin-1")
    with pytest.raises(ExtractionError, match=r"'secret\.pdf' is encrypted.*qpdf --decrypt"):
        extract(encrypted, name="secret.pdf")


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_crash_extraction(data: bytes) -> None:
    for name in ("x.html", "x.txt", "x"):
        try:
            text = extract(data, name=name).text
        except ExtractionError as error:
            assert error.remedy
        else:
            assert text and text == normalised(text)


@given(st.text(max_size=300))
def test_normalising_is_settled(text: str) -> None:
    once = normalised(text)
    assert normalised(once) == once
    assert once == unicodedata.normalize("NFC", once)
    assert "\r" not in once and "\0" not in once
    once.encode()


def test_truncated_real_looking_html(tmp_path: Path) -> None:
    whole = html(f"<table><tr><td>a<td>b<tr><td>c<td>d</table><p>{PROSE}</p>")
    for end in range(60, len(whole), 7):
        try:
            extract(whole[:end], name="cut.html")
        except ExtractionError as error:
            assert "cut.html" in str(error)


ENCRYPTED_PDF = """%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj
4 0 obj<</Filter/Standard/V 1/R 2/Length 40/P -4
/O<0000000000000000000000000000000000000000000000000000000000000001>
/U<0000000000000000000000000000000000000000000000000000000000000002>>>endobj
trailer<</Root 1 0 R/Size 5/Encrypt 4 0 R/ID[<00><00>]>>
startxref
0
%%EOF
"""


def test_a_cell_that_reaches_down_stands_in_every_row() -> None:
    html = b"""<table><tr><th>Year</th><th>River</th><th>Note</th></tr>
    <tr><td rowspan="3">2020</td><td>Elm</td><td rowspan="2">wet</td></tr>
    <tr><td>Oak</td></tr><tr><td colspan="2">none</td></tr><tr><td>2021</td><td>Ash</td></tr>
    </table>"""
    assert extract(html, name="rivers.html").text.splitlines()[2:] == [
        "| 2020 | Elm | wet |",
        "| 2020 | Oak | wet |",
        "| 2020 | none |  |",
        "| 2021 | Ash |  |",
    ]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The lead was cast into the sea and it found the bottom at nine fathoms. " * 3, "en"),
        ("Das Lot wurde in die See geworfen und fand den Grund bei neun Faden. " * 3, "de"),
        ("La sonde fut jetée à la mer et trouva le fond à neuf brasses de profondeur. " * 3, "fr"),
        ("测深锤被抛入海中，在九英寻处触底。", "zh"),
        ("ahoi", None),
    ],
)
def test_the_language_is_told(text: str, language: str | None) -> None:
    assert extract(text.encode(), name="x.txt").language == language


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("D:20210304120000+01'00'", date(2021, 3, 4)),
        ("20210304", date(2021, 3, 4)),
        ("D:99990101", None),
        ("D:20211345", None),
        ("soon", None),
    ],
)
def test_a_pdf_says_when_it_was_made(written: str, day: date | None) -> None:
    info = b"<</CreationDate(%s)/Author(A. Seaman)>>" % written.encode()
    data = page_with(shown("By the mark seven"), info)
    data = data.replace(b"trailer\n<<", b"trailer\n<</Info 6 0 R ")
    extracted = extract(data, name="x.pdf")
    assert (extracted.published, extracted.authors) == (day, ("A. Seaman",))
