"""A comparison as a page: who was cheapest and fastest, charts, all numbers, the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from openrouter_adapters.cli.comparison import Comparison
from openrouter_adapters.cli.page import Page
from openrouter_adapters.cli.words import UNKNOWN, count, duration, in_short, money

_EXPLAINED = (
    "First token: until the first piece of the answer, or of the reasoning before it. Both times include connecting "
    "and retries. Tokens/s: the answer's tokens by the total time."
)


def comparison_page(
    prompt: str,
    comparisons: Sequence[Comparison],
    *,
    about: str = "",
    system: str | None = None,
    options: Mapping[str, object] | None = None,
) -> Page:
    """A page of what `compare_models` gave; ``comparison_page(...).write("answers.html")`` makes the file.

    Args:
        prompt: what the models were asked.
        comparisons: what they said and took.
        about: a sentence below the heading; "": how many models there are.
        system: the system message, to be shown.
        options: what else was asked for, to be shown: its name -> its value.

    Raises:
        ImportError: jinja2 or pygal is not installed (the extra ``cli``).
    """
    page = Page(in_short(prompt, 120), about or f"{len(comparisons)} answers, asked for at the same time.")
    page.facts({**_best(comparisons), **(options or {})})
    _add_charts(page, comparisons)
    _add_table(page, comparisons)
    if system:
        page.text("System message", system, wide=True)
    if in_short(prompt, 120) != prompt:
        page.text("Prompt", prompt, wide=True)
    for one in comparisons:
        _add_answer(page, one)
    return page


def _best(comparisons: Sequence[Comparison]) -> dict[str, str]:
    """What somebody wants to know first."""
    whole = [one for one in comparisons if one.error is None]
    costs = [one.cost for one in comparisons if one.cost is not None]
    failed = len(comparisons) - len(whole)
    facts = {
        "Cheapest": _least(whole, lambda one: one.cost, money),
        "First to begin": _least(whole, lambda one: one.first_token, duration),
        "First to end": _least(whole, lambda one: one.seconds, duration),
        "Total cost": _total(costs, len(comparisons) - len(costs)),
    }
    return {**facts, **({"Failed": f"{failed} of {len(comparisons)}"} if failed else {})}


def _total(costs: Sequence[Decimal], unknown: int) -> str:
    if not costs:
        return UNKNOWN
    return f"{money(sum(costs, Decimal(0)))}{f', and {unknown} of unknown cost' if unknown else ''}"


def _least(comparisons: Sequence[Comparison], number: Callable[[Comparison], Any], shown: Callable[[Any], str]) -> str:
    known = [one for one in comparisons if number(one) is not None]
    if not known:
        return UNKNOWN
    best = min(known, key=number)
    return f"{best.name}, {shown(number(best))}"


def _add_charts(page: Page, comparisons: Sequence[Comparison]) -> None:
    def each(number: Callable[[Comparison], Any]) -> dict[str, Any]:
        return {one.name: number(one) for one in comparisons}

    page.bars("Cost", each(lambda one: one.cost), money)
    page.bars("First token", each(lambda one: one.first_token), duration)
    page.bars("Total time", each(lambda one: None if one.error else one.seconds), duration)
    tokens = {
        "Input": each(lambda one: one.counted("input")),
        "Output": each(lambda one: one.counted("output")),
    }
    page.bars("Tokens", tokens, count)


def _add_table(page: Page, comparisons: Sequence[Comparison]) -> None:
    kinds = ["input", *(kind for kind in ("cached", "reasoning") if any(one.counted(kind) for one in comparisons))]
    kinds.append("output")
    numbers = ("First token", "Total time", *(kind.capitalize() for kind in kinds), "Tokens/s", "Cost")
    columns = ("Model", "Answered by", "Provider", *numbers, "End")
    rows = [_row(one, kinds) for one in comparisons]
    page.table("All numbers", columns, rows, numbers=range(3, 3 + len(numbers)), note=_EXPLAINED)


def _row(one: Comparison, kinds: Sequence[str]) -> list[str]:
    rate = one.tokens_per_second
    return [
        one.name,
        one.served_model or UNKNOWN,
        one.provider or UNKNOWN,
        duration(one.first_token),
        duration(one.seconds),
        *(count(one.counted(kind)) for kind in kinds),
        UNKNOWN if rate is None else f"{rate:.1f}",
        money(one.cost),
        type(one.error).__name__ if one.error else one.finish_reason or UNKNOWN,
    ]


def _add_answer(page: Page, one: Comparison) -> None:
    where = f"{one.served_model or one.model}{f' at {one.provider}' if one.provider else ''}"
    facts = [where, "a fallback" if one.fallback_used else "", duration(one.seconds)]
    note = ", ".join(filter(None, [*facts, "" if one.cost is None else money(one.cost)]))
    if one.error is None:
        page.text(one.name, one.text or "(no text)", note=note)
        return
    rest = f"\n\nBefore that it had said:\n\n{one.text}" if one.text else ""
    page.text(one.name, f"{type(one.error).__name__}: {one.error}{rest}", note=note, bad=True)
