"""Chunks built directly equal ordinary ones, in every field and in every sum; a cut-off call stays cut off."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.load import dumpd, load
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ToolCallChunk,
    message_chunk_to_message,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph.message import add_messages

from openrouter_adapters.langchain import chunks
from openrouter_adapters.langchain.chunks import (
    AnswerChunk,
    chunk_maker,
    direct_chunk,
    ordinary_chunk,
    started_call,
    state,
)

PIECES = ["", "{", '{"a": 1}', '{"a": "x', 'y"}', " {", "null", "1", "[", "]", "}", '"', "\u00a0{", "\ufeff{}", "\n"]
texts = st.text(max_size=8)
pieces = st.builds(
    lambda args, name, call_id, index: ToolCallChunk(
        name=name, args=args, id=call_id, index=index, type="tool_call_chunk"
    ),
    st.sampled_from(PIECES) | texts,
    st.none() | texts,
    st.none() | st.sampled_from(["a", "b"]),
    st.integers(0, 2),
)
extras = st.fixed_dictionaries({}, optional={"reasoning_content": texts, "refusal": texts})
samples = st.tuples(texts, extras, st.lists(pieces, max_size=2))


def last(**fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AnswerChunk(content="", chunk_position="last", **fields))


def call(args: str, name: str | None = "f", call_id: str | None = "c", index: int = 0) -> ToolCallChunk:
    return ToolCallChunk(name=name, args=args, id=call_id, index=index, type="tool_call_chunk")


@given(samples)
def test_direct_equals_ordinary(sample: tuple[str, dict[str, Any], list[ToolCallChunk]]) -> None:
    direct, ordinary = direct_chunk(*copy.deepcopy(sample)), ordinary_chunk(*copy.deepcopy(sample))
    assert state(direct) == state(ordinary)
    assert direct.model_dump() == ordinary.model_dump()
    assert repr(direct) == repr(ordinary)


@given(st.lists(samples, min_size=1, max_size=5), st.booleans())
def test_sums_are_equal(many: list[tuple[str, dict[str, Any], list[ToolCallChunk]]], ended: bool) -> None:
    end = [last()] if ended else []
    direct = [direct_chunk(*copy.deepcopy(sample)) for sample in many] + end
    ordinary = [ordinary_chunk(*copy.deepcopy(sample)) for sample in many] + end
    assert state(direct[0] + direct[1:]) == state(ordinary[0] + ordinary[1:])


def test_the_direct_way_is_taken_here() -> None:
    assert chunk_maker() is direct_chunk


@pytest.mark.parametrize("trouble", [lambda *_: ordinary_chunk("other", {}, []), lambda *_: 1 / 0])
def test_the_ordinary_way_where_the_two_differ(monkeypatch: pytest.MonkeyPatch, trouble: Any) -> None:
    monkeypatch.setattr(chunks, "direct_chunk", trouble)
    assert chunk_maker.__wrapped__() is ordinary_chunk


def test_core_sets_what_it_sets() -> None:
    chunk = direct_chunk("a", {}, [])
    chunk.message.id = "run"
    chunk.message.response_metadata = {"model_provider": "openrouter"}
    assert chunk.message.model_fields_set >= {"id", "response_metadata"}


CUT = '{"city": "Par'


def cut_off() -> ChatGenerationChunk:
    parts = [direct_chunk("Let me", {}, []), direct_chunk("", {}, [call(CUT[:5])])]
    return parts[0] + [parts[1], direct_chunk("", {}, [call(CUT[5:], None, None)]), last()]


def test_a_cut_off_call_is_completed_only_while_it_streams() -> None:
    running = direct_chunk("", {}, [call(CUT)]).message
    assert isinstance(running, AnswerChunk)
    assert running.tool_calls[0]["args"] == {"city": "Par"}
    whole = cut_off().message
    assert isinstance(whole, AnswerChunk)
    assert whole.tool_calls == []
    assert [broken["args"] for broken in whole.invalid_tool_calls] == [CUT]


def test_pairwise_sums_are_as_strict() -> None:
    parts = [direct_chunk("", {}, [call(CUT[:5])]), direct_chunk("", {}, [call(CUT[5:], None, None)]), last()]
    pairwise = parts[0].message + parts[1].message + parts[2].message
    assert isinstance(pairwise, AnswerChunk)
    assert pairwise.tool_calls == []
    assert pairwise.invalid_tool_calls[0]["args"] == CUT


def test_a_list_or_a_number_is_no_call() -> None:
    first, second = direct_chunk("", {}, [call("[1]")]), direct_chunk("", {}, [call("1", "g", "d", 1)])
    whole = first + second + last()
    assert [broken["args"] for broken in whole.message.invalid_tool_calls] == ["[1]", "1"]  # type: ignore[attr-defined]


def test_blank_arguments_are_none() -> None:
    whole = direct_chunk("", {}, [call(" ")]) + last()
    assert whole.message.tool_calls == [{"name": "f", "args": {}, "id": "c", "type": "tool_call"}]  # type: ignore[attr-defined]


def test_it_becomes_a_plain_message() -> None:
    message = message_chunk_to_message(cut_off().message)
    assert type(message) is AIMessage
    assert message.invalid_tool_calls[0]["args"] == CUT
    assert message.content == "Let me"
    assert type(generate_from_stream(iter([cut_off()])).generations[0].message) is AIMessage


def test_langgraph_keeps_it_cut_off() -> None:
    [message] = add_messages([], [cut_off().message])
    assert type(message) is AIMessage
    assert message.invalid_tool_calls[0]["args"] == CUT


def test_copies() -> None:
    message = cut_off().message
    for same in (pickle.loads(pickle.dumps(message)), copy.deepcopy(message), copy.copy(message), message.model_copy()):
        assert type(same) is AnswerChunk
        assert state(same) == state(message)
        assert same == message


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_serialized_under_the_name_of_core() -> None:
    message = direct_chunk("a", {"reasoning_content": "b"}, []).message
    loaded = load(dumpd(message), allowed_objects="messages")
    assert type(loaded) is AIMessageChunk
    assert vars(loaded) == vars(message)


def test_a_sum_that_an_empty_chunk_of_core_begins() -> None:
    total: Any = AIMessageChunk("", id="run")
    for part in (direct_chunk("", {}, [call(CUT)]), last()):
        total += part.message
    assert type(total) is AnswerChunk
    assert (total.id, total.invalid_tool_calls[0]["args"]) == ("run", CUT)
    listed = AnswerChunk(content=[{"type": "text", "text": "a", "index": "lc_txt_0"}])
    assert (AIMessageChunk("") + listed).content == listed.content
    assert (AIMessageChunk("b") + listed).content == ["b", *listed.content]
    with pytest.raises(TypeError):
        sum([listed])  # type: ignore[list-item]


STORED = [
    lambda message: messages_from_dict(json.loads(json.dumps(messages_to_dict([message]))))[0],
    lambda message: load(dumpd(message), allowed_objects="messages"),
    lambda message: AIMessageChunk(**message.model_dump()),
    lambda message: AnswerChunk.model_validate_json(message.model_dump_json()),
]


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
@pytest.mark.parametrize("stored", STORED)
def test_a_stored_sum_stays_cut_off(stored: Any) -> None:
    message: Any = (cut_off() + direct_chunk("", {}, [call("{}", "g", "d", 1)])).message
    same = stored(message)
    assert same.tool_calls == message.tool_calls
    assert same.invalid_tool_calls == message.invalid_tool_calls
    assert [broken["args"] for broken in same.invalid_tool_calls] == [CUT]
    assert same.content == message.content


def test_a_dump_has_what_was_asked_for() -> None:
    message = cut_off().message
    assert message.model_dump(include={"content"}) == {"content": "Let me"}
    assert message.model_dump()["invalid_tool_calls"][0]["args"] == CUT
    assert len(message.tool_call_chunks) == 1  # type: ignore[attr-defined]


def test_a_running_sum_is_stored_with_its_pieces() -> None:
    running: Any = direct_chunk("", {}, [call("{")]).message
    [same] = messages_from_dict(messages_to_dict([running]))
    assert vars(same) == vars(running)


def test_v1_content_ends_with_whole_calls() -> None:
    block = {
        "type": "tool_call_chunk",
        "id": "c",
        "name": "f",
        "args": '{"a": 1}',
        "index": "lc_tc_0",
        "extras": {"x": 1},
    }
    cut = {**block, "args": CUT, "index": "lc_tc_1", "id": "d"}
    text = {"type": "text", "text": "a"}
    parts = [call('{"a": 1}'), call(CUT, "f", "d", 1)]
    message = AnswerChunk(content=[text, block, cut], tool_call_chunks=parts, chunk_position="last")
    assert message.content == [
        text,
        {"type": "tool_call", "id": "c", "name": "f", "args": {"a": 1}, "extras": {"x": 1}},
        {"type": "invalid_tool_call", "id": "d", "name": "f", "args": CUT, "error": None, "extras": {"x": 1}},
    ]


def test_v1_content_ends_in_the_order_of_a_whole_answer() -> None:
    text, call_block = (
        {"type": "text", "text": "a", "index": "lc_txt_0"},
        {"type": "tool_call", "name": "f", "index": 1},
    )
    thought = {"type": "reasoning", "reasoning": "hm", "index": "lc_rs_0"}
    message = AnswerChunk(content=[call_block, "b", text, thought], chunk_position="last")
    assert message.content == [
        {"type": "reasoning", "reasoning": "hm"},
        "b",
        {"type": "text", "text": "a"},
        call_block,
    ]


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(st.booleans() | st.integers() | st.text(max_size=8), st.lists))
)
def test_a_call_grows_piece_by_piece(args: dict[str, Any]) -> None:
    """As with core's parser, but that a text with half an escape at its end is shown too."""
    text = json.dumps(args, ensure_ascii=False)
    for end in range(len(text) + 1):
        piece = ToolCallChunk(name="f", args=text[:end], id="c", index=0, type="tool_call_chunk")
        call, of_core = started_call(piece), AIMessageChunk(content="", tool_call_chunks=[piece])
        assert call["type"] == [*of_core.tool_calls, *of_core.invalid_tool_calls][0]["type"]
        assert isinstance(call["args"], str) or call["args"].keys() <= args.keys()
    assert call["args"] == args


