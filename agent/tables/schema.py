"""Which table a query asks for: columns, keys, types and constraints."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...cancellation import Cancellation
from ...errors import InputError, OutputInvalid
from ...runtime.engine import Engine, GenerationRequest, Message
from ...runtime.structured import generate_object
from ..grounding import fold

ColumnType = Literal["text", "number", "date", "url"]
Comparison = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]

MAX_COLUMNS = 24
_MAX_NAME = 80
_SCHEMA_TOKENS = 500

_ANNOUNCED = re.compile(
    r"(?:column(?:s|\s+names?|\s+headers?)?|headers?|fields)\b[^\n:]{0,60}:[ \t]*\n?(.+)"
    r"|(?:with|in)\s+(?:the\s+)?columns\s+(.+)"
    r"|(?:表格中的)?(?:列名|表头|字段|列)[^\n:：]{0,20}[:：][ \t]*\n?(.+)",
    re.IGNORECASE,
)
_PARTING = re.compile(r"\s*[,，、;；|]\s*(?![^()（）]*[)）])")
_FENCED = re.compile(r"```.*?```", re.DOTALL)
_FORMAT_WISHES = re.compile(
    r"(?:^|(?<=[.。!?\n]))[^.。!?\n]*(?:markdown|```|output format|表格的格式|格式为)[^\n]*",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[“\"「《]([^“”\"「」《》\n]{2,80})[”\"」》]")
_LISTED = re.compile(r"[:：]\s*([^:：\n]*?[;；][^:：\n]*)")
_MOST_NAMED = 6
_NUMBER_NAMES = re.compile(
    r"\b(?:rank|ranking|population|total|gold|silver|bronze|points?|score|count|number|height"
    r"|length|area|price|fee|capacity|attendance|laps|age|weight|distance)\b|排名|人口|数量|票房",
    re.IGNORECASE,
)
_DATE_NAMES = re.compile(
    r"\b(?:date|deadline|opened|founded|released?|born)\b|日期|时间", re.IGNORECASE
)
_URL_NAMES = re.compile(r"\b(?:url|link|home\s?page|website)\b|网址|官网|主页", re.IGNORECASE)

_SCHEMA = """\
A user asks for a table. Say what each row of it is ("subject", in a few words), which columns it \
has, in order, with their types (text, number, date or url), which columns tell the rows apart \
("keys"), and which constraints rows must meet ("constraints": column, comparison, value; only \
those that the user states on a column of the table, with the value copied from the query). \
Answer in JSON.

Query: List the rivers of Peru longer than 500 km with their length and mouth.
{"subject": "rivers of Peru", "columns": [{"name": "River", "type": "text"}, \
{"name": "Length", "type": "number"}, {"name": "Mouth", "type": "text"}], "keys": ["River"], \
"constraints": [{"column": "Length", "comparison": ">", "value": "500"}]}"""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Value):
    """A column, named as the query names it."""

    name: str
    type: ColumnType = "text"


class Constraint(_Value):
    """What the cells of a column must satisfy for their row to belong to the table."""

    column: str
    comparison: Comparison
    value: str


class TableSchema(_Value):
    """The table that a query asks for."""

    subject: str
    """What each row is, in a few words: what is searched for."""
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    """Names of the columns that tell the rows apart."""
    constraints: tuple[Constraint, ...] = ()
    keys_given: bool = False
    """Whether the user named the keys; otherwise data may show that they do not suffice."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


class TableWishes(_Value):
    """What the user says of the table besides the query."""

    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


