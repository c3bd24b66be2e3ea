"""Whether an outcome is one that a call may have: the whole answer, an error that its fault allows, or left."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_core.exceptions import ModelError

import openrouter_adapters
from openrouter_adapters import OpenRouterError
from openrouter_adapters.gateway.refusals import REFUSALS

from .answers import answer
from .plan import Call

BY_STATUS = {
    400: "InvalidRequestError",
    401: "AuthenticationError",
    402: "InsufficientCreditsError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "APITimeoutError",
    413: "InvalidRequestError",
    422: "InvalidRequestError",
    429: "RateLimitError",
}
BY_CODE = ("InvalidRequestError", "RateLimitError", "ProviderError")
BROKEN = ("APIConnectionError", "MalformedResponseError")
# The classes that each fault allows, refusals aside; a subclass will do.
ERRORS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("error_200", "error_chunk_first", "late_error"), BY_CODE),
    **dict.fromkeys(("choice_error", "error_chunk", "error_chunk_bare"), (*BY_CODE, "StreamInterruptedError")),
    "error_chunk_with_usage": ("InvalidRequestError", "StreamInterruptedError"),
    "finish_error": ("ProviderError", "StreamInterruptedError"),
    **dict.fromkeys(("null_choices", "empty_choices", "malformed_chunk"), ("MalformedResponseError",)),
    "html": ("MalformedResponseError", "PermissionDeniedError", "ProviderError"),
    **dict.fromkeys(("empty_body", "cut", "cut_in_chunk", "truncated", "garbage", "hang_up"), BROKEN),
    **dict.fromkeys(("silence", "comments_forever"), ("APITimeoutError",)),
}
HARMLESS = {"empty_answer", "json_for_stream", "shuffled", "missing_item", "empty_vector", "no_done", "slow_start"}
# Nothing of an answer was handed over, and it may pass: with retries enough there must be an answer.
PASSING = {
    *("in_flight_budget", "request_timeout", "rate_limit", "upstream_rate_limit", "capacity_exhausted", "server_error"),
    *("upstream_502", "unavailable", "gateway_timeout", "edge_timeout", "overloaded", "error_200"),
    *("error_chunk_first", "late_error", "garbage", "hang_up"),
}
STATUSES = {name: refusal.standard.status for name, refusal in REFUSALS.items()}


@dataclass(frozen=True)
class Got:
    """An answer, as much of it as is judged."""

    text: str
    reasoning: str
    arguments: list[object]
    tokens: int
    cost: float


@dataclass(frozen=True)
class Left:
    """The caller left; the text so far."""

    text: str


def complaint(call: Call, outcome: Got | Left | BaseException) -> str:
    """What is wrong with an outcome; "" for nothing."""
    if isinstance(outcome, Got):
        return _of_answer(call, outcome)
    if isinstance(outcome, Left):
        begun = answer(call.number).text.startswith(outcome.text)
        return "" if call.leaves and begun else f"left with the wrong text {outcome.text!r}"
    if isinstance(outcome, OpenRouterError):
        return _of_error(call, outcome)
    return f"{type(outcome).__name__}: {outcome}"


def _of_answer(call: Call, got: Got) -> str:
    if not _may_be_answered(call):
        return f"an answer in spite of the fault: {got}"
    if not (got.tokens > 0 and got.cost > 0) and not _is_cut_short(call):
        return f"no usage or no cost: {got}"
    return "" if any(_says(call, got, fault) for fault in _faults(call)) else f"the wrong answer: {got}"


def _faults(call: Call) -> set[str]:
    """What the try that was answered may have had."""
    passed = call.times is not None and call.times <= call.max_retries
    return {call.fault, ""} if passed else {call.fault}


def _is_cut_short(call: Call) -> bool:
    return call.fault == "no_finish" and call.streams


def _may_be_answered(call: Call) -> bool:
    if call.fault in HARMLESS or call.fault in ("", "no_finish"):
        return True
    final = STATUSES.get(call.fault, 500) < 500 and call.fault not in PASSING
    return not final and call.times is not None and call.times <= call.max_retries


def _says(call: Call, got: Got, fault: str) -> bool:
    """Whether this is the right answer, as a fault that is none leaves it."""
    right = answer(call.number)
    if fault == "empty_answer":
        return got.text == ""
    if fault == "no_finish" and call.streams:
        return right.text.startswith(got.text)
    whole = fault == "json_for_stream" and call.streams
    arguments = [right.arguments] if right.arguments else []
    return got.text == right.text and (whole or (got.reasoning, got.arguments) == (right.reasoning, arguments))


def _of_error(call: Call, error: OpenRouterError) -> str:
    name = type(error).__name__
    if not any(isinstance(error, getattr(openrouter_adapters, allowed)) for allowed in _errors(call)):
        return f"{name} is no error of this fault: {error}"
    if _must_be_answered(call):
        return f"an answer was due after {call.times} tries, not {name}: {error} Before: {error.failed_tries!r}"
    if isinstance(error, ModelError) is not (call.adapter == "langchain"):
        return f"{name} is another framework's"
    if error.partial and not answer(call.number).text.startswith(error.partial.text):
        return f"{name} has the wrong partial text {error.partial.text!r}"
    return f"{name} after too many tries" if len(error.failed_tries) > call.max_retries else ""


def _must_be_answered(call: Call) -> bool:
    return call.fault in PASSING and call.times is not None and call.times <= call.max_retries


def _errors(call: Call) -> tuple[str, ...]:
    """The classes that a call's fault allows."""
    if call.fault == "no_finish" and call.details.get("after") == 0:  # then [DONE] is all that came
        return ("IncompleteStreamError",)
    if call.fault not in STATUSES:
        return ERRORS.get(call.fault, ())
    status = STATUSES[call.fault]
    return (BY_STATUS.get(status, "ProviderError"), *(("NoEndpointsError",) if status == 503 else ()))
