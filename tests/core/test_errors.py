"""What goes wrong on the wire has one class, with all that is known."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

import openrouter_adapters
from openrouter_adapters.core import errors
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.trouble import Trouble, from_wire

AVAILABILITY = {"code": "privacy_restricted", "excluded_by": ["data_policy:zdr"], "fallback_models": ["a/b"]}

# status, error body, class, the openai class it is, retryable
KINDS: dict[str, tuple[int, dict[str, Any], type[Exception], type[Exception], bool]] = {
    "400": (400, {}, errors.InvalidRequestError, openai.BadRequestError, False),
    "401": (401, {}, errors.AuthenticationError, openai.AuthenticationError, False),
    "402": (402, {}, errors.InsufficientCreditsError, openai.APIStatusError, False),
    "402 in flight": (
        402,
        {"metadata": {"reason": "in_flight_budget_exhausted", "limit_source": "openrouter_in_flight_budget"}},
        errors.InsufficientCreditsError,
        openai.APIStatusError,
        True,
    ),
    "403": (403, {}, errors.PermissionDeniedError, openai.PermissionDeniedError, False),
    "403 moderation": (
        403,
        {"metadata": {"reasons": ["violence"], "flagged_input": "..."}},
        errors.ModerationError,
        openai.PermissionDeniedError,
        False,
    ),
    "404": (404, {}, errors.NotFoundError, openai.NotFoundError, False),
    "404 prose": (
        404,
        {"message": "No endpoints found that support tool use"},
        errors.NoEndpointsError,
        openai.NotFoundError,
        False,
    ),
    "404 typed": (404, {"availability": AVAILABILITY}, errors.NoEndpointsError, openai.NotFoundError, False),
    "408": (408, {}, errors.APITimeoutError, openai.APITimeoutError, True),
    "413": (413, {}, errors.InvalidRequestError, openai.BadRequestError, False),
    "422": (422, {}, errors.InvalidRequestError, openai.UnprocessableEntityError, False),
    "429": (429, {}, errors.RateLimitError, openai.RateLimitError, True),
    "500": (500, {}, errors.ProviderError, openai.InternalServerError, True),
    "502": (502, {}, errors.ProviderError, openai.InternalServerError, True),
    "503": (503, {}, errors.ProviderError, openai.InternalServerError, True),
    "503 none": (
        503,
        {"message": "No available providers", "availability": {"retryable": True}},
        errors.NoEndpointsError,
        openai.NotFoundError,
        True,
    ),
    "524": (524, {}, errors.ProviderError, openai.InternalServerError, True),
    "529": (529, {}, errors.ProviderError, openai.InternalServerError, True),
    "overflow by type": (
        400,
        {"metadata": {"error_type": "context_length_exceeded"}},
        errors.ContextOverflowError,
        openai.BadRequestError,
        False,
    ),
    "overflow by text": (
        400,
        {"message": "This endpoint's maximum context length is 200000 tokens. However, you requested about 2500021"},
        errors.ContextOverflowError,
        openai.BadRequestError,
        False,
    ),
}


@pytest.mark.parametrize(("status", "error", "cls", "sdk", "retryable"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("inside", [False, True], ids=["status", "in a 200"])
def test_each_failure_has_its_class(
    status: int, error: dict[str, Any], cls: type[Exception], sdk: type[Exception], retryable: bool, inside: bool
) -> None:
    """A code inside a 200 is judged like the status."""
    body = {"message": "said", "code": status, **error}
    made = from_wire(Trouble(body, status=200 if inside else status))
    assert type(made) is cls or (type(made).__mro__[1] is cls and status == 422)
    assert isinstance(made, (errors.OpenRouterError, openai.OpenAIError))
    assert isinstance(made, sdk)
    assert (made.status_code, made.code, made.retryable) == (status, status, retryable)
    assert body["message"] in str(made) and str(status) in str(made)


def test_the_same_trouble_after_the_first_piece_is_an_interruption() -> None:
    partial = Reply(text="Hel", provider="P", model="m", id="gen-1")
    made = from_wire(Trouble({"code": 429, "message": "slow down"}, partial=partial), begun=True)
    assert type(made) is errors.StreamInterruptedError
    assert (made.status_code, made.retryable, made.partial) == (429, True, partial)
    assert (made.provider, made.model, made.generation_id) == ("P", "m", "gen-1")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("server_error", 500, "server_error"),
        ("429", 429, None),
        ("rate_limit_exceeded", 429, "rate_limit_exceeded"),
        ("strange", None, "strange"),
        (None, None, None),
        (7, None, None),
    ],
)
def test_codes_are_numbers_or_words(code: Any, status: int | None, kind: str | None) -> None:
    made = from_wire(Trouble({"code": code, "message": "x"}))
    assert (made.status_code, made.error_type, made.code) == (status, kind, code)


def test_what_is_known_is_carried_and_said() -> None:
    error = {
        "code": 404,
        "message": "No endpoints found",
        "metadata": {"provider_name": "Azure", "raw": '{"error": "because"}', "error_type": "not_found"},
        "availability": AVAILABILITY,
    }
    asked = Request({"model": "asked/model", "provider": {"only": ["azure"], "options": {"azure": {}}}})
    made = from_wire(Trouble(error, status=404, headers={"x-generation-id": "gen-9"}, request=asked))
    assert (made.provider, made.model, made.generation_id) == ("Azure", "asked/model", "gen-9")
    assert (made.upstream, made.error_type, made.availability) == ('{"error": "because"}', "not_found", AVAILABILITY)
    said = str(made)
    for part in (
        "404",
        "Azure",
        "asked/model",
        "because",
        "data_policy:zdr",
        "a/b",
        "gen-9",
        "Relax `provider`",
        "only=['azure']",
    ):
        assert part in said
    assert "options" not in said, "keys of one's own may be in there"


# Every documented `error_type`, and what it is under HTTP 200, where it is all that is said.
TYPES: dict[type[Exception], tuple[int, list[str]]] = {
    errors.ContextOverflowError: (400, ["context_length_exceeded", "token_limit_exceeded", "string_too_long"]),
    errors.InvalidRequestError: (
        400,
        [
            *("max_tokens_exceeded", "invalid_request", "invalid_prompt", "content_policy_violation", "refusal"),
            *("invalid_image", "image_too_large", "image_too_small", "unsupported_image_format"),
            "image_download_failed",
        ],
    ),
    errors.AuthenticationError: (401, ["authentication"]),
    errors.InsufficientCreditsError: (402, ["payment_required"]),
    errors.PermissionDeniedError: (403, ["permission_denied"]),
    errors.NotFoundError: (404, ["not_found", "image_not_found"]),
    errors.UnprocessableRequestError: (422, ["unprocessable"]),
    errors.RateLimitError: (429, ["rate_limit_exceeded"]),
}
SERVER = {"server": 500, "unmapped": 500, "provider_unavailable": 502, "provider_overloaded": 503, "timeout": 504}
KNOWN_TYPES = [
    *((name, status, cls) for cls, (status, names) in TYPES.items() for name in names),
    *((name, status, errors.ProviderError) for name, status in SERVER.items()),
    ("precondition_failed", 412, errors.InvalidRequestError),
    ("payload_too_large", 413, errors.InvalidRequestError),
]


@pytest.mark.parametrize(("name", "status", "cls"), KNOWN_TYPES)
@pytest.mark.parametrize("place", [{"code": "{}"}, {"metadata": {"error_type": "{}"}}, {"type": "{}"}], ids=str)
def test_a_type_alone_says_enough(name: str, status: int, cls: type[Exception], place: dict[str, Any]) -> None:
    error = json.loads(json.dumps(place).replace("{}", name))
    made = from_wire(Trouble({"message": "x", **error}))
    assert type(made) is cls
    assert (made.status_code, made.error_type, made.retryable) == (status, name, status == 429 or status >= 500)


OVERFLOWS = [
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
    "prompt is too long: 209335 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
    "Input is too long for requested model.",
    "too many tokens: total number of tokens in the prompt exceeds the limit of 128000",
    "Please reduce the length of the messages or completion.",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens",
    "the request exceeds the available context size (4096 tokens), try increasing it",
]
ORDINARY = ["Too many tokens per minute", "max_tokens must be at least 16", "Invalid schema for response_format"]


@pytest.mark.parametrize("text", [*OVERFLOWS, *ORDINARY])
@pytest.mark.parametrize("upstream", [False, True])
def test_an_overflow_is_told_by_its_words(text: str, upstream: bool) -> None:
    error = {"message": "Provider returned error", "metadata": {"raw": text}} if upstream else {"message": text}
    made = from_wire(Trouble({"code": 400, **error}, status=400))
    assert type(made) is (errors.ContextOverflowError if text in OVERFLOWS else errors.InvalidRequestError)


@pytest.mark.parametrize("message", ["Rate limit exceeded", "Rate limit exceeded."])
def test_a_server_s_words_end_before_more_is_said(message: str) -> None:
    assert str(errors.RateLimitError(message, retry_after=2)) == "Rate limit exceeded. Try again in 2 s."
    assert str(errors.RateLimitError(message)) == message
    assert str(errors.OpenRouterError("")) == ""


def test_an_upstream_object_is_shown_as_json() -> None:
    made = from_wire(Trouble({"code": 502, "message": "x", "metadata": {"raw": {"detail": ["é"]}}}))
    assert made.upstream == '{"detail": ["é"]}'


def test_credits_say_what_they_still_buy() -> None:
    message = "You requested up to 65536 tokens, but can only afford 27342."
    made = from_wire(Trouble({"code": 402, "message": message}))
    assert made.affordable_tokens == 27342 and "27342" in str(made)


@pytest.mark.parametrize(
    ("headers", "error", "seconds"),
    [
        ({"retry-after": "3"}, {}, 3),
        ({"retry-after-ms": "250"}, {}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}, 0),
        ({"retry-after": "soon"}, {"metadata": {"retry_after_seconds": 7}}, 7),
        ({}, {"availability": {"retry_after": 2}}, 2),
        ({}, {"metadata": {"headers": {"X-RateLimit-Limit": "20", "Retry-After": "7"}}}, 7),
        ({}, {"metadata": {"headers": {"Retry-After": 7}}}, 7),
        ({}, {"metadata": {"headers": {"X-RateLimit-Reset": "30"}}}, 30),
        ({"retry-after": "3"}, {"metadata": {"headers": {"Retry-After": "7"}}}, 3),
        ({}, {"metadata": {"headers": {"Retry-After": None, "X-RateLimit-Reset": [1], "X": 10**5000}}}, None),
        ({}, {"metadata": {"headers": ["Retry-After"]}}, None),
        ({}, {}, None),
    ],
)
def test_the_time_to_wait_is_read_from_wherever_it_stands(
    headers: dict[str, str], error: dict[str, Any], seconds: float | None
) -> None:
    made = from_wire(Trouble({"code": 429, "message": "x", **error}, status=429, headers=headers))
    assert made.retry_after == seconds


@pytest.mark.parametrize("value", ["7", 7, None])
def test_headers_in_the_body_say_whether_a_lack_of_credits_passes(value: Any) -> None:
    error = {"code": 402, "message": "x", "metadata": {"headers": {"Retry-After": value}}}
    assert from_wire(Trouble(error)).retryable is (value is not None)


def test_errors_pickle_and_copy_with_all_they_carry() -> None:
    made = from_wire(Trouble({"code": 429, "message": "x", "metadata": {"raw": "r"}}, partial=Reply(text="a")))
    for copied in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert type(copied) is type(made) and str(copied) == str(made)
        assert (copied.upstream, copied.partial, copied.retryable) == ("r", Reply(text="a"), True)


def test_every_class_of_the_tree_is_exported() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.OpenRouterError)
    }
    assert classes == {name for name in openrouter_adapters.__all__ if name.endswith("Error")}
    for name in classes:
        assert getattr(openrouter_adapters, name) is getattr(errors, name)
        assert name in (errors.__doc__ or "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("code", "message", "metadata", "availability", "type")


@given(error=st.dictionaries(st.sampled_from(KEYS), JSON) | JSON, status=st.sampled_from([200, 400, 404, 429, 503]))
def test_any_error_body_is_read_without_another_exception(error: Any, status: int) -> None:
    made = from_wire(Trouble(error, status=status, headers={"retry-after": "x"}))
    assert isinstance(made, errors.OpenRouterError) and str(made)