def test_a_broken_call_does_not_hold_up_the_stream() -> None:
    """Counted in calls, not in time: core's parser would try each prefix of each sum."""
    made: AIMessageChunk = AnswerChunk(content="")
    counted = 0

    def count(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count)
    try:
        for _ in range(200):
            piece = ToolCallChunk(name=None, args="[[[ x", id="c", index=0, type="tool_call_chunk")
            made = made + AnswerChunk(content="", tool_call_chunks=[piece])
    finally:
        sys.setprofile(None)
    assert len(made.invalid_tool_calls) == 1
    assert counted < 200 * 300


# ------------------------------------------------------------------------------------------------- costs in the usage


def priced(**costs: float) -> ChatGenerationChunk:
    usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3, **costs}
    return last(usage_metadata=usage)


def test_sums_keep_the_costs_of_a_usage() -> None:
    """Core makes a usage of zeros of the pieces that have none, and then fails on a float."""
    pieces = [chunk_maker()(text, {}, []) for text in ("a", "b", "c")]
    end = priced(total_cost=0.3, input_cost=0.1, output_cost=0.2)
    expected = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    costs = {"total_cost": 0.3, "input_cost": 0.1, "output_cost": 0.2}
    at_once = pieces[0].message + [chunk.message for chunk in [*pieces[1:], end]]
    one_by_one: Any = AIMessageChunk(content="")
    for chunk in [*pieces, end]:
        one_by_one = one_by_one + chunk.message
    for whole in (at_once, one_by_one, generate_from_stream(iter([*pieces, end])).generations[0].message):
        assert (whole.text, whole.usage_metadata) == ("abc", {**expected, **costs})
    assert end.message.usage_metadata == {**expected, **costs}


def test_sums_add_costs_up_exactly() -> None:
    sum_of: Any = priced(total_cost=0.1).message + priced(total_cost=0.2, input_cost=0.1).message
    assert sum_of.usage_metadata == {
        "input_tokens": 2,
        "output_tokens": 4,
        "total_tokens": 6,
        "total_cost": 0.3,
        "input_cost": 0.1,
    }
