"""Comparisons in a terminal: as they stream, and when they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from openrouter_adapters.cli.comparison import Comparison
from openrouter_adapters.cli.words import UNKNOWN, count, duration, money, one_line, printable

_TAIL = 4000  # characters of a streaming answer that are looked at for its last lines


class LiveComparison:
    """The states of the models, drawn anew whenever rich wants to."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, int], Comparison] = {}

    def update(self, state: Comparison) -> None:
        """Take in the news of one model."""
        self._states[state.model, state.run] = state

    @property
    def states(self) -> list[Comparison]:
        """What is known of each model."""
        return list(self._states.values())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The numbers, and the last lines of each answer."""
        states = self.states
        yield numbers(states)
        height = (options.height or console.height) - 5 - 2 * len(states)
        lines = max(1, height // max(len(states), 1) - 2)
        for state in states:
            body = Text(printable(said(state))[-_TAIL:]).wrap(console, options.max_width - 4)[-lines:]
            yield _panel(state, Text("\n").join(body))


def numbers(states: Sequence[Comparison], *, plain: bool = False) -> Table:
    """A table of who answered, how fast and for how much.

    Args:
        states: one for each row.
        plain: without lines and colours.
    """
    look: dict[str, Any] = {"box": None} if plain else {"box": box.SIMPLE_HEAD, "padding": 0}
    table = Table(pad_edge=False, header_style="" if plain else "bold", **look)
    table.add_column("Model", overflow="fold")
    table.add_column("Provider", overflow="fold")
    for name in ("First", "Total", "In", *(kind.capitalize() for kind in _kinds(states)), "Out", "Tok/s", "Cost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("End", no_wrap=True)
    for state in states:
        table.add_row(*_cells(state, _kinds(states), plain=plain))
    return table


def _kinds(states: Sequence[Comparison]) -> list[str]:
    """The kinds of tokens that only some answers have."""
    kinds = ("cached", "reasoning")
    return [kind for kind in kinds if any(one.counted(kind) for one in states)]


def _cells(state: Comparison, kinds: Sequence[str], *, plain: bool) -> Iterator[Text]:
    rate = state.tokens_per_second
    yield _name(state, plain=plain)
    yield Text(one_line(state.provider or UNKNOWN))
    yield Text(duration(state.first_token))
    yield Text(duration(state.seconds if state.done or state.seconds else None))
    for kind in ("input", *kinds, "output"):
        yield Text(count(state.counted(kind)))
    yield Text(UNKNOWN if rate is None else f"{rate:.1f}")
    yield Text(money(state.cost))
    yield _end(state)


def _name(state: Comparison, *, plain: bool) -> Text:
    """The model, and the one that answered in its place."""
    name = one_line(state.name)
    if not state.fallback_used:
        return Text(name)
    return Text(f"{name}{' ' if plain else chr(10)}(answered by {one_line(state.served_model or UNKNOWN)})")


def _end(state: Comparison) -> Text:
    if state.error is not None:
        return Text("failed", style="red")
    return Text(one_line(state.finish_reason or UNKNOWN) if state.done else "...", style="" if state.done else "dim")


def said(state: Comparison) -> str:
    """The answer, the failure, or that there is none yet."""
    failure = f"{type(state.error).__name__}: {state.error}" if state.error else ""
    return "\n\n".join(filter(None, [state.text, failure])) or ("(no text)" if state.done else "...")


def answer(state: Comparison) -> Panel:
    """The whole answer in a frame."""
    return _panel(state, Text(printable(said(state))))


def _panel(state: Comparison, body: Text) -> Panel:
    style = "red" if state.error else "green" if state.done else "dim"
    return Panel(body, title=Text(one_line(state.name)), title_align="left", border_style=style)
