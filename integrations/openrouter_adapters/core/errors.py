"""The exception tree; `core.trouble` is the one place that turns wire trouble into it.

::

    OpenRouterError                     (an openai.OpenAIError)
    ├── AuthenticationError             401
    ├── PermissionDeniedError           403
    │   └── ModerationError             403, the input was flagged
    ├── InvalidRequestError             400, other 4xx, 3xx
    │   ├── UnprocessableRequestError   422
    │   └── ContextOverflowError        the prompt does not fit into the model's window
    ├── NotFoundError                   404
    │   └── NoEndpointsError            404, 503: no endpoint satisfies routing, privacy or parameters
    ├── InsufficientCreditsError        402
    ├── RateLimitError                  429
    ├── APIConnectionError              no connection, or it broke
    │   ├── APITimeoutError             408, or nothing came within `timeout`
    │   │   └── StallTimeoutError       only keep-alives, no data, within `stall_timeout`
    │   └── IncompleteStreamError       the stream just ended
    ├── ProviderError                   5xx, and upstream trouble that no other class names
    ├── StreamInterruptedError          an error chunk after the answer had begun
    ├── MalformedResponseError          what came is no answer
    ├── StructuredOutputError           the answer is not what the schema asks for
    │   └── RefusalError                the model refused to give one
    └── BudgetExceededError             a budget is spent: nothing was sent

Every class that speaks of a request is also the ``openai`` exception of the matching kind. A failure under HTTP 200 (an
``error`` body, a choice's error, an error chunk before the first piece) has the class that its code has as a status.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

import openai
from typing_extensions import override

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.wire import dict_of, dicts_of
from openrouter_adapters.core.words import in_short, plain


class OpenRouterError(openai.OpenAIError):
    """Something went wrong with a request; what is known of it is in the attributes, the rest is None.

    Attributes:
        message: what the server (or the network) said.
        status_code: HTTP status, or the status that an error's code stands for.
        code: the error's code as on the wire (int or str).
        error_type: OpenRouter's stable name, ``metadata.error_type``.
        provider: the upstream that failed (a display name).
        model: the model that failed, or was asked for.
        generation_id: for looking the request up; known from a header even when no body came.
        retryable: whether the same request may succeed later.
        retry_after: seconds to wait before that, where the server said.
        upstream: the upstream's own words (``metadata.raw``).
        availability: which filter excluded what (``error.availability``).
        affordable_tokens: how many tokens the credits still buy.
        partial: what had arrived of the answer, with usage and cost; of embeddings in batches, those of all batches.
        failed_tries: the errors of the tries before this one, oldest first, each with its own ``partial``.
        vectors: of embeddings in batches: those of the batches that succeeded, in the order of the inputs.
        openrouter_metadata: routing metadata, when asked for with ``router_metadata``.
        body: the ``error`` object as on the wire.
        response: the HTTP response, where there was one; its request no longer holds the key.
    """

    remedy: ClassVar[str] = ""
    transient: ClassVar[bool] = False

    # Told after the fact, by whoever knows.
    failed_tries: tuple[OpenRouterError, ...] = ()
    vectors: list[list[float] | None] | None = None
    openrouter_metadata: dict[str, Any] | None = None

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: int | str | None = None,
        error_type: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        generation_id: str | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        upstream: str | None = None,
        availability: Mapping[str, Any] | None = None,
        affordable_tokens: int | None = None,
        partial: Reply | None = None,
        body: object | None = None,
        response: Any = None,
    ) -> None:
        # The openai classes' own constructors ask for HTTP objects that are not always there.
        Exception.__init__(self, in_short(message))
        self.message = message
        self.status_code: Any = status_code
        self.code: Any = code
        self.error_type = error_type
        self.type: str | None = error_type
        self.param: str | None = None
        self.provider = provider
        self.model = model
        self.generation_id = generation_id
        self.request_id: str | None = generation_id
        self.retryable: bool = self.transient if retryable is None else retryable
        self.retry_after = retry_after
        self.upstream = upstream
        self.availability = availability
        self.affordable_tokens = affordable_tokens
        self.partial = partial
        self.body = body
        self.response = response
        self.request: Any = getattr(response, "request", None)

    @property
    def may_be_charged(self) -> bool:
        """Whether the request may have been charged all the same: something had come, or nobody knows its fate."""
        return self.partial is not None

    @override
    def __str__(self) -> str:
        """What happened, where, and what to do."""
        where = [f"provider {self.provider}" if self.provider else "", f"model {self.model}" if self.model else ""]
        place = ", ".join(filter(None, where))
        head = " ".join(filter(None, [str(self.status_code or self.code or ""), f"({place})" if place else ""]))
        message = in_short(self.message)
        said = f"{head}: {message}" if head else message
        remedy = "" if self.retryable else self.remedy  # what passes by itself needs none
        sentences = list(filter(None, [said, *self._details(), remedy]))
        return " ".join([*map(_ended, sentences[:-1]), *sentences[-1:]])

    def _details(self) -> list[str]:
        """Sentences about what else is known."""
        excluded = dict_of(self.availability).get("excluded_by")
        others = dict_of(self.availability).get("fallback_models")
        stands = dict_of(dict_of(self.availability).get("constraint"))
        return [
            f"Upstream said: {in_short(plain(self.upstream))}" if self.upstream else "",
            f"Failed before: {before}." if (before := _previous(self.body)) else "",
            f"Excluded by: {_listing(excluded)}." if excluded else "",
            f"{stands['field']}: {stands.get('detail') or 'stands in the way'}." if stands.get("field") else "",
            _spent(dict_of(dict_of(self.body).get("metadata"))),
            f"Models that would do: {_listing(others)}." if others else "",
            f"The credits buy {self.affordable_tokens} tokens." if self.affordable_tokens is not None else "",
            f"Try again in {self.retry_after:g} s." if self.retry_after is not None else "",
            f"Generation: {self.generation_id}." if self.generation_id else "",
            f"Tried {len(self.failed_tries) + 1} times." if self.failed_tries else "",
        ]

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the HTTP objects, which hold connections."""
        kept = {key: value for key, value in vars(self).items() if key not in ("response", "request")}
        return _unpickled, (type(self), self.message, {**kept, "response": None, "request": None})


