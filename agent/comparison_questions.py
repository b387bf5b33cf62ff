"""The two questions of a comparison, where its words tell what is to be looked up of each thing.

Small models repeat the whole comparison instead, and then answer it in one go.
"""

from __future__ import annotations

import re

from .question_signs import things_compared

_MEASURES = {
    "tall(?:er|est)": "How tall is {}?",
    "high(?:er|est)": "How high is {}?",
    "long(?:er|est)": "How long is {}?",
    "larg(?:er|est)|bigg(?:er|est)|small(?:er|est)": "How large is {}?",
    "heav(?:ier|iest)": "How heavy is {}?",
    "fast(?:er|est)": "How fast is {}?",
    "deep(?:er|est)": "How deep is {}?",
    "更高": "{}有多高？",
    "更长": "{}有多长？",
    "更大": "{}有多大？",
}
_IN_TIME = re.compile(
    r"\b(?:first|earl(?:ier|iest)|old(?:er|est)|young(?:er|est)|new(?:er|est)|later|latest"
    r"|more recent(?:ly)?)\b",
    re.IGNORECASE,
)
_EVENT = re.compile(
    r"\b(?:was|were|been|got)(?: \w+ly| first)? (\w+ed|born|built|made|written|begun|sung|shot)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\bwho\b", re.IGNORECASE)
_BE = r"(?:is|are|was|were)"
_BOTH = (
    re.compile(rf"^{_BE} (?P<a>.+?) and (?P<b>.+?),? both (?P<what>.+)$", re.IGNORECASE),
    re.compile(rf"^{_BE} both \w+, (?P<a>.+?) and (?P<b>.+?), (?P<what>.+)$", re.IGNORECASE),
)
_SAME = re.compile(
    r"^(?:is|are|was|were|do|does|did|have|has) (?:both )?(?P<a>.+?) and (?P<b>.+?)(?: both)?"
    r" (?:\w+ )?(?P<how>in|from|of|have|has|share|located in|based in|found in) the same"
    r" (?P<what>[\w -]+)$",
    re.IGNORECASE,
)
_KIND = re.compile(
    r"(?P<kind>.*?)(?P<rest>(?: (?:of|in|from|by|for|at|on|that|who|which|with|located|based)\b.*)?)"
)
_PLURAL = re.compile(r"(?<=[a-z])(?:(?P<ies>ies)|(?P<es>(?<=ch|sh|ss)es|(?<=x)es)|s)$")
_NO_PLURAL = re.compile(r"(?:ss|us|is|ous)$")


def comparison_questions(question: str) -> list[str]:
    """One question for each of the two things that are compared; none where words do not tell.

    "Which is longer, A or B?" asks how long each is, "are A and B both rivers?" whether each is a
    river, "are A and B in the same county?" in which county each is.
    """
    asked = " ".join(question.split()).rstrip("?. ")
    if found := _SAME.match(asked):
        template = _of_the_same(found["how"].lower(), found["what"])
        return [template.format(found[thing]) for thing in "ab"]
    for pattern in _BOTH:
        if (found := pattern.match(asked)) and "same" not in found["what"]:
            verb = "Was" if asked[:3].casefold() in ("was", "wer") else "Is"
            return [f"{verb} {found[thing]} {_one(found['what'])}?" for thing in "ab"]
    things = things_compared(question)
    if things is None:
        return []
    if _IN_TIME.search(asked):
        return [f"When was {thing} {_event(asked)}?" for thing in things]
    for words, template in _MEASURES.items():
        if re.search(rf"\b(?:{words})\b" if words.isascii() else words, asked, re.IGNORECASE):
            return [template.format(thing) for thing in things]
    return []


def _of_the_same(how: str, what: str) -> str:
    preposition = how.split()[-1]
    if preposition in ("in", "from"):
        return f"{preposition.capitalize()} which {what} is {{}}?"
    return f"What is the {what} of {{}}?"


def _event(asked: str) -> str:
    """What happened to a thing at the time that is compared."""
    if found := _EVENT.search(asked):
        return found[1].lower()
    return "born" if _PERSON.search(asked) else "founded, built or released"


def _one(what: str) -> str:
    """ "British publications" as one of them; what is no plural stays as it is."""
    found = _KIND.fullmatch(what)
    kind, rest = (found["kind"], found["rest"]) if found else (what, "")
    plural = None if _NO_PLURAL.search(kind) else _PLURAL.search(kind)
    if plural is None:
        return what
    single = kind[: plural.start()] + ("y" if plural["ies"] else "")
    article = "an" if single[:1].casefold() in "aeiou" else "a"
    return f"{article} {single}{rest}"
