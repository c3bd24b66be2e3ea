"""A ledger's rows in any database that SQLAlchemy reaches. This module loads SQLAlchemy: import it late."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

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

try:
    import sqlalchemy as sa
    from sqlalchemy import exc
except ImportError as _error:
    raise ImportError(
        "a ledger in a database needs SQLAlchemy 2: pip install 'openrouter-adapters[ledger]'. "
        "A ledger in an SQLite file needs nothing: give a path"
    ) from _error

_SQL_TYPES: dict[type, sa.types.TypeEngine[Any]] = {str: sa.Text(), int: sa.BigInteger(), float: sa.Float(53)}

_metadata = sa.MetaData()
_calls = sa.Table(
    "calls",
    _metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    # There are databases that can make no index of a text without a limit.
    *(sa.Column(name, sa.String(32) if name == "time" else _SQL_TYPES[kind]) for name, kind in COLUMNS.items()),
    sa.Index("calls_by_time", "time", "id"),
)
_version = sa.Table(
    "ledger_version", _metadata, sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False)
)


class DatabaseStore:
    """Rows in a database, whose tables are made if they are not there.

    Args:
        target: a URL, or an engine, which stays the caller's.

    Raises:
        ImportError: the driver is not installed.
        OSError: the database cannot be reached or written.
        TypeError: it is neither.
        ValueError: the URL makes no sense, or names a database in memory or an asynchronous driver; or the table
            ``calls`` is no ledger's.
    """

    def __init__(self, target: str | sa.URL | sa.Engine) -> None:
        engine = target if isinstance(target, sa.Engine) else _engine(target)
        self._is_own = engine is not target
        # One statement is its own transaction, so that a nested append in the same thread never waits for an outer one.
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.name: str = self._engine.url.render_as_string(hide_password=True)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        if self._is_sqlite:
            self._make_file()
        try:
            self._set_up()
        except exc.SQLAlchemyError as error:
            raise OSError(f"target={self.name!r} cannot be reached and written: {_said(error)}") from error
        closing_before_forks(self)

    def append(self, row: Row) -> None:
        """Write a row; it is committed when this returns.

        Raises:
            OSError: it could not be written.
        """
        try:
            with self._turn(), self._engine.connect() as connection:
                connection.execute(_calls.insert(), dict(zip(COLUMNS, row, strict=True)))
        except exc.SQLAlchemyError as error:
            raise self._trouble(error) from error

    def newest(self) -> int:
        """The id of the newest row; 0 when there is none."""
        return int(self._rows(sa.select(sa.func.coalesce(sa.func.max(_calls.c.id), 0)))[0][0])

    def page(self, window: Window) -> Sequence[Row]:
        """The first rows of a window, without those that a later one has the place of."""
        return self._rows(_page(window))

    def close(self) -> None:
        """Close the connections, unless the engine is the caller's."""
        if self._is_own:
            self._engine.dispose()

    def let_go(self) -> None:
        """Close the connections that nobody uses."""
        self._engine.dispose()

    def forget(self) -> None:
        """In a child: leave the connections to the parent."""
        self._engine.dispose(close=False)

    def _turn(self) -> AbstractContextManager[object]:
        return gate() if self._is_sqlite else nullcontext()

    def _rows(self, statement: sa.Select[*tuple[object, ...]]) -> list[Row]:
        try:
            with self._turn(), self._engine.connect() as connection:
                return [tuple(row) for row in connection.execute(statement)]
        except exc.SQLAlchemyError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: exc.SQLAlchemyError) -> OSError:
        return OSError(f"the ledger {self.name!r} failed: {_said(error)}")

    def _make_file(self) -> None:
        """The same file, with its folder and its mode, as when a path is given."""
        from openrouter_adapters.core.ledger_file import FileStore

        path = self._engine.url.database
        if not path or path == ":memory:":
            raise ValueError(f"target={self.name!r} would be gone with the process: give a file, or use track_costs()")
        FileStore(Path(path).absolute()).close()

    def _set_up(self) -> None:
        try:
            _metadata.create_all(self._engine)
        except exc.DatabaseError:  # another process may have made them in the meantime
            _metadata.create_all(self._engine)
        check_table(self.name, [column["name"] for column in sa.inspect(self._engine).get_columns("calls")])
        check_version(self.name, self._found_version() or self._written_version())

    def _found_version(self) -> int:
        return int(self._rows(sa.select(sa.func.coalesce(sa.func.max(_version.c.version), 0)))[0][0])

    def _written_version(self) -> int:
        try:
            with self._engine.connect() as connection:
                connection.execute(_version.insert(), {"version": VERSION})
        except exc.IntegrityError:  # another process was quicker
            return self._found_version()
        return VERSION


def _engine(target: str | sa.URL) -> sa.Engine:
    """An engine for a URL; none that is no URL.

    Raises:
        ImportError: its driver is not installed.
        TypeError: it is no URL.
        ValueError: it makes no sense, or names an asynchronous driver.
    """
    if not isinstance(target, str | sa.URL):
        raise TypeError(f"target={target!r}: give a path, a database URL, or a (synchronous) SQLAlchemy engine")
    try:
        url = sa.make_url(target)
    except exc.ArgumentError:  # may quote the text, and with it a password
        raise ValueError("target is no database URL: give one like postgresql+psycopg://user@host/name") from None
    name = url.render_as_string(hide_password=True)
    try:
        # A connection that the server closed while nobody called anything would cost a record.
        patience = {"connect_args": {"timeout": PATIENCE}} if url.get_backend_name() == "sqlite" else {}
        engine = sa.create_engine(url, pool_pre_ping=True, **patience)
    except exc.NoSuchModuleError as error:
        raise ValueError(f"target={name!r}: SQLAlchemy knows no database {url.drivername!r}: {error}") from error
    except ImportError as error:
        raise ImportError(f"target={name!r}: the driver is not installed: {error}. Install it with pip") from error
    if engine.dialect.is_async:
        raise ValueError(f"target={name!r} names an asynchronous driver: give a synchronous one, as psycopg")
    return engine


def _page(window: Window) -> sa.Select[*tuple[object, ...]]:
    one, later = _calls.c, _calls.alias("later")
    settled_later = (
        sa.exists()
        .where(later.c.time == one.time, later.c.generation_id == one.generation_id, later.c.settled.is_not(None))
        .where(sa.or_(one.settled.is_(None), later.c.id > one.id), later.c.id <= window.newest)
    )
    return (
        sa.select(one.id, *(one[name] for name in COLUMNS))
        .where(one.time >= window.time, sa.or_(one.time > window.time, one.id > window.id))
        .where(one.time < window.until, one.id <= window.newest, ~settled_later)
        .order_by(one.time, one.id)
        .limit(PAGE)
    )


def _said(error: exc.SQLAlchemyError) -> object:
    """What the driver said, without the statement and its values."""
    return getattr(error, "orig", None) or error
