"""Every error status that OpenRouter is known to send, by name, with a body of its real shape."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .problems import WRONG_KEY, Problem, invalid, json_in_a_string, no_endpoints, unknown_model, upstream

__all__ = ["REFUSALS", "Refusal"]


@dataclass(frozen=True)
class Refusal:
    """A named problem and one line on when it happens."""

    doc: str
    standard: Problem

    def problem(self, details: Mapping[str, Any]) -> Problem:
        """The problem, with the details that were asked for put in place of its own.

        Args:
            details: ``message``, ``code``, ``headers``, ``retry_after`` (seconds; None leaves the header out), and
                ``metadata`` and ``availability``, which are merged.
        """
        given = {key: details[key] for key in ("message", "code") if key in details}
        problem = replace(self.standard, **given, headers=_headers(self.standard, details))
        if "metadata" in details:
            problem = problem.with_metadata(**details["metadata"])
        if "availability" in details:
            problem = replace(problem, availability={**(problem.availability or {}), **details["availability"]})
        return problem


def _headers(problem: Problem, details: Mapping[str, Any]) -> dict[str, str]:
    headers = {**problem.headers, **details.get("headers", {})}
    if "retry_after" in details:
        headers["retry-after"] = str(details["retry_after"])
    return {name: value for name, value in headers.items() if value != "None"}


_TOO_LONG = (
    "This endpoint's maximum context length is 128000 tokens. However, you requested about 250021 tokens (250021 of "
    "text input). Please reduce the length of either one, or use the context-compression plugin to compress your "
    "prompt automatically."
)
_AFFORD = (
    "This request requires more credits, or fewer max_tokens. You requested up to 4096 tokens, but can only afford "
    "1203. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account"
)
_LIMITED = (
    "google/gemini-2.5-flash is temporarily rate-limited upstream. Please retry shortly, or add your own key to "
    "accumulate your rate limits: https://openrouter.ai/settings/integrations"
)
_LIMITS = {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1900000000000"}


def _payment(message: str, reason: str, source: str, **headers: str) -> Problem:
    metadata = {"error_type": "payment_required", "reason": reason, "limit_source": source}
    return Problem(402, message, metadata, headers=headers)


def _moderated() -> Problem:
    flagged = {"reasons": ["violence"], "flagged_input": "How do I ...", "provider_name": "OpenAI"}
    message = 'openai/gpt-4o-mini requires moderation on OpenAI. Your input was flagged for "violence".'
    return Problem(403, message, {**flagged, "model_slug": "openai/gpt-4o-mini"})


def _unavailable() -> Problem:
    availability = {"code": "temporarily_unavailable", "retryable": True, "retry_after": 1, "affected_providers": []}
    metadata = {"error_type": "provider_overloaded"}
    return Problem(503, "There is no available model provider", metadata, availability, {"retry-after": "1"})


def _bad_schema() -> Problem:
    message = "Invalid schema for response_format 'answer': 'thing' is not valid under any of the given schemas."
    return upstream(400, "Azure", json_in_a_string(message, "invalid_request_error", param="response_format"))


def _restricted(
    status: int, message: str, code: str, excluded_by: list[str], retryable: bool = False, **availability: Any
) -> Problem:
    """A routing failure that says under ``availability`` what stood in the way."""
    said = {
        "code": code,
        "retryable": retryable,
        "requested_models": ["openai/gpt-4o-mini"],
        "excluded_by": excluded_by,
    }
    return Problem(status, message, None, {**said, **availability})


def _over_budget() -> Problem:
    spent = {"limit_usd": 10, "spend_usd": 10.02, "resets_at": "2026-12-01T00:00:00Z"}
    source = {"error_type": "permission_denied", "limit_source": "openrouter_guardrail_budget", "scope": "workspace"}
    return Problem(403, "Guardrail budget exceeded", {**source, **spent})


def _typed(status: int, message: str, error_type: str) -> Problem:
    return Problem(status, message, {"error_type": error_type})


REFUSALS: dict[str, Refusal] = {
    "invalid_request": Refusal("a parameter out of range", invalid("Expected temperature to be at most 2, received 5")),
    "upstream_400": Refusal("the provider rejects the request; `metadata.raw` is JSON in a string", _bad_schema()),
    "unknown_model": Refusal("the model does not exist", unknown_model("nobody/nothing")),
    "context_length": Refusal(
        "the prompt is too long for the model",
        invalid(_TOO_LONG).with_metadata(previous_errors=[{"code": 400, "message": _TOO_LONG}]),
    ),
    "unauthorized": Refusal("the key is wrong", WRONG_KEY),
    "insufficient_credits": Refusal(
        "the account has no money", _payment("Insufficient credits", "insufficient_credits", "openrouter_credits")
    ),
    "cannot_afford": Refusal(
        "the money is not enough for max_tokens", _payment(_AFFORD, "insufficient_credits", "openrouter_credits")
    ),
    "key_limit": Refusal(
        "the key's own limit is reached", _payment("Key limit exceeded", "key_limit_exceeded", "openrouter_key_limit")
    ),
    "in_flight_budget": Refusal(
        "too much money is in flight; passes by itself, with Retry-After",
        _payment(
            "Too many requests in flight for this budget",
            "in_flight_budget_exhausted",
            "openrouter_in_flight_budget",
            **{"retry-after": "1"},
        ),
    ),
    "moderation": Refusal("moderation flagged the input", _moderated()),
    "guardrail": Refusal(
        "a guardrail of the account blocked the request",
        Problem(403, "Request blocked by guardrail", {"patterns": ["credit_card"], "error_type": "permission_denied"}),
    ),
    "permission_denied": Refusal(
        "this key may not do that", _typed(403, "Only management keys can fetch credits", "permission_denied")
    ),
    "no_endpoints": Refusal(
        "no endpoint satisfies the request, with `availability`",
        no_endpoints("No endpoints found that support tool use", ["openai/gpt-4o-mini"], "no_endpoints"),
    ),
    "no_endpoints_prose": Refusal(
        "no endpoint satisfies the request, said in prose alone, as it was before 2026",
        Problem(404, "No endpoints found matching your data policy (Free model publication)"),
    ),
    "privacy_restricted": Refusal(
        "the account's or the request's privacy rules leave no endpoint; others are named",
        _restricted(
            404,
            "No endpoints available matching your guardrail restrictions and data policy",
            "privacy_restricted",
            ["data_policy:zdr", "data_policy:training"],
            fallback_models=["openai/gpt-4.1-mini"],
        ),
    ),
    "constraint_filtered": Refusal(
        "a constraint of the request leaves no endpoint, and is named",
        _restricted(
            404,
            "No allowed providers are available for the selected model",
            "constraint_filtered",
            ["max_price"],
            constraint={"field": "provider.max_price", "detail": "the cheapest endpoint asks for more"},
        ),
    ),
    "region_restricted": Refusal(
        "the model is not offered where the caller is",
        _restricted(403, "This model is not available in your region", "region_restricted", ["geo"]),
    ),
    "guardrail_budget": Refusal("a guardrail's budget is spent", _over_budget()),
    "not_found": Refusal("there is no such thing", _typed(404, "Not Found", "not_found")),
    "request_timeout": Refusal("the request took too long", _typed(408, "Request timed out", "timeout")),
    "payload_too_large": Refusal(
        "the request is too large", _typed(413, "Request body too large", "payload_too_large")
    ),
    "unprocessable": Refusal("the request cannot be processed", _typed(422, "Unprocessable request", "unprocessable")),
    "rate_limit": Refusal(
        "OpenRouter's own rate limit, with Retry-After and X-RateLimit headers",
        Problem(
            429,
            "Rate limit exceeded: free-models-per-min",
            {"headers": _LIMITS, "provider_name": None},
            headers={"retry-after": "1", **_LIMITS},
        ),
    ),
    "upstream_rate_limit": Refusal(
        "the provider's rate limit, told in `metadata.raw`", upstream(429, "Google", _LIMITED)
    ),
    "capacity_exhausted": Refusal(
        "all endpoints are busy, told in `availability`",
        _restricted(429, "No capacity is left", "capacity_exhausted", [], retryable=True, retry_after=1),
    ),
    "server_error": Refusal("OpenRouter's own trouble, masked", Problem(500, "Internal Server Error", user_id=None)),
    "upstream_502": Refusal(
        "the provider is down; `metadata.raw` is JSON in a string",
        upstream(
            502,
            "OpenAI",
            json_in_a_string("The server had an error", "server_error"),
            error_type="provider_unavailable",
        ),
    ),
    "unavailable": Refusal("no provider is available now, with Retry-After", _unavailable()),
    "gateway_timeout": Refusal("the provider took too long", _typed(504, "Upstream timed out", "timeout")),
    "edge_timeout": Refusal("the edge gave up waiting", Problem(524, "A timeout occurred", user_id=None)),
    "overloaded": Refusal(
        "the provider is overloaded",
        upstream(
            529, "Anthropic", json_in_a_string("Overloaded", "overloaded_error"), error_type="provider_overloaded"
        ),
    ),
}
