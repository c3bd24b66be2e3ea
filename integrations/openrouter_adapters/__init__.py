"""OpenRouter as a first-class model inside LangChain and LlamaIndex.

The adapters are in `openrouter_adapters.langchain` and `openrouter_adapters.llamaindex`; here is what both share: the
error classes, and `refresh_catalog`. They load openai, so they are loaded when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from openrouter_adapters.core.refresh import refresh_catalog

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APITimeoutError",
    "AuthenticationError",
    "BudgetExceededError",
    "ContextOverflowError",
    "IncompleteStreamError",
    "InsufficientCreditsError",
    "InvalidRequestError",
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
    "UnprocessableRequestError",
    "__version__",
    "refresh_catalog",
]


def __getattr__(name: str) -> Any:
    if name == "refresh_catalog":
        from openrouter_adapters.core.refresh import refresh_catalog

        return refresh_catalog
    if name in __all__:
        from openrouter_adapters.core import errors

        return getattr(errors, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
