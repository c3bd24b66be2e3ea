"""Wire trouble becomes an exception of the tree: what a status, a code, a type or a text means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

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
from openrouter_adapters.core.wire import bool_of, dict_of, int_of, text_of

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
            "partial": worth_keeping(partial),
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
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    with suppress(ValueError, OverflowError):
        return float(value)
    with suppress(TypeError, ValueError, OverflowError):
        return max(0.0, (parsedate_to_datetime(str(value)) - datetime.now(UTC)).total_seconds())
    return None


def _until(reset: float | None) -> float | None:
    """Seconds until a moment given in Unix milliseconds."""
    return None if reset is None else max(0.0, reset / 1000 - datetime.now(UTC).timestamp())
