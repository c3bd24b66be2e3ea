"""``openrouter-adapters key``: what a key may spend, and has spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from openrouter_adapters.cli.connection import ApiKey, BaseUrl
from openrouter_adapters.cli.files import STDOUT, write
from openrouter_adapters.cli.files import as_json as to_json
from openrouter_adapters.cli.tables import console
from openrouter_adapters.cli.words import money, one_line
from openrouter_adapters.core.key import KeyStatus, Limit, Use, fetch_key

Json = Annotated[bool, typer.Option("--json", help="Print JSON; money is USD, as text, to the last digit.")]


def key(as_json: Json = False, base_url: BaseUrl = None, api_key: ApiKey = None) -> None:
    """Show what your key may spend, and has spent. The key itself is never shown."""
    status = fetch_key(api_key=api_key, base_url=base_url)
    if as_json:
        write(STDOUT, to_json(facts(status)))
        return
    grid = Table.grid(padding=(0, 2))
    for name, said in lines(status):
        grid.add_row(Text(name, style="bold"), Text(one_line(said)))
    console().print(grid)


def facts(status: KeyStatus) -> dict[str, Any]:
    """A key's state as JSON shows it: null is not told."""
    return {name: value for name, value in asdict(status).items() if name != "data"}


def lines(status: KeyStatus) -> Iterator[tuple[str, str]]:
    """What is known of a key: names and sentences."""
    yield "label", status.label or "none"
    yield "limit", _limit(status.limit) if status.limit.limit is not None else "none"
    yield from _uses("used", status.usage)
    if any((status.byok_usage.ever, status.byok_usage.daily, status.byok_usage.weekly, status.byok_usage.monthly)):
        yield from _uses("used with own provider keys", status.byok_usage)
    for budget in status.budgets:
        yield f"budget ({budget.scope})" if budget.scope else "budget", _limit(budget)
    if status.free_requests:
        yield "free requests", _free_requests(status)
    yield "expires", status.expires_at or "never"
    yield from (("kind", kind) for kind in _kinds(status))


def _limit(limit: Limit) -> str:
    """A limit in a sentence: ``$25.00 monthly, $24.70 left, own provider keys not counted``."""
    return ", ".join(
        filter(
            None,
            [
                f"{_usd(limit.limit)} {limit.reset}" if limit.reset else _usd(limit.limit),
                f"{money(limit.spent)} spent" if limit.spent is not None else "",
                f"{money(limit.remaining)} left" if limit.remaining is not None else "",
                f"begins anew {limit.resets_at}" if limit.resets_at else "",
                "own provider keys counted" if limit.include_byok else "",
            ],
        )
    )


def _usd(amount: Decimal | None) -> str:
    return "no limit" if amount is None else money(amount)


def _uses(name: str, use: Use) -> Iterator[tuple[str, str]]:
    periods = (("in all", use.ever), ("today", use.daily), ("this week", use.weekly), ("this month", use.monthly))
    said = [f"{money(amount)} {period}" for period, amount in periods if amount is not None]
    yield name, ", ".join(said) or "not told"


def _free_requests(status: KeyStatus) -> str:
    words = {"limit": "a day", "used": "used", "remaining": "left"}
    return ", ".join(f"{count:,} {words[name]}" for name, count in status.free_requests.items())


def _kinds(status: KeyStatus) -> Iterator[str]:
    if status.is_free_tier:
        yield "free tier: no credits were ever bought"
    if status.is_management_key:
        yield "management key: it manages keys, and answers no prompts"
