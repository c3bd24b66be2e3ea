"""`content_blocks`: every kind of block, for whole answers, for streams, and stored as v1 content."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.langchain.answers import answer
from openrouter_adapters.langchain.content import annotation

from .test_answers import ASKED, recorded_streams, streamed, wire_chunks

Make = Callable[..., ChatOpenRouter]
METADATA = {"model_provider": "openrouter"}
PNG = "data:image/png;base64,QQ=="
DETAILS = [
    {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
]
CITED = {"type": "url_citation", "url_citation": {"url": "http://x", "title": "X", "content": "said", "start_index": 0}}
RICH: dict[str, Any] = {
    "reasoning": "hm",
    "reasoning_details": DETAILS,
    "annotations": [CITED],
    "images": [PNG],
    "tool_calls": [("f", {"x": 1}), ("g", '{"x": ')],
}
CITATION = {"type": "citation", "url": "http://x", "title": "X", "cited_text": "said"}


def blocks_of(message: Any) -> list[dict[str, Any]]:
    """Blocks without what differs between a stream and a whole answer."""
    kept = [
        {key: value for key, value in block.items() if key not in ("index", "id")} for block in message.content_blocks
    ]
    return [*kept]


EXPECTED = [
    {"type": "reasoning", "reasoning": "hm", "extras": {"reasoning_details": DETAILS}},
    {"type": "text", "text": "Let me look.", "annotations": [CITATION]},
    {"type": "image", "base64": "QQ==", "mime_type": "image/png"},
    {"type": "tool_call", "name": "f", "args": {"x": 1}},
    {"type": "invalid_tool_call", "name": "g", "args": '{"x": ', "error": None},
]


def invoke(model: ChatOpenRouter) -> Any:
    return model.invoke("hi")


def stream(model: ChatOpenRouter) -> Any:
    first, *rest = model.stream("hi")
    return first + rest


def ainvoke(model: ChatOpenRouter) -> Any:
    return asyncio.run(model.ainvoke("hi"))


def astream(model: ChatOpenRouter) -> Any:
    async def ask() -> Any:
        first, *rest = [chunk async for chunk in model.astream("hi")]
        return first + rest

    return asyncio.run(ask())


WAYS = [invoke, stream, ainvoke, astream]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("version", [None, "v1"])
def test_every_kind(make: Make, openrouter_gateway: LocalGateway, ask: Any, version: str | None) -> None:
    openrouter_gateway.reply("Let me look.", **RICH)
    message = ask(make(output_version=version))
    assert blocks_of(message) == EXPECTED
    assert isinstance(message.content, list if version else str)
    assert message.text == "Let me look."
    assert message.tool_calls[0]["args"] == {"x": 1}
    assert message.invalid_tool_calls[0]["args"] == '{"x": '


def test_v1_streams_merge_by_kind(make: Make, openrouter_gateway: LocalGateway) -> None:
    """A tool call of index 0 is not fused into the text of index 0."""
    openrouter_gateway.reply("Let me look.", tool_calls=[("f", {"x": 1}), ("f", {"x": 2})], reasoning="hm hm")
    message = stream(make(output_version="v1"))
    kinds = [block["type"] for block in message.content]
    assert kinds == ["reasoning", "text", "tool_call", "tool_call"]
    assert [block["args"] for block in message.content if block["type"] == "tool_call"] == [{"x": 1}, {"x": 2}]


def test_refusals(make: Make, openrouter_gateway: LocalGateway) -> None:
    for ask in WAYS:
        openrouter_gateway.reply(None, refusal="I cannot.")
        message = ask(make())
        assert message.additional_kwargs["refusal"] == "I cannot."
        assert blocks_of(message) == [{"type": "non_standard", "value": {"type": "refusal", "refusal": "I cannot."}}]


@pytest.mark.parametrize("version", [None, "v1"])
def test_audio_in_pieces(make: Make, openrouter_gateway: LocalGateway, version: str | None) -> None:
    pieces: list[Any] = [
        {"audio": {"id": "a", "transcript": "Hel"}},
        {"audio": {"data": "QU", "transcript": "lo"}},
        {"audio": {"data": "JD", "expires_at": 9}},
    ]
    openrouter_gateway.reply(chunks=pieces)
    message = stream(make(output_version=version))
    assert message.additional_kwargs["audio"] == {"id": "a", "data": "QUJD", "transcript": "Hello", "expires_at": 9}
    [block] = message.content_blocks
    assert block["base64"] == "QUJD"
    assert block["extras"] == {"transcript": "Hello", "expires_at": 9}


def test_server_tools() -> None:
    item = {
        "type": "reasoning.server_tool_call",
        "tool_call_id": "s",
        "tool_name": "openrouter:web_search",
        "arguments": '{"q": "x"}',
        "result": "found",
    }
    running = {"type": "reasoning.server_tool_call", "tool_name": "openrouter:datetime", "arguments": {}}
    message = AIMessage("a", additional_kwargs={"reasoning_details": [item, running]}, response_metadata=METADATA)
    assert message.content_blocks[1:] == [
        {"type": "server_tool_call", "id": "s", "name": "openrouter:web_search", "args": {"q": "x"}},
        {"type": "server_tool_result", "tool_call_id": "s", "status": "success", "output": "found"},
        {"type": "server_tool_call", "id": "server_1", "name": "openrouter:datetime", "args": {}},
        {"type": "text", "text": "a"},
    ]


@pytest.mark.parametrize(
    ("item", "block"),
    [
        ({"type": "url_citation", "url_citation": {"url": "http://x"}}, {"type": "citation", "url": "http://x"}),
        (
            {"type": "url_citation", "url_citation": {"url": "u", "title": "", "start_index": 0, "end_index": 0}},
            {"type": "citation", "url": "u"},
        ),
        (
            {"type": "url_citation", "url_citation": {"url": "u", "start_index": 2, "end_index": 5, "new": 1}},
            {"type": "citation", "url": "u", "start_index": 2, "end_index": 5, "extras": {"new": 1}},
        ),
        ({"type": "file", "file": {}}, {"type": "non_standard_annotation", "value": {"type": "file", "file": {}}}),
    ],
)
def test_annotations(item: dict[str, Any], block: dict[str, Any]) -> None:
    assert annotation(item) == block


def test_messages_of_another_package_with_the_same_provider_name() -> None:
    kwargs = {"reasoning_content": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}
    plain = AIMessage("a", additional_kwargs=kwargs, response_metadata=METADATA)
    assert [block["type"] for block in plain.content_blocks] == ["reasoning", "text"]
    call = {"type": "tool_call", "name": "f", "args": {}, "id": "c"}
    listed: list[Any] = [{"type": "reasoning", "reasoning": "hm"}, "a", call, {"type": "strange", "x": 1}]
    own = AIMessage(listed, additional_kwargs=kwargs, tool_calls=[call], response_metadata=METADATA)  # type: ignore[list-item]
    assert own.content_blocks == [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "a"},
        call,
        {"type": "non_standard", "value": {"type": "strange", "x": 1}},
    ]
    chunk = AIMessageChunk(listed[:2], response_metadata=METADATA)
    assert [block["type"] for block in chunk.content_blocks] == ["reasoning", "text"]


def test_odd_values_do_no_harm() -> None:
    odd = {"reasoning_content": 3, "reasoning_details": "x", "annotations": "y", "images": [{"a": 1}], "audio": [1]}
    blocks = AIMessage("a", additional_kwargs=odd, response_metadata=METADATA).content_blocks
    assert blocks[-1] == {"type": "text", "text": "a"}


def test_calls_stand_in_the_order_they_came(make: Make, openrouter_gateway: LocalGateway) -> None:
    for ask in WAYS:
        openrouter_gateway.reply(None, tool_calls=[("f", '{"x": '), ("g", {"x": 1})])
        assert [block["name"] for block in ask(make()).content_blocks] == ["f", "g"]


def as_core_stores(message: Any) -> Any:
    """As core does it for ``output_version="v1"``, with each chunk of a stream and with a whole answer."""
    metadata = {**message.response_metadata, "output_version": "v1"}
    return message.model_copy(update={"content": message.content_blocks, "response_metadata": metadata})


@given(wire_chunks)
def test_any_sum_of_v1_chunks_is_the_whole(chunks: list[dict[str, Any]]) -> None:
    made, reply = streamed(chunks)
    parts = [as_core_stores(part.message) for part in made]
    whole = as_core_stores(answer(reply, ASKED))
    pairwise: Any = AIMessageChunk("")
    for part in parts:
        pairwise += part
    sums = [parts[0] + parts[1:], pairwise] if len(parts) > 1 else [pairwise]  # a chunk alone was never summed
    for total in sums:
        assert vars(message_chunk_to_message(total)) == vars(whole)


def test_every_recorded_stream_in_v1(captures: list[dict[str, Any]]) -> None:
    for _, chunks in recorded_streams(captures):
        made, reply = streamed(chunks)
        first, *rest = [as_core_stores(part.message) for part in made]
        assert vars(message_chunk_to_message(first + rest)) == vars(as_core_stores(answer(reply, ASKED)))
