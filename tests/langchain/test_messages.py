"""What goes out for each kind of message and block."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.load import dumps, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.prompt_values import ChatPromptValue
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.langchain.answers import answer
from openrouter_adapters.langchain.messages import wire_messages
from openrouter_adapters.langchain.parts import audio_format, wire_part

CACHE = {"type": "ephemeral", "ttl": "1h"}


def wire(message: BaseMessage) -> dict[str, Any]:
    [made] = wire_messages([message])
    return made


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (SystemMessage("a"), {"role": "system", "content": "a"}),
        (
            SystemMessage("a", additional_kwargs={"__openai_role__": "developer"}),
            {"role": "developer", "content": "a"},
        ),
        (HumanMessage("a", name="bob"), {"role": "user", "content": "a", "name": "bob"}),
        (AIMessage("a", name="al"), {"role": "assistant", "content": "a", "name": "al"}),
        (ToolMessage("a", tool_call_id="c"), {"role": "tool", "tool_call_id": "c", "content": "a"}),
        (ChatMessage("a", role="developer"), {"role": "developer", "content": "a"}),
        (FunctionMessage("a", name="f"), {"role": "tool", "tool_call_id": "function_f", "content": "a"}),
        (HumanMessage([]), {"role": "user", "content": ""}),
        (ToolMessage([], tool_call_id="c"), {"role": "tool", "tool_call_id": "c", "content": ""}),
        (
            ToolMessage("boom", tool_call_id="c", status="error", artifact={"trace": 1}, name="f"),
            {"role": "tool", "tool_call_id": "c", "content": "boom"},
        ),
        (
            ToolMessage([{"rows": [1, "é"]}, "b"], tool_call_id="c"),
            {
                "role": "tool",
                "tool_call_id": "c",
                "content": [{"type": "text", "text": '{"rows": [1, "é"]}'}, {"type": "text", "text": "b"}],
            },
        ),
    ],
)
def test_roles(message: BaseMessage, expected: dict[str, Any]) -> None:
    assert wire(message) == expected


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ("a", {"type": "text", "text": "a"}),
        ({"type": "text", "text": "a", "cache_control": CACHE}, {"type": "text", "text": "a", "cache_control": CACHE}),
        (
            {"type": "text", "text": "a", "id": "1", "index": 0, "annotations": [], "extras": {"cache_control": CACHE}},
            {"type": "text", "text": "a", "cache_control": CACHE},
        ),
        ({"type": "image", "url": "http://x"}, {"type": "image_url", "image_url": {"url": "http://x"}}),
        (
            {"type": "image", "base64": "QQ", "mime_type": "image/png", "extras": {"detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ", "detail": "low"}},
        ),
        (
            {"type": "image", "base64": "QQ", "mime_type": "image/png", "cache_control": CACHE},
            {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,QQ"},
                "cache_control": CACHE,
            },
        ),
        ({"type": "image_url", "image_url": "http://x"}, {"type": "image_url", "image_url": {"url": "http://x"}}),
        (
            {"type": "image_url", "image_url": {"url": "http://x", "detail": "original"}, "cache_control": CACHE},
            {"type": "image_url", "image_url": {"url": "http://x", "detail": "original"}, "cache_control": CACHE},
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QQ"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}},
        ),
        (
            {"type": "image", "source": {"type": "url", "url": "http://x"}},
            {"type": "image_url", "image_url": {"url": "http://x"}},
        ),
        (
            {"type": "audio", "base64": "QQ", "mime_type": "audio/mpeg"},
            {"type": "input_audio", "input_audio": {"data": "QQ", "format": "mp3"}},
        ),
        (
            {"type": "audio", "url": "data:audio/x-wav;base64,QQ"},
            {"type": "input_audio", "input_audio": {"data": "QQ", "format": "wav"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "QQ", "format": "flac"}},
            {"type": "input_audio", "input_audio": {"data": "QQ", "format": "flac"}},
        ),
        ({"type": "video", "url": "http://x"}, {"type": "video_url", "video_url": {"url": "http://x"}}),
        (
            {"type": "video", "base64": "QQ", "mime_type": "video/mp4"},
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,QQ"}},
        ),
        (
            {"type": "file", "base64": "QQ", "mime_type": "application/pdf", "extras": {"filename": "a.pdf"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ"}},
        ),
        ({"type": "file", "url": "http://x"}, {"type": "file", "file": {"file_data": "http://x"}}),
        ({"type": "file", "file_id": "f"}, {"type": "file", "file": {"file_id": "f"}}),
        (
            {"type": "file", "file": {"file_data": "http://x", "filename": "a"}},
            {"type": "file", "file": {"file_data": "http://x", "filename": "a"}},
        ),
        (
            {"type": "text-plain", "text": "a", "mime_type": "text/plain"},
            {"type": "text", "text": "a"},
        ),
        ({"type": "text-plain", "base64": "w6k=", "mime_type": "text/plain"}, {"type": "text", "text": "é"}),
        ({"type": "text-plain", "url": "http://x"}, {"type": "file", "file": {"file_data": "http://x"}}),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}},
            {"type": "text", "text": "a"},
        ),
        (
            {
                "type": "document",
                "title": "a.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ"},
            },
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ"}},
        ),
        (
            {"type": "image", "base64": "/9j/4AA"},
            {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AA"}},
        ),
        (
            {"type": "image", "base64": "data:image/png;base64,QQ"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}},
        ),
        (
            {"type": "image_url", "image_url": "http://x", "detail": "low"},
            {"type": "image_url", "image_url": {"url": "http://x", "detail": "low"}},
        ),
        (
            {"type": "input_image", "image_url": "http://x", "detail": "high"},
            {"type": "image_url", "image_url": {"url": "http://x", "detail": "high"}},
        ),
        ({"type": "input_text", "text": "a"}, {"type": "text", "text": "a"}),
        (
            {"type": "input_file", "filename": "a.pdf", "file_url": "http://x"},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "http://x"}},
        ),
        ({"type": "input_file", "file_id": "f"}, {"type": "file", "file": {"file_id": "f"}}),
        (
            {"type": "image", "source_type": "base64", "data": "QQ", "mime_type": "image/png"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}},
        ),
        (
            {"type": "audio", "source_type": "base64", "data": "QQ", "mime_type": "audio/ogg"},
            {"type": "input_audio", "input_audio": {"data": "QQ", "format": "ogg"}},
        ),
        (
            {"type": "audio", "base64": "data:audio/mpeg;base64,QQ"},
            {"type": "input_audio", "input_audio": {"data": "QQ", "format": "mp3"}},
        ),
        ({"type": "video_url", "video_url": "http://x"}, {"type": "video_url", "video_url": {"url": "http://x"}}),
        (
            {"type": "video_url", "video_url": {"url": "http://x"}, "processing": "static", "cache_control": CACHE},
            {"type": "video_url", "video_url": {"url": "http://x"}, "processing": "static", "cache_control": CACHE},
        ),
        (
            {"type": "video", "url": "data:video/mp4;base64,QQ"},
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,QQ"}},
        ),
        (
            {"type": "file", "base64": "JVBERi0x"},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0x"}},
        ),
        (
            {"type": "file", "base64": "QQ", "filename": "a.csv"},
            {"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,QQ"}},
        ),
        (
            {"type": "file", "url": "data:application/pdf;base64,QQ"},
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,QQ"}},
        ),
        (
            {"type": "file", "base64": "QQ", "mime_type": "image/png"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}},
        ),
        (
            {"type": "file", "base64": "QQ", "mime_type": "video/mp4"},
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,QQ"}},
        ),
        (
            {"type": "file", "base64": "QQ", "mime_type": "audio/wav"},
            {"type": "input_audio", "input_audio": {"data": "QQ", "format": "wav"}},
        ),
        ({"type": "file", "source_type": "text", "text": "a"}, {"type": "text", "text": "a"}),
        (
            {"type": "media", "mime_type": "image/png", "data": "QQ"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}},
        ),
        (
            {"type": "media", "mime_type": "video/mp4", "file_uri": "http://x"},
            {"type": "video_url", "video_url": {"url": "http://x"}},
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "http://x"}},
            {"type": "file", "file": {"file_data": "http://x"}},
        ),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, {"type": "file", "file": {"file_id": "f"}}),
        ({"type": "document", "source": {"type": "content", "content": "a"}}, {"type": "text", "text": "a"}),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
                "cache_control": CACHE,
            },
            {"type": "text", "text": "a\nb", "cache_control": CACHE},
        ),
        (
            {"type": "search_result", "title": "T", "source": "http://x", "content": [{"type": "text", "text": "a"}]},
            {"type": "text", "text": "T\nhttp://x\na"},
        ),
        ({"text": "a"}, {"type": "text", "text": "a"}),
        ({"type": "non_standard", "value": {"type": "new", "x": 1}}, {"type": "new", "x": 1}),
        ({"type": "brand_new", "x": {"y": 1}}, {"type": "brand_new", "x": {"y": 1}}),
    ],
)
def test_parts(block: Any, part: dict[str, Any]) -> None:
    before = copy.deepcopy(block)
    assert wire_part(block) == part
    assert block == before


@pytest.mark.parametrize(
    ("mime", "name"),
    [("audio/mpeg", "mp3"), ("audio/wav", "wav"), ("audio/x-m4a", "m4a"), ("audio/ogg; codecs=opus", "ogg")],
)
def test_audio_formats(mime: str, name: str) -> None:
    assert audio_format(mime) == name


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "image", "base64": "QQ"}, "mime_type"),
        ({"type": "image", "file_id": "f"}, "`url`"),
        ({"type": "audio", "url": "http://x"}, "by value only"),
        ({"type": "video"}, "`url`"),
        ({"type": "file"}, "`base64`"),
        ({"type": "file", "base64": "QQ"}, "application/pdf"),
        ({"type": "video", "base64": "QQ"}, "video/mp4"),
        ({"type": "image_url", "image_url": {}}, "without address"),
        ({"type": "audio", "base64": "QQ"}, "mime_type"),
        ({"cachePoint": {"type": "default"}}, "without `type`, with \\['cachePoint'\\]"),
        (
            {"type": "document", "source": {"type": "content", "content": [{"type": "image", "url": "http://x"}]}},
            "images as blocks of their own",
        ),
    ],
)
def test_content_that_cannot_be_sent(block: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=rf"messages\[1\]: .*{said}"):
        wire_messages([HumanMessage("a"), HumanMessage([block])])


def test_a_message_without_a_role() -> None:
    with pytest.raises(TypeError, match=r"messages\[0\]: a RemoveMessage cannot be sent"):
        wire_messages([RemoveMessage(id="1")])


def test_mixed_text_and_parts() -> None:
    content: list[Any] = ["a", {"type": "text", "text": "b"}]
    assert wire(HumanMessage(content))["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert wire(AIMessage(content))["content"] == "ab"


def test_images_in_tool_messages() -> None:
    message = ToolMessage([{"type": "image", "url": "http://x"}], tool_call_id="c")
    assert wire(message)["content"] == [{"type": "image_url", "image_url": {"url": "http://x"}}]


def test_tool_results_of_anthropic_become_messages() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "green"}]}
    made = wire_messages([HumanMessage([result, {"type": "text", "text": "which?"}]), HumanMessage([result])])
    tool = {"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": "green"}]}
    assert made == [tool, {"role": "user", "content": [{"type": "text", "text": "which?"}]}, tool]


def test_marks_of_the_cache_on_results_of_tools() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "green", "cache_control": CACHE}
    [made] = wire_messages([HumanMessage([result])])
    assert made["content"] == [{"type": "text", "text": "green", "cache_control": CACHE}]
    parts = [{"type": "text", "text": "a"}, {"type": "image", "source": {"type": "url", "url": "http://x"}}]
    [made] = wire_messages([HumanMessage([{**result, "content": parts}])])
    assert made["content"] == [
        parts[0],
        {"type": "image_url", "image_url": {"url": "http://x"}, "cache_control": CACHE},
    ]


# ------------------------------------------------------------------------------------------------ answers go back

DETAILS = [
    {"type": "reasoning.summary", "summary": "hm", "format": "openai-responses-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1", "index": 0},
]
FILE = {"type": "file", "file": {"hash": "h", "name": "a.pdf", "content": []}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}, "index": 0}
CALLS = [
    {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":  "é", "y":1}'}},
    {"id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x": '}},
    {"id": "c", "type": "function", "function": {"name": "h", "arguments": ""}},
]


def answered(**message: Any) -> AIMessage:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": "stop"}
    return answer(Reply.from_body({"id": "gen-1", "model": "a/b", "choices": [choice]}), ["a/b"])


RICH = {
    "content": "hi",
    "reasoning": "hm",
    "reasoning_details": DETAILS,
    "tool_calls": CALLS,
    "refusal": "no",
    "images": [IMAGE],
    "annotations": [FILE, {"type": "url_citation", "url_citation": {"url": "http://x"}}],
}
SENT = {
    "role": "assistant",
    "content": "hi",
    "reasoning_details": DETAILS,
    "tool_calls": [CALLS[0], CALLS[1], {**CALLS[2], "function": {"name": "h", "arguments": "{}"}}],
    "refusal": "no",
    "images": [IMAGE],
    "annotations": [FILE],
}


def as_v1(message: AIMessage) -> AIMessage:
    """As core stores it with ``output_version="v1"``."""
    metadata = {**message.response_metadata, "output_version": "v1"}
    return message.model_copy(update={"content": message.content_blocks, "response_metadata": metadata})


RESULT = ToolMessage("not JSON, try again", tool_call_id="b")  # somebody answered the call that was cut off


def replayed(message: BaseMessage) -> Any:
    return wire_messages([message, RESULT])[0]


def through_json(message: AIMessage) -> BaseMessage:
    [same] = messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))
    return same


def test_an_answer_goes_back_as_it_came() -> None:
    message = answered(**RICH)
    before = copy.deepcopy(message)
    assert replayed(message) == SENT
    assert message == before


@pytest.mark.parametrize("kept", [as_v1, through_json, lambda message: through_json(as_v1(message))])
def test_it_survives_being_stored(kept: Any) -> None:
    assert replayed(kept(answered(**RICH))) == SENT


def test_a_cut_off_call_that_nobody_answered_stays_behind() -> None:
    sent = wire(answered(**RICH))
    assert [call["id"] for call in sent["tool_calls"]] == ["a", "c"]
    assert wire(answered(tool_calls=[CALLS[1]])) == {"role": "assistant", "content": ""}


def test_v1_content_alone_is_enough_for_reasoning_and_images() -> None:
    bare = as_v1(answered(**RICH)).model_copy(update={"additional_kwargs": {}})
    sent = wire(bare)
    assert sent["reasoning_details"] == DETAILS
    assert sent["images"] == [{"type": "image_url", "image_url": IMAGE["image_url"]}]
    assert sent["content"] == "hi"
    assert "reasoning" not in sent


def test_plain_reasoning_only_without_details() -> None:
    assert wire(answered(content="a", reasoning="hm"))["reasoning"] == "hm"
    empty = wire(answered(content="a", reasoning="hm", reasoning_details=[]))
    assert (empty["reasoning"], empty["reasoning_details"]) == ("hm", [])
    assert wire(AIMessage([{"type": "reasoning", "reasoning": "hm"}, "a"])) == {
        "role": "assistant",
        "content": "a",
        "reasoning": "hm",
    }


def test_blank_text_beside_tool_calls_is_null() -> None:
    assert wire(answered(content="", tool_calls=CALLS[:1]))["content"] is None
    assert wire(AIMessage([], tool_calls=[{"name": "f", "args": {}, "id": "a"}]))["content"] is None
    assert wire(AIMessage(""))["content"] == ""


def test_changed_arguments_are_sent_changed() -> None:
    message = answered(tool_calls=CALLS[:1])
    message.tool_calls[0]["args"] = {"x": "ö"}
    assert wire(message)["tool_calls"][0]["function"]["arguments"] == '{"x": "ö"}'


def test_calls_of_others_are_written_anew() -> None:
    message = AIMessage("", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "a"}])
    assert wire(message)["tool_calls"][0]["function"]["arguments"] == '{"x": 1}'


def test_blocks_of_others_that_are_no_parts() -> None:
    content: list[Any] = [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a", "cache_control": CACHE},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]
    sent = wire(AIMessage(content, tool_calls=[{"name": "f", "args": {}, "id": "t"}]))
    assert sent["content"] == [{"type": "text", "text": "a", "cache_control": CACHE}]
    assert [call["id"] for call in sent["tool_calls"]] == ["t"]


def test_images_of_an_assistant_message_by_hand() -> None:
    sent = wire(AIMessage([{"type": "text", "text": "a"}, {"type": "image", "url": "http://x"}]))
    assert sent == {
        "role": "assistant",
        "content": "a",
        "images": [{"type": "image_url", "image_url": {"url": "http://x"}}],
    }


def test_audio_goes_back() -> None:
    audio = {"id": "a", "data": "QQ", "transcript": "hi", "expires_at": 3}
    assert wire(as_v1(answered(audio=audio))) == {"role": "assistant", "content": "", "audio": audio}


def test_a_sum_of_chunks_can_be_sent() -> None:
    chunk = AIMessageChunk("", tool_call_chunks=[{"name": "f", "args": "{}", "id": "a", "index": 0}])
    assert wire(chunk)["tool_calls"][0]["id"] == "a"


CALLED = {"id": "t", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
OTHERS: list[tuple[str, AIMessage, dict[str, Any]]] = [
    (
        "Anthropic, thinking and a search",
        AIMessage(
            [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "server_tool_use", "id": "w", "name": "web_search", "input": {"q": "x"}},
                {"type": "web_search_tool_result", "tool_use_id": "w", "content": []},
                {"type": "text", "text": "a", "citations": [{"type": "web_search_result_location"}]},
                {"type": "text", "text": "b"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}},
            ],
            tool_calls=[{"name": "f", "args": {"x": 1}, "id": "t"}],
            response_metadata={"model_provider": "anthropic"},
        ),
        {"role": "assistant", "content": "ab", "tool_calls": [CALLED]},
    ),
    (
        "Anthropic, content alone",
        AIMessage([{"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}]),
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    ),
    (
        "Anthropic, standard blocks",
        AIMessage(
            [
                {"type": "reasoning", "reasoning": "hm", "extras": {"signature": "s"}},
                {"type": "text", "text": "a", "annotations": []},
                {"type": "tool_call", "id": "t", "name": "f", "args": {"x": 1}},
            ],
            tool_calls=[{"name": "f", "args": {"x": 1}, "id": "t"}],
            response_metadata={"model_provider": "anthropic", "output_version": "v1"},
        ),
        {"role": "assistant", "content": "a", "tool_calls": [CALLED]},
    ),
    (
        "OpenAI, Responses",
        AIMessage(
            [
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "web_search_call", "id": "ws", "status": "completed"},
                {"type": "output_text", "text": "a", "annotations": []},
                {"type": "refusal", "refusal": "no"},
                {"type": "function_call", "call_id": "t", "name": "f", "arguments": '{"x": 1}', "id": "fc_1"},
            ],
            response_metadata={"model_provider": "openai"},
        ),
        {"role": "assistant", "content": "a", "tool_calls": [CALLED], "refusal": "no"},
    ),
    (
        "OpenAI, raw calls",
        AIMessage("", additional_kwargs={"tool_calls": [CALLED], "refusal": None}),
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
    ),
    (
        "OpenAI, functions",
        AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": '{"x": 1}'}}),
        {"role": "assistant", "content": None, "tool_calls": [{**CALLED, "id": "function_f"}]},
    ),
    (
        "an image of OpenAI",
        AIMessage(
            [{"type": "image", "base64": "QQ", "mime_type": "image/png", "id": "ig_1"}],
            response_metadata={"model_provider": "openai"},
        ),
        {
            "role": "assistant",
            "content": "",
            "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}}],
        },
    ),
    (
        "Google, code",
        AIMessage(
            [
                {"type": "executable_code", "executable_code": "1", "language": 1},
                {"type": "code_execution_result", "code_execution_result": "1"},
                "a",
            ],
            response_metadata={"model_provider": "google_genai"},
        ),
        {"role": "assistant", "content": "a"},
    ),
    (
        "DeepSeek",
        AIMessage("a", additional_kwargs={"reasoning_content": "hm"}, response_metadata={"model_provider": "deepseek"}),
        {"role": "assistant", "content": "a", "reasoning": "hm"},
    ),
    (
        "the official package",
        AIMessage(
            "a",
            additional_kwargs={"reasoning_content": "hm", "reasoning_details": DETAILS},
            response_metadata={"model_provider": "openrouter"},
        ),
        {"role": "assistant", "content": "a", "reasoning_details": DETAILS},
    ),
    (
        "sound made by hand",
        AIMessage([{"type": "audio", "base64": "QQ", "mime_type": "audio/wav"}]),
        {"role": "assistant", "content": [{"type": "input_audio", "input_audio": {"data": "QQ", "format": "wav"}}]},
    ),
]


@pytest.mark.parametrize(("message", "expected"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
def test_answers_of_others(model: ChatOpenRouter, sent: Any, message: AIMessage, expected: dict[str, Any]) -> None:
    before = copy.deepcopy(message)
    calls = [ToolMessage("r", tool_call_id=call["id"]) for call in expected.get("tool_calls", ())]
    model.invoke([HumanMessage("hi"), message, *calls, HumanMessage("go on")])
    assert sent()["messages"][1] == expected
    assert message == before


def test_an_agent_falls_back_from_another_provider(make: Any, sent: Any) -> None:
    """The calls of one model are answered to another."""
    first: Any = GenericFakeChatModel(messages=iter([OTHERS[0][1]]))
    history: list[Any] = [HumanMessage("hi")]
    history.append(first.with_fallbacks([make()]).invoke(history))
    history.append(ToolMessage("found", tool_call_id="t"))
    first.with_fallbacks([make()], exceptions_to_handle=(BaseException,)).invoke(history)
    assert [message["role"] for message in sent()["messages"]] == ["user", "assistant", "tool"]
    assert sent()["messages"][1]["tool_calls"] == [CALLED]


def test_v1_content_alone_is_enough_for_the_rest() -> None:
    audio = {"id": "a", "data": "QQ", "transcript": "hi", "expires_at": 3}
    whole = answered(content="hi", refusal="no", audio=audio, annotations=[FILE])
    bare = as_v1(whole).model_copy(update={"additional_kwargs": {}})
    assert wire(bare) == wire(whole)
    assert wire(bare) == {"role": "assistant", "content": "hi", "refusal": "no", "audio": audio, "annotations": [FILE]}


def test_calls_of_content_are_not_said_twice() -> None:
    block = {"type": "tool_call", "name": "f", "args": {"x": 1}, "id": None}
    message = AIMessage([block], tool_calls=[{"name": "f", "args": {"x": 1}, "id": None}])
    assert wire(message)["tool_calls"] == [{**CALLED, "id": ""}]


def test_core_normalizes_parts_first_and_nothing_is_lost(model: ChatOpenRouter, sent: Any) -> None:
    """Core turns OpenAI's file and audio parts into standard blocks before we see them."""
    blocks: list[Any] = [
        {"type": "text", "text": "hi"},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ=="},
            "cache_control": CACHE,
        },
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,QQ=="}},
        {"type": "file", "file": {"filename": "b.pdf", "file_data": "http://x"}},
    ]
    model.invoke([HumanMessage(blocks)])
    assert sent()["messages"][0]["content"] == blocks


