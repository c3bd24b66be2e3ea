"""OpenRouter as a first-class model inside LangChain and LlamaIndex.

The adapters are in `openrouter_adapters.langchain` and `openrouter_adapters.llamaindex`; here is what both share: the
error classes, what calls cost, and `refresh_catalog`. Each is loaded when asked for: most of them load openai.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openrouter_adapters.core.costs import CostTracker, track_costs
    from openrouter_adapters.core.errors import (
        APIConnectionError,
        APITimeoutError,
        AuthenticationError,
        BudgetExceededError,
        ContextOverflowError,
        IncompleteStreamError,
        InsufficientCreditsError,
        InvalidRequestError,
        MalformedResponseError,
        ModerationError,
        NoEndpointsError,
        NotFoundError,
        OpenRouterError,
        PermissionDeniedError,
        ProviderError,
        RateLimitError,
        RefusalError,
        StallTimeoutError,
        StreamInterruptedError,
        StructuredOutputError,
        UnprocessableRequestError,
    )
    from openrouter_adapters.core.generations import afetch_cost, fetch_cost
    from openrouter_adapters.core.ledger import Ledger
    from openrouter_adapters.core.records import CallRecord, Costs, Sums, Tokens
    from openrouter_adapters.core.refresh import refresh_catalog
    from openrouter_adapters.core.telemetry import CallTracing, trace_calls

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APITimeoutError",
    "AuthenticationError",
    "BudgetExceededError",
    "CallRecord",
    "CallTracing",
    "ContextOverflowError",
    "CostTracker",
    "Costs",
    "IncompleteStreamError",
    "InsufficientCreditsError",
    "InvalidRequestError",
    "Ledger",
    "MalformedResponseError",
    "ModerationError",
    "NoEndpointsError",
    "NotFoundError",
    "OpenRouterError",
    "PermissionDeniedError",
    "ProviderError",
    "RateLimitError",
    "RefusalError",
    "StallTimeoutError",
    "StreamInterruptedError",
    "StructuredOutputError",
    "Sums",
    "Tokens",
    "UnprocessableRequestError",
    "__version__",
    "afetch_cost",
    "fetch_cost",
    "refresh_catalog",
    "trace_calls",
    "track_costs",
]

_ELSEWHERE = {
    **dict.fromkeys(("CostTracker", "track_costs"), "costs"),
    **dict.fromkeys(("afetch_cost", "fetch_cost"), "generations"),
    **dict.fromkeys(("CallRecord", "Costs", "Sums", "Tokens"), "records"),
    **dict.fromkeys(("CallTracing", "trace_calls"), "telemetry"),
    "Ledger": "ledger",
    "refresh_catalog": "refresh",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"{__name__}.core.{_ELSEWHERE.get(name, 'errors')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
