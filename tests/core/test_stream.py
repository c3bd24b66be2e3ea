"""The reducer: any way of cutting an answer into chunks, and any recorded end, gives the unstreamed answer."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.sse import EventSplitter
from openrouter_adapters.core.stream import Delta, ReplyBuilder

HEAD = {"id": "gen-1", "object": "chat.completion.chunk", "created": 1, "model": "a/b", "provider": "P"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, "cost": 0.001, "is_byok": False}


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": "", **(delta or {})}, "finish_reason": finish}
    return {**HEAD, "choices": [{**choice, "native_finish_reason": finish}], **more}


def fold(*chunks: dict[str, Any]) -> tuple[list[Delta], Reply]:
    builder = ReplyBuilder()
    deltas = [delta for piece in chunks if (delta := builder.feed(piece)) is not None]
    return deltas, builder.reply()


def call_piece(arguments: str | None = None, **more: Any) -> dict[str, Any]:
    function = {key: more.pop(key) for key in ("name",) if key in more}
    if arguments is not None:
        function["arguments"] = arguments
    return {**more, "function": function}


END_SHAPES = {
    "2025: usage beside an empty delta": [chunk(finish="stop"), chunk(usage=USAGE)],
    "early 2026: usage without a choice": [chunk(finish="stop"), {**HEAD, "choices": [], "usage": USAGE}],
    "mid 2026: the reason again": [chunk(finish="stop"), chunk(finish="stop", usage=USAGE, service_tier="default")],
    "usage twice": [chunk(finish="stop", usage=USAGE), chunk(finish="stop", usage=USAGE)],
    "all in one": [chunk(finish="stop", usage=USAGE)],
}


@pytest.mark.parametrize("end", END_SHAPES.values(), ids=END_SHAPES)
def test_every_recorded_end_counts_once(end: list[dict[str, Any]]) -> None:
    deltas, reply = fold(chunk({"content": "Hel"}), chunk({"content": "lo"}), *end)
    assert [delta.text for delta in deltas] == ["Hel", "lo"]
    assert (reply.text, reply.finish_reason, reply.native_finish_reason) == ("Hello", "stop", "stop")
    assert reply.usage is not None and reply.usage.total_tokens == 5
    assert (reply.model, reply.provider, reply.id) == ("a/b", "P", "gen-1")


def test_a_chunk_may_be_nothing_but_its_delta() -> None:
    builder = ReplyBuilder()
    for text in ("Hel", "lo"):
        assert builder.feed({"choices": [{"delta": {"content": text}}]}) == Delta(text)
    assert builder.chunks_seen and builder.answered and builder.started and builder.reply().text == "Hello"


def test_folding_a_chunk_leaves_it_as_it_is() -> None:
    builder = ReplyBuilder()
    for piece in (chunk({"content": "a"}), chunk({"content": "b"}), chunk({"reasoning": "c"}), chunk(usage=USAGE)):
        before = copy.deepcopy(piece)
        builder.feed(piece)
        assert piece == before


def test_an_error_chunk_keeps_what_came_with_it() -> None:
    builder = ReplyBuilder()
    builder.feed(chunk({"content": "Hel"}))
    builder.feed(chunk(finish="length"))
    builder.feed({**chunk(), "error": {"code": 400, "message": "Token limit reached"}, "usage": USAGE})
    assert builder.error == {"code": 400, "message": "Token limit reached"}
    assert builder.started
    partial = builder.reply()
    assert partial.text == "Hel" and partial.usage is not None and partial.usage.cost.charged is not None


@pytest.mark.parametrize(
    "end", [chunk(finish="error"), chunk({"content": ""}, finish="error", error={"code": 502, "message": "x"})]
)
def test_finish_reason_error_is_an_error(end: dict[str, Any]) -> None:
    builder = ReplyBuilder()
    builder.feed(chunk({"content": "Hel"}))
    builder.feed(end)
    assert builder.error is not None


def test_reasoning_is_said_once() -> None:
    details = [{"type": "reasoning.text", "text": "Hm", "index": 0, "format": "anthropic-claude-v1"}]
    signed = [{"type": "reasoning.text", "signature": "sig", "index": 0, "format": "anthropic-claude-v1"}]
    deltas, reply = fold(
        chunk({"reasoning": "Hm", "reasoning_details": details}),
        chunk({"reasoning": None, "reasoning_details": signed}),
        chunk({"content": "Yes", "reasoning_details": []}),
    )
    assert [delta.reasoning for delta in deltas] == ["Hm", ""]
    assert reply.reasoning == "Hm"
    assert reply.reasoning_details == [{**details[0], "signature": "sig"}]


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_both_names_of_plain_reasoning_are_read(key: str) -> None:
    deltas, reply = fold(chunk({key: "a"}), chunk({key: "b"}))
    assert [delta.reasoning for delta in deltas] == ["a", "b"]
    assert reply.reasoning == "ab"


def test_an_empty_list_of_details_is_kept_and_a_missing_one_is_not_made_up() -> None:
    assert fold(chunk({"content": "x", "reasoning_details": []}))[1].reasoning_details == []
    assert fold(chunk({"content": "x"}))[1].reasoning_details is None


CALLS = {
    "id once": [
        [call_piece("", index=0, id="c1", name="f")],
        [call_piece('{"a":', index=0)],
        [call_piece("1}", index=0)],
    ],
    "id and name every time": [
        [call_piece("", index=0, id="c1", name="f")],
        [call_piece('{"a":', index=0, id="c1", name="f")],
        [call_piece("1}", index=0, id="c1", name="f")],
    ],
    "no index": [[call_piece("", id="c1", name="f")], [call_piece('{"a":')], [call_piece("1}")]],
    "index from 1": [[call_piece("", index=1, id="c1", name="f")], [call_piece('{"a":1}', index=1)]],
    "index from the second piece": [[call_piece("", id="c1", name="f")], [call_piece('{"a":1}', index=0)]],
    "index from the second piece, id every time": [
        [call_piece("", id="c1", name="f")],
        [call_piece('{"a":', index=0, id="c1")],
        [call_piece("1}", index=0, id="c1")],
    ],
    "whole in one": [[call_piece('{"a":1}', index=0, id="c1", name="f")]],
    "arguments as an object": [[{"index": 0, "id": "c1", "function": {"name": "f", "arguments": {"a": 1}}}]],
    "null arguments first": [[call_piece(None, index=0, id="c1", name="f")], [call_piece('{"a":1}', index=0)]],
    "id late": [[call_piece("", index=0, name="f")], [call_piece('{"a":1}', index=0, id="c1")]],
    "again in a second finish chunk": [
        [call_piece('{"a":1}', index=0, id="c1", name="f")],
        [call_piece('{"a":1}', index=0, id="c1", name="f")],
    ],
}


@pytest.mark.parametrize("pieces", CALLS.values(), ids=CALLS)
def test_one_call_however_it_is_cut(pieces: list[list[dict[str, Any]]]) -> None:
    deltas, reply = fold(
        *(chunk({"tool_calls": piece, "content": None}) for piece in pieces), chunk(finish="tool_calls")
    )
    assert [(call.id, call.name, call.args) for call in reply.tool_calls] == [("c1", "f", {"a": 1})]
    handed_on = [piece for delta in deltas for piece in delta.tool_calls]
    assert [piece.id for piece in handed_on if piece.id] == ["c1"]
    assert [piece.name for piece in handed_on if piece.name] == ["f"]
    assert json.loads("".join(piece.arguments for piece in handed_on)) == {"a": 1}


PARALLEL = {
    "interleaved": [
        [call_piece("", index=0, id="c1", name="f"), call_piece("", index=1, id="c2", name="g")],
        [call_piece('{"a":', index=0), call_piece('{"b":', index=1)],
        [call_piece("2}", index=1), call_piece("1}", index=0)],
    ],
    "one index for both": [
        [call_piece('{"a":1}', index=0, id="c1", name="f")],
        [call_piece('{"b":2}', index=0, id="c2", name="g")],
    ],
    "no index": [[call_piece('{"a":1}', id="c1", name="f"), call_piece('{"b":2}', id="c2", name="g")]],
    "one index for both, taking turns": [
        [call_piece('{"a":', index=0, id="c1", name="f")],
        [call_piece('{"b":', index=0, id="c2", name="g")],
        [call_piece("1}", index=0, id="c1")],
        [call_piece("2", index=0, id="c2"), call_piece("}", index=0)],
    ],
    "one index for both, again at the end": [
        [call_piece('{"a":1}', index=0, id="c1", name="f")],
        [call_piece('{"b":2}', index=0, id="c2", name="g")],
        [
            call_piece('{"a":1}', index=0, id="c1", name="f"),
            call_piece('{"b":2}', index=0, id="c2", name="g"),
        ],
    ],
    "an index for the second alone": [
        [call_piece('{"a":1}', id="c1", name="f")],
        [call_piece('{"b":', index=0, id="c2", name="g")],
        [call_piece("2}", index=0)],
    ],
}

# Two calls that only their whole arguments tell apart: name and arguments of each.
UNTOLD: dict[str, tuple[list[list[dict[str, Any]]], list[tuple[str, dict[str, Any]]]]] = {
    "one index, no ids": (
        [[call_piece('{"q":1}', index=0, name="f")], [call_piece('{"q":2}', index=0, name="f")]],
        [("f", {"q": 1}), ("f", {"q": 2})],
    ),
    "no ids, no arguments": (
        [[call_piece("{}", name="f"), call_piece("{}", name="g")]],
        [("f", {}), ("g", {})],
    ),
    "no ids, the first without arguments": (
        [[call_piece(name="f"), call_piece('{"q":1}', name="g")]],
        [("f", {}), ("g", {"q": 1})],
    ),
    "one index, no ids, the first without arguments": (
        [[call_piece(index=0, name="f")], [call_piece('{"q":', index=0, name="g")], [call_piece("1}", index=0)]],
        [("f", {}), ("g", {"q": 1})],
    ),
    "no index, the second without an id, the first without arguments": (
        [[call_piece(id="x", name="f"), call_piece('{"q":1}', name="g")]],
        [("f", {}), ("g", {"q": 1})],
    ),
    "one id for both": (
        [[call_piece('{"q":1}', index=0, id="x", name="f")], [call_piece('{"q":2}', index=0, id="x", name="f")]],
        [("f", {"q": 1}), ("f", {"q": 2})],
    ),
    "no index, one id": (
        [[call_piece('{"q":1}', id="x", name="f"), call_piece('{"q":2}', id="x", name="f")]],
        [("f", {"q": 1}), ("f", {"q": 2})],
    ),
}


@pytest.mark.parametrize(("pieces", "calls"), UNTOLD.values(), ids=UNTOLD)
def test_two_whole_calls_are_two(pieces: list[list[dict[str, Any]]], calls: list[tuple[str, dict[str, Any]]]) -> None:
    _, reply = fold(*(chunk({"tool_calls": piece}) for piece in pieces))
    assert [(call.name, call.args) for call in reply.tool_calls] == calls
    assert len({call.id for call in reply.tool_calls}) == 2


@pytest.mark.parametrize("pieces", PARALLEL.values(), ids=PARALLEL)
def test_parallel_calls_stay_apart(pieces: list[list[dict[str, Any]]]) -> None:
    deltas, reply = fold(*(chunk({"tool_calls": piece}) for piece in pieces))
    assert [(call.id, call.name, call.args) for call in reply.tool_calls] == [
        ("c1", "f", {"a": 1}),
        ("c2", "g", {"b": 2}),
    ]
    assert {piece.index for delta in deltas for piece in delta.tool_calls} == {0, 1}


@pytest.mark.parametrize("count", [1, 2])
def test_calls_that_nothing_tells_apart_are_not_doubled_by_the_finish_chunk(count: int) -> None:
    calls = [call_piece('{"a":1}', name="f")] * count
    for chunks in (
        [chunk({"tool_calls": calls}), chunk({"tool_calls": calls}, finish="tool_calls")],
        [chunk({"tool_calls": calls}, finish="tool_calls")],
    ):
        deltas, reply = fold(*chunks, chunk(finish="tool_calls", usage=USAGE))
        assert [(call.name, call.args) for call in reply.tool_calls] == [("f", {"a": 1})] * count
        assert sum(len(delta.tool_calls) for delta in deltas) == count


@pytest.mark.parametrize("pieces", [[call_piece("{}", id=7, name="f")], [call_piece("{}", id=7, index=0, name="f")]])
def test_an_id_may_be_a_number(pieces: list[dict[str, Any]]) -> None:
    _, reply = fold({**chunk({"tool_calls": pieces}), "id": 12})
    assert (reply.id, reply.tool_calls[0].id) == ("12", "7")
    assert Reply.from_body(reply.body).tool_calls == reply.tool_calls


@pytest.mark.parametrize(("arguments", "shown"), [([1], "[1]"), (5, "5"), (True, "true"), ([], "[]")])
def test_arguments_of_another_type_are_kept_as_what_they_were(arguments: Any, shown: str) -> None:
    piece = {"index": 0, "id": "c", "function": {"name": "f", "arguments": arguments}}
    _, reply = fold(chunk({"tool_calls": [piece]}, finish="tool_calls"))
    assert [(call.args, call.arguments) for call in reply.tool_calls] == [(None, shown)]
    assert Reply.from_body({"choices": [{"message": {"tool_calls": [piece]}}]}).tool_calls == reply.tool_calls


def test_calls_without_an_id_get_the_same_one_streamed_and_not() -> None:
    builder = ReplyBuilder()
    pieces = [call_piece('{"a":1}', index=0, name="f"), call_piece("{}", index=1, id="x", name="g")]
    builder.feed(chunk({"tool_calls": [*pieces, call_piece("{}", index=2, id="x", name="h")]}))
    made_up = {delta.index: delta.id for delta in builder.missing_call_ids()}
    ids = [call.id for call in builder.reply().tool_calls]
    assert ids == [made_up[0], "x", made_up[2]] and len(set(ids)) == 3


@pytest.mark.parametrize("arguments", ['{"a": "cut', '{"a": 1', "[1]", "null", '"text"', "{'a': 1}"])
def test_arguments_that_are_no_object_are_not_repaired(arguments: str) -> None:
    _, reply = fold(chunk({"tool_calls": [call_piece(arguments, index=0, id="c", name="f")]}, finish="tool_calls"))
    assert [(call.args, call.arguments) for call in reply.tool_calls] == [(None, arguments)]


@pytest.mark.parametrize("arguments", ["", None, "  "])
def test_a_call_without_arguments_has_none(arguments: str | None) -> None:
    _, reply = fold(chunk({"tool_calls": [call_piece(arguments, index=0, id="c", name="f")]}))
    assert reply.tool_calls[0].args == {}


def test_other_pieces_are_collected_once() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}, "index": 0}
    cited = {"type": "url_citation", "url_citation": {"url": "https://x.example"}}
    _, reply = fold(
        chunk({"images": [image], "annotations": [cited], "audio": {"id": "a", "data": "AA", "transcript": "he"}}),
        chunk({"images": [image], "annotations": [cited], "audio": {"data": "BB", "transcript": "llo"}}, finish="stop"),
        chunk({"refusal": "I "}, logprobs=None),
        chunk({"refusal": "cannot"}),
    )
    assert (reply.images, reply.annotations) == ([image], [cited])
    assert reply.audio == {"id": "a", "data": "AABB", "transcript": "hello"}
    assert reply.refusal == "I cannot"


NOTHING_NEW = {
    "an empty usage": {"usage": {}},
    "a usage of nulls": {"usage": dict.fromkeys(USAGE)},
    "empty words": {"id": "", "model": "", "provider": ""},
    "nulls": {"id": None, "model": None, "provider": None, "usage": None},
}


@pytest.mark.parametrize("last", NOTHING_NEW.values(), ids=NOTHING_NEW)
def test_what_says_nothing_takes_nothing_back(last: dict[str, Any]) -> None:
    _, reply = fold(chunk({"content": "x"}), chunk(finish="stop", usage=USAGE), {**HEAD, "choices": [], **last})
    assert (reply.model, reply.provider, reply.id) == ("a/b", "P", "gen-1")
    assert reply.usage is not None and reply.usage.wire == USAGE


def test_a_later_usage_counts_where_it_says_something() -> None:
    later = {**USAGE, "completion_tokens": 4, "total_tokens": 7, "cost": None}
    _, reply = fold(chunk({"content": "x"}, finish="stop", usage=USAGE), {**HEAD, "choices": [], "usage": later})
    assert reply.usage is not None and reply.usage.wire == {**later, "cost": USAGE["cost"]}


def test_a_whole_message_at_the_end_adds_only_what_was_not_said() -> None:
    cited = {"type": "url_citation", "url_citation": {"url": "https://x.example"}}
    message = {"role": "assistant", "content": "hello", "annotations": [cited]}
    end = {**HEAD, "choices": [{"index": 0, "delta": {}, "message": message, "finish_reason": "stop"}]}
    deltas, reply = fold(chunk({"content": "hel"}), chunk({"content": "lo"}), end)
    assert [delta.text for delta in deltas] == ["hel", "lo", ""]
    assert (reply.text, reply.annotations) == ("hello", [cited])
    assert fold(end)[1].text == "hello"


def test_an_empty_delta_does_not_look_through_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some send many of them; each would cost as much as the answer is long."""
    builder = ReplyBuilder()
    builder.feed(chunk({"content": "long"}))
    monkeypatch.setattr(ReplyBuilder, "_message", lambda _: pytest.fail("it was put together"))
    assert builder.feed({**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) is None


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


@pytest.mark.parametrize(
    ("content", "images"),
    [([{"type": "text", "text": "a"}, PICTURE], [PICTURE]), ({"type": "text", "text": "a"}, [])],
)
def test_content_may_be_parts(content: Any, images: list[dict[str, Any]]) -> None:
    deltas, streamed = fold(chunk({"content": content}, finish="stop"))
    whole = Reply.from_body({"choices": [{"message": {"role": "assistant", "content": content}}]})
    for reply in (streamed, whole):
        assert (reply.text, reply.images) == ("a", images)
    assert [(delta.text, list(delta.images)) for delta in deltas] == [("a", images)]


def test_what_a_plugin_and_debug_tell_is_shown() -> None:
    echoes = [{**HEAD, "choices": [], "debug": {"echo_upstream_body": {"provider": n}}} for n in (1, 2)]
    told = {"safeguard_results": [{"verdict": "pass"}], "alignment": {"ok": True}}
    _, reply = fold(*echoes, chunk({"content": "x"}), chunk(finish="stop", **told))
    assert {name: reply.metadata().get(name) for name in (*told, "debug")} == {
        **told,
        "debug": [echo["debug"] for echo in echoes],
    }


# ---- properties


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """An unstreamed body."""
    message: dict[str, Any] = {"role": "assistant", "content": draw(st.text(max_size=40))}
    if draw(st.booleans()):
        message["reasoning"] = draw(st.text(min_size=1, max_size=20))
    calls = draw(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=3))
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{n}",
                "index": n,
                "type": "function",
                "function": {"name": "f", "arguments": json.dumps(args)},
            }
            for n, args in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": "stop", "native_finish_reason": "end_turn"}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}


