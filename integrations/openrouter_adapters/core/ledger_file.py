"""A ledger's rows in an SQLite file, through the standard library. This module loads sqlite3: import it late."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from openrouter_adapters.core.ledger_gate import closing_before_forks, gate
from openrouter_adapters.core.ledger_rows import (
    COLUMNS,
    PAGE,
    PATIENCE,
    VERSION,
    Row,
    Window,
    check_table,
    check_version,
)

_SQL_TYPES = {str: "TEXT", int: "INTEGER", float: "REAL"}
_NAMES = ", ".join(COLUMNS)
_TABLE = f"""
CREATE TABLE IF NOT EXISTS calls
(id INTEGER PRIMARY KEY, {", ".join(f"{name} {_SQL_TYPES[kind]}" for name, kind in COLUMNS.items())})
"""
_INSERT = f"INSERT INTO calls ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))})"
_SELECT = f"""
SELECT id, {_NAMES} FROM calls AS one
WHERE time >= :time AND (time > :time OR id > :id) AND time < :until AND id <= :newest
AND NOT EXISTS (
    SELECT 1 FROM calls AS later
    WHERE later.time = one.time AND later.generation_id = one.generation_id AND later.settled IS NOT NULL
    AND (one.settled IS NULL OR later.id > one.id) AND later.id <= :newest
)
ORDER BY time, id LIMIT {PAGE}
"""

# Connections that a fork, of which Python was not told, brought along: to close one would harm the parent's.
_abandoned: list[sqlite3.Connection] = []


class FileStore:
    """Rows in a file, which is made with its folder if it is not there.

    Args:
        path: the file; absolute.

    Raises:
        OSError: it cannot be opened or written.
        ValueError: it is no SQLite database, or one whose table ``calls`` is no ledger's.
    """

    def __init__(self, path: Path) -> None:
        self.name: str = str(path)
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                error.errno,
                f"target={self.name!r}: its folder cannot be made: {error.strerror}. Give a path that can be written",
            ) from error
        with gate():
            self._connected()
        closing_before_forks(self)

    def append(self, row: Row) -> None:
        """Write a row. What a process that dies right afterwards has written is there all the same.

        Raises:
            OSError: it could not be written.
        """
        with gate():
            # One statement is its own transaction, so that a nested append in the same thread cannot be part of one.
            self._execute(_INSERT, row)

    def newest(self) -> int:
        """The id of the newest row; 0 when there is none."""
        with gate():
            return int(self._execute("SELECT coalesce(max(id), 0) FROM calls")[0][0])

    def page(self, window: Window) -> Sequence[Row]:
        """The first rows of a window, without those that a later one has the place of."""
        asked = {"time": window.time, "id": window.id, "until": window.until, "newest": window.newest}
        with gate():
            return self._execute(_SELECT, asked)

    def close(self) -> None:
        """Close the file; the next use opens it anew."""
        with gate():
            self.let_go()

    def let_go(self) -> None:
        """Close the file; the gate is held."""
        connection, self._connection = self._connection, None
        if connection is not None and self._process == os.getpid():
            connection.close()
        elif connection is not None:
            _abandoned.append(connection)

    def forget(self) -> None:
        """In a child: nothing is open."""

    def __del__(self) -> None:
        self.let_go()

    def _execute(self, statement: str, values: Any = ()) -> list[Row]:
        connection = self._connected()
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise OSError(f"the ledger {self.name!r} failed: {error}") from error

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():
            self.let_go()
            self._connection, self._process = self._open(), os.getpid()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self.name, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        try:
            _use_wal(connection)
            self._set_up(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._refusal(error) from error
            raise
        return connection

    def _set_up(self, connection: sqlite3.Connection) -> None:
        connection.execute(_TABLE)
        check_table(self.name, [column[1] for column in connection.execute("PRAGMA table_info(calls)")])
        connection.execute("CREATE INDEX IF NOT EXISTS calls_by_time ON calls (time, id)")
        connection.execute("CREATE TABLE IF NOT EXISTS ledger_version (version INTEGER PRIMARY KEY)")
        version = connection.execute("SELECT max(version) FROM ledger_version").fetchone()[0]
        if version is None:
            connection.execute("INSERT OR IGNORE INTO ledger_version VALUES (?)", (VERSION,))
        check_version(self.name, version or VERSION)

    def _refusal(self, error: sqlite3.Error) -> Exception:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            return ValueError(f"target={self.name!r} is a file, and no SQLite database. Give another path")
        return OSError(f"target={self.name!r} cannot be opened and written: {error}. Give a path that can")


class RestingFile(FileStore):
    """The rows of a file that has no log beside it, so that nobody has it open; to be read only.

    SQLite makes files beside a database even to read it, unless it is told that it is at rest.

    Raises:
        OSError: it cannot be read.
        ValueError: as `FileStore`.
    """

    @override
    def _open(self) -> sqlite3.Connection:
        address = f"{Path(self.name).as_uri()}?immutable=1"
        connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
        try:
            check_table(self.name, [column[1] for column in connection.execute("PRAGMA table_info(calls)")])
            check_version(self.name, connection.execute("SELECT max(version) FROM ledger_version").fetchone()[0])
        except BaseException as error:
            connection.close()
            if isinstance(error, sqlite3.Error):
                raise self._refusal(error) from error
            raise
        return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Let readers and a writer be there at once, and a commit be an append to the log.

    The switch waits for nobody, whatever the time limit, so that several processes that open a new file together must.
    """
    connection.execute("PRAGMA synchronous = NORMAL")
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
