"""What an answer carries, unstreamed and as the last item of a stream."""

import copy
import itertools
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatResponse,
    CitationBlock,
    ImageBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.stream import ReplyBuilder
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter
from openrouter_adapters.llamaindex.answers import Asked, chat_response, completion_response
from openrouter_adapters.llamaindex.progress import Progress
from openrouter_adapters.llamaindex.raw import Raw

from .conftest import MODEL
from .runs import memory

HELLO = [ChatMessage("hello")]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
CITED = {
    "type": "url_citation",
    "url_citation": {"url": "https://example.com", "title": "E", "content": "c", "start_index": 0},
}
PARSED = {"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": []}}


def kinds(response: ChatResponse) -> list[str]:
    return [block.block_type for block in response.message.blocks]


def same(one: ChatResponse, other: ChatResponse) -> None:
    assert one.message == other.message
    assert one.additional_kwargs == other.additional_kwargs
    assert one.raw == other.raw
    assert one.logprobs == other.logprobs


@pytest.mark.parametrize("url", [PIXEL, "https://e.com", "https://e.com/a b.png?q=1"])
def test_a_picture_has_the_address_of_the_wire(url: str) -> None:
    message = {"content": "", "images": [{"type": "image_url", "image_url": {"url": url}}]}
    response = chat_response(Reply.from_body({"choices": [{"message": message}]}), Asked())
    assert [block.url for block in response.message.blocks if isinstance(block, ImageBlock)] == [url]