def _unpickled(cls: type[OpenRouterError], message: str, state: dict[str, Any]) -> OpenRouterError:
    error = cls(message)
    vars(error).update(state)
    return error


def _ended(sentence: str) -> str:
    """A server's words with a full stop, before more is said."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def _listing(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _spent(metadata: Mapping[str, Any]) -> str:
    """Which limit is reached, and when it is lifted, where the server tells."""
    if not (source := metadata.get("limit_source")):
        return ""
    return f"Limit: {source}{f', until {until}' if (until := metadata.get('resets_at')) else ''}."


def _previous(body: object) -> str:
    """The providers that failed before this one did, where the server tells."""
    told = dicts_of(dict_of(dict_of(body).get("metadata")).get("previous_errors"))
    named = [(one.get("provider") or one.get("provider_name"), one.get("code") or one.get("status")) for one in told]
    return ", ".join(f"{provider} ({code})" if code else str(provider) for provider, code in named if provider)


class AuthenticationError(OpenRouterError, openai.AuthenticationError):
    """The key is missing, wrong or disabled."""

    remedy = "Check OPENROUTER_API_KEY or api_key."


class PermissionDeniedError(OpenRouterError, openai.PermissionDeniedError):
    """The key, a guardrail or a region does not allow this."""


class ModerationError(PermissionDeniedError):
    """The input was flagged by moderation."""

    remedy = "The input was flagged: change it, or choose a model without moderation."


class InvalidRequestError(OpenRouterError, openai.BadRequestError):
    """The request is not acceptable as it is."""


class UnprocessableRequestError(InvalidRequestError, openai.UnprocessableEntityError):
    """The request is well-formed, but cannot be processed."""


class ContextOverflowError(InvalidRequestError):
    """The prompt does not fit into the model's context window."""

    remedy = "Shorten the prompt, or choose a model with a larger window."


class NotFoundError(OpenRouterError, openai.NotFoundError):
    """There is no such thing."""


