"""The exception tree, and the one place that turns wire trouble into it.

::

    OpenRouterError                     (an openai.OpenAIError)
    ├── AuthenticationError             401
    ├── PermissionDeniedError           403
    │   └── ModerationError             403, the input was flagged
    ├── InvalidRequestError             400 and other 4xx
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
    └── BudgetExceededError             a budget is spent: nothing was sent

Every class that speaks of a request is also the ``openai`` exception of the matching kind. A failure under HTTP 200 (an
``error`` body, a choice's error, an error chunk before the first piece) has the class that its code has as a status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

import openai
from typing_extensions import override

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.wire import bool_of, dict_of, int_of, text_of


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
        partial: what had arrived of the answer, with usage and cost.
        openrouter_metadata: routing metadata, when asked for with ``router_metadata``.
        body: the ``error`` object as on the wire.
        response: the HTTP response, where there was one; its request no longer holds the key.
    """

    remedy: ClassVar[str] = ""
    transient: ClassVar[bool] = False

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
        Exception.__init__(self, message)
        self.message = message
        self.status_code: Any = status_code
        self.code: Any = code
        self.error_type = self.type = error_type
        self.param: str | None = None
        self.provider = provider
        self.model = model
        self.generation_id = self.request_id = generation_id
        self.retryable = self.transient if retryable is None else retryable
        self.retry_after = retry_after
        self.upstream = upstream
        self.availability = availability
        self.affordable_tokens = affordable_tokens
        self.partial = partial
        self.openrouter_metadata: dict[str, Any] | None = None
        self.body = body
        self.response = response
        self.request: Any = getattr(response, "request", None)

    @override
    def __str__(self) -> str:
        """What happened, where, and what to do."""
        where = [f"provider {self.provider}" if self.provider else "", f"model {self.model}" if self.model else ""]
        place = ", ".join(filter(None, where))
        head = " ".join(filter(None, [str(self.status_code or self.code or ""), f"({place})" if place else ""]))
        said = f"{head}: {self.message}" if head else self.message
        return " ".join(filter(None, [said, *self._details(), self.remedy]))

    def _details(self) -> list[str]:
        """Sentences about what else is known."""
        excluded = dict_of(self.availability).get("excluded_by")
        others = dict_of(self.availability).get("fallback_models")
        return [
            f"Upstream said: {self.upstream}" if self.upstream else "",
            f"Excluded by: {_listing(excluded)}." if excluded else "",
            f"Models that would do: {_listing(others)}." if others else "",
            f"The credits buy {self.affordable_tokens} tokens." if self.affordable_tokens is not None else "",
            f"Try again in {self.retry_after:g} s." if self.retry_after is not None else "",
            f"Generation: {self.generation_id}." if self.generation_id else "",
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


def _listing(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


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
    """No endpoint satisfies the request's routing, privacy or parameter constraints."""

    remedy = (
        "Relax `provider` (order, only, ignore, zdr, data_collection, require_parameters, max_price) or add `models`."
    )


class InsufficientCreditsError(OpenRouterError, openai.APIStatusError):
    """The account or the key has too few credits."""

    remedy = "Add credits, or lower max_tokens."


class RateLimitError(OpenRouterError, openai.RateLimitError):
    """Too many requests, at OpenRouter or at the upstream."""

    transient = True


class APIConnectionError(OpenRouterError, openai.APIConnectionError):
    """No connection could be made, or it broke."""

    transient = True


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


class MalformedResponseError(OpenRouterError, openai.APIResponseValidationError):
    """What the server sent is no answer and no error that can be read."""


class BudgetExceededError(OpenRouterError):
    """A budget is spent; nothing was sent."""


# ------------------------------------------------------------------------------------------------ wire -> error

Specialize = Callable[[type[OpenRouterError]], type[OpenRouterError]]
"""Gives a framework's own subclass of a class of the tree."""

_BY_TYPE = {
    "authentication": 401,
    "payment_required": 402,
    "permission_denied": 403,
    "not_found": 404,
    "payload_too_large": 413,
    "unprocessable": 422,
    "rate_limit_exceeded": 429,
    "server": 500,
    "server_error": 500,
    "unmapped": 500,
    "provider_unavailable": 502,
    "provider_overloaded": 503,
    "timeout": 504,
    "invalid_request": 400,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "max_tokens_exceeded": 400,
    "token_limit_exceeded": 400,
    "content_policy_violation": 400,
}
_NEVER_RETRIED = {400, 401, 403, 404, 413, 422}
_OVERFLOW_TYPES = {"context_length_exceeded", "token_limit_exceeded", "string_too_long"}
_OVERFLOW_TEXT = re.compile(
    r"maximum context length|context[ _]length[ _]exceeded|context window"
    r"|prompt is too long|input is too long|too many tokens",
    re.IGNORECASE,
)
_NO_ENDPOINTS = re.compile(r"^no (endpoints|allowed providers|available)", re.IGNORECASE)
_AFFORD = re.compile(r"can only afford (\d+)")


@dataclass(frozen=True, slots=True)
class Trouble:
    """The wire's facts about one failure.

    Attributes:
        error: the ``error`` object (or text) as on the wire.
        status: the HTTP status; 200 for an error inside an answer.
        headers: response headers.
        response: the HTTP response, or None.
        model: the model asked for.
        partial: what had arrived of the answer.
    """

    error: Any
    status: int = 200
    headers: Mapping[str, str] | None = None
    response: Any = None
    model: str | None = None
    partial: Reply | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The attributes that an `OpenRouterError` carries."""
        error, metadata = dict_of(self.error), dict_of(dict_of(self.error).get("metadata"))
        availability = dict_of(error.get("availability")) or None
        partial, headers = self.partial, self.headers or {}
        code = error.get("code")
        status = self._status(code, _error_type(error, metadata))
        return {
            "status_code": status,
            "code": code if isinstance(code, int | str) else None,
            "error_type": _error_type(error, metadata),
            "provider": text_of(metadata.get("provider_name")) or (partial.provider if partial else None),
            "model": (partial.model if partial else None) or self.model,
            "generation_id": (partial.id if partial else None) or headers.get("x-generation-id"),
            "retryable": _retryable(status, metadata, availability, headers),
            "retry_after": _retry_after(headers, metadata, availability, status),
            "upstream": _as_text(metadata.get("raw")),
            "availability": availability,
            "affordable_tokens": int_of(next(iter(_AFFORD.findall(self.message)), None)),
            "partial": partial,
            "body": self.error,
            "response": self.response,
        }

    @property
    def message(self) -> str:
        """What the server said."""
        if isinstance(self.error, str) and self.error:
            return self.error
        return text_of(dict_of(self.error).get("message")) or "the provider gave no reason"

    def _status(self, code: Any, error_type: str | None) -> int | None:
        """The HTTP status, or the one that the code inside stands for."""
        if self.status >= 400:
            return self.status
        inner = int_of(code)
        if inner is not None and 400 <= inner < 600:
            return inner
        return _BY_TYPE.get(code if isinstance(code, str) else "") or _BY_TYPE.get(error_type or "")


def from_wire(trouble: Trouble, specialize: Specialize | None = None, *, begun: bool = False) -> OpenRouterError:
    """The exception for an error body, a choice's error or an error chunk.

    Args:
        trouble: the facts.
        specialize: gives a framework's subclass.
        begun: whether a piece of a streamed answer has been handed over: then it is a `StreamInterruptedError`.
    """
    fields = trouble.fields
    cls = StreamInterruptedError if begun else _kind(fields, trouble)
    return (specialize(cls) if specialize else cls)(trouble.message, **fields)


def _kind(fields: Mapping[str, Any], trouble: Trouble) -> type[OpenRouterError]:
    status, metadata = fields["status_code"], dict_of(dict_of(trouble.error).get("metadata"))
    said = f"{trouble.message} {fields['upstream'] or ''}"
    if status in (400, 413, 422) and (fields["error_type"] in _OVERFLOW_TYPES or _OVERFLOW_TEXT.search(said)):
        return ContextOverflowError
    if status == 403 and (metadata.get("reasons") or metadata.get("flagged_input")):
        return ModerationError
    if status in (404, 503) and (fields["availability"] or _NO_ENDPOINTS.match(trouble.message)):
        return NoEndpointsError
    by_status: dict[int, type[OpenRouterError]] = {
        401: AuthenticationError,
        402: InsufficientCreditsError,
        403: PermissionDeniedError,
        404: NotFoundError,
        408: APITimeoutError,
        422: UnprocessableRequestError,
        429: RateLimitError,
    }
    if status in by_status:
        return by_status[status]
    return InvalidRequestError if status and status < 500 else ProviderError


def _error_type(error: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
    code = error.get("code")
    named = code if isinstance(code, str) and not code.isdigit() else None
    return text_of(metadata.get("error_type")) or text_of(error.get("type")) or named


def _as_text(raw: Any) -> str | None:
    """The upstream's words: text as it is, an object as JSON."""
    return text_of(raw) if isinstance(raw, str) or raw is None else json.dumps(raw, ensure_ascii=False)


def _retryable(
    status: int | None, metadata: Mapping[str, Any], availability: Mapping[str, Any] | None, headers: Mapping[str, str]
) -> bool | None:
    if status in _NEVER_RETRIED:
        return False
    if status == 402:  # a budget held by requests in flight frees itself
        return metadata.get("reason") == "in_flight_budget_exhausted" or "retry-after" in headers
    said = bool_of((availability or {}).get("retryable"))
    return said if said is not None else None if status is None else status in (408, 409, 429) or status >= 500


def _retry_after(
    headers: Mapping[str, str], metadata: Mapping[str, Any], availability: Mapping[str, Any] | None, status: int | None
) -> float | None:
    """Seconds to wait, from wherever the server says it."""
    milliseconds = _seconds(headers.get("retry-after-ms"))
    candidates = [
        milliseconds / 1000 if milliseconds is not None else None,
        _seconds(headers.get("retry-after")),
        _seconds(metadata.get("retry_after_seconds")),
        _seconds((availability or {}).get("retry_after")),
        _until(_seconds(headers.get("x-ratelimit-reset"))) if status == 429 else None,
    ]
    return next((seconds for seconds in candidates if seconds is not None and seconds >= 0), None)


def _seconds(value: Any) -> float | None:
    """A number of seconds, or the seconds until an HTTP date."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _until(reset: float | None) -> float | None:
    """Seconds until a moment given in Unix milliseconds."""
    return None if reset is None else max(0.0, reset / 1000 - datetime.now(UTC).timestamp())