@pytest.mark.parametrize(
    ("mime", "file", "part"),
    [
        ("text/csv", {"filename": "notes"}, "file"),
        ("text/markdown", {}, "file"),
        ("application/vnd.ms-excel", {"filename": "a.pdf"}, "file"),
        ("application/pdf", {"filename": "notes"}, "file"),
        ("image/png", {"filename": "a"}, "image_url"),
    ],
)
@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
async def test_a_file_keeps_the_type_that_it_came_with(
    make: Callable[..., ChatOpenRouter], openrouter_gateway: LocalGateway, mime: str, file: dict[str, str], part: str
) -> None:
    data = f"data:{mime};base64,aGVsbG8="
    block = {"type": "file", "file": {**file, "file_data": data}, "cache_control": CACHE}
    message, before, model = HumanMessage([block, "and?"]), copy.deepcopy(block), make()
    model.invoke([message])
    await model.ainvoke(ChatPromptValue(messages=[message]))
    list(model.stream([message]))
    model.generate([[message]])
    await model.agenerate([[message]])
    list(model.stream_events([message], version="v3"))
    await model.aclose()
    sent = block if part == "file" else {"type": part, part: {"url": data}, "cache_control": CACHE}
    assert len(openrouter_gateway.requests) == 6
    assert all(request.body["messages"][0]["content"][0] == sent for request in openrouter_gateway.requests)
    assert message.content[0] == before