def cut_up(draw: st.DrawFn, text: str) -> list[str]:
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def chunked(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An unstreamed body, and chunks that say the same."""
    body = draw(answers())
    choice = body["choices"][0]
    message = choice["message"]
    chunks = [chunk({"reasoning": piece, "content": None}) for piece in cut_up(draw, message.get("reasoning", ""))]
    chunks += [chunk({"content": piece}) for piece in cut_up(draw, message["content"])]
    for call in message.get("tool_calls", []):
        function = call["function"]
        chunks.append(
            chunk({"tool_calls": [call_piece("", index=call["index"], id=call["id"], name=function["name"])]})
        )
        for piece in cut_up(draw, function["arguments"]):
            chunks.append(chunk({"tool_calls": [call_piece(piece, index=call["index"])]}))
    end = chunk(finish="stop", usage=USAGE)
    end["choices"][0]["native_finish_reason"] = "end_turn"
    return body, [*chunks, end, *([end] if draw(st.booleans()) else [])]


@given(chunked())
def test_a_stream_gives_the_reply_of_the_unstreamed_answer(made: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    body, chunks = made
    _, reply = fold(*chunks)
    assert reply == Reply.from_body(body)
    assert Reply.from_body(reply.body) == reply


@given(
    st.lists(st.sampled_from([b": OPENROUTER PROCESSING\n\n", b"data: {}\n\n", b"data: a\r\n\r\n", b"event: x\n"])),
    st.data(),
)
def test_splitting_does_not_depend_on_where_blocks_end(events: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(events)
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    blocks = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    splitter = EventSplitter()
    assert [event for block in blocks for event in splitter.feed(block)] == EventSplitter().feed(stream)


def test_splitting_keeps_odd_separators_inside_json() -> None:
    payload = json.dumps({"text": "a\u2028b\u0085c"}, ensure_ascii=False).encode()
    assert EventSplitter().feed(b"data: " + payload + b"\n\n") == [payload]
    assert EventSplitter().feed(b"data: 1\ndata: 2\n\n") == [b"1\n2"]


def test_a_long_line_costs_what_it_weighs() -> None:
    """A picture of many megabytes comes in small blocks: they are joined once."""
    splitter = EventSplitter()
    for _ in range(100_000):
        assert splitter.feed(b"x" * 50) == []
    assert len(splitter.feed(b"\n")) == 0
    [event] = splitter.feed(b"data: y\n\n")
    assert event == b"y"


ODD = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([None, 1])


@given(st.data())
def test_no_value_of_any_field_breaks_the_reducer(data: st.DataObject) -> None:
    """Any field of a chunk deleted, nulled or of another type: still an answer, never an exception."""
    delta = {
        "content": "x",
        "reasoning": "r",
        "reasoning_details": [{"type": "reasoning.text", "text": "r", "index": 0}],
        "tool_calls": [call_piece("{}", index=0, id="c", name="f")],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}],
        "images": [{"image_url": {"url": "u"}}],
        "audio": {"data": "x"},
        "refusal": None,
    }
    piece = chunk(delta, usage=USAGE)
    for place in (piece, piece["choices"][0], piece["choices"][0]["delta"], delta["tool_calls"][0], USAGE.copy()):
        for key in data.draw(st.lists(st.sampled_from(sorted(place)), max_size=2)):
            place[key] = data.draw(ODD)
    builder = ReplyBuilder()
    builder.feed(piece)
    builder.feed(chunk({"content": "y"}))
    assert isinstance(builder.reply(), Reply)


def test_recorded_streams_give_what_was_on_the_wire(captures: list[dict[str, Any]]) -> None:
    """Every recorded stream: text, reasoning, usage and reasons as a plain concatenation finds them."""
    seen = 0
    for capture in captures:
        for exchange in capture["interactions"]:
            events = exchange["response"].get("sse")
            if events is None or not exchange["request"]["path"].endswith("/chat/completions"):
                continue
            payloads = EventSplitter().feed(("\n\n".join(events) + "\n\n").encode())
            chunks = [json.loads(payload) for payload in payloads if payload != b"[DONE]"]
            deltas, reply = fold(*chunks)
            texts = [piece["choices"][0]["delta"].get("content") or "" for piece in chunks if piece["choices"]]
            assert reply.text == "".join(texts) == "".join(delta.text for delta in deltas), capture["name"]
            assert reply.reasoning == "".join(delta.reasoning for delta in deltas), capture["name"]
            assert reply.usage is not None and reply.finish_reason and reply.provider, capture["name"]
            seen += 1
    assert seen > 40
