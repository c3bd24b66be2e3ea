"""From when until when: dates, moments and lengths of time, as somebody types them. Days are UTC's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from typing_extensions import override

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SHOULD_BE = "write a date (2026-11-26), a moment (2026-11-26T12:30) or a time ago (30m, 24h, 7d, 2w)"


def moment(text: str, *, end: bool = False, now: datetime | None = None) -> datetime:
    """The moment that is meant, aware and in UTC; one without an offset is UTC's.

    Args:
        text: ``2026-11-26``, ``2026-11-26T12:30+01:00``, or ``7d`` for seven days ago.
        end: whether something ends there: then a date's day is in it.
        now: the present.

    Raises:
        ValueError: it is none of these.
    """
    typed = text.strip()
    try:
        if ago := re.fullmatch(r"(\d{1,9})([mhdw])", typed.lower(), re.ASCII):
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if len(typed) <= len("2026-11-26"):  # there are other ways to write a date, and none to write a moment so short
            day = datetime.combine(date.fromisoformat(typed), datetime.min.time(), UTC)
            return day + timedelta(days=1) if end else day
        said = datetime.fromisoformat(typed)
        return (said if said.tzinfo else said.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no point in time: {_SHOULD_BE}") from None


@dataclass(frozen=True, slots=True)
class Period:
    """From when (that moment included) until when (that moment not); None is without an end.

    Attributes:
        since: aware, in UTC.
        until: aware, in UTC.
    """

    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def between(cls, since: str | None, until: str | None) -> Period:
        """As typed; see `moment`.

        Raises:
            ValueError: one is no moment, or the end is not after the beginning.
        """
        begin = None if since is None else moment(since)
        end = None if until is None else moment(until, end=True)
        if begin and end and begin >= end:
            raise ValueError(f"the period ends ({_shown(end)}) before it begins ({_shown(begin)})")
        return cls(begin, end)

    @property
    def is_limited(self) -> bool:
        """Whether it leaves out anything."""
        return self != Period()

    @override
    def __str__(self) -> str:
        begin = f"from {_shown(self.since)}" if self.since else ""
        end = f"until {_shown(self.until)}" if self.until else ""
        return " ".join(filter(None, [begin, end])) or "all calls"


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
