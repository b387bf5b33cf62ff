"""Keeps text from strangers from being taken for instructions, or from calling home.

Two ways in are closed: text that enters a prompt (:func:`neutralise`, :func:`fence`), and text
that is shown to the user as markdown (:func:`safe_markdown`). Both make copies; a page's stored
text, to which all offsets refer, is never touched.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from markdown_it.token import Token

# Letters that draw nothing (Default_Ignorable_Code_Point beyond category Cf): fillers, variation
# selectors, tags, and code points kept for more of the kind.
_UNDRAWN = {
    *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
    *range(0xE0000, 0xE1000),
}
_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")

_DATA_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])data:(?:"
    r"\s*(?:[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*,[^\s)>\"'\]]*|[\w.+-]+/[\w.+-]+)",
    re.IGNORECASE,
)
_TARGET = r"[^()\s]*(?:\([^()\s]*\)[^()\s]*)*"
_IMAGE = re.compile(rf"!\[([^\[\]]*)\]\s{{0,2}}(?:\({_TARGET}(?:\s[^()]*)?\)|\[[^\[\]]*\])")
_IMAGE_START = re.compile(r"!\[")
_HTML_IMAGE = re.compile(r"<(?=\s*+(?:img|image|picture|svg|iframe|object|embed)\b)", re.IGNORECASE)

# ChatML, Llama 2–4, Gemma, Phi, DeepSeek (with its wide bar), Mistral, Granite, fill-in-the-middle
# and repository tokens of code models, and the tags in which tools are called and answered.
_TAG_NAME = r"""(?:
    (?:antml:)?(?:function_calls?|function_results?|invoke|parameter|functions?|results?)
  | system|user|assistant|human|developer|model|ipython|instructions?|prompt
  | think(?:ing)?|scratchpad|tools?|tool[_-]?(?:calls?|use|responses?|results?|outputs?|code)
  | s|bos|eos|pad|unk|mask|cls|sep|sys|inst|turn
  | [a-z]+(?:_[a-z0-9]+)+
)"""
_BARRED_TAG = re.compile(r"<[|｜]([^<>|｜\n]{1,60})[|｜]>")
_BAR_START = re.compile(r"<(?=[|｜])")
_NAMED_TAG = re.compile(rf"<<?(?=\s*+(?:/\s*+)?{_TAG_NAME}(?![\w-]))", re.IGNORECASE | re.VERBOSE)
_FUNCTION_TAG = re.compile(r"<(?=\s*+(?:/\s*+)?(?:function|parameter)\s*=)", re.IGNORECASE)
_BRACKET_TAG = re.compile(
    r"""\[(\s*+(?:/\s*+)?(?:INST|SYS|SYSTEM_PROMPT|SYSTEM|USER|ASSISTANT|AVAILABLE_TOOLS|TOOL_CALLS
    |TOOL_RESULTS|TOOL_CONTENT|ARGS|CALL_ID|THINK|gMASK|sMASK|IMG|IMG_BREAK|IMG_END|PREFIX|SUFFIX
    |MIDDLE|control_\d+)\s*)\]""",
    re.IGNORECASE | re.VERBOSE,
)
_FLOWER_TAG = re.compile(r"✿([A-Za-z]+)✿")
_ROLE = r"""(?:
    system(?:\s(?:prompt|message|instructions?|note|override))?|user|assistant|human|ai|developer
  | instructions?|input|response|output|tool(?:\s(?:calls?|results?|output))?|function(?:\scall)?
  | thought|action|action\sinput|observation|final\sanswer
  | 系统(?:提示|消息|指令)?|用户|助手|助理|人类|指令|回答
)"""
_LINE_START = r"^((?:[^\S\n]|[>*_-])*+)"
_ROLE_LINE = re.compile(
    rf"{_LINE_START}(?:[\#*_]|[^\S\n])*+({_ROLE})[*_]*+[^\S\n]*+[:：][*_]*+",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_ROLE_HEADING = re.compile(
    rf"{_LINE_START}\#(?:[^\S\n]|[*_\#])*+({_ROLE})(?:[^\S\n]|[*_\#])*+$",
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)

_LABEL_LENGTH = 120

_DECEPTIVE = re.compile("[\x00-\x08\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e0fff]")
_CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}(?P=fence)[^\n]*$|\Z)"
    r"|(?<!`)(?P<run>`+)(?!`)(?:(?!\n\s*\n).)*?(?<!`)(?P=run)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_LINK = re.compile(
    r"\[([^\[\]]*)\]\(\s*(?:<([^<>\n]*)>|([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*))(?:\s[^()]*)?\)"
)
_DEFINITION = re.compile(r"^ {0,3}\[(?!\^)[^\[\]]+\]:[^\S\n]*<?([^\s<>]*)>?.*$", re.MULTILINE)
_BARE_URL = re.compile(r"<?\b((?:https?|ftp)://[^\s<>`]*|www\.[^\s<>`]*)>?", re.IGNORECASE)
_AFTER_URL = tuple(".,;:!?)]}'\"*_|")
_HTML_TAG = re.compile(r"<(?=[A-Za-z/!?])")


def neutralise(text: str) -> str:
    """A copy of ``text`` for a prompt, in which nothing has a meaning to a chat template.

    Invisible, bidirectional and tag characters go (Unicode Cf and its like: the carriers of
    hidden text); role and turn markers, special tokens and tool-call tags lose their brackets to
    ⟨ ⟩; lines that open a turn ("### System:", "Human:") lose their colon; data URLs and images
    become words. The copy's length differs; idempotent, linear in time.
    """
    text = _visible(text)
    text = _DATA_URL.sub("(data URL)", text)
    text = _IMAGE.sub(r"(image \1)", text)
    text = _IMAGE_START.sub("(image) [", text)
    text = _HTML_IMAGE.sub("⟨", text)
    text = _BARRED_TAG.sub(r"⟨\1⟩", text)
    text = _BAR_START.sub("⟨", text)
    text = _NAMED_TAG.sub("⟨", text)
    text = _FUNCTION_TAG.sub("⟨", text)
    text = _BRACKET_TAG.sub(r"⟨\1⟩", text)
    text = _FLOWER_TAG.sub(r"⟨\1⟩", text)
    text = _ROLE_LINE.sub(r"\1⟨\2⟩", text)
    return _ROLE_HEADING.sub(r"\1⟨\2⟩", text)


def fence(text: str, label: str) -> str:
    """``text``, neutralised, between two lines that it cannot know and so cannot close.

    ``label`` says what it is ("page 3"); it may come from the page too. Delimiting is the first
    form of spotlighting: Hines et al., arXiv 2403.14720, §3.1. The prompt has to say that what
    stands between the lines is material and no instruction.
    """
    inside = neutralise(text)
    # A text cannot hold its own digest; the same text gives the same prompt, in a replay too.
    mark = hashlib.sha256(inside.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    name = " ".join(neutralise(label).split())[:_LABEL_LENGTH]
    return f"[begin {mark} {name}]\n{inside}\n[end {mark}]"


def _visible(text: str) -> str:
    text = _LINE_ENDS.sub("\n", text)
    return text.translate({ord(c): None for c in set(text) if not _is_visible(c)})


def _is_visible(character: str) -> bool:
    if character in "\n\t" or " " <= character <= "~":
        return True
    if ord(character) in _UNDRAWN:
        return False
    # Format, control, surrogate and private characters.
    return unicodedata.category(character) not in ("Cf", "Cc", "Cs", "Co")


def safe_markdown(markdown: str, allowed_urls: Iterable[str]) -> str:
    """``markdown`` for showing: no image, no HTML, and links to ``allowed_urls`` only.

    Other links keep their text; bare addresses become code. A fragment is free: a link to a part
    of a cited page is a link to it. What the rewriting may have missed is found by parsing the
    outcome (CommonMark with GFM's autolinks), and written out literally.
    """
    allowed = {_without_fragment(url) for url in allowed_urls}
    text = _DECEPTIVE.sub("", _LINE_ENDS.sub("\n", markdown))
    text = _outside_code(text, allowed)
    while lines := _offending_lines(text, allowed):
        escaped = _escaped(text, lines)
        if escaped == text:
            longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
            mark = "`" * max(3, longest + 1)
            return f"{mark}\n{text}\n{mark}\n"
        text = escaped
    return text


def _outside_code(text: str, allowed: set[str]) -> str:
    """Rewrite what lies between fenced blocks and code spans."""
    pieces, at = [], 0
    for code in _CODE.finditer(text):
        pieces += [_rewritten(text[at : code.start()], allowed), code[0]]
        at = code.end()
    return "".join([*pieces, _rewritten(text[at:], allowed)])


def _rewritten(text: str, allowed: set[str]) -> str:
    def link(match: re.Match[str]) -> str:
        url = match[2] or match[3] or ""
        return match[0] if _is_allowed(url, allowed) else match[1]

    def definition(match: re.Match[str]) -> str:
        return match[0] if _is_allowed(match[1], allowed) else ""

    def bare(match: re.Match[str]) -> str:
        url = match[1]
        while not _is_allowed(url, allowed):
            if not url.endswith(_AFTER_URL):
                return f"`{url}`{match[1][len(url) :]}"
            url = url[:-1]
        return match[0]

    text = _IMAGE_START.sub("[", _IMAGE.sub(r"\1", text))
    text = _DEFINITION.sub(definition, _LINK.sub(link, text))
    text = _BARE_URL.sub(bare, text)
    return _HTML_TAG.sub(lambda tag: "<" if _BARE_URL.match(text, tag.start()) else "&lt;", text)


def _offending_lines(text: str, allowed: set[str]) -> list[int]:
    """Numbers (0-based) of lines in blocks that still hold an image, HTML or another link."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("gfm-like")
    if parser.linkify is not None:
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False})
    lines: set[int] = set()
    for block in parser.parse(text):
        if any(_offends(token, allowed) for token in (block, *(block.children or ()))):
            lines.update(range(*(block.map or (0, text.count("\n") + 1))))
    return sorted(lines)


def _offends(token: Token, allowed: set[str]) -> bool:
    if token.type == "link_open":
        return not _is_allowed(str(token.attrGet("href") or ""), allowed)
    return token.type in ("image", "html_inline", "html_block")


def _escaped(text: str, numbers: list[int]) -> str:
    lines = text.split("\n")
    for number in numbers:
        if number < len(lines):
            plain = re.sub(r"\\(?=[\[\]<>!()`:/.])", "", lines[number])
            plain = re.sub(r"([\[\]<>!()`])", r"\\\1", plain)
            lines[number] = plain.replace("://", ":\\/\\/").replace("www.", "www\\.")
    return "\n".join(lines)


def _is_allowed(url: str, allowed: set[str]) -> bool:
    return url.startswith("#") or _without_fragment(url) in allowed


def _without_fragment(url: str) -> str:
    try:
        return str(httpx.URL(url).copy_with(fragment=None))
    except httpx.InvalidURL:
        return url.partition("#")[0]
