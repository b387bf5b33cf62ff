"""Short pages are given beyond a limit while there is room for them, from what is at hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.corpus_source import CorpusSource
from leadline.agent.sources import MOST_PAGES, filled
from leadline.cancellation import Cancellation
from leadline.runtime.made_pages import made_page
from leadline.tools.corpus import Corpus
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.page_store import PageStore

PAGES = [made_page(f"Buoy {n}", f"Buoy {n} lies deep. " * (n % 4 + 1)) for n in range(60)]


@given(st.integers(1, 60), st.integers(0, 4_000))
def test_no_more_than_needed_and_no_fewer_than_the_limit(limit: int, characters: int) -> None:
    taken = filled(PAGES, limit, characters)
    assert taken == PAGES[: len(taken)]
    assert limit <= len(taken) <= max(limit, MOST_PAGES)
    if len(taken) > limit:
        assert sum(len(page.text) for page in taken[:-1]) < characters


@pytest.fixture
async def buoys(tmp_path: Path, store: PageStore) -> Corpus:
    folder = tmp_path / "buoys"
    folder.mkdir()
    for number in range(30):
        (folder / f"{number}.md").write_text(f"# Buoy {number}\n\nBuoy {number} lies in the bay.\n")
    corpus = CorpusCatalogue(store=store).add("buoys", str(folder), embeddings=False)
    await corpus.update(cancel=Cancellation())
    return corpus


async def test_a_corpus_of_short_pages_fills_what_the_reader_can_take_in(buoys: Corpus) -> None:
    source = CorpusSource(buoys)
    few = await source.find("buoy in the bay", limit=4, cancel=Cancellation())
    assert len(few.pages) == 4
    wanted = 3 * sum(len(page.text) for page in few.pages)
    source = replace(source, least_characters=wanted)
    more = await source.find("buoy in the bay", limit=4, cancel=Cancellation())
    assert more.pages[:4] == few.pages
    assert 4 < len(more.pages) < 30
    assert sum(len(page.text) for page in more.pages) >= wanted
