"""Whether the page store is whole, and making it so again."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..cancellation import Cancellation
from ..errors import ExtractionError, StorageError
from ..locations import locations
from ..progress import Progress, silent
from ..storage import storage_errors
from .extraction import extract
from .page_rows import SCHEMA, VERSION
from .page_store import DATABASE_FILE, LOCK_FILE, PageStore, page_id_of
from .process_lock import alone

_TABLES = ("pages", "fetches", "facts", "bands")


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong."""

    page_id: str | None
    """None where it concerns the file as a whole."""
    urls: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of a damaged store."""

    pages: int
    """In it now."""
    restored: int
    """Pages whose text was taken from their bytes anew."""
    lost: tuple[Damage, ...]
    """Pages that are no more; fetching their addresses again may bring them back."""


def check(store: PageStore, *, cancel: Cancellation, progress: Progress = silent) -> list[Damage]:
    """Everything that is wrong with the file or with a page; empty if it is whole. Blocks.

    Raises:
        Cancelled: ``cancel`` was set.
    """
    connection = store.database.connection
    try:
        found = [problem for (problem,) in connection.execute("PRAGMA quick_check(10)")]
        found += [
            f"a row of {row[0]} refers to nothing"
            for row in connection.execute("PRAGMA foreign_key_check")
        ]
    except sqlite3.DatabaseError as error:
        found = [str(error)]
    if damages := [Damage(None, (), problem) for problem in found if problem != "ok"]:
        return damages
    page_ids = store.page_ids()
    for number, page_id in enumerate(page_ids):
        cancel.check()
        progress("checking", number, len(page_ids), "pages")
        if problem := _page_problem(connection, page_id):
            damages.append(Damage(page_id, _urls(connection, page_id), problem))
    progress("checking", len(page_ids), len(page_ids), "pages")
    return damages


def repair(
    folder: Path | None = None, *, cancel: Cancellation, progress: Progress = silent
) -> Repair:
    """Bring a store back to a state that checks clean, with all of it that can be had. Blocks.

    A file that SQLite cannot read from end to end is rebuilt; the old one stays beside it.

    Raises:
        StorageError: another process has the store open, or the disk refused.
        Cancelled: ``cancel`` was set; the store is as it was.
    """
    folder = folder or locations().pages
    path = folder / DATABASE_FILE
    with alone(folder / LOCK_FILE, busy="the page store is in use by another process"):
        if not path.exists():
            return Repair(0, 0, ())
        lost = [] if _is_sound(path) else _rebuild(path, cancel, progress)
    store = PageStore(folder)
    try:
        mended = _mend(store, cancel, progress)
    finally:
        store.close()
    return replace(mended, lost=(*lost, *mended.lost))


def _mend(store: PageStore, cancel: Cancellation, progress: Progress) -> Repair:
    """Restore the pages whose text is damaged from their bytes; drop those whose bytes are."""
    restored, lost = 0, []
    for damage in check(store, cancel=cancel, progress=progress):
        if damage.page_id is None:
            raise StorageError(
                f"{store.database.path} cannot be repaired ({damage.problem})",
                remedy="move the file away; it is made again on next use",
            )
        text = _text_again(store, damage)
        with store.database.transaction() as connection:
            if text is not None:
                connection.execute(
                    "UPDATE pages SET text = ? WHERE page_id = ?",
                    (zlib.compress(text.encode()), damage.page_id),
                )
                restored += 1
            else:
                connection.execute("DELETE FROM pages WHERE page_id = ?", (damage.page_id,))
                lost.append(damage)
    return Repair(len(store), restored, tuple(lost))


def _text_again(store: PageStore, damage: Damage) -> str | None:
    """The text of a page whose bytes are whole; None where they are not."""
    assert damage.page_id is not None
    try:
        body = store.raw(damage.page_id)
        if page_id_of(body) != damage.page_id:
            return None
        (media_type,) = store.database.connection.execute(
            "SELECT media_type FROM pages WHERE page_id = ?", (damage.page_id,)
        ).fetchone()
        return extract(body, name=damage.urls[0], media_type=media_type).text
    except (StorageError, ExtractionError):
        return None


def _page_problem(connection: sqlite3.Connection, page_id: str) -> str:
    text, raw, sheet_starts, authors, fetches = connection.execute(
        "SELECT text, raw, sheet_starts, authors,"
        " (SELECT count(*) FROM fetches WHERE fetches.page_id = pages.page_id)"
        " FROM pages LEFT JOIN facts USING (page_id) WHERE page_id = ?",
        (page_id,),
    ).fetchone()
    try:
        if page_id_of(zlib.decompress(raw)) != page_id:
            return "its bytes are not those that it is named after"
        zlib.decompress(text).decode()
        json.loads(sheet_starts), json.loads(authors)
    except (zlib.error, ValueError, TypeError) as error:
        return f"it is damaged ({error})"
    return "" if fetches else "nobody knows where it came from"


def _urls(connection: sqlite3.Connection, page_id: str) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT DISTINCT final_url FROM fetches WHERE page_id = ?", (page_id,)
    )
    return tuple(url for (url,) in rows) or ("",)


def _is_sound(path: Path) -> bool:
    """Whether SQLite can read the file from end to end."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return [row[0] for row in connection.execute("PRAGMA quick_check(1)")] == ["ok"]
    except sqlite3.DatabaseError:
        return False


