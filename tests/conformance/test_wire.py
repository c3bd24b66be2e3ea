"""Short answers, written by hand, each for one habit of the wire; what both adapters make of them, in every way."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import openrouter_adapters
from openrouter_adapters import OpenRouterError

from .adapters import WAYS, Way, fields
from .reader import known
from .server import EVENTS, Answer, ReplayServer

WIRE = Path(__file__).parent / "wire"
HEAD = {"id": "gen-1", "model": "a/b", "provider": "P"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 0.001}
ENDED = {**HEAD, **USAGE, "finish_reason": "stop", "native_finish_reason": "end_turn"}
HELLO = {**ENDED, "text": "Hello"}
CALLED = {**HEAD, **USAGE, "finish_reason": "tool_calls"}
CLAUDE, OPENAI = {"format": "anthropic-claude-v1"}, {"format": "openai-responses-v1"}
PAGE = {"url": "https://a.example", "title": "", "start_index": 0, "end_index": 0}
DETAILS = [
    {"type": "reasoning.text", "text": "H", "index": 0, "signature": "c2ln+/==", **CLAUDE, "novel": [1]},
    {"type": "reasoning.text", "text": "m", "index": 0, "signature": None, "format": None},
    {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "index": 0},
    {"type": "reasoning.novel", "x": {"y": None}},
]
SUMMARY = {"type": "reasoning.summary", "summary": "Hm", "index": 0}
PROBABLE = [("Hel", -0.5, {"Hel": -0.5, "Hi": -1.5}), ("lo", -0.1, {"lo": -0.1})]
SECRETS = [
    {"type": "reasoning.encrypted", "data": "gAAA+/8=", "id": "rs_1", **OPENAI, "index": 0},
    {"type": "reasoning.encrypted", "data": "gBBB", "id": "rs_2", **OPENAI, "index": 0},
]

ANSWERS: dict[str, dict[str, Any]] = {
    # how a stream ends
    "two_finish_chunks.sse": {**HELLO, "service_tier": "default"},
    "usage_without_choice.sse": HELLO,
    "usage_beside_a_null_finish.sse": HELLO,
    "done_without_finish_reason.sse": {**HEAD, "text": "Hello"},
    "ends_after_finish.sse": HELLO,
    "unterminated_last_event.sse": HELLO,
    # how it is framed
    "comments_between_chunks.sse": HELLO,
    "crlf_line_ends.sse": HELLO,
    "odd_line_separators.sse": {**HELLO, "text": "Hel\u2028lo\u0085\u000b"},
    "white_space_before_body.json": HELLO,
    "byte_order_mark.sse": HELLO,
    "byte_order_mark.json": HELLO,
    "delta_in_a_whole_answer.json": HELLO,
    "pretty_answer_after_comments.json": HELLO,
    "legacy_text.json": HELLO,
    "legacy_text.sse": HELLO,
    "choice_of_another_index.sse": HELLO,
    "error_event_without_data.sse": HELLO,
    "several_data_lines_unterminated.sse": HELLO,
    # reasoning
    "signature_after_the_thought.sse": {
        **HELLO,
        "reasoning": "Hm...",
        "reasoning_details": [
            {"type": "reasoning.text", "text": "Hm...", "signature": "c2ln+/==", **CLAUDE, "index": 0}
        ],
        "opaque": ["c2ln+/=="],
    },
    "summary_and_secret_under_one_index.sse": {
        **HELLO,
        "reasoning": "AB",
        "reasoning_details": [{"type": "reasoning.summary", "summary": "AB", **OPENAI, "index": 0}, *SECRETS],
        "opaque": ["gAAA+/8=", "gBBB"],
    },
    "whole_details.json": {**HELLO, "reasoning": "Hm", "reasoning_details": DETAILS, "opaque": ["c2ln+/==", "gAAA"]},
    "details_without_plain_reasoning.json": {**HELLO, "reasoning": "Hm", "reasoning_details": [SUMMARY]},
    # tool calls
    "parallel_tool_calls_in_pieces.sse": {
        **CALLED,
        "native_finish_reason": "tool_use",
        "calls": [("c1", "add", {"a": 1}), ("c2", "now", {})],
    },
    "tool_call_without_index.sse": {**CALLED, "native_finish_reason": "STOP", "calls": [("c1", "add", {"a": 1})]},
    "tool_call_said_twice.sse": {**CALLED, "native_finish_reason": "tool_calls", "calls": [("c1", "add", {"a": 1})]},
    "tool_call_cut_off.sse": {
        **CALLED,
        "finish_reason": "length",
        "native_finish_reason": "max_tokens",
        "calls": [("c1", "add", '{"a": 1, "b')],
    },
    # the last call had no arguments yet: that is not the same as none
    "call_cut_off_before_its_arguments.sse": {
        **CALLED,
        "finish_reason": "length",
        "calls": [("c1", "now", {}), ("c2", "add", "")],
    },
    "call_cut_off_before_its_arguments.json": {
        **CALLED,
        "finish_reason": "length",
        "calls": [("c1", "now", {}), ("c2", "add", "")],
    },
    "blank_arguments_cut_off.sse": {**CALLED, "finish_reason": "length", "calls": [("c1", "now", " \n")]},
    "arguments_missing.json": {**ENDED, "finish_reason": "tool_calls", "calls": [("c1", "now", {})]},
    "arguments_cut_off.json": {
        **ENDED,
        "finish_reason": "tool_calls",
        "calls": [("c1", "add", '{"a": 1'), ("c2", "add", "[1]")],
    },
    "call_beside_text.json": {
        **ENDED,
        "finish_reason": "tool_calls",
        "text": "Let me see",
        "calls": [("toolu_1", "add", {"a": "é"})],
    },
    # other pieces
    "refusal_in_pieces.sse": {
        **ENDED,
        "refusal": "I cannot",
        "finish_reason": "content_filter",
        "native_finish_reason": "SAFETY",
    },
    "annotations_before_text.sse": {
        **HELLO,
        "annotations": [
            {"type": "url_citation", "url_citation": PAGE},
            {"type": "url_citation", "url_citation": {"url": "https://b.example"}},
        ],
    },
    "image_and_sound.sse": {
        **ENDED,
        "images": ["data:image/png;base64,iVBORw0K"],
        "audio": {"id": "au", "data": "UklGRg==", "transcript": "Hello", "expires_at": 7},
    },
    "logprobs.sse": {**HELLO, "logprobs": PROBABLE},
    "logprobs.json": {**HELLO, "logprobs": PROBABLE},
    # money, and what is not known
    "free_is_not_unknown.json": {
        **HELLO,
        "cost": 0,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.5},
    },
    "server_tool_use.json": {
        **HELLO,
        "cost": 0.02,
        "server_tool_use": {"web_search_requests": 1, "tool_calls_requested": 1, "tool_calls_executed": 1},
    },
    "no_usage.json": {**HEAD, "text": "Hello", "finish_reason": "stop", "native_finish_reason": "end_turn"},
    "null_everywhere.json": {
        **HEAD,
        "finish_reason": "stop",
        "prompt_tokens": 3,
        "completion_tokens": 0,
        "total_tokens": 3,
    },
}

BROKE_OFF = {"text": "Hel", "cost": 0.001}
GONE = {"code": 502, "status_code": 502, "message": "Provider disconnected", "retryable": True}
# The class, what the error says, and what had arrived; the HTTP status where it is not 200.
FAILURES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "error_after_text.sse": (
        "StreamInterruptedError",
        {"code": 502, "status_code": 502, "error_type": "provider_unavailable", "message": "Provider disconnected"},
        BROKE_OFF,
    ),
    "error_after_finish.sse": (
        "StreamInterruptedError",
        {"code": 400, "message": "Token limit reached", "retryable": False},
        {"text": "Hello", "cost": 0.001},
    ),
    "error_event.sse": ("StreamInterruptedError", GONE, {"text": "Hel"}),
    "error_event_of_a_type.sse": ("StreamInterruptedError", GONE, {"text": "Hel"}),
    "error_event_in_plain_words.sse": ("StreamInterruptedError", {"message": "upstream died"}, {"text": "Hel"}),
    "error_by_its_object.sse": ("StreamInterruptedError", GONE, {"text": "Hel"}),
    "error_in_the_delta.sse": ("StreamInterruptedError", GONE, {"text": "Hel"}),
    "error_in_another_choice.sse": ("StreamInterruptedError", GONE, {"text": "Hel"}),
    "usage_after_an_error.sse": ("StreamInterruptedError", GONE, BROKE_OFF),
    "error_named_after_its_reason.sse": (
        "RateLimitError",
        {"code": 429, "provider": "P", "message": "Slow down", "retryable": True},
        {"cost": 0.001},
    ),
    "error_before_text.sse": (
        "RateLimitError",
        {"code": 429, "upstream": "slow down", "provider": "P", "retryable": True},
        {},
    ),
    "error_code_as_a_word.sse": (
        "StreamInterruptedError",
        {"code": "server_error", "status_code": 500, "message": "Oops"},
        {"text": "Hel"},
    ),
    "ends_after_text.sse": ("IncompleteStreamError", {"model": "a/b", "generation_id": "gen-1"}, {"text": "Hello"}),
    "no_json_in_a_chunk.sse": ("MalformedResponseError", {"provider": "P"}, {"text": "Hel"}),
    "no_choice_at_all.sse": ("MalformedResponseError", {"generation_id": "gen-1"}, {}),
    "empty_choice.sse": ("MalformedResponseError", {"generation_id": "gen-1"}, {}),
    "empty_choice.json": ("MalformedResponseError", {"generation_id": "gen-1"}, {}),
    "error_in_the_message.json": ("ProviderError", GONE, BROKE_OFF),
    "usage_beside_an_error.json": (
        "ProviderError",
        {**GONE, "generation_id": "gen-1", "openrouter_metadata": {"strategy": "direct"}},
        {"cost": 0.001},
    ),
    "error_as_the_object.json": ("InvalidRequestError", {"status_code": 400, "message": "No such model"}, {}),
    "error_in_a_word.json": ("InvalidRequestError", {"status_code": 400, "retryable": False}, {}),
    "detail_alone.json": ("UnprocessableRequestError", {"message": "field required"}, {}),
    "page.json": ("ProviderError", {"status_code": 502, "message": "an HTML page: 502 Bad Gateway"}, {}),
    "bare_error_after_comments.json": ("RateLimitError", {"code": 429, "message": "Slow down"}, {}),
    "error_in_a_list.json": ("RateLimitError", {"code": 429, "message": "Slow down"}, {}),
    "availability_alone.json": ("NoEndpointsError", {"status_code": 404, "retryable": False}, {}),
    "events_of_a_refusal.json": ("RateLimitError", {"status_code": 429, "message": "Slow down", "code": 429}, {}),
    "error_under_200.json": ("RateLimitError", {"code": 429, "status_code": 429, "upstream": "slow down"}, {}),
    "broken_off.json": ("ProviderError", {"code": 502, "message": "Provider disconnected"}, BROKE_OFF),
    "finish_reason_error.json": ("ProviderError", {"generation_id": "gen-1", "provider": "P"}, {}),
    "choices_null.json": ("MalformedResponseError", {}, {}),
    "empty.json": ("MalformedResponseError", {}, {}),
    "no_json.json": ("MalformedResponseError", {}, {}),
    "upstream_as_an_object.json": ("ProviderError", {"status_code": 502, "upstream": '{"detail": "down"}'}, {}),
    "moderated.json": ("ModerationError", {"status_code": 403, "provider": "P", "retryable": False}, {}),
    "no_endpoints.json": ("NoEndpointsError", {"status_code": 404, "retryable": False}, {}),
    "too_few_credits.json": ("InsufficientCreditsError", {"status_code": 402, "affordable_tokens": 12}, {}),
    "context_overflow.json": ("ContextOverflowError", {"error_type": "context_length_exceeded"}, {}),
}
STATUS = {
    "detail_alone.json": 422,
    "page.json": 502,
    "events_of_a_refusal.json": 429,
    "upstream_as_an_object.json": 502,
    "moderated.json": 403,
    "no_endpoints.json": 404,
    "too_few_credits.json": 402,
    "context_overflow.json": 400,
}


def answer(name: str) -> Answer:
    kind = EVENTS if name.endswith(".sse") else "application/json"
    return Answer((WIRE / name).read_bytes(), STATUS.get(name, 200), {"content-type": kind})


def ways(names: Any) -> list[Any]:
    """Each file in each way that suits it: a JSON body may answer a request for a stream too."""
    pairs = [(name, way) for name in names for way in WAYS if way.streams or name.endswith(".json")]
    wholes_only = ("pretty_answer_after_comments.json",)  # where a stream is asked for, its lines are no events
    suited = [(name, way) for name, way in pairs if not (way.streams and name in wholes_only)]
    return [pytest.param(name, way, id=f"{name}-{way}") for name, way in suited]


def test_every_file_is_used() -> None:
    assert {path.name for path in WIRE.iterdir()} == {*ANSWERS, *FAILURES}


@pytest.mark.parametrize(("name", "way"), ways(ANSWERS))
def test_answers(name: str, way: Way, server: ReplayServer, runner: asyncio.Runner) -> None:
    assert way.shown(way.ask(runner, server.put(answer(name)))) == ANSWERS[name]


@pytest.mark.parametrize(("name", "way"), ways(FAILURES))
def test_failures(name: str, way: Way, server: ReplayServer, runner: asyncio.Runner) -> None:
    kind, said, arrived = FAILURES[name]
    error = way.outcome(runner, server.put(answer(name)))
    assert isinstance(error, OpenRouterError) and isinstance(error, getattr(openrouter_adapters, kind))
    assert {key: getattr(error, key) for key in said} == said
    assert partial(error) == arrived


def partial(error: OpenRouterError) -> dict[str, Any]:
    """What the error says of the answer that it broke off."""
    text, usage = getattr(error.partial, "text", None), getattr(error.partial, "usage", None)
    return known({"text": text, "cost": float(usage.cost.charged) if usage else None})


@pytest.mark.parametrize("adapter", ["langchain", "llamaindex"])
def test_streamed_or_not_every_field_is_the_same(adapter: str, server: ReplayServer, runner: asyncio.Runner) -> None:
    streamed, whole = (
        Way(adapter, streams, waits=False).ask(runner, server.put(answer(f"logprobs.{kind}")))
        for streams, kind in ((True, "sse"), (False, "json"))
    )
    assert fields(streamed, "raw", "delta") == fields(whole, "raw", "delta")


@pytest.mark.parametrize("way", [way for way in WAYS if way.adapter == "llamaindex"], ids=str)
def test_llamaindex_shows_the_body_as_it_came(way: Way, server: ReplayServer, runner: asyncio.Runner) -> None:
    body = answer("whole_details.json")
    assert (
        way.ask(runner, server.put(body)).raw["choices"][0]["message"] == json.loads(body.body)["choices"][0]["message"]
    )