def test_a_plain_answer(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Hello!", cost=0.25)
    response = llm.chat(HELLO)
    assert response.message.role == "assistant"
    assert response.message.content == "Hello!" and kinds(response) == ["text"]
    assert response.message.additional_kwargs == {}
    assert response.delta is None
    told = response.additional_kwargs
    assert (told["cost"], told["provider"], told["finish_reason"]) == (0.25, "OpenAI", "stop")
    assert (told["requested_model"], told["fallback_used"]) == (MODEL, False)
    assert told["model"].startswith(MODEL)
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"]
    assert "refusal" not in told and "annotations" not in told
    assert response.raw.usage.cost == response.raw["usage"]["cost"] == 0.25
    assert response.raw.choices[0].message.content == "Hello!"


def test_a_fallback_shows(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    gateway.down("openai")
    gateway.down("azure")
    other = "anthropic/claude-haiku-4.5"
    told = make(models=[other]).chat(HELLO).additional_kwargs
    assert told["fallback_used"] is True and told["requested_model"] == MODEL
    assert "claude" in told["model"]


def test_everything_at_once(llm: OpenRouter, gateway: LocalGateway) -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "index": 0, "format": "anthropic-claude-v1"}
    ]
    gateway.reply(
        "so",
        reasoning="hm",
        reasoning_details=details,
        images=[PIXEL],
        annotations=[CITED, PARSED],
        tool_calls=[{"id": "c1", "name": "add", "arguments": '{"a":  1}'}],
        usage={"completion_tokens_details": {"reasoning_tokens": 7}, "prompt_tokens_details": {"cached_tokens": 3}},
        times=2,
    )
    response, *_, last = llm.chat(HELLO), *llm.stream_chat(HELLO)
    assert kinds(response) == kinds(last) == ["thinking", "text", "image", "citation", "tool_call"]
    assert last.message.blocks == response.message.blocks
    thought, _, picture, citation, call = response.message.blocks
    assert isinstance(thought, ThinkingBlock) and isinstance(picture, ImageBlock)
    assert (thought.content, thought.num_tokens) == ("hm", 7)
    assert thought.additional_information == {"reasoning_details": details, "annotations": [PARSED]}
    assert str(picture.url) == PIXEL
    assert isinstance(citation, CitationBlock) and isinstance(call, ToolCallBlock)
    assert (citation.source, citation.title, citation.additional_location_info) == (
        "https://example.com",
        "E",
        {"start_index": 0},
    )
    assert call.tool_kwargs == {"a": 1}
    [wire] = response.message.additional_kwargs["tool_calls"]
    assert wire == {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":  1}'}}
    assert list(response.message.additional_kwargs) == ["tool_calls"]
    assert response.additional_kwargs["annotations"] == [CITED, PARSED]
    assert (response.additional_kwargs["reasoning_tokens"], response.additional_kwargs["cached_tokens"]) == (7, 3)
    json.dumps(response.message.model_dump(mode="json"))


def test_the_next_turn_gets_it_back(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(
        "so", reasoning="hm", tool_calls=[{"id": "c1", "name": "add", "arguments": '{"a":  1}'}], annotations=[PARSED]
    )
    said = llm.chat(HELLO).message
    stored = ChatMessage.model_validate_json(said.model_dump_json())
    result = ChatMessage(role="tool", content="2", additional_kwargs={"tool_call_id": "c1"})
    llm.chat([*HELLO, stored, result])
    _, replayed, _ = gateway.requests[-1].body["messages"]
    [first] = gateway.requests[:1]
    assert first.body["messages"] == [{"role": "user", "content": "hello"}]
    assert replayed["reasoning_details"] == said.blocks[0].additional_information["reasoning_details"]
    assert replayed["tool_calls"][0]["function"]["arguments"] == '{"a":  1}'
    assert (replayed["content"], replayed["annotations"]) == ("so", [PARSED])


def test_encrypted_reasoning_alone(llm: OpenRouter, gateway: LocalGateway) -> None:
    details = [{"type": "reasoning.encrypted", "data": "AAAA", "format": "openai-responses-v1", "index": 0}]
    gateway.reply("so", reasoning_details=details)
    thought = llm.chat(HELLO).message.blocks[0]
    assert isinstance(thought, ThinkingBlock) and thought.content is None
    assert thought.additional_information == {"reasoning_details": details}


@pytest.mark.parametrize(
    ("message", "blocks"),
    [
        ({"content": "so"}, ["text"]),
        ({"content": "so", "reasoning_details": []}, ["text"]),
        ({"content": "so", "reasoning": "hm", "reasoning_details": []}, ["thinking", "text"]),
        ({"content": None}, ["text"]),
        ({}, ["text"]),
        ({"content": "", "images": [{"image_url": {"url": "::"}}, {"image_url": None}]}, ["text"]),
        (
            {"content": "", "annotations": [{"type": "url_citation"}, {"type": "url_citation", "url_citation": {}}]},
            ["text"],
        ),
        (
            {"content": None, "reasoning_details": [], "tool_calls": [{"function": {"name": "f"}}]},
            ["thinking", "text", "tool_call"],
        ),
    ],
)
def test_exactly_one_text(message: dict[str, Any], blocks: list[str]) -> None:
    response = chat_response(Reply.from_body({"choices": [{"message": message}]}), Asked())
    assert kinds(response) == blocks
    assert response.message.content == (message.get("content") or "")


def test_cut_off_calls_keep_their_text(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", '{"a": 1, "b'), ("add", "[1]"), ("add", "")], finish_reason="length", times=2)
    for response in (llm.chat(HELLO), list(llm.stream_chat(HELLO))[-1]):
        calls = [block.tool_kwargs for block in response.message.blocks if isinstance(block, ToolCallBlock)]
        assert calls == ['{"a": 1, "b', "[1]", ""]
        assert response.additional_kwargs["finish_reason"] == "length"


def test_a_refusal(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(refusal="I cannot", times=2)
    for response in (llm.chat(HELLO), list(llm.stream_chat(HELLO))[-1]):
        assert response.additional_kwargs["refusal"] == "I cannot"
        assert response.message.content == ""


HEARD = {"id": "a1", "data": "UklGRg==", "transcript": "la", "expires_at": 1}
SPEAK: dict[str, Any] = {"modalities": ["text", "audio"], "audio": {"voice": "v", "format": "pcm16"}}


def test_sound(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(audio=HEARD)
    *items, last = llm.stream_chat(HELLO, **SPEAK)  # the wire gives sound in streams only
    assert kinds(last) == ["text", "audio"]
    block = last.message.blocks[1]
    assert isinstance(block, AudioBlock) and (block.audio, block.format) == (b"UklGRg==", "pcm16")
    assert last.additional_kwargs["audio"] == {"id": "a1", "transcript": "la", "expires_at": 1}
    pieces = [item.additional_kwargs.get("audio_delta") or {} for item in items]
    assert "".join(piece.get("data") or "" for piece in pieces) == "UklGRg=="


@pytest.mark.parametrize("written", ["", "so"])
async def test_spoken_words_are_the_text_of_an_answer_that_has_no_other(
    written: str, llm: OpenRouter, gateway: LocalGateway
) -> None:
    gateway.reply(written, audio=HEARD, times=4)
    text = written or "la"
    whole, items = llm.chat(HELLO, **SPEAK), list(llm.stream_chat(HELLO, **SPEAK))
    aitems = [item async for item in await llm.astream_chat(HELLO, **SPEAK)]
    assert llm.complete("hello", **SPEAK).text == text
    await llm.aclose()
    for response in (whole, items[-1], aitems[-1]):
        assert response.message.content == text and kinds(response) == ["text", "audio"]
        assert response.message == whole.message and not response.message.additional_kwargs
        assert response.additional_kwargs["audio"]["transcript"] == "la"
    for seen in (items, aitems):
        so_far = list(itertools.accumulate(item.delta or "" for item in seen))
        assert so_far == [item.message.content for item in seen] and so_far[-1] == text
        assert (
            "".join((item.additional_kwargs.get("audio_delta") or {}).get("transcript") or "" for item in seen) == "la"
        )


@pytest.mark.filterwarnings("ignore:messages. audio of an assistant")
@pytest.mark.parametrize("streamed", [True, False])
def test_a_conversation_keeps_what_was_spoken(
    streamed: bool, make: Callable[..., OpenRouter], gateway: LocalGateway
) -> None:
    gateway.reply(audio=HEARD, times=2)
    engine = SimpleChatEngine.from_defaults(llm=make(**SPEAK), memory=memory())
    assert ("".join(engine.stream_chat("sing").response_gen) if streamed else str(engine.chat("sing"))) == "la"
    stored = [ChatMessage.model_validate_json(message.model_dump_json()) for message in engine.chat_history]
    assert stored == engine.chat_history
    engine.chat("again")
    assert [message["content"] for message in gateway.requests[-1].body["messages"]] == ["sing", "la", "again"]


def test_a_parsed_file_alone_is_no_thought(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("so", annotations=[PARSED])
    thought = llm.chat(HELLO).message.blocks[0]
    assert isinstance(thought, ThinkingBlock) and thought.content is None
    assert thought.additional_information == {"annotations": [PARSED]}


def test_logprobs(llm: OpenRouter, gateway: LocalGateway) -> None:
    row = {"token": "so", "logprob": -0.5, "bytes": [115, 111]}
    other = {"token": "no", "logprob": -2, "bytes": None}
    gateway.reply("so", logprobs={"content": [{**row, "top_logprobs": [other, row]}]}, times=2)
    for response in (llm.chat(HELLO), list(llm.stream_chat(HELLO))[-1]):
        [tokens] = response.logprobs
        assert [(token.token, token.logprob, token.bytes) for token in tokens] == [
            ("so", -0.5, [115, 111]),
            ("no", -2.0, []),
        ]


def test_completions(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    llm = make(completion_to_prompt=lambda prompt: f"<{prompt}>", is_chat_model=False)
    gateway.reply("Hello!", cost=0.5, times=4)
    whole, *_, last = llm.complete("hi"), *llm.stream_complete("hi", formatted=True)
    assert [request.body["messages"] for request in gateway.requests] == [
        [{"role": "user", "content": "<hi>"}],
        [{"role": "user", "content": "hi"}],
    ]
    assert (whole.text, whole.delta, last.text, last.delta) == ("Hello!", None, "Hello!", "")
    assert whole.additional_kwargs["cost"] == last.additional_kwargs["cost"] == whole.raw.usage.cost == 0.5


# ------------------------------------------------------------------------------------------------------------- raw


def test_raw_is_a_dict_with_attributes(llm: OpenRouter) -> None:
    body = llm.chat(HELLO).raw
    assert isinstance(body, dict) and isinstance(body.usage, Raw)
    assert json.loads(json.dumps(body)) == body
    for again in (pickle.loads(pickle.dumps(body)), copy.deepcopy(body), copy.copy(body)):
        assert again == body and again.choices[0].message.content == body["choices"][0]["message"]["content"]
    assert not hasattr(body, "nothing_like_this")
    with pytest.raises(AttributeError):
        body.usage = 1
    assert body.choices[0] is body["choices"][0]


# --------------------------------------------------------------------------------- streamed is the same as unstreamed


def streams(captures: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    found = []
    for exchange in (exchange for capture in captures for exchange in capture["interactions"]):
        response = exchange["response"]
        if "sse" not in response or "/chat/completions" not in exchange["request"]["path"]:
            continue
        lines = [
            line[5:].strip() for event in response["sse"] for line in event.split("\n") if line.startswith("data:")
        ]
        chunks = [json.loads(line) for line in lines if line != "[DONE]"]
        if not any(chunk.get("error") for chunk in chunks):
            found.append(chunks)
    return found


def test_recorded_streams(llm: OpenRouter, gateway: LocalGateway, captures: list[dict[str, Any]]) -> None:
    recorded = streams(captures)
    assert len(recorded) > 50
    for chunks in recorded:
        builder = ReplyBuilder()
        for chunk in chunks:
            builder.feed(chunk)
        gateway.reply(events=[*chunks, "[DONE]"])
        *items, last = llm.stream_chat(HELLO)
        gateway.reply(body=json.loads(json.dumps(builder.body())))
        same(last, llm.chat(HELLO))
        assert "".join(item.delta for item in items) == last.message.content
        assert "".join(item.additional_kwargs.get("thinking_delta", "") for item in items) == builder.reply().reasoning


texts = st.text(max_size=5)
pieces = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | texts,
        "reasoning": st.none() | texts,
        "refusal": texts,
        "reasoning_details": st.lists(
            st.fixed_dictionaries({"type": st.sampled_from(["reasoning.text", "reasoning.encrypted"]), "text": texts}),
            max_size=2,
        ),
        "images": st.lists(
            st.builds(lambda n: {"image_url": {"url": f"https://e.com/{n}.png"}}, st.integers(0, 3)), max_size=2
        ),
        "annotations": st.lists(st.sampled_from([CITED, PARSED]), max_size=2),
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {
                    "index": st.integers(0, 2),
                    "function": st.fixed_dictionaries({"name": texts, "arguments": st.text('{}"a:1', max_size=4)}),
                }
            ),
            max_size=3,
        ),
    },
)


@given(st.lists(pieces, max_size=12), st.booleans())
def test_any_stream(deltas: list[dict[str, Any]], one_call: bool) -> None:
    builder, asked, items = ReplyBuilder(), Asked(one_call=one_call), []
    progress = Progress(asked)
    for delta in deltas:
        added = builder.feed({"id": "gen", "choices": [{"delta": delta}]})
        items += [progress.item(added)] if added else []
    frozen = [item.model_dump_json() for item in items]
    reply = builder.reply()
    last = chat_response(reply, asked, delta="")
    same(last, chat_response(Reply.from_body(json.loads(json.dumps(builder.body()))), asked))
    assert "".join(item.delta or "" for item in items) == reply.text
    assert "".join(item.additional_kwargs.get("thinking_delta", "") for item in items) == reply.reasoning
    if items:
        blocks, final = items[-1].message.blocks, last.message.blocks
        shown = [type(block) for block in blocks if not isinstance(block, ThinkingBlock)]
        assert shown == [type(block) for block in final if not isinstance(block, ThinkingBlock)][: len(shown)]
        texts = [str(block.tool_kwargs) for block in blocks if isinstance(block, ToolCallBlock)]
        assert texts == [call.arguments for call in reply.tool_calls][: len(texts)]
    assert [item.model_dump_json() for item in items] == frozen
    assert completion_response(last).text == reply.text
