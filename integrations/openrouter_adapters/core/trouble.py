"""Wire trouble becomes an exception of the tree: what a status, a code, a type or a text means."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from openrouter_adapters.core.errors import (
    APITimeoutError,
    AuthenticationError,
    ContextOverflowError,
    InsufficientCreditsError,
    InvalidRequestError,
    ModerationError,
    NoEndpointsError,
    NotFoundError,
    OpenRouterError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    Specialize,
    StreamInterruptedError,
    UnprocessableRequestError,
)
from openrouter_adapters.core.reply import Reply, worth_keeping
from openrouter_adapters.core.wire import bool_of, dict_of, hidden, int_of, text_of
from openrouter_adapters.core.words import words

if TYPE_CHECKING:
    from openrouter_adapters.core.request import Request

# OpenRouter's names for errors, and those of upstreams that come through as they are.
_STATUS_TYPES: dict[int, tuple[str, ...]] = {
    400: (
        *("invalid_request", "invalid_request_error", "invalid_prompt", "content_policy_violation", "refusal"),
        *("context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long"),
        *("invalid_image", "image_too_large", "image_too_small", "unsupported_image_format", "image_download_failed"),
        *("model_not_found", "wrong_endpoint"),
    ),
    401: ("authentication", "authentication_error", "invalid_api_key"),
    402: ("payment_required", "billing_error"),
    403: ("permission_denied", "permission_error", "region_restricted"),
    404: (
        *("not_found", "not_found_error", "image_not_found", "no_endpoints", "model_deprecated", "free_variant_ended"),
        *("model_unavailable_upstream", "privacy_restricted", "constraint_filtered"),
    ),
    412: ("precondition_failed",),
    413: ("payload_too_large", "request_too_large"),
    422: ("unprocessable",),
    429: ("rate_limit_exceeded", "rate_limit_error", "capacity_exhausted"),
    500: ("server", "server_error", "api_error", "internal_server_error", "unmapped"),
    502: ("provider_unavailable",),
    503: ("provider_overloaded", "temporarily_unavailable"),
    504: ("timeout", "timeout_error"),
    529: ("overloaded_error",),
}
_BY_TYPE = {name: status for status, names in _STATUS_TYPES.items() for name in names}
_NEVER_RETRIED = {400, 401, 403, 404, 413, 422}
_OVERFLOW_TYPES = {"context_length_exceeded", "token_limit_exceeded", "string_too_long"}
# The words of OpenRouter, OpenAI, Anthropic, Google, xAI, Bedrock, Cohere, Groq, vLLM, llama.cpp and others.
_OVERFLOW_TEXT = re.compile(
    r"maximum (context|prompt|input|model) length|context[ _](length[ _]exceeded|window|size|limit)"
    r"|(prompt|input) is too long|too many tokens(?! per)|token count.{0,40} exceeds"
    r"|reduce the length of the (messages|prompt|input)|tokens` ?\+ ?`max_new_tokens|inputs` tokens \+",
    re.IGNORECASE,
)
_NO_ENDPOINTS = re.compile(r"^no (endpoints|allowed providers|available)", re.IGNORECASE)
_AFFORD = re.compile(r"can only afford (\d+)")
_IN_FLIGHT = {"in_flight_budget_exhausted", "openrouter_in_flight_budget"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """The wire's facts about one failure.

    Attributes:
        error: the ``error`` object (or text) as on the wire.
        status: the HTTP status; 2xx for an error inside an answer.
        headers: response headers.
        response: the HTTP response, or None.
        request: what was asked.
        partial: what had arrived of the answer, and what else stands beside the error.
    """

    error: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    response: Any = None
    request: Request | None = None
    partial: Reply = field(default_factory=Reply)

    @property
    def fields(self) -> dict[str, Any]:
        """The attributes that an `OpenRouterError` carries."""
        error, metadata = dict_of(self.error), dict_of(dict_of(self.error).get("metadata"))
        availability, partial = dict_of(error.get("availability")) or None, self.partial
        code, kind = _code(error.get("code")), _error_type(error, metadata)
        status = self._status(code, kind, text_of((availability or {}).get("code")))
        headers = {**_headers_inside(metadata), **self.headers}
        return {
            "status_code": status,
            "code": code,
            "error_type": kind,
            "provider": text_of(metadata.get("provider_name")) or partial.provider,
            "model": partial.model or next(iter(self.request.asked if self.request else ()), None),
            "generation_id": partial.id or self.headers.get("x-generation-id"),
            "retryable": _retryable(status, metadata, availability, headers),
            "retry_after": _retry_after(headers, metadata, availability, status),
            "upstream": _as_text(metadata.get("raw")),
            "availability": availability,
            "affordable_tokens": int_of(next(iter(_AFFORD.findall(self.message)), None)),
            "partial": worth_keeping(partial),
            "body": self.error,
            "response": self.response,
        }

    @property
    def message(self) -> str:
        """What the server said."""
        return words(self.error) or self._unsaid()

    def _unsaid(self) -> str:
        if self.status == 407:
            return "a proxy on the way asks for credentials"
        if 300 <= self.status < 400 and (elsewhere := self.headers.get("location")):
            where = hidden(elsewhere, *(self.request.secrets if self.request else ()))
            return f"the server redirects to {where}, where nobody followed: give that address as base_url"
        return "no reason was given"

    def _status(self, code: int | str | None, *names: str | None) -> int | None:
        """The HTTP status, or the one that the code inside stands for."""
        if not 200 <= self.status < 300:
            return self.status
        inner = int_of(code)
        if inner is not None and 400 <= inner < 600:
            return inner
        return next(filter(None, (_BY_TYPE.get(str(name)) for name in (code, *names))), None)


def _code(code: Any) -> int | str | None:
    exact = isinstance(code, float) and code.is_integer()
    return int(code) if exact else code if isinstance(code, int | str) and not isinstance(code, bool) else None


def from_wire(trouble: Trouble, specialize: Specialize | None = None, *, begun: bool = False) -> OpenRouterError:
    """The exception for an error body, a choice's error or an error chunk.

    Args:
        trouble: the facts.
        specialize: gives a framework's subclass.
        begun: whether a piece of a streamed answer has been handed over: then it is a `StreamInterruptedError`.
    """
    fields = trouble.fields
    cls = StreamInterruptedError if begun else _kind(fields, trouble)
    made = (specialize(cls) if specialize else cls)(trouble.message, **fields)
    made.openrouter_metadata = trouble.partial.openrouter_metadata
    if isinstance(made, NoEndpointsError) and trouble.request:
        made.preferences = dict_of(trouble.request.body.get("provider")) or None
    return made


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


def _headers_inside(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The headers that an error in an answer of 200, or in a stream, has nowhere but in its body."""
    inside = dict_of(metadata.get("headers"))
    return {str(name).lower(): value for name, value in inside.items() if isinstance(value, int | float | str)}


