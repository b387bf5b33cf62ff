from leadline.agent.report import Claim, render_markdown
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


def test_page_text_cannot_add_markup_to_a_report() -> None:
    evil = citation("![x](https://evil.example/?q=1) <img src=x> [link](https://evil.example)")
    text = render_markdown([Claim(text="c", citations=(evil,))], status="complete")
    assert r"\!\[x\](https" in text or r"!\[x\](https" in text
    assert r"\<img" in text
    assert "](" not in text.replace(r"\](", "")


def test_nothing_found_is_said() -> None:
    text = render_markdown([], status="failed", open_questions=["What is it?"])
    assert "No answer was found" in text
    assert "- What is it?" in text


def test_a_stopped_run_shows_what_it_had_found() -> None:
    text = render_markdown([], status="budget_exhausted", unread=[citation("found words")])
    assert "budget ran out" in text
    assert "found words [1]" in text
