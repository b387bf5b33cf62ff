"""Events as they come, an edit of the plan while the run is under way, a question asked back."""

from leadline import Clarification, Event, Leadline, Steering
from leadline.agent.steering import AddQuestion
from own_engine import QUESTION, RuleEngine, documents


def answer(asked: Clarification) -> str | None:
    """Called where the question can be meant in several ways; None leaves it to the run."""
    print("asked back:", asked.question, asked.choices)
    return None


def show(event: Event) -> None:
    if event.kind == "search.finished":
        print(f"{event.found} pages in {event.source} for {event.query!r}")
    elif event.kind == "plan.edited":
        print("edit of the plan:", event.refused or "taken")
    elif event.kind == "evidence.found":
        print("evidence:", event.evidence.span.quote)


def main() -> None:
    steering = Steering()
    steering.edit(AddQuestion(text="How many berths does the harbour of Port Alder have?"))
    with (
        Leadline(corpora=[documents()], engine=RuleEngine(), reader="none") as lead,
        lead.stream(QUESTION, steering=steering, clarify=answer) as events,
    ):
        for event in events:
            show(event)
        print(events.report.to_markdown())


if __name__ == "__main__":
    main()
