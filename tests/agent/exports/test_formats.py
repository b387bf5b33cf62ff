from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest
from lxml import html

from leadline.agent.exports.formats import export_to, exported, format_of, suggested_name
from leadline.agent.exports.pdf_fonts import fonts_for
from leadline.agent.report import Claim, Report, render_markdown
from leadline.agent.tables.schema import Column, TableSchema
from leadline.agent.tables.wide_table import Cell, WideTable
from leadline.budget import Usage
from leadline.errors import ConfigError, InputError
from leadline.evidence import Citation
from leadline.tools.extraction import extract
from leadline.tools.page_store import PageStore

TEXT = "The harbour of Port Alder was opened in 1902, after a long wait. It has 14 berths.\n"


def citation(page_id: str = "a" * 64, quote: str = "opened in 1902", **changes: object) -> Citation:
    start = TEXT.index("opened in 1902")
    values: dict[str, object] = {
        "page_id": page_id,
        "start": start,
        "end": start + len(quote),
        "quote": quote,
        "url": "https://example.org/harbour",
        "title": "Harbour",
    }
    return Citation.model_validate(values | changes)


def report_of(
    *claims: Claim, table: WideTable | None = None, markdown: str | None = None
) -> Report:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    return Report(
        run_id="20261125-120000-abcd",
        status="complete",
        question="When was it opened?",
        markdown=markdown or render_markdown(claims, status="complete"),
        claims=claims,
        open_questions=(),
        usage=Usage(seconds=3, pages=2),
        table=table,
        model="m",
        reader="r",
        started_at=now,
        finished_at=now,
    )


CLAIM = Claim(text="It was opened in `1902`", citations=(citation(),), verdict="supported")


def parsed(report: Report, pages: PageStore | None = None) -> html.HtmlElement:
    return html.fromstring(exported(report, "html", pages).decode())


def pdf_text(data: bytes) -> str:
    document = pypdfium2.PdfDocument(io.BytesIO(data))
    return "\n".join(page.get_textpage().get_text_range() for page in document)


def test_a_citation_in_html_leads_to_its_quote() -> None:
    page = parsed(report_of(CLAIM))
    (link,) = page.xpath("//a[@class='citation']")
    (item,) = page.xpath(f"//li[@id='{link.get('href')[1:]}']")
    assert item.xpath(".//mark")[0].text_content() == "opened in 1902"
    (source,) = item.xpath(".//cite/a")
    assert source.get("href") == "https://example.org/harbour#:~:text=opened%20in%201902"


def test_html_shows_a_quote_in_its_surroundings(tmp_path: Path) -> None:
    store = PageStore(tmp_path / "pages")
    page = store.put(
        TEXT.encode(),
        url="https://example.org/harbour",
        final_url="https://example.org/harbour",
        media_type="text/plain",
        fetched_at=datetime.now(UTC),
        extracted=extract(TEXT.encode(), name="harbour.txt"),
    )
    start = page.text.index("opened in 1902")
    cited = Citation.of(page.span(start, start + 14), page)
    shown = parsed(report_of(CLAIM.model_copy(update={"citations": (cited,)})), store)
    quote = shown.xpath("//blockquote")[0].text_content()
    assert quote.startswith("The harbour of Port Alder was opened in 1902, after")


def test_html_has_nothing_that_could_run_or_be_fetched() -> None:
    hostile = citation(
        quote="<script>alert(1)</script>",
        title='"><img src=http://evil.example/x onerror=alert(1)>',
        url="javascript:alert(1)",
    )
    claim = Claim(
        text="<script>x</script> ![i](http://evil.example/i.png) [1] \u202eevil",
        citations=(hostile,),
        verdict="supported",
    )
    source = exported(report_of(claim), "html").decode()
    page = html.fromstring(source)
    assert not page.xpath("//script|//img|//iframe|//object|//link|//form|//*[@style or @onerror]")
    assert {a.get("href", "")[:1] for a in page.xpath("//a")} <= {"#"}
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']")
    assert policy.get("content", "").startswith("default-src 'none'; style-src 'sha256-")
    assert "\u202e" not in source


def test_long_quotes_are_addressed_by_their_ends() -> None:
    words = " ".join(f"word-{n}" for n in range(60))
    claim = CLAIM.model_copy(update={"citations": (citation(quote=words),)})
    (link,) = parsed(report_of(claim)).xpath("//cite/a")
    directive = link.get("href", "").partition("#:~:text=")[2]
    assert directive.count(",") == 1
    assert directive.startswith("word%2D0%20")


def test_a_pdf_holds_the_answer_and_its_sources() -> None:
    text = pdf_text(exported(report_of(CLAIM), "pdf"))
    for expected in ("When was it opened?", "It was opened in 1902", "[1]", "opened in 1902"):
        assert expected in text


def test_chinese_comes_out_of_a_pdf() -> None:
    claim = Claim(text="港口于一九零二年开放", citations=(citation(quote="一九零二年开放"),))
    try:
        fonts_for("港口")
    except ConfigError:
        with pytest.raises(ConfigError, match="no font on this machine"):
            exported(report_of(claim), "pdf")
        return
    text = pdf_text(exported(report_of(claim), "pdf"))
    assert "港口于一九零二年开放" in text.replace("\r\n", "")


def test_a_machine_without_fonts_writes_latin_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadline.agent.exports.pdf_fonts.font_folders", lambda: (tmp_path,))
    assert "It was opened in 1902" in pdf_text(exported(report_of(CLAIM), "pdf"))
    with pytest.raises(ConfigError, match="no font on this machine has '港'"):
        exported(report_of(CLAIM.model_copy(update={"text": "港"})), "pdf")


def test_a_table_becomes_rows_of_html_and_csv_and_pdf() -> None:
    schema = TableSchema(
        subject="harbours", columns=(Column(name="Name"), Column(name="Opened")), keys=("Name",)
    )
    row = {"Name": Cell(value="Port Alder", citations=(citation(),)), "Opened": Cell()}
    table = WideTable(table_schema=schema, rows=(row,))
    report = report_of(table=table, markdown="```markdown\n| Name | Opened |\n```\n\n## Missing\n")
    assert b"Port Alder" in exported(report, "csv")
    cells = [cell.text_content() for cell in parsed(report).xpath("//td")]
    assert cells[0] == "Port Alder"
    assert "Port Alder" in pdf_text(exported(report, "pdf"))


def test_an_answer_has_no_csv() -> None:
    with pytest.raises(InputError, match="has no table"):
        exported(report_of(CLAIM), "csv")


def test_json_and_markdown_are_what_the_run_kept() -> None:
    report = report_of(CLAIM)
    assert Report.model_validate(json.loads(exported(report, "json"))) == report
    assert exported(report, "md").decode() == report.markdown


def test_the_ending_of_a_name_chooses_the_format(tmp_path: Path) -> None:
    assert format_of(Path("A.PDF")) == "pdf"
    with pytest.raises(InputError, match=r"\.md, \.html"):
        format_of(Path("report.docx"))
    export_to(tmp_path / "a.md", report_of(CLAIM))
    assert (tmp_path / "a.md").read_text() == report_of(CLAIM).markdown
    with pytest.raises(InputError, match="is a folder"):
        export_to(tmp_path, report_of(CLAIM))


def test_a_suggested_name_is_the_question() -> None:
    assert suggested_name(report_of(CLAIM), "html") == "when-was-it-opened.html"