def test_a_type_that_is_given_to_anything_gives_way(model: ChatOpenRouter, sent: Any) -> None:
    for mime in ("application/octet-stream", "application/pdf"):
        block = {"type": "file", "file": {"filename": "a.csv", "file_data": f"data:{mime};base64,aGVsbG8="}}
        model.invoke([HumanMessage([block])])
        assert sent()["messages"][0]["content"][0]["file"]["file_data"] == "data:text/csv;base64,aGVsbG8="


def test_former_blocks_of_langchain(model: ChatOpenRouter, sent: Any) -> None:
    blocks: list[Any] = [
        {"type": "image", "source_type": "url", "url": "http://x"},
        {"type": "image", "source_type": "base64", "data": "QQ", "mime_type": "image/png", "cache_control": CACHE},
        {"type": "audio", "source_type": "base64", "data": "QQ", "mime_type": "audio/mpeg"},
        {"type": "file", "source_type": "base64", "data": "QQ", "mime_type": "application/pdf", "filename": "a.pdf"},
        {"type": "file", "source_type": "url", "url": "http://x"},
        {"type": "file", "source_type": "text", "url": "a", "mime_type": "text/plain"},  # the text is called so
        {"type": "file", "source_type": "id", "id": "f"},
    ]
    model.invoke([HumanMessage(blocks), AIMessage("ok"), HumanMessage("and?")])
    assert sent()["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "http://x"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ"}, "cache_control": CACHE},
        {"type": "input_audio", "input_audio": {"data": "QQ", "format": "mp3"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QQ"}},
        {"type": "file", "file": {"file_data": "http://x"}},
        {"type": "text", "text": "a"},
        {"type": "file", "file": {"file_id": "f"}},
    ]


class Plain(TypedDict):
    messages: Annotated[list[Any], add_messages]


def through_checkpoint(message: Any) -> Any:
    """As a graph's state keeps it."""
    kept = JsonPlusSerializer()
    return kept.loads_typed(kept.dumps_typed(message))


def through_state(message: Any) -> Any:
    """As a graph with a memory gives it back."""
    made = StateGraph(Plain)
    made.add_node("talk", lambda _: {"messages": [message]})
    made.add_edge(START, "talk")
    made.add_edge("talk", END)
    graph, config = made.compile(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    graph.invoke({"messages": []}, config)  # type: ignore[arg-type]
    return graph.get_state(config).values["messages"][-1]  # type: ignore[arg-type]


def through_dumps(message: Any) -> Any:
    return loads(dumps(message), allowed_objects="messages")


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize("kept", [through_json, through_checkpoint, through_state, through_dumps])
@pytest.mark.parametrize("version", [None, "v1"])
@pytest.mark.parametrize("streams", [False, True])
def test_what_is_kept_goes_back_unchanged(
    make: Any, openrouter_gateway: Any, sent: Any, kept: Any, version: str | None, streams: bool
) -> None:
    openrouter_gateway.reply(
        "hi",
        reasoning="hm",
        reasoning_details=DETAILS,
        tool_calls=CALLS,
        refusal="no",
        images=[IMAGE],
        annotations=[FILE],
    )
    model = make(output_version=version)
    first, *rest = list(model.stream("hi")) if streams else [model.invoke("hi")]
    message = first + rest if rest else first
    model.invoke([HumanMessage("hi"), kept(message), RESULT, HumanMessage("go on")])
    assert sent()["messages"][1] == SENT
