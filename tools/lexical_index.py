"""BM25 over passages, by SQLite's FTS5.

Words are stemmed (Porter) and stripped of accents. Chinese and Japanese, which write no spaces,
are cut into words by jieba in search mode, in the index and in the query alike.
"""

from __future__ import annotations

import functools
import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

LEXICAL_SCHEMA = """
CREATE VIRTUAL TABLE IF NOT EXISTS lexical USING fts5(
    title, heading, text, tokenize = "porter unicode61 remove_diacritics 2"
)
"""
_TITLE_WEIGHT, _HEADING_WEIGHT, _TEXT_WEIGHT = 3.0, 2.0, 1.0

_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_TERM = re.compile(r"[^\W_]+(?:[._'’][^\W_]+)*")
"""Identifiers and version numbers stay whole and are searched as phrases."""
_MAX_TERMS = 256
"""Distinct terms of a query that are searched; a longer one is a document, not a query."""

_COMMON_WORDS = (
    "a an and are as at be been but by can could did do does for from had has have how i if in into "
    "is it its many me much my of on or our shall should so than that the their them then there "
    "these they this those to was we were what when where which who whom whose why will with would "
    "you your 的 了 是 在 和 与 吗 呢 什么 哪 哪个 哪些 如何 怎么 多少"
)
_STOP_WORDS = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class LexicalEntry:
    """A passage as it is indexed: what its page is called and what it stands under count too."""

    key: int
    text: str
    title: str = ""
    heading: str = ""


class LexicalIndex:
    """BM25 over entries, in the tables of an SQLite connection that the caller commits.

    Several threads may use it one at a time, as far as the connection allows.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        """``connection`` must have the table that ``LEXICAL_SCHEMA`` makes."""
        self._connection = connection

    @classmethod
    def in_memory(cls, entries: Iterable[LexicalEntry] = ()) -> LexicalIndex:
        """An index that lives as long as the object."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute(LEXICAL_SCHEMA)
        index = cls(connection)
        index.add(entries)
        return index

    def close(self) -> None:
        """Close the connection; for an index in memory."""
        self._connection.close()

    def add(self, entries: Iterable[LexicalEntry]) -> None:
        """Index ``entries``; their keys must be new."""
        self._connection.executemany(
            "INSERT INTO lexical (rowid, title, heading, text) VALUES (?, ?, ?, ?)",
            (
                (entry.key, _spaced(entry.title), _spaced(entry.heading), _spaced(entry.text))
                for entry in entries
            ),
        )

    def remove(self, keys: Iterable[int]) -> None:
        """Forget the entries with these keys; unknown ones are ignored."""
        self._connection.executemany(
            "DELETE FROM lexical WHERE rowid = ?", ((key,) for key in keys)
        )

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """Keys and scores (higher is better) of the best ``k`` entries that share a term with it."""
        expression = match_expression(query)
        if not expression or k < 1:
            return []
        rows = self._connection.execute(
            f"SELECT rowid, -bm25(lexical, {_TITLE_WEIGHT}, {_HEADING_WEIGHT}, {_TEXT_WEIGHT})"
            " AS score FROM lexical WHERE lexical MATCH ? ORDER BY score DESC, rowid LIMIT ?",
            (expression, k),
        )
        return [(int(key), float(score)) for key, score in rows]


def match_expression(query: str) -> str:
    """An FTS5 expression that finds any of the query's terms; empty if it has none.

    Every term is a quoted string, so that nothing in a query is taken for syntax. Stop words count
    only when there is nothing else.
    """
    terms = list(dict.fromkeys(_TERM.findall(_spaced(query).lower())))
    telling = [term for term in terms if term not in _STOP_WORDS] or terms
    return " OR ".join(f'"{term}"' for term in telling[:_MAX_TERMS])


def _spaced(text: str) -> str:
    """``text`` with spaces between the words of scripts that write none."""
    if not _UNSPACED.search(text):
        return text
    return _UNSPACED.sub(lambda run: f" {' '.join(_words(run[0]))} ", text)


def _words(run: str) -> Sequence[str]:
    words: Sequence[str] = _jieba().lcut_for_search(run)
    return words


@functools.cache
def _jieba() -> ModuleType:
    import logging

    import jieba

    # Its logger writes to stderr by itself.
    jieba.setLogLevel(logging.WARNING)
    module: ModuleType = jieba
    return module
