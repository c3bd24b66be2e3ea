"""Points in time, as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from openrouter_adapters.cli.period import Period, moment

NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        (" 2026-11-01T08:15 ", datetime(2026, 11, 1, 8, 15, tzinfo=UTC)),
        ("2026-11-01 08:15:30", datetime(2026, 11, 1, 8, 15, 30, tzinfo=UTC)),
        ("2026-11-01T08:15+02:00", datetime(2026, 11, 1, 6, 15, tzinfo=UTC)),
        ("2026-11-01T08:15Z", datetime(2026, 11, 1, 8, 15, tzinfo=UTC)),
        ("45m", NOW - timedelta(minutes=45)),
        ("24h", NOW - timedelta(hours=24)),
        ("7D", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
    ],
)
def test_dates_moments_and_times_ago(text: str, meant: datetime) -> None:
    found = moment(text, now=NOW)
    assert found == meant and found.tzinfo is UTC


def test_the_day_of_an_end_is_in_it() -> None:
    for day in ("2026-11-30", "20261130", "2026-W49-1"):
        assert moment(day, end=True) == datetime(2026, 12, 1, tzinfo=UTC), day
    assert moment("2026-11-30T10:00", end=True) == datetime(2026, 11, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "7", "7y", "-7d", "2026-13-01", "2026-02-30", "999999999w", "\N{ARABIC-INDIC DIGIT SEVEN}d"],
)
def test_what_is_no_point_in_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no point in time: write a date \(2026-11-26\)") as caught:
        moment(text, now=NOW)
    assert repr(text) in str(caught.value)


def test_a_period_in_words() -> None:
    assert str(Period()) == "all calls" and not Period().is_limited
    whole = Period.between("2026-11-01", "2026-11-30")
    assert str(whole) == "from 2026-11-01 00:00 UTC until 2026-12-01 00:00 UTC" and whole.is_limited
    assert Period.between("2026-11-01", "2026-11-01").until == datetime(2026, 11, 2, tzinfo=UTC)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        Period.between("2026-11-02", "2026-11-01")
