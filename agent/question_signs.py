"""What the words of a question show by themselves, before any model is asked."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable
from fractions import Fraction

from .tables.schema import columns_in

_PARTS = re.compile(
    r"[;?？；]"
    r"|\b(?:which|what|who|how|when|where)\b.*[,，]\s*(?:in )?(?:which|what|who|how|when|where)\b"
    r"|\b(?:and|or|vs\.?|versus|compare[ds]?|difference|differs?|than|between|whose|both|pros|"
    r"advantages?|why|how do|explain)\b"
    r"|(?<=\w )(?:who|which|whom|where|that) (?:\w+ed|is|was|are|were|has|had|did|won|wrote|made)\b"
    r"|和|与|以及|还是|比较|区别|为什么|哪个更|的[^的]+的",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"\b(\w{3,}(?:or|er|ist|eur|teur)|capitale?|president|king|queen|ceo|wife|husband|spouse"
    r"|daughter|son|birthplace|hometown|headquarters|alma mater)s?"
    r" (?:of|de|des|du|von|del)\b",
    re.IGNORECASE,
)
_NO_ROLES = (
    "number power center order border water color colour letter error member paper layer order "
    "user other after under over per ever river tower for nor or buffer parameter pointer "
    "header server number major minor corner cover"
)
_ASKS_THE_ROLE = re.compile(
    r"^(?:who|what|which \w+|qui|quelle?) (?:is|was|are|were|est|était) (?:the |la |le |l['’])?",
    re.IGNORECASE,
)
_ALTERNATIVES = (
    re.compile(
        r"\b(?:which|who|what|is|are|was|were|has|have|had|do|does|did)\b[^,:]*[,:]"
        r" (?P<a>[^,:]+?) or (?P<b>[^,:]+?) ?[?.]?$",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<!, )(?<!, [Tt]he )\b(?P<a>(?:[Tt]he )?[A-Z0-9][^\s,:?]*"
        r"(?: (?:[A-Z0-9][^\s,:?]*|of|the|and|de|in|for|&))*)"
        r" or (?P<b>(?:[Tt]he )?[A-Z0-9][^,:?]*?) ?[?.]?$"
    ),
)
"""Of two, not of more. Of names that no comma parts from the question, the capitals tell."""
_BETWEEN = (
    re.compile(
        r"\b(?:between|compare) (?P<a>.+?) (?:and|with|to) (?P<b>.+?)(?: in| for| on|[?,.]|$)",
        re.IGNORECASE,
    ),
    re.compile(
        r"\b(?:do|does|did) (?P<a>.+?) (?:and|from) (?P<b>.+?) (?:differ|compare)", re.IGNORECASE
    ),
    _ALTERNATIVES[0],
    _ALTERNATIVES[1],
    re.compile(r"\b(?:is|are|was|were) (?P<a>.+?) \w+er than (?P<b>.+?)[?.]?$", re.IGNORECASE),
    re.compile(r"^(?P<a>.+?) (?:vs\.?|versus) (?P<b>.+?)(?:[:?,.]|$)", re.IGNORECASE),
    re.compile(r"^(?P<a>.+?)[和与](?P<b>.+?)(?:哪个|谁|的?区别|相比)"),
)
_ASKS_WHICH = re.compile(r"\b(?:which|who|what)\b", re.IGNORECASE)
_ATTRIBUTES = re.compile(
    r"^(?:please )?(?:list|name|every|all|(?:give me |make |create )?a (?:list|table) of|table of)\b"
    r".+?(?:,| with| and| along with| including) (?:their|its) (?P<attributes>[^.?!]+)[.?!]?$"
    r"|^(?:请)?列出.+?(?:及其|和它们的|以及它们的)(?P<chinese>[^。？]+)[。？]?$",
    re.IGNORECASE,
)
_PARTING = re.compile(r"\s*(?:,(?: and)?|\band\b|、|和|以及)\s*")
_MOST_ATTRIBUTES = 8
_ATTRIBUTE_WORDS = 5
_GREETINGS = "hi hello hey thanks thank bonjour hola hallo danke merci 你好 谢谢"
_SMALL_TALK = "how are you there good morning evening day today much very so is it going doing 吗"
_SUM = re.compile(
    r"(?P<asked>what(?:'s| is)|calculate|compute|how much is|多少是)?\s*"
    r"(?P<terms>[-+(]*\d[\d\s.,+\-*/×÷x^()%]*)(?P<equals>=)?\s*[?？]?",
    re.IGNORECASE,
)
_DATE_LIKE = re.compile(r"\d+(?:[/-]\d+)+")
"""9/11, 1914-1918: written without spaces, these are seldom sums."""
_OPERATIONS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_MOST_TERMS = 200
_HIGHEST_POWER = 64
_MOST_BITS = 1_000
"""Of a value on the way: no sum may keep the run busy."""


def has_parts(question: str) -> bool:
    """Whether a question shows signs of more than one thing to look up."""
    bare = question.strip().rstrip("?？.!")
    return bool(_PARTS.search(bare)) or _builds_on_a_role(bare)


def _builds_on_a_role(question: str) -> bool:
    """Whether it asks something about "the inventor of …", rather than who that is."""
    rest = _ASKS_THE_ROLE.sub("", question, count=1)
    for role in _ROLE.finditer(rest):
        is_asked_for = role.start() == 0 and rest != question
        if role[1].casefold() not in _NO_ROLES.split() and not is_asked_for:
            return True
    return False


def things_compared(question: str) -> tuple[str, str] | None:
    """The two things that a question compares, as it names them."""
    return _two_things(question, _BETWEEN)


def alternatives(question: str) -> tuple[str, str] | None:
    """The two things of which a question asks for one: "which is older, A or B?"."""
    return _two_things(question, _ALTERNATIVES) if _ASKS_WHICH.search(question) else None


def _two_things(question: str, patterns: Iterable[re.Pattern[str]]) -> tuple[str, str] | None:
    for pattern in patterns:
        if found := pattern.search(question.strip()):
            first, second = found["a"].strip(" ?.？"), found["b"].strip(" ?.？")
            if first and second and max(len(first), len(second)) <= 80:
                return first, second
    return None


def columns_wanted(question: str) -> tuple[str, ...]:
    """The columns, where a question asks for facts on each of several things; else none.

    They are the ones it spells out, or a name and what it wants "with their …".
    """
    if len(spelt := columns_in(question)) > 1:
        return spelt
    found = _ATTRIBUTES.search(" ".join(question.split()))
    if found is None:
        return ()
    parts = _PARTING.split(found["attributes"] or found["chinese"])
    names = [re.sub(r"^(?:the|their|its) ", "", part.strip()) for part in parts]
    names = list(dict.fromkeys(name for name in names if name))
    clear = all(len(name.split()) <= _ATTRIBUTE_WORDS for name in names)
    if not names or len(names) > _MOST_ATTRIBUTES or not clear:
        return ()
    return ("名称" if found["chinese"] else "Name", *names)


def answered_without_search(question: str) -> str | None:
    """What is to be said where searching cannot help: a sum, or nothing that can be looked up."""
    words = re.findall(r"\w+", question.casefold())
    greetings = set(_GREETINGS.split())
    if greetings.intersection(words) and greetings.union(_SMALL_TALK.split()).issuperset(words):
        return "This asks for nothing that can be looked up, so nothing was searched."
    sum_ = _SUM.fullmatch(question.strip())
    if sum_ is None or not (sum_["asked"] or sum_["equals"]):
        return None
    if _DATE_LIKE.fullmatch(sum_["terms"].strip()):
        return None
    terms = sum_["terms"].strip().replace("×", "*").replace("÷", "/").replace("x", "*")
    value = _value_of(terms.replace("^", "**").replace(",", ""))
    if value is None or not re.search(r"\d\s*[-+*/%]", terms.replace("^", "*")):
        return None
    return f"{sum_['terms'].strip()} = {_decimal(value)} (computed; nothing was searched)"


def _value_of(terms: str) -> Fraction | None:
    """The value of a sum in Python's notation; None if it is none, or too large to work out."""
    if len(terms) > _MOST_TERMS:
        return None

    def work_out(node: ast.expr) -> Fraction:
        value = step(node)
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
            raise ValueError("the value is too large")
        return value

    def step(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int() | float() as number):
                return Fraction(str(number))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -work_out(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return work_out(operand)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                power = work_out(right)
                if power.denominator != 1 or abs(power) > _HIGHEST_POWER:
                    raise ValueError("the power is too high")
                return work_out(left) ** int(power)
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATIONS[type(op)](work_out(left), work_out(right))
        raise ValueError("this is no sum")

    try:
        return work_out(ast.parse(terms, mode="eval").body)
    except (SyntaxError, ValueError, KeyError, ZeroDivisionError, RecursionError):
        return None


def _decimal(value: Fraction) -> str:
    if value.denominator == 1:
        return f"{int(value)}"
    return f"{float(value):.10g}"
