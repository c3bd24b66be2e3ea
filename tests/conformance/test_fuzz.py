"""Whatever a server sends, the outcome is an answer or an OpenRouterError, never anything else."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openrouter_adapters import OpenRouterError

from .adapters import WAYS, Way
from .reader import as_stream, unfolded
from .server import EVENTS, Answer, ReplayServer

BODY: Any = {
    "id": "gen-1",
    "object": "chat.completion",
    "created": 1,
    "model": "a/b",
    "provider": "P",
    "service_tier": "default",
    "system_fingerprint": "fp",
    "openrouter_metadata": {"strategy": "direct", "attempts": [{"provider": "P", "status": 200}]},
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "native_finish_reason": "tool_use",
            "logprobs": {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]},
            "message": {
                "role": "assistant",
                "content": "Hello é",
                "refusal": "no",
                "reasoning": "Hm",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "Hm", "signature": "s", "index": 0},
                    {"type": "reasoning.server_tool_call", "tool_name": "t", "arguments": "{}", "result": "r"},
                ],
                "tool_calls": [
                    {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
                ],
                "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
                "audio": {"id": "au", "data": "AA==", "transcript": "hello", "expires_at": 7},
                "annotations": [
                    {"type": "url_citation", "url_citation": {"url": "https://a.example", "start_index": 0}},
                    {"type": "file", "file": {"hash": "h", "content": [{"type": "text", "text": "x"}]}},
                ],
            },
        }
    ],
    "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "cost": 0.001,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.5},
        "prompt_tokens_details": {"cached_tokens": 1, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "server_tool_use_details": {"web_search_requests": 1},
    },
}
FAILURE: Any = {
    "error": {
        "code": 429,
        "message": "Provider returned error",
        "metadata": {"provider_name": "P", "raw": "slow down", "reasons": ["x"], "retry_after_seconds": 1},
        "availability": {"code": "x", "retryable": True, "retry_after": 1, "excluded_by": ["zdr"]},
    },
    "user_id": "user_1",
}
CHUNKS = [*unfolded(BODY), {**unfolded(BODY)[0], **FAILURE}]
ODD = st.sampled_from(
    [
        *(None, True, False, 0, -1, 10**400, 1.5, 1e308, "", "x", "\ud800", "7", "null"),
        *([], [None], [[]], ["x"], [{}], {}, {"": None}, {"type": "text", "text": 1}),
    ]
)
DELETED = object()
# LlamaIndex cannot send an answer's sound back, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:messages. audio of an assistant:UserWarning")
ways = st.sampled_from(WAYS)
streaming = st.sampled_from([way for way in WAYS if way.streams])
# The server and the loop are the session's; every example has an address of its own.
few = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every field and item inside, each as its container and its key."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    inside = [place for key in keys for place in places(value[key])]
    return [*((value, key) for key in keys), *inside]


def damaged(data: st.DataObject, whole: Any) -> Any:
    """A copy with a few fields deleted, nulled or of another type."""
    made = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        if there := places(made):
            container, key = there[data.draw(st.integers(0, len(there) - 1))]
            value = data.draw(ODD | st.just(DELETED))
            if value is DELETED:
                del container[key]
            else:
                container[key] = copy.deepcopy(value)
    return made


def outcome(way: Way, answer: Answer, server: ReplayServer, runner: asyncio.Runner) -> Any:
    """The answer, read from every side and sent back, or the error: anything else escapes."""
    try:
        given = way.ask(runner, server.put(answer))
        message = given if way.adapter == "langchain" else given.message
        assert isinstance(str(message), str) and isinstance(given.model_dump(), dict)
        if way.adapter == "langchain":
            assert isinstance(message.content_blocks, list)
        way.ask(runner, server.put(Answer(b"")), before=given)
    except OpenRouterError as error:
        assert isinstance(str(error), str)


@pytest.mark.parametrize("odd", [[1], {"": None}, 10**400, "soon", True])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_numbers_that_are_none(way: Way, odd: Any, server: ReplayServer, runner: asyncio.Runner) -> None:
    """Found by the tests below: floats are made of these, and not every value can be one."""
    body, failure = copy.deepcopy((BODY, FAILURE))
    body["choices"][0]["logprobs"]["content"][0]["logprob"] = odd
    failure["error"]["metadata"]["retry_after_seconds"] = failure["error"]["availability"]["retry_after"] = odd
    outcome(way, Answer(json.dumps(body).encode()), server, runner)
    outcome(way, Answer(json.dumps(failure).encode(), 429), server, runner)


@given(data=st.data(), way=ways, status=st.sampled_from([200, 200, 200, 201, 400]))
@few
def test_any_body(data: st.DataObject, way: Way, status: int, server: ReplayServer, runner: asyncio.Runner) -> None:
    body = json.dumps(damaged(data, BODY)).encode()
    outcome(way, Answer(body, status), server, runner)


@given(data=st.data(), way=ways, status=st.sampled_from([200, 400, 402, 403, 404, 408, 429, 500, 503, 529, 599]))
@few
def test_any_error(data: st.DataObject, way: Way, status: int, server: ReplayServer, runner: asyncio.Runner) -> None:
    body = json.dumps(damaged(data, FAILURE)).encode()
    outcome(way, Answer(body, status), server, runner)


@given(data=st.data(), way=streaming)
@few
def test_any_chunks(data: st.DataObject, way: Way, server: ReplayServer, runner: asyncio.Runner) -> None:
    chunks = damaged(data, data.draw(st.lists(st.sampled_from(CHUNKS), min_size=1, max_size=4)))
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    outcome(way, Answer(stream.encode(), headers={"content-type": EVENTS}), server, runner)


# ------------------------------------------------------------------------------------------------- cut at any byte


def piece(finish_reason: str | None = None, **delta: Any) -> Any:
    head = {"id": "gen-1", "created": 1, "model": "a/b", "provider": "P"}
    return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def call(index: int, call_id: str | None, name: str | None, arguments: str) -> Any:
    return piece(tool_calls=[{"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}])


STREAM = as_stream(
    [
        *(piece(reasoning="Hm"), piece(content="Hel"), piece(content="lo é\U0001f600"), piece(refusal="no")),
        *(call(0, "c1", "add", ""), call(0, None, None, '{"a": '), call(0, None, None, "1}"), call(1, "c2", "now", "")),
        piece("tool_calls", content=""),
        {**piece("tool_calls", content=""), "usage": BODY["usage"]},
    ]
)
SAID = "Hello é\U0001f600"
CALLS = [("c1", "add", {"a": 1}), ("c2", "now", {})]
FINISHED = STREAM.index(b'"finish_reason": "tool_calls"')


def judged(way: Way, outcome: Any, at: int) -> None:
    """The whole answer, if its finish reason got through, and nothing less; otherwise an error with what did."""
    if isinstance(outcome, OpenRouterError):
        partial = outcome.partial
        assert SAID.startswith(partial.text if partial else "")
        for made, (_, name, args) in zip(partial.tool_calls if partial else (), CALLS, strict=False):
            assert made.name in ("", name) and made.args in (None, args)
        assert at <= FINISHED or outcome.retryable
    else:
        shown = way.shown(outcome)
        assert (shown["text"], shown["reasoning"], shown["refusal"], shown["calls"]) == (SAID, "Hm", "no", CALLS)
        assert at > FINISHED


@given(at=st.integers(0, len(STREAM) - 1), way=streaming, hangs_up=st.booleans())
@few
def test_a_stream_cut_anywhere(at: int, way: Way, hangs_up: bool, server: ReplayServer, runner: asyncio.Runner) -> None:
    answer = Answer(STREAM[:at], headers={"content-type": EVENTS}, hangs_up=hangs_up)
    judged(way, way.outcome(runner, server.put(answer)), at)


def test_a_stream_cut_everywhere(server: ReplayServer, runner: asyncio.Runner) -> None:
    """Every byte, once, in one of the ways."""
    ways = [way for way in WAYS if way.streams]
    for at in range(len(STREAM)):
        way = ways[at % len(ways)]
        answer = Answer(STREAM[:at], headers={"content-type": EVENTS}, hangs_up=at % 3 == 0)
        judged(way, way.outcome(runner, server.put(answer)), at)


def test_a_whole_stream_is_an_answer(server: ReplayServer, runner: asyncio.Runner) -> None:
    for way in (way for way in WAYS if way.streams):
        judged(way, way.outcome(runner, server.put(Answer(STREAM, headers={"content-type": EVENTS}))), len(STREAM))


@given(at=st.integers(0, len(json.dumps(BODY)) - 1), way=ways, hangs_up=st.booleans())
@few
def test_a_body_cut_anywhere(at: int, way: Way, hangs_up: bool, server: ReplayServer, runner: asyncio.Runner) -> None:
    answer = Answer(json.dumps(BODY).encode()[:at], hangs_up=hangs_up)
    assert isinstance(way.outcome(runner, server.put(answer)), OpenRouterError)


@given(body=st.binary(max_size=60) | st.text(max_size=20).map(str.encode), way=ways, status=st.sampled_from([200, 500]))
@few
def test_any_bytes(body: bytes, way: Way, status: int, server: ReplayServer, runner: asyncio.Runner) -> None:
    kind = EVENTS if way.streams else "application/json"
    outcome(way, Answer(body, status, {"content-type": kind}), server, runner)
