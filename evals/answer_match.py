"""Does a short answer say what it should?

Exact match and word F1 as SQuAD defines them (Rajpurkar et al., EMNLP 2016, §6.1); answers of
"yes" and "no" match as a whole or not at all, as in HotpotQA (Yang et al., EMNLP 2018, §4).
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WHOLE_ANSWERS = frozenset(["yes", "no", "noanswer"])


def normalised(answer: str) -> str:
    """``answer`` in lower case without articles, punctuation and spare white space."""
    bare = _ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION))
    return " ".join(bare.split())


def exact_match(answer: str, right: Sequence[str]) -> float:
    """1 if ``answer`` is one of ``right`` after normalising, else 0."""
    return float(normalised(answer) in {normalised(each) for each in right})


def word_f1(answer: str, right: Sequence[str]) -> float:
    """The best F1 over words of ``answer`` against any of ``right``."""
    return max((_word_f1(normalised(answer), normalised(each)) for each in right), default=0.0)


def _word_f1(answer: str, right: str) -> float:
    if answer != right and _WHOLE_ANSWERS & {answer, right}:
        return 0.0
    said, wanted = answer.split(), right.split()
    shared = sum((Counter(said) & Counter(wanted)).values())
    if not shared:
        return float(said == wanted)
    precision, recall = shared / len(said), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)
