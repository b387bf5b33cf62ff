"""Pairs of a gold table and a response, made by chance but repeatably, with every trap in them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from leadline.evals.widesearch.metrics import folded
from leadline.evals.widesearch.tasks import Evaluation

Rows = list[list[str]]

_NAMES = (
    "Arno Peak", "Brae Loch", "Côte Noire", "Dunmore", "Elm Island", "Fjord 7", "Gao Shan",
    "Harbour", "Île Verte", "Jökull", "Kestrel", "Lund", "高山", "长江", "上海市", "New York",
)  # fmt: skip
_ALIASES = {"brae loch": "Brae Loch", "braeloch": "braeloch", "NYC": "New York", "nyc": "newyork"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, its rule, how its gold cells and slightly other cells are made."""

    name: str
    rule: Mapping[str, object]
    gold: Callable[[random.Random], str]
    other: Callable[[random.Random, str], str]


@dataclass(frozen=True, slots=True)
class TablePair:
    trap: str
    evaluation: Evaluation
    gold_csv: str
    response: str


class AliasJudge:
    """Knows some aliases; grades by a rule that is as good as chance, but the same each time."""

    async def align(self, names: Sequence[str], reference: Sequence[str]) -> Mapping[str, str]:
        aligned: dict[str, str] = {}
        for name in names:
            target = _ALIASES.get(name, name.removeprefix("the"))
            if target in reference:
                aligned[name] = target
        return aligned

    async def grade(self, pairs: Sequence[tuple[str, str]], criterion: str) -> list[float]:
        return [float(folded(a) == folded(b) or (len(a) + 3 * len(b)) % 3 == 0) for a, b in pairs]


def _pick(*choices: str) -> Callable[[random.Random], str]:
    return lambda chance: chance.choice(choices)


def _either(*choices: str) -> Callable[[random.Random, str], str]:
    return lambda chance, gold: chance.choice((gold, *choices))


_KEY = Column(
    "Name",
    {"preprocess": ["norm_str"], "metric": ["exact_match"]},
    lambda chance: "",
    lambda chance, gold: chance.choice((gold, gold, gold.upper(), f"**{gold}**", gold + " ")),
)
_YEAR_KEY = Column(
    "Year",
    {"preprocess": ["norm_str"], "metric": ["exact_match"]},
    _pick("2020", "2021", "2022"),
    _either(),
)
_COLUMNS = (
    Column(
        "Height (m)",
        {"preprocess": ["extract_number"], "metric": ["number_near"], "criterion": 0.1},
        _pick("1,024", "7.9亿元", "about 12", "100%", "3", "-4.5", "none", "0", "2020-2024"),
        lambda chance, gold: chance.choice(
            (gold, gold, "1024 m", "8", "12.9", "100", "1", "0", "-5", "n/a", "", "3.31", "3.3")
        ),
    ),
    Column(
        "Opened",
        {"preprocess": ["norm_date"], "metric": ["date_near"]},
        _pick("2024-01-05", "January 6, 2025", "2024年5月3日", "5 March 2021", "N/A", "2019"),
        lambda chance, gold: chance.choice((gold, "2024-02-05", "2024-02-06", "Jan 2025", "-")),
    ),
    Column(
        "Closed",
        {"preprocess": ["norm_date"], "metric": ["exact_match"]},
        _pick("2024-01-05", "Jan 6, 2025"),
        _either("6 January 2025", "2024/01/05", "2024-01-06"),
    ),
    Column(
        "Home Page",
        {"preprocess": ["norm_str"], "metric": ["url_match"]},
        _pick("https://www.mit.edu/", "http://cam.ac.uk/a?b=1", "https://a.b/ https://c.d", "none"),
        _either("https://mit.edu", "https://cam.ac.uk", "www.mit.edu", "https://c.d https://a.b/x"),
    ),
    Column(
        "Country",
        {"preprocess": ["norm_str"], "metric": ["in_match"]},
        _pick("Finland; France", "中国、美国", "finance"),
        _either("France", "Finland;", "美国", "Peru", "", "nan"),
    ),
    Column(
        "Rank",
        {"preprocess": ["norm_str"], "metric": ["exact_match"]},
        _pick("1", "2", "3", "10"),
        _either("1", "2", "", "1.0", "N/A", "007"),
    ),
    Column(
        "Code",
        {"preprocess": [], "metric": ["exact_match"]},
        _pick("AB-1", "ab-2", "True", "1e5"),
        _either("ab-1", "AB-2", "true"),
    ),
    Column(
        "Fee",
        {"preprocess": ["norm_str"], "metric": ["llm_judge"], "criterion": "The same amount."},
        _pick("$90", "£60 for all", "free of charge", "1000 元"),
        _either("90 dollars", "free", "¥1000", "60"),
    ),
    Column(
        "Share",
        {
            "preprocess": ["norm_str"],
            "metric": ["number_near", "exact_match"],
            "criterion": "0.05",
        },
        _pick("50%", "12.5", "0.5"),
        _either("0.5", "51%", "12.4", "50 %"),
    ),
    Column(
        "Genre",
        {"preprocess": ["norm_str"], "metric": ["llm_judge", "in_match"], "criterion": "A part."},
        _pick("drama, war", "剧情"),
        _either("drama", "war, drama", "comedy"),
    ),
)


