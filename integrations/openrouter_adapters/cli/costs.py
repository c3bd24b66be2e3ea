"""``openrouter-adapters costs``: what a ledger says was spent."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from openrouter_adapters.cli import files
from openrouter_adapters.cli.period import Period
from openrouter_adapters.cli.report import GROUPINGS, Line, Report, cells_of
from openrouter_adapters.cli.tables import console, note, show, table
from openrouter_adapters.cli.words import count, money, one_line
from openrouter_adapters.core.arguments import without_user

_ROWS = 30
_WIDE = 110  # columns of a terminal that all sums fit into
# Columns that are left out where there are no such tokens or calls; the first two also where there is no room.
_DETAILS = ("cached", "reasoning")
_MAY_BE_NONE = (*_DETAILS, "unpriced", "failed")


class Group(StrEnum):
    """What costs are summed by."""

    model = "model"
    provider = "provider"
    tag = "tag"
    day = "day"


LedgerTarget = Annotated[
    str | None,
    typer.Argument(
        envvar="OPENROUTER_LEDGER", metavar="LEDGER", help="The ledger: a file, or a database URL.", show_default=False
    ),
]
By = Annotated[list[Group] | None, typer.Option("--by", help="Sum by this; repeatable. By all when not given.")]
Since = Annotated[
    str | None, typer.Option(metavar="WHEN", help="From then on: 2026-11-26, or 7d, 24h, 2w ago. In UTC.")
]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Up to then; a date's day is in it.")]
Limit = Annotated[int, typer.Option(min=0, help="How many lines a table has, 0 for all.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; costs are USD, as text, to the last digit.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one page with charts and tables.")]


def costs(
    ledger: LedgerTarget = None,
    by: By = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = _ROWS,
    as_json: Json = False,
    as_csv: Csv = False,
    html: Html = None,
) -> None:
    """Show what was spent, by model, provider, tag and day, out of a ledger."""
    if (as_json, as_csv, html == files.STDOUT).count(True) > 1:
        raise ValueError("--json, --csv and --html - all go to stdout: give one of them")
    if not ledger:
        raise ValueError("no ledger is given: name its file or its database URL, or set OPENROUTER_LEDGER")
    files.check_writable(html)
    period = Period.between(since, until)
    groups = [str(group) for group in dict.fromkeys(by)] if by else list(GROUPINGS)
    report = _read(ledger, period, groups)
    name = _shown(ledger)
    if as_json:
        files.write(files.STDOUT, files.as_json(facts(report, name, period)))
    elif as_csv:
        files.write(files.STDOUT, files.as_csv(rows(report)))
    elif html != files.STDOUT:
        _print(report, name, period, limit)
    if html:
        from openrouter_adapters.cli.costs_page import costs_page  # charts take their time to load

        files.write(html, costs_page(report, name, period).html())


def _shown(target: str) -> str:
    """A ledger's name, without the password that a URL may have, before the host or after the question mark."""
    return without_user(target).partition("?")[0] if "://" in target else target


def _read(target: str, period: Period, by: list[str]) -> Report:
    from openrouter_adapters.core.ledger import Ledger
    from openrouter_adapters.core.ledger_file import RestingFile
    from openrouter_adapters.core.ledger_rows import records_in

    _check_is_there(target)
    path = Path(target).expanduser().absolute()
    if "://" not in target and _is_at_rest(path):
        with closing(RestingFile(path)) as store:
            return Report.of(records_in(store, period.since, period.until), by)
    with closing(Ledger(target)) as ledger:
        return Report.of(ledger.records(period.since, period.until), by)


def _is_at_rest(path: Path) -> bool:
    """Whether a file must not be written, and nobody does: a log beside it tells of who has it open."""
    return not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)) and not Path(f"{path}-wal").exists()


def _check_is_there(target: str) -> None:
    """A ledger that is not there is made by whoever opens it; who only wants to read it has mistyped its name."""
    scheme, is_url, rest = target.partition("://")
    if is_url and scheme.partition("+")[0] != "sqlite":
        return
    path = Path(rest.removeprefix("/").partition("?")[0] if is_url else target).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"there is no ledger at {path}")
    if not _has_calls(path):
        raise ValueError(f"{path} is no ledger: it has no table of calls")


def _has_calls(path: Path) -> bool:
    """Whether an SQLite file has a ledger's table; nothing is made in it."""
    how = "immutable=1" if _is_at_rest(path) else "mode=ro"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as connection:
        try:
            return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone())
        except sqlite3.Error:
            return True  # what is wrong with it, the ledger will say


def facts(report: Report, name: str, period: Period) -> dict[str, Any]:
    """A report as JSON shows it."""
    return {
        "ledger": name,
        "since": _iso(period.since),
        "until": _iso(period.until),
        "total": report.total.facts(),
        **{
            f"by_{grouping}": [{grouping: key or None, **line.facts()} for key, line in lines.items()]
            for grouping, lines in report.groups.items()
        },
    }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def rows(report: Report) -> list[dict[str, Any]]:
    """A report as CSV shows it: a line for all, then one for each line of each grouping."""
    lines = [("total", "", report.total)]
    lines += [(grouping, key, line) for grouping, found in report.groups.items() for key, line in found.items()]
    return [{"by": grouping, "name": one_line(key), **line.facts()} for grouping, key, line in lines]


def _print(report: Report, name: str, period: Period, limit: int) -> None:
    if report.is_empty:
        note(f"The ledger {name} has no calls{f' {period}' if period.is_limited else ''}.")
        return
    console().print(Text(one_line(f"{name}, {period}: {summary(report.total)}")))
    for grouping, lines in report.groups.items():
        if grouping != "tag" or any(lines):  # without any tag, there is nothing to tell apart
            typer.echo()
            _print_lines(grouping, lines, limit)


def summary(total: Line) -> str:
    """The sums in a sentence."""
    took, sums = total.sums.tokens, total.sums
    said = [
        f"{money(sums.cost)} for {_counted(sums.calls, 'call')}",
        f"{count(took.input)} tokens in ({count(took.cached)} cached)",
        f"{count(took.output)} out ({count(took.reasoning)} reasoning)",
        f"{_counted(sums.unpriced_calls, 'call')} of unknown cost" if sums.unpriced_calls else "",
        _counted(total.failures, "failure") if total.failures else "",
    ]
    return ", ".join(filter(None, said))


def _counted(number: int, noun: str) -> str:
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def _print_lines(grouping: str, lines: Mapping[str, Line], limit: int) -> None:
    names = list(lines)
    shown = names if not limit else names[-limit:] if grouping == "day" else names[:limit]
    screen = console()
    cells = cells_of({name: lines[name] for name in shown})
    columns = _columns([found for _, found in cells], wide=screen.width >= _WIDE)
    rows = [[name, *(found[column] for column in columns)] for name, found in cells]
    show(screen, table([f"by {grouping}", *columns], rows, numbers=set(range(1, len(columns) + 1))))
    if len(shown) < len(names):
        note(f"{len(shown)} of {len(names):,} lines by {grouping} are shown; --limit 0 for all.")


def _columns(cells: Sequence[Mapping[str, str]], *, wide: bool) -> list[str]:
    """The columns that have something to tell, and room to do so."""
    room = [column for column in Line().cells() if wide or column not in _DETAILS]
    some = {column for found in cells for column, cell in found.items() if cell != count(0)}
    return [column for column in room if column in some or column not in _MAY_BE_NONE]
