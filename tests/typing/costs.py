"""What a type checker says of money: not run, but checked by `make check`.

Every `type: ignore` here is an error that a caller must be shown; a missing one fails the check too.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

from openrouter_adapters import (
    BudgetExceededError,
    CallRecord,
    CostTracker,
    Ledger,
    afetch_cost,
    fetch_cost,
    trace_calls,
    track_costs,
)
from openrouter_adapters.langchain import get_openrouter_costs

prices = {"openai/gpt-5-mini": {"prompt": "0.00000025", "completion": "0.000002"}}

track_costs(budget=[1])  # type: ignore[arg-type]
track_costs(limit=1)  # type: ignore[call-arg]
track_costs(tags=5)  # type: ignore[arg-type]
Ledger(5)  # type: ignore[arg-type]


def sums() -> tuple[Decimal, Decimal | None, int, int, int]:
    with track_costs(0.5, {"tenant": 7}, reserve=True, prices=prices) as costs, get_openrouter_costs() as heard:
        pass
    unknown: int = costs.settle(timeout=1)
    return costs.total + heard.total, costs.remaining, costs.calls, costs.tokens.cached, unknown


def groups(costs: CostTracker) -> dict[str, Decimal]:
    own = costs.by(lambda record: [record.outcome, *record.tags])
    return {name: sums.cost for name, sums in {**costs.by_model, **own}.items()}


async def later() -> tuple[Decimal | None, int]:
    async with track_costs(Decimal(1), ["night"]) as costs:
        return fetch_cost("gen-1") or await afetch_cost("gen-1", api_key="sk-or-..."), await costs.asettle()


def written(ledger: Ledger) -> Iterator[CallRecord]:
    with ledger as same, trace_calls():
        yield from same.records(since=datetime.now(UTC))


def left(error: BudgetExceededError) -> Decimal:
    return error.limit - error.spent - error.reserved