def _retryable(
    status: int | None, metadata: Mapping[str, Any], availability: Mapping[str, Any] | None, headers: Mapping[str, Any]
) -> bool | None:
    if status in _NEVER_RETRIED:
        return False
    if status == 402:  # a budget held by requests in flight frees itself
        passing = not _IN_FLIGHT.isdisjoint(map(text_of, (metadata.get("reason"), metadata.get("limit_source"))))
        return passing or "retry-after" in headers or _seconds(metadata.get("retry_after_seconds")) is not None
    said = bool_of((availability or {}).get("retryable"))
    return said if said is not None else None if status is None else status in (408, 409, 429) or status >= 500


def _retry_after(
    headers: Mapping[str, Any], metadata: Mapping[str, Any], availability: Mapping[str, Any] | None, status: int | None
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
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    with suppress(ValueError, OverflowError):
        seconds = float(value)
        return seconds if math.isfinite(seconds) else None
    with suppress(TypeError, ValueError, OverflowError):
        return max(0.0, (parsedate_to_datetime(str(value)) - datetime.now(UTC)).total_seconds())
    return None


def _until(reset: float | None) -> float | None:
    """Seconds until a moment, in Unix milliseconds or seconds, or a number of them; None when it is over."""
    if reset is None:
        return None
    moment = reset / 1000 if reset > 1e11 else reset
    left = moment - datetime.now(UTC).timestamp() if moment > 1e8 else moment
    return left if left > 0 else None
