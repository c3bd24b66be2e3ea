"""The page of what was spent, in a real browser: charts and numbers are there, and no request leaves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from openrouter_adapters.cli.costs_page import costs_page
from openrouter_adapters.cli.period import Period
from openrouter_adapters.cli.report import Report
from openrouter_adapters.core.records import CallRecord

from .calls import CALLS, CLAUDE, DAY, GPT
from .test_page_in_browser import NARROW, NASTY, WIDE, Visit, cut_off, pytestmark, visiting

__all__ = ["pytestmark"]

HARMFUL = replace(CALLS[0], time=DAY - timedelta(days=1), model=f"{NASTY}/{NASTY}", tags=(NASTY,), provider=NASTY)


def written(path: Path, *records: CallRecord) -> Path:
    page = path / "costs.html"
    costs_page(Report.of(records), "costs.db", Period()).write(page)
    return page


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path, *CALLS, HARMFUL)


async def bars(visit: Visit, title: str) -> list[tuple[str, str]]:
    """The bars of a chart, from the top: their names and their numbers."""
    chart = f".bars:has(h2:text-is('{title}')) svg"
    names, numbers = await visit.texts(f"{chart} .axis.y text"), await visit.texts(f"{chart} .value")
    return list(zip(reversed(names), reversed(numbers), strict=True))


async def test_the_charts_and_the_numbers_are_there_and_no_request_leaves(path: Path) -> None:
    async with visiting(path, viewport=WIDE) as visit:
        assert await visit.texts("h1") == ["What was spent"]
        assert await visit.texts(".bars h2") == [
            f"Cost by {grouping}" for grouping in ("day", "model", "provider", "tag")
        ]
        assert await bars(visit, "Cost by day") == [
            ("2026-11-24", "$0.10000001"),
            ("2026-11-25", "$0.30000001"),
            ("2026-11-26", "$0.000000001"),
        ]
        assert {("gpt-5-mini", "$0.30000001"), ("claude-haiku-4.5", "$0.00")} <= set(await bars(visit, "Cost by model"))
        assert await visit.texts(".facts dd") == ["$0.400000021", "6", "1,207", "20", "49", "10", "1", "2"]
        assert await visit.texts(".table h2") == [f"By {grouping}" for grouping in ("model", "provider", "tag", "day")]
        row = f".table:has(h2:text-is('By model')) tr:has(td:text-is('{CLAUDE}')) td"
        assert await visit.texts(row) == [CLAUDE, "$0.000000000", "2", "7", "0", "8", "0", "1", "2"]
        assert NASTY in await visit.texts(".table:has(h2:text-is('By tag')) td:first-child")
        assert await visit.page.title() == "What was spent"
        assert (visit.requests, visit.complaints) == ([path.as_uri()], [])


async def test_it_fits_screens_wide_and_narrow(path: Path) -> None:
    async with visiting(path) as visit:
        for viewport in (WIDE, NARROW):
            await visit.page.set_viewport_size(viewport)
            assert await visit.value("document.documentElement.scrollWidth") == viewport["width"]
            assert [await cut_off(visit, chart) for chart in range(4)] == [[]] * 4


async def test_days_stand_in_a_row_and_many_are_months(tmp_path: Path) -> None:
    first, last = (replace(CALLS[0], time=DAY + timedelta(days=after)) for after in (0, 3))
    async with visiting(written(tmp_path, first, last)) as visit:
        spent, nothing = "$0.10000001", "$0.00"
        assert await bars(visit, "Cost by day") == [
            ("2026-11-25", spent),
            ("2026-11-26", nothing),
            ("2026-11-27", nothing),
            ("2026-11-28", spent),
        ]
    later = replace(CALLS[0], time=DAY + timedelta(days=60))
    async with visiting(written(tmp_path, first, last, later)) as visit:
        months = [("2026-11", "$0.20000002"), ("2026-12", "$0.00"), ("2027-01", "$0.10000001")]
        assert await bars(visit, "Cost by month") == months


async def test_of_many_models_the_dearest_are_drawn_and_all_are_listed(tmp_path: Path) -> None:
    many = [
        replace(CALLS[0], model=f"a/model-{number:02}", cost=CALLS[0].cost and CALLS[0].cost + number)
        for number in range(20)
    ]
    async with visiting(written(tmp_path, *many, replace(CALLS[0], model=GPT))) as visit:
        drawn = await bars(visit, "Cost by model")
        assert [name for name, _ in drawn] == [f"model-{number:02}" for number in range(19, 7, -1)]
        assert "9 more are in the table below." in await visit.texts(".note")
        assert await visit.page.locator(".table:has(h2:text-is('By model')) tbody tr").count() == 21
