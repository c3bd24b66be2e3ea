"""The page that shows what was spent: charts for the eye, tables to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from openrouter_adapters.cli.page import Page
from openrouter_adapters.cli.period import Period
from openrouter_adapters.cli.report import Line, Report, cells_of
from openrouter_adapters.cli.words import count, money

_BARS = 12
_MOST_DAYS = 31
_CHARTS = ("day", "model", "provider", "tag")


def costs_page(report: Report, name: str, period: Period) -> Page:
    """A page with the sums, a chart and a table for each grouping.

    Args:
        report: the sums.
        name: what the ledger is called.
        period: from when until when.
    """
    page = Page("What was spent", f"{name}, {period}. USD; days are UTC's.")
    page.facts(_total(report.total))
    groups = {grouping: lines for grouping, lines in report.groups.items() if any(lines)}
    for grouping in _CHARTS:
        if grouping in groups:
            _add_chart(page, grouping, groups[grouping])
    for grouping, lines in groups.items():
        heads = list(Line().cells())
        rows = [[key, *cells.values()] for key, cells in cells_of(lines)]
        page.table(f"By {grouping}", [grouping, *heads], rows, numbers=range(1, len(heads) + 1))
    return page


def _total(line: Line) -> dict[str, str]:
    sums = line.sums
    return {
        "Cost": money(sums.cost),
        "Calls": count(sums.calls),
        "Tokens in": count(sums.tokens.input),
        "of these cached": count(sums.tokens.cached),
        "Tokens out": count(sums.tokens.output),
        "of these reasoning": count(sums.tokens.reasoning),
        "Calls of unknown cost": count(sums.unpriced_calls),
        "Failures": count(line.failures),
    }


def _add_chart(page: Page, grouping: str, lines: Mapping[str, Line]) -> None:
    """A chart that can still be read: days in a row, else months; of others the dearest."""
    costs = {key or "no tag": line.sums.cost for key, line in lines.items()}
    if grouping == "day":
        days = _in_a_row(costs)
        several = len(days) > _MOST_DAYS
        page.bars(f"Cost by {'month' if several else 'day'}", _by_month(days) if several else days, money)
        return
    shown = _short({name: costs[name] for name in list(costs)[:_BARS]})
    rest = len(costs) - len(shown)
    page.bars(f"Cost by {grouping}", shown, money, note=f"{rest:,} more are in the table below." if rest else "")


def _in_a_row(costs: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Every day from the first to the last, those without calls as well."""
    first, last = (date.fromisoformat(day) for day in (min(costs), max(costs)))
    days = (str(first + timedelta(days=after)) for after in range((last - first).days + 1))
    return {day: costs.get(day, Decimal(0)) for day in days}


def _by_month(costs: Mapping[str, Decimal]) -> dict[str, Decimal]:
    months: dict[str, Decimal] = {}
    for day, cost in costs.items():
        months[day[:7]] = months.get(day[:7], Decimal(0)) + cost
    return months


def _short(bars: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Bars without the vendors of their models, where they can be told apart without: a label has little room."""
    short = {name.rpartition("/")[2]: cost for name, cost in bars.items()}
    return short if len(short) == len(bars) else dict(bars)
