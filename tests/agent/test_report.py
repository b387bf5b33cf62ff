from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from leadline.agent.report import Claim, Contradiction, render_markdown
from leadline.evidence import Citation


def citation(quote: str, start: int = 0, url: str = "https://example.org/a") -> Citation:
    return Citation(
        page_id="p" * 64, start=start, end=start + len(quote), quote=quote, url=url, title="A page"
    )


def test_claims_carry_numbers_that_lead_to_their_quotes() -> None:
    first, second = citation("one"), citation("two", start=10)
    text = render_markdown(
        [Claim(text="First", citations=(first, second)), Claim(text="Again.", citations=(second,))],
        status="complete",
    )
    assert text.startswith("First. [1][2] Again. [2]\n")
    assert "1. A page — <https://example.org/a>\n   > one" in text
    assert text.count("> two") == 1


def test_an_unsupported_claim_is_marked() -> None:
    claim = Claim(text="It is 7.", citations=(citation("It is 6."),), verdict="unsupported")
    assert "*(not supported by its source)*" in render_markdown([claim], status="partial")


def rendered(markdown: str) -> tuple[set[str], str]:
    """What a reader of the Markdown gets: targets that can be followed or loaded, and the words."""
    parser = MarkdownIt("gfm-like")
    assert parser.linkify is not None
    parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
    targets, words = set(), []
    for block in parser.parse(markdown):
        for token in (block, *(block.children or ())):
            if token.type == "link_open":
                targets.add(str(token.attrGet("href")))
            if token.type in ("image", "html_inline", "html_block"):
                targets.add(token.type)
            if token.type in ("text", "code_inline"):
                words.append(token.content)
    return targets, "".join(words)


EVIL = "![x](https://evil.example/?q=1) <img src=x> [y](https://evil.example) www.evil.example &lt;"


def test_page_text_is_shown_to_the_letter_and_adds_no_markup() -> None:
    text = render_markdown([Claim(text="c", citations=(citation(EVIL),))], status="complete")
    targets, words = rendered(text)
    assert targets == {"https://example.org/a"}
    assert EVIL in words


@given(st.text(alphabet="![](){}<>`*_#|&;:/\\.~-+=1. ahtpsw\n\"'"))
def test_nothing_in_a_page_becomes_a_link_or_an_image(quote: str) -> None:
    text = render_markdown([Claim(text="c", citations=(citation(quote),))], status="complete")
    assert rendered(text)[0] == {"https://example.org/a"}


@given(st.text(alphabet="![](){}<>`*_#|&;:/\\.~-+=1. ahtpsw\n\"'"))
def test_nothing_a_model_writes_becomes_a_link_elsewhere(claim: str) -> None:
    text = render_markdown([Claim(text=claim, citations=(citation("q"),))], status="complete")
    assert rendered(text)[0] <= {"https://example.org/a"}


def test_nothing_found_is_said() -> None:
    text = render_markdown([], status="failed", open_questions=["What is it?"])
    assert "No answer was found" in text
    assert "- What is it?" in text


def test_a_stopped_run_shows_what_it_had_found() -> None:
    text = render_markdown([], status="budget_exhausted", unread=[citation("found words")])
    assert "budget ran out" in text
    assert "found words [1]" in text


def test_the_short_answer_leads() -> None:
    claims = [Claim(text="It was opened in 1902", citations=(citation("opened in 1902"),))]
    text = render_markdown(claims, status="complete", answer="1902")
    assert text.startswith("**1902**\n\nIt was opened in 1902. [1]\n")


def test_the_share_of_samples_that_agree_stands_beside_the_answer() -> None:
    claims = [Claim(text="It was opened in 1902", citations=(citation("opened in 1902"),))]
    text = render_markdown(claims, status="complete", answer="1902", agreement=0.8)
    assert text.startswith("**1902** *(80% of the samples say so)*\n")


def test_without_claims_no_answer_leads() -> None:
    assert "1902" not in render_markdown([], status="failed", answer="1902")


def test_sources_that_disagree_are_shown_with_both_quotes() -> None:
    first, second = citation("opened in 1902"), citation("opened in 1904", start=50)
    disagreement = Contradiction(
        question="When was it opened?",
        first="1902",
        first_citation=first,
        second="1904",
        second_citation=second,
    )
    text = render_markdown(
        [Claim(text="In 1902.", citations=(first,))],
        status="partial",
        contradictions=[disagreement],
    )
    assert "## Sources disagree\n\n- When was it opened?\n  - 1902 [1]\n  - 1904 [2]" in text
    assert "> opened in 1904" in text


def test_what_was_repaired_and_removed_is_counted() -> None:
    claim = Claim(text="c", citations=(citation("q"),))
    text = render_markdown([claim], status="partial", repaired_claims=1, removed_claims=2)
    assert "1 statement written anew from the sources, 2 statements left out" in text


@given(st.text(alphabet="![](){}<>`*_#|&;:/\\.~-+=1. ahtpsw\n\"'"))
def test_no_answer_or_value_becomes_a_link_or_an_image(text: str) -> None:
    cited = citation("q")
    disagreement = Contradiction(
        question=text, first=text, first_citation=cited, second=text, second_citation=cited
    )
    shown = render_markdown(
        [Claim(text="c", citations=(cited,))],
        status="partial",
        answer=text,
        contradictions=[disagreement],
    )
    assert rendered(shown)[0] == {"https://example.org/a"}
