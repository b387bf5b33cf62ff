from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError
from leadline.evals.haystack import Haystack, Insertion, build_haystacks, hide
from leadline.progress import silent
from leadline.runtime.made_pages import made_page

from .tiny_data import write_wikitables

BLOCKS = st.sampled_from(
    [
        "A club was founded in 1902. It won often.",
        "# Results",
        "| Year | Winner |\n| --- | --- |\n| 1902 | Ann |",
        "The war ended it.[12] Nobody knows why!",
        "no end to this line",
    ]
)
PAGES = st.lists(st.lists(BLOCKS, max_size=4).map("\n\n".join), min_size=1, max_size=4)
NEEDLES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@given(PAGES, NEEDLES, st.sampled_from(["paragraph", "sentence"]))
def test_hidden_texts_stand_where_it_says_and_nothing_else_changes(
    texts: list[str], depths: list[float], how: Literal["paragraph", "sentence"]
) -> None:
    pages = [made_page(f"Page {n}", text) for n, text in enumerate(texts)]
    insertions = [Insertion(depth, f"Needle{n}x is here.") for n, depth in enumerate(depths)]
    changed, places = hide(pages, insertions, how=how)
    by_id = {page.page_id: page for page in changed}
    for insertion, place in zip(insertions, places, strict=True):
        text = by_id[place.page_id].text
        assert text.startswith(insertion.text, place.start)
        before = text[: place.start]
        assert not before or before.endswith("\n\n" if how == "paragraph" else " ")
    left = "".join(page.text for page in changed)
    for insertion in insertions:
        assert left.count(insertion.text) == 1
        left = left.replace(insertion.text, "")
    assert "".join(left.split()) == "".join("".join(texts).split())
    assert [page.title for page in changed] == [page.title for page in pages]


@given(PAGES, NEEDLES)
def test_sentences_keep_their_order(texts: list[str], depths: list[float]) -> None:
    pages = [made_page("", text) for text in texts]
    facts = [Insertion(depth, f"Fact{n}x.") for n, depth in enumerate(sorted(depths))]
    changed, _ = hide(pages, facts, how="sentence")
    text = "".join(page.text for page in changed)
    offsets = [text.index(fact.text) for fact in facts]
    assert offsets == sorted(offsets)


def test_depth_is_a_share_of_the_whole_and_tables_stay_whole() -> None:
    prose = " ".join(["It rained."] * 20)
    table = "\n".join(["| a | b |"] * 30)
    pages = [made_page("one", prose), made_page("two", f"{prose}\n\n{table}\n\n{prose}")]
    changed, places = hide(pages, [Insertion(0.0, "N."), Insertion(1.0, "M.")], how="paragraph")
    assert changed[0].text.startswith("It rained.\n\nN.\n\nIt rained.")
    assert changed[1].text.endswith("It rained.\n\nM.")
    assert [place.page_id for place in places] == [page.page_id for page in changed]
    inside, _ = hide(pages[1:], [Insertion(0.5, "N.")], how="paragraph")
    assert table in inside[0].text


def build(folder: Path, sizes: list[int], *, seed: int | None = None) -> dict[int, Haystack]:
    return build_haystacks(
        folder,
        sizes,
        lambda text: len(text.split()),
        seed=seed,
        cancel=Cancellation(),
        progress=silent,
    )


def test_haystacks_have_about_their_size_and_begin_alike(tmp_path: Path) -> None:
    folder = write_wikitables(tmp_path)
    built = build(folder, [900, 300])
    assert list(built) == [300, 900]
    for size, haystack in built.items():
        assert haystack.tokens == sum(len(page.text.split()) for page in haystack.pages)
        assert abs(haystack.tokens - size) < 40
    small, large = built[300].pages, built[900].pages
    assert small[:-1] == large[: len(small) - 1]
    assert large[len(small) - 1].text.startswith(small[-1].text)
    assert [page.title for page in small[:2]] == ["Club 0", "Club 1"]
    assert "| 3 | boat 3 |" in small[0].text
    shuffled = build(folder, [900], seed=1)[900].pages
    assert [page.title for page in shuffled] != [page.title for page in large]


def test_too_few_pages_say_how_many_tokens_they_have(tmp_path: Path) -> None:
    folder = write_wikitables(tmp_path, pages=2)
    with pytest.raises(ConfigError, match=r"have \d+ tokens, 9,000 were asked for.*--tokens"):
        build(folder, [100, 9000])


def test_building_can_be_stopped(tmp_path: Path) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        build_haystacks(
            write_wikitables(tmp_path), [9], len, seed=None, cancel=cancel, progress=silent
        )