def _rebuild(path: Path, cancel: Cancellation, progress: Progress) -> list[Damage]:
    """Copy every row that can still be read into a new file, and put that in the old one's place.

    Returns the pages that are known to have been there and could not be read.
    """
    new = path.with_name(f".{path.name}.rebuilt")
    new.unlink(missing_ok=True)
    try:
        with (
            storage_errors(new),
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(new, isolation_level=None)) as target,
        ):
            target.execute("PRAGMA auto_vacuum = INCREMENTAL")
            target.executescript(f"BEGIN; {SCHEMA}; PRAGMA user_version = {VERSION}; COMMIT;")
            target.execute("BEGIN")
            for table in _TABLES:
                for number, row in enumerate(_readable_rows(source, table)):
                    cancel.check()
                    progress(f"rebuilding {table}", number, None, "rows")
                    places = ", ".join("?" * len(row))
                    target.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)
            lost = _without_page(target)
            _make_consistent(target)
            target.execute("COMMIT")
        with storage_errors(path):
            for rest in ("-wal", "-shm"):
                path.with_name(path.name + rest).unlink(missing_ok=True)
            os.replace(path, path.with_name(f"{path.name}.damaged"))
            os.replace(new, path)
    except sqlite3.Error as error:
        raise StorageError(
            f"{path} cannot be repaired ({error})",
            remedy="move the file away; it is made again on next use",
        ) from error
    finally:
        new.unlink(missing_ok=True)
    return lost


def _without_page(target: sqlite3.Connection) -> list[Damage]:
    urls: dict[str, list[str]] = {}
    for page_id, url in target.execute(
        "SELECT DISTINCT page_id, final_url FROM fetches"
        " WHERE page_id NOT IN (SELECT page_id FROM pages)"
    ):
        urls.setdefault(page_id, []).append(url)
    return [
        Damage(page_id, tuple(found), "it could not be read") for page_id, found in urls.items()
    ]


def _make_consistent(target: sqlite3.Connection) -> None:
    """No row without its page, no page without its facts."""
    for table in ("fetches", "facts", "bands"):
        target.execute(f"DELETE FROM {table} WHERE page_id NOT IN (SELECT page_id FROM pages)")
    target.execute(
        "INSERT INTO facts SELECT page_id, NULL, '[]', NULL, '' FROM pages"
        " WHERE page_id NOT IN (SELECT page_id FROM facts)"
    )


def _readable_rows(source: sqlite3.Connection, table: str) -> Iterator[tuple[object, ...]]:
    """The rows of a damaged table: from its start to the first that cannot be read, from its end
    back to the last, and those in between that other tables name."""
    for order in ("ASC", "DESC"):
        try:
            key = "fetch_id" if table == "fetches" else "page_id"
            yield from source.execute(f"SELECT * FROM {table} ORDER BY {key} {order}")
            return
        except sqlite3.DatabaseError:
            continue
    if table != "pages":
        return
    for page_id in _named_elsewhere(source):
        with contextlib.suppress(sqlite3.DatabaseError):
            yield from source.execute("SELECT * FROM pages WHERE page_id = ?", (page_id,))


def _named_elsewhere(source: sqlite3.Connection) -> set[str]:
    named: set[str] = set()
    for table in ("fetches", "facts"):
        with contextlib.suppress(sqlite3.DatabaseError):
            for (page_id,) in source.execute(f"SELECT page_id FROM {table}"):
                named.add(page_id)
    return named
