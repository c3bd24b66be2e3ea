"""The exception tree for LangChain: each class is core's class and the matching `langchain_core` `ModelError` too.

What is wrong with an answer that came, `StructuredOutputError`, is an `OutputParserException` instead.

So ``except openai.RateLimitError``, ``except openrouter_adapters.RateLimitError`` and LangChain's middleware
(`ModelRetryMiddleware` retries what is retryable, `SummarizationMiddleware` reacts to `ContextOverflowError`) all see
what they look for. ``is_retryable`` is the error's own ``retryable``: a 402 may pass, a 500 may be final.
"""

from __future__ import annotations

from typing import Any

from langchain_core import exceptions as langchain

from openrouter_adapters.core import errors as core


class _Retryable:
    """LangChain's word for what core says of this one error: ``is_retryable`` is ``retryable``."""

    retryable: bool
    is_retryable: bool

    def __init__(self, *args: Any, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.is_retryable = self.retryable


class AuthenticationError(_Retryable, core.AuthenticationError, langchain.ModelAuthenticationError):
    """The key is missing, wrong or disabled."""


class PermissionDeniedError(_Retryable, core.PermissionDeniedError, langchain.ModelPermissionDeniedError):
    """The key, a guardrail or a region does not allow this."""


class ModerationError(_Retryable, core.ModerationError, langchain.ModelPermissionDeniedError):
    """The input was flagged by moderation."""


class InvalidRequestError(_Retryable, core.InvalidRequestError, langchain.ModelInvalidRequestError):
    """The request is not acceptable as it is."""


class UnprocessableRequestError(_Retryable, core.UnprocessableRequestError, langchain.ModelInvalidRequestError):
    """The request is well-formed, but cannot be processed."""


class ContextOverflowError(_Retryable, core.ContextOverflowError, langchain.ContextOverflowError):
    """The prompt does not fit into the model's context window."""


class NotFoundError(_Retryable, core.NotFoundError, langchain.ModelNotFoundError):
    """There is no such model."""


class NoEndpointsError(_Retryable, core.NoEndpointsError, langchain.ModelNotFoundError):
    """No endpoint satisfies routing, privacy or parameters."""


class InsufficientCreditsError(_Retryable, core.InsufficientCreditsError, langchain.ModelError):
    """The account or the key has too few credits."""


class RateLimitError(_Retryable, core.RateLimitError, langchain.ModelRateLimitError):
    """Too many requests, at OpenRouter or at the upstream."""


class APIConnectionError(_Retryable, core.APIConnectionError, langchain.ModelConnectionError):
    """No connection could be made, or it broke."""


class APITimeoutError(_Retryable, core.APITimeoutError, langchain.ModelTimeoutError):
    """Nothing came within ``timeout`` seconds."""


class StallTimeoutError(_Retryable, core.StallTimeoutError, langchain.ModelTimeoutError):
    """Keep-alives came, but no data within ``stall_timeout`` seconds."""


class IncompleteStreamError(_Retryable, core.IncompleteStreamError, langchain.ModelAPIError):
    """The stream just ended."""


class ProviderError(_Retryable, core.ProviderError, langchain.ModelAPIError):
    """The upstream, or OpenRouter itself, failed."""


class StreamInterruptedError(_Retryable, core.StreamInterruptedError, langchain.ModelAPIError):
    """An error chunk broke off an answer that had begun."""


class MalformedResponseError(_Retryable, core.MalformedResponseError, langchain.ModelAPIError):
    """What the server sent is no answer."""


class _Unparsed(_Retryable):
    """What LangChain knows of an answer that cannot be parsed; nothing of it goes back to a model by itself."""

    def __init__(self, *args: Any, llm_output: str | None = None, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.llm_output = llm_output
        self.observation: str | None = None
        self.send_to_llm = False


class StructuredOutputError(_Unparsed, core.StructuredOutputError, langchain.OutputParserException):
    """The answer is not what the schema asks for; ``llm_output`` is its text."""


class RefusalError(StructuredOutputError, core.RefusalError):
    """The model refused, or a content filter stopped the answer."""


# LangGraph's own policy runs a node again after any error but some built-in ones, of which this is caught least.
class BudgetExceededError(_Retryable, core.BudgetExceededError, langchain.ModelError, ArithmeticError):
    """A budget is spent; nothing was sent. Being an ArithmeticError, it is final for LangGraph's ``RetryPolicy()``."""


_OURS: dict[type[core.OpenRouterError], type[core.OpenRouterError]] = {
    next(base for base in cls.__mro__ if base.__module__ == core.__name__): cls
    for cls in list(globals().values())
    if isinstance(cls, type) and issubclass(cls, core.OpenRouterError)
}


def specialized(error: type[core.OpenRouterError]) -> type[core.OpenRouterError]:
    """LangChain's class for one of core's; core's own where there is none."""
    return _OURS.get(error, error)
