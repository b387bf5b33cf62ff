"""Head maps as a page and as a picture."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import BytesIO
from itertools import pairwise

import pytest

from leadline.cli.heatmap_html import heatmap_html
from leadline.cli.heatmap_png import heatmap_png, require_pillow
from leadline.errors import ConfigError
from leadline.evidence import Evidence, Page
from leadline.runtime.heads import Head
from leadline.runtime.heatmap import HeadMap, PassageMap, Stretch
from leadline.runtime.heatmap_view import Strengths
from leadline.runtime.passages import Passage

QUESTION = "How deep is <the> sea & \u202esalt?"
HOSTILE = (
    "The sea is <script>alert(1)</script> salt.\n\n"
    'It is "11" km deep. <img src=http://a.example/x onerror=alert(2)> </mark></main>\x1b[31m'
)


def page(title: str, text: str) -> Page:
    return Page(
        page_id=hashlib.sha256(text.encode()).hexdigest(),
        url="https://a.example/?a=1&b=<2>",
        final_url="https://a.example/?a=1&b=<2>",
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_type="text/html",
        title=title,
        text=text,
    )


def mapped(of: Page, start: int, end: int) -> PassageMap:
    """Words and lines of a part of a page; the n-th attracts n for all heads, more for the first."""

    def stretches(parts: Sequence[str]) -> tuple[Stretch, ...]:
        found, at = [], start
        for number, part in enumerate(parts):
            at = of.text.index(part, at)
            found.append(Stretch(at, at + len(part), (number * 0.1, number * 0.2, -0.1)))
            at += len(part)
        return tuple(found)

    text = of.text[start:end]
    lines = [line for line in text.split("\n") if line]
    return PassageMap(Passage(of, start, end), stretches(text.split()), stretches(lines))


SEA = page("The <b>sea</b>", HOSTILE)
FAR = page("Far", "First part here.\n\nLeft out.\n\nLast part here.")
HEAD_MAP = HeadMap(
    question=QUESTION,
    heads=(Head(11, 12), Head(13, 2)),
    passages=(
        mapped(SEA, 0, HOSTILE.index("\n")),
        mapped(SEA, HOSTILE.index("It is"), len(HOSTILE)),
        mapped(FAR, 0, 16),
        mapped(FAR, 29, len(FAR.text)),
    ),
    whole=False,
    read_tokens=1234,
)
AT = HOSTILE.index("It is")
EVIDENCE = [Evidence(span=SEA.span(AT, AT + 19), score=0.5, question=QUESTION)]


class Reader(HTMLParser):
    """Collects what a browser would make of the page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in {"sup"} if self.open[-1:] == ["sup"] else set(self.open):
            self.text[tag] = self.text.get(tag, "") + data


@pytest.fixture(scope="module")
def html() -> str:
    return heatmap_html(HEAD_MAP, EVIDENCE, model_id="tiny")


def test_the_page_shows_the_text_and_obeys_nothing_in_it(html: str) -> None:
    read = Reader(html)
    assert read.open == []
    assert {tag for tag, _ in read.tags} == {
        "html", "head", "meta", "title", "style", "body", "h1", "p", "input", "nav", "label",
        "span", "i", "div", "main", "h2", "small", "b", "mark", "sup",
    }  # fmt: skip
    names = {name for _, attributes in read.tags for name in attributes}
    assert not names & {"src", "href", "srcset", "action", "data"}
    assert not any(name.startswith("on") for name in names)
    assert "url(" not in html and "@import" not in html
    [policy] = [a["content"] for _, a in read.tags if a.get("http-equiv")]
    assert policy is not None and policy.startswith("default-src 'none'; ")
    shown = "".join(read.text["main"].split())
    for part in HEAD_MAP.passages:
        assert "".join(part.passage.text.split()).replace("\x1b", "\ufffd") in shown
    assert read.text["h1"] == QUESTION.replace("\u202e", "\ufffd")
    assert "\x1b" not in html and "\u202e" not in html


def test_the_evidence_is_marked_and_numbered(html: str) -> None:
    read = Reader(html)
    assert (read.text["sup"], read.text["mark"]) == ("1", 'It is "11" km deep.')


def test_every_row_can_be_chosen(html: str) -> None:
    read = Reader(html)
    inputs = [attributes for tag, attributes in read.tags if tag == "input"]
    assert [attributes["id"] for attributes in inputs] == ["r0", "r1", "r2"]
    assert ["checked" in attributes for attributes in inputs] == [True, False, False]
    labels = [attributes["for"] for tag, attributes in read.tags if tag == "label"]
    assert labels == ["r0", "r1", "r2"]
    assert all(f"#r{row}:checked ~ main b {{ --s: var(--s{row}, 0); }}" in html for row in range(3))
    assert "layer 11, head 12" in read.text["label"]


def test_words_carry_their_strengths(html: str) -> None:
    assert '<b style="--s0:1;--s1:1">&lt;/mark&gt;&lt;/main&gt;\ufffd[31m</b>' in html
    assert '<b style="--s0:.71;--s1:.71">deep.</b>' in html
    assert "--s2:" not in html.partition("<main>")[2]


def test_what_was_left_out_shows_as_a_gap(html: str) -> None:
    assert html.count('<p class="gap">…</p>') == 1
    assert "the text around the evidence, 1,234 tokens" in html


def test_the_page_is_the_same_every_time(html: str) -> None:
    assert heatmap_html(HEAD_MAP, EVIDENCE, model_id="tiny") == html


def test_strengths_grow_with_shares_from_none_to_one() -> None:
    stretches = [Stretch(n, n + 1, (share, 0.0)) for n, share in enumerate((-1.0, 0.0, 1.0, 4.0))]
    strengths = Strengths(stretches)
    found = [strengths.of(stretch)[0] for stretch in stretches]
    assert found == [0.0, 0.0, 0.5, 1.0]
    assert all(before <= after for before, after in pairwise(found))
    assert {strengths.of(stretch)[1] for stretch in stretches} == {0.0}
    assert Strengths([]).of(Stretch(0, 1, ())) == []


def test_a_picture_has_a_row_for_each_sentence_and_a_column_for_each_head() -> None:
    image_module = pytest.importorskip("PIL.Image")
    picture = heatmap_png(HEAD_MAP, EVIDENCE, model_id="tiny")
    assert picture == heatmap_png(HEAD_MAP, EVIDENCE, model_id="tiny")
    image = image_module.open(BytesIO(picture))
    one_less = HeadMap(
        question=QUESTION,
        heads=HEAD_MAP.heads,
        passages=HEAD_MAP.passages[:3],
        whole=True,
        read_tokens=1,
    )
    smaller = image_module.open(BytesIO(heatmap_png(one_less, [], model_id="tiny")))
    assert image.width == smaller.width
    rows = (image.height - smaller.height) / 44
    assert rows == len(HEAD_MAP.passages[3].sentences)
    marked = (11, 98, 196)
    assert marked in {colour for _, colour in image.getcolors(2**24)}


def test_a_picture_without_pillow_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*(name for name in sys.modules if name.startswith("PIL")), "PIL"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"pip install 'leadline\[png\]', or name an \.html file"):
        require_pillow()
    with pytest.raises(ConfigError):
        heatmap_png(HEAD_MAP, [], model_id="tiny")
