"""``openrouter-adapters compare``: the command around `compare_models`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from openrouter_adapters.cli.comparison import Comparison, compare_models
from openrouter_adapters.cli.connection import ApiKey, BaseUrl
from openrouter_adapters.cli.failures import FAILED
from openrouter_adapters.cli.files import STDOUT, as_csv, as_json, check_writable, write
from openrouter_adapters.cli.frameworks import TITLES, chosen
from openrouter_adapters.cli.live import LiveComparison, answer, numbers
from openrouter_adapters.cli.tables import show
from openrouter_adapters.cli.words import one_line
from openrouter_adapters.core.wire import known

_PLAIN_WIDTH = 10_000  # a table that is written to a file is as wide as it is
Writer = tuple[Path | None, Callable[[Sequence[Comparison]], str]]


class Framework(StrEnum):
    """What the models are asked through."""

    langchain = "langchain"
    llamaindex = "llamaindex"


Prompt = Annotated[str, typer.Argument(help="What the models are asked; - reads it from stdin.", show_default=False)]
Models = Annotated[
    list[str], typer.Option("--model", "-m", metavar="SLUG", help="A model; once for each.", show_default=False)
]
Through = Annotated[
    Framework | None, typer.Option("--framework", help="Default: the first that is installed.", show_default=False)
]
System = Annotated[str | None, typer.Option(metavar="TEXT", help="The system message.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many tokens in an answer.")]
Temperature = Annotated[float | None, typer.Option(metavar="X", help="0: the same again; 2: anything.")]
ProviderOrder = Annotated[str | None, typer.Option(metavar="A,B", help="Providers in the order to be asked in.")]
ReasoningEffort = Annotated[str | None, typer.Option(metavar="WORD", help="none, minimal, low, medium, high ...")]
Repeat = Annotated[int, typer.Option(min=1, metavar="N", help="Ask each model so many times, all at once.")]
Timeout = Annotated[float | None, typer.Option(metavar="SECONDS", help="To connect, and between two bytes.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is stdout.")]
Csv = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write CSV; - is stdout.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one HTML page with charts.")]


def compare(
    prompt: Prompt,
    model: Models,
    framework: Through = None,
    system: System = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    provider_order: ProviderOrder = None,
    reasoning_effort: ReasoningEffort = None,
    repeat: Repeat = 1,
    timeout: Timeout = None,
    json: Json = None,
    csv: Csv = None,
    html: Html = None,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Ask several models the same, side by side: answers, times, tokens, cost.

    A model that fails does not stop the others. The exit code is 1 when all of them failed.
    """
    check_writable(json, csv, html)
    words = sys.stdin.read() if prompt == "-" else prompt
    through = chosen(framework)
    options = known(
        max_tokens=max_tokens,
        temperature=temperature,
        provider={"order": _names(provider_order)} if provider_order is not None else None,
        reasoning_effort=reasoning_effort,
    )
    given = {**options, **known(system=system, timeout=timeout, base_url=base_url, api_key=api_key)}
    writers: list[Writer] = [(json, _json), (csv, _csv)]
    if html:
        writers.append((html, _page_maker(words, TITLES[through], system=system, options=options)))
    slugs = [one for one in model for _ in range(repeat)]
    found = _shown(_console(stderr=STDOUT in (json, csv, html)), writers, words, slugs, framework=through, **given)
    if all(one.error for one in found):
        raise typer.Exit(FAILED)


def _names(order: str) -> list[str]:
    names = [name for name in map(str.strip, order.split(",")) if name]
    if not names:
        raise ValueError(f"--provider-order {order!r} names no provider: write them with commas, such as azure,openai")
    return names


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, markup=False, width=None if stream.isatty() else _PLAIN_WIDTH)


def _shown(
    console: Console, writers: Sequence[Writer], prompt: str, models: Sequence[str], **given: Any
) -> list[Comparison]:
    """Ask, show it (live in a terminal, afterwards anywhere else), and write it."""
    live = LiveComparison()
    drawn = Live(live, console=console, refresh_per_second=8, transient=True)
    try:
        with drawn if console.file.isatty() else nullcontext():
            return compare_models(prompt, models, on_progress=live.update, **given)
    finally:  # after Ctrl-C too: what came was paid for
        if live.states:
            _tell(console, writers, live.states)


def _tell(console: Console, writers: Sequence[Writer], found: Sequence[Comparison]) -> None:
    try:
        _print(console, found)
    finally:  # whoever reads what is printed may have left
        for path, text in writers:
            if path:
                write(path, text(found))


def _print(console: Console, found: Sequence[Comparison]) -> None:
    if console.file.isatty():
        console.print(*(answer(one) for one in found), sep="\n")
        show(console, numbers(found))
        return
    console.print(numbers(found, plain=True))
    for one in found:
        if one.error:
            console.print(f"{one_line(one.name)}: {type(one.error).__name__}: {one_line(str(one.error))}")


def _json(found: Sequence[Comparison]) -> str:
    return as_json([one.as_dict() for one in found])


def _csv(found: Sequence[Comparison]) -> str:
    return as_csv([one.as_dict() for one in found])


def _page_maker(prompt: str, title: str, **more: Any) -> Callable[[Sequence[Comparison]], str]:
    """What makes the page; what it lacks is told now, before money is spent."""
    from openrouter_adapters.cli.answers_page import comparison_page

    def made(found: Sequence[Comparison]) -> str:
        about = f"{len(found)} answers through {title}, asked for at the same time."
        return comparison_page(prompt, found, about=about, **more).html()

    return made
