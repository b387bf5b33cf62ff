"""A question, an answer, its sources."""

from leadline import Leadline
from own_engine import QUESTION, RuleEngine, documents

with Leadline(corpora=[documents()], engine=RuleEngine(), reader="none") as lead:
    report = lead.run(QUESTION)
    print(report.to_markdown())
    for citation in (citation for claim in report.claims for citation in claim.citations):
        print(citation.url, citation.start, citation.end, citation.quote)