class _DraftColumn(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str = Field(max_length=_MAX_NAME)
    type: ColumnType = "text"


class _DraftConstraint(BaseModel):
    model_config = ConfigDict(extra="ignore")

    column: str
    comparison: Comparison
    value: str = Field(max_length=_MAX_NAME)


class _Draft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    subject: str = Field(max_length=200)
    columns: list[_DraftColumn] = Field(max_length=12)
    keys: list[str] = Field(max_length=3)
    constraints: list[_DraftConstraint] = Field(default_factory=list, max_length=4)


async def plan_schema(
    query: str, wishes: TableWishes, engine: Engine, *, cancel: Cancellation
) -> TableSchema:
    """The schema for ``query``: names that the user or the query spells out are kept to the letter.

    The model's keys and constraints are kept where they fit the columns and the query; where it
    gives no schema that can be read, spelt-out columns are enough.

    Raises:
        InputError: ``wishes`` name keys that are no columns.
        OutputInvalid: the model gave no schema, and the query spells out no columns.
        Cancelled: ``cancel`` was set.
    """
    spelt = checked_columns(wishes.columns) or columns_in(query)
    listed = f"\nColumns: {', '.join(spelt)}" if spelt else ""
    messages = (Message("system", _SCHEMA), Message("user", f"Query: {query}{listed}"))
    request = GenerationRequest(messages=messages, max_tokens=_SCHEMA_TOKENS)
    try:
        draft = await generate_object(engine, request, _Draft, cancel=cancel)
    except OutputInvalid:
        if not spelt:
            raise
        draft = _Draft(subject="", columns=[], keys=[])
    return repaired(draft.model_dump(), query, spelt, wishes.keys, model_id=engine.model_id)


def repaired(
    draft: dict[str, object],
    query: str,
    spelt: Sequence[str],
    keys: Sequence[str],
    *,
    model_id: str = "the model",
) -> TableSchema:
    """The schema in a model's ``draft``, put right; see :func:`plan_schema` for what it raises."""
    proposed = _Draft.model_validate(draft)
    types = {fold(column.name): column.type for column in proposed.columns}
    names = list(spelt) or list(checked_columns([column.name for column in proposed.columns]))
    if not names:
        raise OutputInvalid(
            f"{model_id} found no columns in the query", remedy="name them with --columns a,b,c"
        )
    by_fold = {fold(name): name for name in names}
    columns = tuple(
        Column(name=name, type=_type_by_name(name) or types.get(fold(name), "text"))
        for name in names
    )
    unknown = [key for key in keys if fold(key) not in by_fold]
    if unknown:
        raise InputError(
            f"key {unknown[0]!r} is no column", remedy=f"the columns are: {', '.join(names)}"
        )
    wanted = keys or [key for key in proposed.keys if fold(key) in by_fold]
    chosen = tuple(dict.fromkeys(by_fold[fold(key)] for key in wanted)) or (names[0],)
    constraints = tuple(
        Constraint(column=by_fold[fold(each.column)], comparison=each.comparison, value=each.value)
        for each in proposed.constraints
        if fold(each.column) in by_fold and each.value.strip() and fold(each.value) in fold(query)
    )
    return TableSchema(
        subject=" ".join(proposed.subject.split()) or bare_query(query),
        columns=columns,
        keys=chosen,
        constraints=constraints,
        keys_given=bool(keys),
    )


def columns_in(query: str) -> tuple[str, ...]:
    """Columns that a query spells out after "columns:", "列名…：" or the like; empty if none."""
    for match in _ANNOUNCED.finditer(query):
        listing = next(filter(None, match.groups())).strip().rstrip(".。")
        names = [name for name in _PARTING.split(listing) if name]
        if names and re.match(r"and\s", names[-1]):
            names[-1] = names[-1][4:]
        if len(names) > 1 and all(len(name) <= _MAX_NAME for name in names):
            return checked_columns(names)
    return ()


def checked_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Names without outer space, bars or repeats, at most MAX_COLUMNS."""
    cleaned = (" ".join(name.replace("|", "/").split()) for name in names)
    unique = {fold(name): name for name in reversed([name for name in cleaned if name])}
    return tuple(dict.fromkeys(reversed(unique.values())))[:MAX_COLUMNS]


def bare_query(query: str) -> str:
    """The query without what it says about the form of the answer."""
    bare = _FENCED.sub("```", query)
    for match in _ANNOUNCED.finditer(bare):
        bare = bare.replace(match[0], " ")
    bare = _FORMAT_WISHES.sub(" ", bare)
    return " ".join(bare.split()) or " ".join(query.split())


def named_things(query: str) -> list[str]:
    """What a query names one by one, in quotation marks or between semicolons: six at most."""
    bare = _ANNOUNCED.sub(" ", query)
    listed = [item for listing in _LISTED.findall(bare) for item in re.split("[;；]", listing)]
    names = [item.split(". ")[0].strip(" .。") for item in (*_QUOTED.findall(bare), *listed)]
    return list(dict.fromkeys(name for name in names if 1 < len(name) <= _MAX_NAME))[:_MOST_NAMED]


def _type_by_name(name: str) -> ColumnType | None:
    if _URL_NAMES.search(name):
        return "url"
    if _DATE_NAMES.search(name):
        return "date"
    return "number" if _NUMBER_NAMES.search(name) else None
