"""What an answer carries; and that the sum of a stream's chunks is the message that the same answer gives at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.outputs import ChatGenerationChunk

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.stream import ReplyBuilder
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.langchain.answers import answer, answer_chunk, chat_result, last_chunk, usage_metadata
from openrouter_adapters.langchain.chunks import chunk_maker

ASKED = ("openai/gpt-4o-mini",)


def streamed(chunks: list[dict[str, Any]]) -> tuple[list[ChatGenerationChunk], Reply]:
    """The chunks of a stream, and the reply it makes."""
    builder, made = ReplyBuilder(), []
    for chunk in chunks:
        delta = builder.feed(chunk)
        if delta is not None:
            made.append(answer_chunk(delta, chunk_maker()))
    reply = builder.reply()
    return [*made, last_chunk(reply, builder.missing_call_ids(), ASKED)], reply


def check_sum(chunks: list[dict[str, Any]]) -> AIMessage:
    """The sum of the chunks, after checking that it equals the message of the whole answer."""
    made, reply = streamed(chunks)
    whole = answer(reply, ASKED)
    total = made[0] + made[1:]
    pairwise: Any = None
    for part in made:
        pairwise = part.message if pairwise is None else pairwise + part.message
    for message in (message_chunk_to_message(total.message), message_chunk_to_message(pairwise)):
        assert vars(message) == vars(whole)
    assert total.generation_info == chat_result(reply, ASKED).generations[0].generation_info
    if all(
        reply_call.name for reply_call in reply.tool_calls
    ):  # a call that never gets a name cannot be told from a piece
        content_is_the_same(total.message, whole)
    assert [part.message.chunk_position for part in made] == [None] * (len(made) - 1) + ["last"]  # type: ignore[attr-defined]
    return whole


def content_is_the_same(total: Any, whole: AIMessage) -> None:
    blocks = [{key: value for key, value in block.items() if key != "index"} for block in total.content_blocks]
    assert blocks == whole.content_blocks


def recorded_streams(captures: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for capture in captures:
        for exchange in capture["interactions"]:
            if "/chat/completions" in exchange["request"]["path"] and "sse" in exchange["response"]:
                events = [event for event in exchange["response"]["sse"] if event.startswith("data: {")]
                yield capture["name"], [json.loads(event[6:]) for event in events]


def test_every_recorded_stream(captures: list[dict[str, Any]]) -> None:
    streams = list(recorded_streams(captures))
    assert len(streams) > 40
    for _, chunks in streams:
        check_sum(chunks)


# ------------------------------------------------------------------------------------------- streams made at random

words = st.text(alphabet="ab {}\"'\\é\u2028", max_size=5)
json_texts = st.sampled_from(['{"a": 1}', '{"a":', " 1}", "{", "}", "", "[1]"])


def made_call(index: int | None, call_id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    fields = {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {key: value for key, value in fields.items() if value is not None}


calls = st.builds(
    made_call,
    st.none() | st.integers(0, 2),
    st.none() | st.sampled_from(["x", "y", ""]),
    st.none() | st.sampled_from(["f", "g"]),
    st.none() | json_texts,
).filter(lambda call: any(call["function"].values()))  # a call of nothing cannot be told to anybody
details = st.builds(
    lambda key, text: {"type": f"reasoning.{'text' if key == 'text' else 'encrypted'}", key: text, "index": 0},
    st.sampled_from(["text", "data"]),
    words,
)
images = st.builds(
    lambda url, index: {"type": "image_url", "image_url": {"url": url}, "index": index}, words, st.just(0)
)
citations = st.builds(lambda url: {"type": "url_citation", "url_citation": {"url": url}}, words)
audio = st.fixed_dictionaries(
    {}, optional={"id": st.just("a"), "data": words, "transcript": words, "expires_at": st.integers(1, 3)}
)
deltas = st.fixed_dictionaries(
    {"role": st.just("assistant")},
    optional={
        "content": st.none() | words,
        "reasoning": st.none() | words,
        "reasoning_details": st.lists(details, max_size=2),
        "tool_calls": st.lists(calls, max_size=2),
        "refusal": st.none() | words,
        "images": st.lists(images, max_size=2),
        "annotations": st.lists(citations, max_size=2),
        "audio": audio,
    },
)
usages = st.fixed_dictionaries(
    {"prompt_tokens": st.integers(0, 9), "completion_tokens": st.integers(0, 9)},
    optional={
        "cost": st.floats(0, 1) | st.none(),
        "is_byok": st.booleans(),
        "completion_tokens_details": st.fixed_dictionaries({}, optional={"reasoning_tokens": st.integers(0, 9)}),
    },
)


def wire_chunk(delta: dict[str, Any], finish: str | None, usage: dict[str, Any] | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish}
    top = {"id": "gen-1", "model": "openai/gpt-4o-mini", "provider": "OpenAI", "created": 7, "choices": [choice]}
    return top | ({"usage": usage} if usage else {})


wire_chunks = st.lists(st.builds(wire_chunk, deltas, st.none() | st.just("stop"), st.none() | usages), max_size=8)


@given(wire_chunks)
def test_any_stream(chunks: list[dict[str, Any]]) -> None:
    check_sum(chunks)


# ------------------------------------------------------------------------------------------------- single answers


def body(message: dict[str, Any], **top: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": "stop"}
    return {"id": "gen-1", "model": "openai/gpt-4o-mini", "choices": [choice], **top}


def test_metadata() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": 0.25, "is_byok": False}
    wire = body({"content": "hi"}, provider="OpenAI", created=7, service_tier="default", usage=usage)
    message = answer(Reply.from_body(wire), ASKED)
    assert message.response_metadata == {
        "model_provider": "openrouter",
        "model_name": "openai/gpt-4o-mini",
        "requested_model": "openai/gpt-4o-mini",
        "fallback_used": False,
        "provider": "OpenAI",
        "finish_reason": "stop",
        "id": "gen-1",
        "created": 7,
        "service_tier": "default",
        "cost": 0.25,
        "is_byok": False,
        "total_cost": 0.25,
        "token_usage": usage,
    }
    assert message.additional_kwargs == {}
    assert message.usage_metadata == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def test_free_is_zero_and_unknown_is_absent() -> None:
    free = answer(Reply.from_body(body({"content": "a"}, usage={"prompt_tokens": 1, "cost": 0})), ASKED)
    unknown = answer(Reply.from_body(body({"content": "a"})), ASKED)
    assert free.response_metadata["cost"] == 0.0
    assert "cost" not in unknown.response_metadata
    assert unknown.usage_metadata is None


def test_usage_details() -> None:
    usage = Usage.from_wire(
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0, "audio_tokens": None},
            "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1},
        }
    )
    assert usage_metadata(usage) == {
        "input_tokens": 10,
        "output_tokens": 5,
        "total_tokens": 15,
        "input_token_details": {"cache_read": 4, "cache_creation": 0},
        "output_token_details": {"reasoning": 2, "audio": 1},
    }


@pytest.mark.parametrize("wire", [{}, {"cost": 0.1}, {"prompt_tokens": None, "completion_tokens": None}])
def test_no_counts_are_made_up(wire: dict[str, Any]) -> None:
    assert usage_metadata(Usage.from_wire(wire)) is None


def test_one_generation_per_choice_and_usage_once() -> None:
    wire = body({"content": "a"}, usage={"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.5})
    second = {"index": 1, "message": {"role": "assistant", "content": "b"}, "finish_reason": "length"}
    wire["choices"].append(second)
    first, other = [generation.message for generation in chat_result(Reply.from_body(wire), ASKED).generations]
    assert (first.content, other.content) == ("a", "b")
    assert first.response_metadata["cost"] == 0.5
    assert "cost" not in other.response_metadata
    assert other.usage_metadata is None  # type: ignore[attr-defined]
    assert other.response_metadata["finish_reason"] == "length"


def test_calls_and_their_texts() -> None:
    wire_calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x":'}},
        {"id": "c", "type": "function", "function": {"name": "h"}},
    ]
    message = answer(Reply.from_body(body({"tool_calls": wire_calls})), ASKED)
    assert [(call["id"], call["args"]) for call in message.tool_calls] == [("a", {"x": 1}), ("c", {})]
    assert [(call["id"], call["args"]) for call in message.invalid_tool_calls] == [("b", '{"x":')]
    assert message.additional_kwargs["tool_call_arguments"] == {"a": '{"x":1}', "b": '{"x":', "c": ""}


def test_ids_for_calls_that_came_without_one() -> None:
    pieces = [made_call(0, None, "f", '{"a"'), made_call(0, None, None, ": 1}")]
    whole = check_sum([wire_chunk({"tool_calls": [piece]}, None, None) for piece in pieces])
    assert whole.tool_calls[0]["id"] == "call_gen-1_0"


def test_a_cut_off_call_is_invalid_whatever_the_reason_says() -> None:
    pieces = [made_call(0, "a", "f", '{"city": "Pa'), made_call(0, None, None, "ri")]
    whole = check_sum([wire_chunk({"tool_calls": [piece]}, "tool_calls", None) for piece in pieces])
    assert whole.tool_calls == []
    assert whole.invalid_tool_calls[0]["args"] == '{"city": "Pari'


def test_every_chunk_shows_its_own_blocks() -> None:
    made, _ = streamed(
        [
            wire_chunk({"reasoning": "hm"}, None, None),
            wire_chunk({"content": "hi"}, None, None),
            wire_chunk({"tool_calls": [made_call(0, "a", "f", "")]}, None, None),
            wire_chunk({"tool_calls": [made_call(0, None, None, "{}")]}, "tool_calls", None),
        ]
    )
    blocks = [part.message.content_blocks for part in made]
    assert blocks == [
        [{"type": "reasoning", "reasoning": "hm", "index": "lc_rs_0"}],
        [{"type": "text", "text": "hi", "index": "lc_txt_0"}],
        [{"type": "tool_call_chunk", "id": "a", "name": "f", "args": "", "index": "lc_tc_0"}],
        [{"type": "tool_call_chunk", "id": None, "name": None, "args": "{}", "index": "lc_tc_0"}],
        [],
    ]
    running: Any = made[1].message + made[2].message
    assert isinstance(running, AIMessageChunk)
    assert [block["type"] for block in running.content_blocks] == ["text", "tool_call_chunk"]
