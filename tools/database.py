"""SQLite files that several processes and threads share."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import StorageError
from ..locations import make_private
from ..storage import storage_errors

_BUSY_SECONDS = 60.0
_FULL = "free some space, or set LEADLINE_HOME to a folder on another disk"
_PERMISSIONS = "check its permissions, or set LEADLINE_HOME to a folder that can be written"


class Database:
    """One SQLite file in WAL mode, with a connection for each thread that uses it.

    ``schema`` makes a new file, ``user_version`` is its version. A file of an earlier version is
    brought up by ``upgrades`` (from which version: the SQL that leads to the next); of any other
    it is refused.

    Raises:
        StorageError: the file cannot be opened, is damaged, or is of another version.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        user_version: int,
        upgrades: Mapping[int, str] | None = None,
    ) -> None:
        self.path = path
        self._threads = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        make_private(path.parent)
        with self.errors():
            connection = self.connection
            # Works on an empty file only: what is deleted later gives its space back.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            if self._version() != user_version:
                self._bring_up(schema, user_version, upgrades or {})

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection, in autocommit mode."""
        connection: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            self._threads.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def _bring_up(self, schema: str, wanted: int, upgrades: Mapping[int, str]) -> None:
        """Make the tables, or bring them up; one of several processes does it."""
        with self.transaction() as connection:
            found = self._version()
            steps = [(wanted, schema)] if not found else []
            while found and found != wanted:
                if found not in upgrades:
                    raise StorageError(
                        f"{self.path} was written by another version of Leadline",
                        remedy="update Leadline, or remove the file to start afresh",
                    )
                steps.append((found + 1, upgrades[found]))
                found += 1
            for version, script in steps:
                for statement in script.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version}")

    def _version(self) -> int:
        version: int = self.connection.execute("PRAGMA user_version").fetchone()[0]
        return version

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written, or nothing of it.

        Raises:
            StorageError: the disk refused.
        """
        with self.errors():
            connection = self.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Turn SQLite's and the operating system's refusals into StorageError."""
        try:
            with storage_errors(self.path):
                yield
        except sqlite3.Error as error:
            raise _storage_error(self.path, error) from error

    def close(self) -> None:
        """Close every thread's connection."""
        with self._lock:
            connections, self._connections = self._connections, []
        self._threads = threading.local()
        for connection in connections:
            connection.close()


def _storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StorageError(f"no space left on the disk that holds {path}", remedy=_FULL)
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(f"the disk that holds {path} failed ({error})", remedy=_FULL)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StorageError(f"cannot write {path} ({error})", remedy=_PERMISSIONS)
    if code == sqlite3.SQLITE_BUSY:
        return StorageError(
            f"{path} is in use by another process", remedy="wait for it to end, then try again"
        )
    return StorageError(
        f"{path} is damaged ({error})", remedy="move the file away; it is made again on next use"
    )
