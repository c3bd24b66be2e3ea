"""Calls for the tests of reports: two days, three models, every kind of end."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from openrouter_adapters.core.records import CallRecord, Tokens

DAY, NEXT = datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 26, tzinfo=UTC)
GPT, CLAUDE, EVIL = "openai/gpt-5-mini", "anthropic/claude-haiku-4.5", "=cmd|'/c'!A1/<b>\x1b[31m"
CALLS = (
    CallRecord(
        time=DAY,
        model=GPT,
        provider="OpenAI",
        cost=Decimal("0.10000001"),
        tokens=Tokens(100, 20, 10, 0, 5),
        tags=("a",),
    ),
    CallRecord(
        time=DAY, model=GPT, provider="Azure", cost=Decimal("0.2"), tokens=Tokens(1_000, 1), tags=("a", "b", "a")
    ),
    CallRecord(
        time=NEXT, requested_model=CLAUDE, model=CLAUDE, provider="Google", cost=Decimal(0), tokens=Tokens(7, 8)
    ),
    CallRecord(time=NEXT, requested_model=CLAUDE, outcome="StreamInterruptedError", priced=False),
    CallRecord(time=NEXT, requested_model=CLAUDE, outcome="RateLimitError", served=False, status_code=429),
    CallRecord(time=NEXT, model=EVIL, provider=EVIL, cost=Decimal("1E-9"), outcome="left", tags=("=1+1",)),
)
TOTAL = "0.300000011"
