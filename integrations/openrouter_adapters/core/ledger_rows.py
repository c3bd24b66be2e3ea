"""How a call stands in a ledger: the columns, the same in every kind of database, and the way there and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from openrouter_adapters.core.records import CallRecord, Tokens

VERSION = 1
"""Of the table. A column that adds something can be null and needs no new one; what old code would misread does."""

COLUMNS: dict[str, type] = {
    "time": str,
    "seconds": float,
    "endpoint": str,
    "requested_model": str,
    "model": str,
    "provider": str,
    "generation_id": str,
    "input_tokens": int,
    "output_tokens": int,
    "cached_tokens": int,
    "cache_write_tokens": int,
    "reasoning_tokens": int,
    "cost": str,
    "priced": int,
    "served": int,
    "outcome": str,
    "status_code": int,
    "tags": str,
    "settled": str,
}
"""Beside ``id``, which counts the rows. ``time`` and ``settled`` are UTC and all of one length, so that they sort as
text; ``cost`` is a decimal number as text, since a float would not be exact; ``tags`` is a list in JSON. ``settled`` is
when a row was written that takes the place of an earlier one: it tells what was learned later of the call of the same
``generation_id`` and ``time``."""

PATIENCE = 60.0
"""So long a write to SQLite waits for those of others, in seconds; each takes well under a millisecond."""

PAGE = 1000
"""So many rows are read at once: while they are read, nobody in this process writes."""

# A column's type cannot hold more, and no count that is right comes near it.
_MOST = 2**63 - 1

Row = tuple[Any, ...]
"""The values of the columns, in their order; what comes from a table has the row's id before them."""


class Store(Protocol):
    """Where a ledger's rows are. Each method is safe from any thread."""

    name: str

    def append(self, row: Row) -> None:
        """Write a row; it is there to stay when this returns."""

    def newest(self) -> int:
        """The id of the newest row; 0 when there is none."""

    def page(self, window: Window) -> Sequence[Row]:
        """The first rows of a window, in the order of time, without those that a later one has the place of."""

    def close(self) -> None:
        """Give back what is open; the next use opens anew."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows are asked for.

    Attributes:
        time: of this time or later, as it stands in the table.
        id: of those of exactly this time, the ones with a higher id.
        until: before this time.
        newest: no row with a higher id, so that what is written meanwhile is not half there.
    """

    time: str
    id: int
    until: str
    newest: int

    @classmethod
    def between(cls, since: datetime | None, until: datetime | None, newest: int) -> Window:
        """All of a time.

        Raises:
            ValueError: a time has no time zone.
        """
        return cls(
            time=instant("since", since or datetime.min.replace(tzinfo=UTC)),
            id=-1,
            until=instant("until", until or datetime.max.replace(tzinfo=UTC)),
            newest=newest,
        )

    def after(self, row: Row) -> Window:
        """What comes after a row."""
        return Window(time=row[1], id=row[0], until=self.until, newest=self.newest)


def instant(name: str, time: datetime) -> str:
    """A time as it stands in the table.

    Raises:
        ValueError: it has no time zone.
    """
    if time.utcoffset() is None:
        raise ValueError(f"{name}={time!r} has no time zone: give one, as in datetime.now(timezone.utc)")
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def row_of(record: CallRecord) -> Row:
    """The row for a call.

    Raises:
        ValueError: its time has no time zone, or it is settled and has no generation id.
    """
    if record.settled and record.id is None:
        raise ValueError(f"record={record!r} is settled and has no id: give the generation id of the call")
    tokens = record.tokens
    return (
        instant("record.time", record.time),
        record.seconds,
        _storable(record.endpoint),
        _storable(record.requested_model),
        _storable(record.model),
        _storable(record.provider),
        _storable(record.id),
        min(tokens.input, _MOST),
        min(tokens.output, _MOST),
        min(tokens.cached, _MOST),
        min(tokens.cache_write, _MOST),
        min(tokens.reasoning, _MOST),
        None if record.cost is None else str(record.cost),
        int(record.priced),
        int(record.served),
        _storable(record.outcome),
        record.status_code,
        json.dumps(record.tags) if record.tags else "[]",
        instant("settled", datetime.now(UTC)) if record.settled else None,
    )


def _storable(text: str | None) -> str | None:
    """Without what a database may refuse: NUL, and halves of characters."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def record_of(row: Row) -> CallRecord:
    """The call that a row from a table is of."""
    told = dict(zip(COLUMNS, row[1:], strict=True))
    return CallRecord(
        time=datetime.fromisoformat(told["time"]),
        seconds=told["seconds"],
        endpoint=told["endpoint"],
        requested_model=told["requested_model"],
        model=told["model"],
        provider=told["provider"],
        id=told["generation_id"],
        tokens=Tokens(
            input=told["input_tokens"],
            output=told["output_tokens"],
            cached=told["cached_tokens"],
            cache_write=told["cache_write_tokens"],
            reasoning=told["reasoning_tokens"],
        ),
        cost=None if told["cost"] is None else Decimal(told["cost"]),
        priced=bool(told["priced"]),
        served=bool(told["served"]),
        outcome=told["outcome"],
        status_code=told["status_code"],
        tags=tuple(json.loads(told["tags"])),
        settled=told["settled"] is not None,
    )


def records_in(store: Store, since: datetime | None, until: datetime | None) -> Iterator[CallRecord]:
    """The calls of a time that are there now; see `Ledger.records`."""
    return _records(store, Window.between(since, until, store.newest()))


def _records(store: Store, window: Window) -> Iterator[CallRecord]:
    while rows := store.page(window):
        yield from map(record_of, rows)
        window = window.after(rows[-1])


def check_table(name: str, columns: Iterable[str]) -> None:
    """See that a table ``calls`` that was there already is a ledger's.

    Raises:
        ValueError: it is not.
    """
    missing = sorted({"id", *COLUMNS}.difference(columns))
    if missing:
        raise ValueError(
            f"target={name!r} has a table calls that is no ledger's: {', '.join(missing)} missing. Give another target"
        )


def check_version(name: str, version: int) -> None:
    """See that this code can read the table.

    Raises:
        ValueError: it is of a later release.
    """
    if version > VERSION:
        raise ValueError(
            f"target={name!r} is of version {version}, and this release knows {VERSION}: upgrade openrouter-adapters"
        )