class NoEndpointsError(NotFoundError):
    """No endpoint satisfies the request's routing, privacy or parameter constraints.

    Attributes:
        preferences: the request's own ``provider``; None when it had none.
    """

    remedy = (
        "Relax `provider` (order, only, ignore, zdr, data_collection, require_parameters, max_price) or add `models`."
    )
    preferences: Mapping[str, Any] | None = None

    @override
    def _details(self) -> list[str]:
        asked = [f"{key}={value!r}" for key, value in (self.preferences or {}).items() if key != "options"]
        return [*super()._details(), f"This request's provider: {', '.join(asked)}." if asked else ""]


class InsufficientCreditsError(OpenRouterError, openai.APIStatusError):
    """The account or the key has too few credits."""

    remedy = "Add credits, or lower max_tokens."


class RateLimitError(OpenRouterError, openai.RateLimitError):
    """Too many requests, at OpenRouter or at the upstream."""

    transient = True


class APIConnectionError(OpenRouterError, openai.APIConnectionError):
    """No connection could be made, or it broke.

    Attributes:
        may_have_arrived: whether the request may have reached the server, and cost something.
    """

    transient = True
    may_have_arrived = True

    @property
    @override
    def may_be_charged(self) -> bool:
        """Whether the server may have had it; one that answered with an error status (408) has not charged it."""
        return super().may_be_charged or (self.status_code is None and self.may_have_arrived)


class APITimeoutError(APIConnectionError, openai.APITimeoutError):
    """Nothing came within ``timeout`` seconds."""


class StallTimeoutError(APITimeoutError):
    """Keep-alives came, but no data within ``stall_timeout`` seconds."""


class IncompleteStreamError(APIConnectionError):
    """The stream ended without a finish reason and without ``[DONE]``."""


class ProviderError(OpenRouterError, openai.InternalServerError):
    """The upstream, or OpenRouter itself, failed."""

    transient = True


class StreamInterruptedError(OpenRouterError, openai.APIError):
    """An error chunk broke off an answer that had begun."""

    transient = True

    @property
    @override
    def may_be_charged(self) -> bool:
        """An answer had begun."""
        return True


class MalformedResponseError(OpenRouterError, openai.APIResponseValidationError):
    """What the server sent is no answer and no error that can be read."""

    @property
    @override
    def may_be_charged(self) -> bool:
        """An answer had begun."""
        return True


class StructuredOutputError(OpenRouterError):
    """The answer is not what the schema asks for.

    Attributes:
        raw: the answer, as the framework's own message; its usage and cost are in there.
        finish_reason: why the answer ended.
    """

    def __init__(self, message: str, *, raw: Any = None, finish_reason: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.raw = raw
        self.finish_reason = finish_reason

    @override
    def _details(self) -> list[str]:
        cut_off = self.finish_reason == "length"
        return [*super()._details(), "It was cut off at the output limit: raise max_tokens." if cut_off else ""]


class RefusalError(StructuredOutputError):
    """The model refused, or a content filter stopped the answer.

    Attributes:
        refusal: the model's words; None when it was the filter, and it said none.
    """

    def __init__(self, message: str, *, refusal: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.refusal = refusal


class BudgetExceededError(OpenRouterError):
    """A budget is spent; nothing was sent.

    Attributes:
        spent: USD spent so far, a Decimal.
        limit: the budget in USD, a Decimal.
        reserved: USD that are set aside for requests under way, a Decimal.
        ceiling: USD that this request may cost at most, a Decimal; zero when that was not asked.
    """

    remedy = "Raise the budget, or begin another scope."

    def __init__(
        self, spent: Any, limit: Any, *, reserved: Any = Decimal(0), ceiling: Any = Decimal(0), **facts: Any
    ) -> None:
        held = f", ${reserved:f} set aside for calls under way" if reserved else ""
        wanted = f"; this call may cost ${ceiling:f}" if ceiling else ""
        told = f"the budget of ${limit:f} does not allow another call: ${spent:f} spent{held}{wanted}. Nothing was sent"
        super().__init__(told, **facts)
        self.spent: Decimal = spent
        self.limit: Decimal = limit
        self.reserved: Decimal = reserved
        self.ceiling: Decimal = ceiling

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        kept = {key: value for key, value in vars(self).items() if key not in ("response", "request")}
        return type(self), (self.spent, self.limit), kept


Specialize = Callable[[type[OpenRouterError]], type[OpenRouterError]]
"""Gives a framework's own subclass of a class of the tree."""
