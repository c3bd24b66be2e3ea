"""Tables in the terminal, and notes beside them: what a command found goes to stdout, what it has to say to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from openrouter_adapters.cli.words import one_line

_UNBOUNDED = 10_000  # columns, where nobody looks at a screen
_NARROWEST = 10  # columns for a name, however little room there is


def console() -> Console:
    """Where tables are printed: as wide as the terminal, in a file or a pipe as wide as they are."""
    fits = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return Console(width=None if fits else _UNBOUNDED, markup=False, highlight=False, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[int] = ()) -> Table:
    """A table whose first column wraps, and whose others do not.

    Args:
        columns: what stands at the top of each.
        rows: the cells of each row, whoever said them.
        numbers: which columns (from 0) are set to the right.
    """
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for at, name in enumerate(columns):
        made.add_column(name, justify="right" if at in numbers else "left", overflow="fold", no_wrap=at > 0)
    for row in rows:
        made.add_row(*(Text(one_line(cell)) for cell in row))
    return made


def show(screen: Console, found: Table) -> None:
    """Print a table. Where there is no room for its numbers, its lines run over: no digit is cut off."""
    if _least_width(screen, found) > screen.width:
        screen.width = _UNBOUNDED
    screen.print(found)


def _least_width(screen: Console, found: Table) -> int:
    """The width at which no number is cut off, and names are folded into a few columns."""
    folded = [column for column in found.columns if not column.no_wrap]
    for column in folded:
        column.width = min(_NARROWEST, max(cell_len(str(cell)) for cell in (column.header, *column.cells)))
    least = Measurement.get(screen, screen.options.update(max_width=_UNBOUNDED), found).minimum
    for column in folded:
        column.width = None
    return least


def note(text: str) -> None:
    """Say something beside the result."""
    typer.echo(one_line(text), err=True)