def table_pairs(count: int, seed: int = 7) -> list[TablePair]:
    """``count`` pairs; each trap comes up again and again."""
    chance = random.Random(seed)
    return [_pair(chance, _TRAPS[number % len(_TRAPS)]) for number in range(count)]


def _pair(chance: random.Random, trap: str) -> TablePair:
    two_keys = chance.random() < 0.4
    columns = [_KEY, *([_YEAR_KEY] if two_keys else []), *chance.sample(_COLUMNS, 4)]
    names = chance.sample(_NAMES, chance.randint(1, 8))
    gold = [[name, *(column.gold(chance) for column in columns[1:])] for name in names]
    answer = [
        [column.other(chance, cell) for column, cell in zip(columns, row, strict=True)]
        for row in gold
        if chance.random() < 0.9
    ]
    if chance.random() < 0.3:
        answer = [list(row) for row in gold]
    if chance.random() < 0.4:
        answer.append(["Nowhere", *(column.gold(chance) for column in columns[1:])])
    header = [column.name for column in columns]
    gold, header, answer = _sprung(trap, chance, gold, header, answer)
    evaluation = Evaluation.model_validate(
        {
            "unique_columns": ["name", *(["year"] if two_keys else [])],
            "required": [_norm(column.name) for column in columns],
            "eval_pipeline": {_norm(column.name): column.rule for column in columns},
        }
    )
    gold_header = [column.name for column in columns]
    return TablePair(trap, evaluation, _csv(gold_header, gold), _written(trap, header, answer))


def _norm(name: str) -> str:
    return name.lower().replace(" ", "")


def _sprung(
    trap: str, chance: random.Random, gold: Rows, header: list[str], answer: Rows
) -> tuple[Rows, list[str], Rows]:
    match trap:
        case "extra column":
            return gold, [*header, "Notes"], [[*row, "x"] for row in answer]
        case "missing column":
            return gold, header[:-1], [row[:-1] for row in answer]
        case "column under another name":
            return gold, ["the" + header[0], *header[1:]], answer
        case "other order":
            order = chance.sample(range(len(header)), len(header))
            moved = [[row[n] for n in order] for row in answer]
            return gold, [header[n] for n in order], moved
        case "bar in a cell":
            return gold, header, [[row[0] + " | x", *row[1:]] for row in answer]
        case "escaped bar in a cell":
            return gold, header, [[row[0] + r" \| x", *row[1:]] for row in answer]
        case "repeated rows":
            return gold, header, answer + answer
        case "two spellings of a key":
            return gold, header, [*answer, *([row[0].upper() + "*", *row[1:]] for row in answer)]
        case "an alias of a key":
            aliased = [["NYC" if row[0] == "New York" else row[0], *row[1:]] for row in answer]
            return gold, header, aliased
        case "repeated gold rows":
            return [*gold, gold[0]], header, answer
        case "spaces in the header":
            return gold, [f"  {name.upper()} " for name in header], answer
        case "short rows":
            return gold, header, [row[:-1] for row in answer]
        case "long rows":
            return gold, header, [[*row, "more"] for row in answer]
        case "a quotation mark":
            return gold, header, [[f'"{row[0]}', *row[1:]] for row in answer]
        case "no rows":
            return gold, header, []
        case "many rows":
            return gold, header, [*answer, *([f"row {n}", *row[1:]] for n in range(60)
                                             for row in gold[:1])]  # fmt: skip
        case _:
            return gold, header, answer


_TRAPS = (
    "none", "none", "none", "extra column", "missing column", "column under another name",
    "other order", "bar in a cell", "escaped bar in a cell", "repeated rows",
    "two spellings of a key", "an alias of a key", "repeated gold rows", "spaces in the header",
    "short rows", "long rows", "a quotation mark", "no rows", "many rows", "two fences",
    "no fence", "no fence, bars in the words before", "csv fence", "fence of another name",
    "no table", "nothing", "no separator row", "aligned separator row", "rows without outer bars",
    "an empty line in the middle",
)  # fmt: skip


def _written(trap: str, header: Sequence[str], rows: Rows) -> str:
    separator = ["---"] * len(header)
    if trap == "aligned separator row":
        separator = [":---", ":-:", *["--:"] * (len(header) - 2)]
    lines = ["| " + " | ".join(row) + " |" for row in (header, separator, *rows)]
    if trap == "rows without outer bars":
        lines = [" | ".join(row) for row in (header, separator, *rows)]
    if trap == "no separator row":
        del lines[1]
    if trap == "an empty line in the middle":
        lines.insert(3, "")
    table = "\n".join(lines)
    match trap:
        case "two fences":
            first = "\n".join(lines[:-1])
            return f"A draft:\n```markdown\n{first}\n```\nAll:\n```markdown\n{table}\n```"
        case "no fence":
            return f"Here it is.\n\n{table}\n\nThat is all."
        case "no fence, bars in the words before":
            return f"Columns: a | b | c\n\n{table}\n"
        case "csv fence":
            return f"```csv\n{_csv(header, rows)}```"
        case "fence of another name":
            return f"```md\n{table}\n```"
        case "no table":
            return "I could not find it."
        case "nothing":
            return ""
        case _:
            return f"Found.\n```markdown\n{table}\n```\nDone."


def _csv(header: Sequence[str], rows: Rows) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
