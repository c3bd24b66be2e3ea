"""`Ledger`: an append-only record of every call, in SQLite or another database. Never has content or a key in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeIs, override

from openrouter_adapters.core.ledger_rows import Store, records_in, row_of
from openrouter_adapters.core.recording import Recording
from openrouter_adapters.core.records import CallRecord, Costs

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine


class Ledger(Recording):
    """A lasting record of calls: who answered, tokens, cost, tags, outcome; no content, no key.

    ``with Ledger("costs.db"):`` records every call that this process makes meanwhile; `start` and `stop` do the same
    without a block. Several ledgers that are started on the same target record a call once. Any number of threads,
    forked processes and other processes may use a ledger at once.

    A call is there to stay, whatever becomes of the process, before its answer is returned. An SQLite file is in WAL
    mode with ``synchronous=NORMAL``: a power cut, or a crash of the whole machine, may take the calls of the last
    moments; it leaves the others readable.

    Args:
        target: where it is. A path: an SQLite file, made with its folder if it is not there (on a disk of this machine;
            SQLite's locks do not work over a network). A text with ``://``, or SQLAlchemy's ``URL`` or ``Engine``: a
            database that SQLAlchemy reaches, with a synchronous driver; needs the extra ``ledger``. The tables are
            ``calls`` and ``ledger_version``, which are made if they are not there.

    Raises:
        ImportError: SQLAlchemy, or the driver that the URL names, is not installed.
        OSError: the target cannot be opened or written.
        TypeError: the target is none of these.
        ValueError: the file is no database; the URL makes no sense or names nothing that lasts; or there is a table
            ``calls`` that is no ledger's, or of a later release.
    """

    def __init__(self, target: str | os.PathLike[str] | URL | Engine) -> None:
        self._store = _opened(target)
        self._target = self._store.name if _is_path(target) else target
        super().__init__(self._store.name)

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._store.name!r}>"

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._target,)

    @override
    def append(self, record: CallRecord) -> None:
        """Write down one call; it is there to stay when this returns.

        A `settled` record, which tells what was learned of a call later, changes nothing that was written: in all that
        the ledger tells it has the place of the earlier one of the same generation id and time; of several, the last
        has. Without an earlier one it is a call like any other.

        Raises:
            OSError: it could not be written.
            ValueError: its time has no time zone, or it is settled and has no generation id.
        """
        self._store.append(row_of(record))

    def records(self, since: datetime | None = None, until: datetime | None = None) -> Iterator[CallRecord]:
        """The calls that are in the ledger now, in the order in which they were sent, each as what is known of it.

        Args:
            since: those sent at this time or later (with a time zone); by default from the first on.
            until: those sent before this time (with a time zone); by default up to the last.

        Raises:
            OSError: the ledger could not be read.
            ValueError: a time has no time zone.
        """
        return records_in(self._store, since, until)

    def costs(self, since: datetime | None = None, until: datetime | None = None) -> Costs:
        """The same calls as `records`, and their sums: by model, provider, tag and day."""
        return Costs(self.records(since, until))

    def close(self) -> None:
        """Stop, and give back the file or the connections; the next use opens them anew. An engine given stays open."""
        self.stop()
        self._store.close()


def _is_path(target: object) -> TypeIs[str | os.PathLike[str]]:
    return isinstance(target, os.PathLike) or (isinstance(target, str) and "://" not in target)


def _opened(target: str | os.PathLike[str] | URL | Engine) -> Store:
    """Neither sqlite3 nor SQLAlchemy is loaded before it is needed."""
    if _is_path(target):
        if os.fspath(target).strip() in ("", ":memory:"):
            raise ValueError(f"target={target!r} is no place that lasts: give a path, or use track_costs()")
        from openrouter_adapters.core.ledger_file import FileStore

        return FileStore(Path(target).expanduser().absolute())
    if not isinstance(target, str) and not type(target).__module__.startswith("sqlalchemy."):
        raise TypeError(f"target={target!r}: give a path, a database URL, or an SQLAlchemy engine")
    from openrouter_adapters.core.ledger_database import DatabaseStore

    return DatabaseStore(target)
