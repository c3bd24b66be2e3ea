"""Events of the third version: the protocol is kept, and the message they make is the one that `invoke` gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.language_models.chat_model_stream import ChatModelStream
from langchain_core.messages import AIMessage, HumanMessage
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from langgraph.graph import END, START, MessagesState, StateGraph

from openrouter_adapters import OpenRouterError, RateLimitError, StreamInterruptedError
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.stream import ReplyBuilder
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.langchain.answers import answer
from openrouter_adapters.langchain.events import AnswerEvents

from .test_answers import ASKED, made_call, recorded_streams, wire_chunk, wire_chunks

Make = Callable[..., ChatOpenRouter]
Json = dict[str, Any]

pytestmark = [
    pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning"),
    pytest.mark.filterwarnings("ignore:The v3 streaming protocol"),
]


def events_of(chunks: Iterable[Json]) -> tuple[list[Json], Reply]:
    """The events of a stream, and the reply it makes."""
    builder = ReplyBuilder()
    events, told = AnswerEvents(builder.reply, "lc_run--1"), []
    for chunk in chunks:
        delta = builder.feed(chunk)
        if delta is not None:
            told += events.added(delta)
    return [*told, *events.end(builder.reply(), ASKED)], builder.reply()


def message_of(events: Iterable[Json]) -> AIMessage:
    """The message that core makes of events."""
    core = ChatModelStream()
    for event in events:
        core.dispatch(event)
    assert core.output_message is not None
    return core.output_message


def fields(message: AIMessage) -> Json:
    """Everything a message carries but the id of its run and the numbers of its blocks."""
    found = {key: value for key, value in vars(message).items() if key != "id"}
    blocks: list[Any] = [dict(block) for block in message.content_blocks]
    return {**found, "content": [{key: value for key, value in b.items() if key != "index"} for b in blocks]}


def v1(message: AIMessage) -> Json:
    """The fields of a message as core stores it with ``output_version="v1"``."""
    found = fields(message)
    return {**found, "response_metadata": {**found["response_metadata"], "output_version": "v1"}}


def in_order(found: Json) -> Json:
    """The same with its blocks sorted: a stream's blocks stand in the order they came."""
    return {**found, "content": sorted(found["content"], key=repr)}


def check(chunks: list[Json]) -> list[Json]:
    """The events of a stream, after checking them and the message they make."""
    told, reply = events_of(chunks)
    assert_valid_event_stream(told)
    assert in_order(fields(message_of(told))) == in_order(v1(answer(reply, ASKED)))
    return told


@given(wire_chunks)
def test_any_stream(chunks: list[Json]) -> None:
    check(chunks)


def test_every_recorded_stream(captures: list[Json]) -> None:
    streams = list(recorded_streams(captures))
    assert len(streams) > 40
    for _, chunks in streams:
        check(chunks)


def test_recorded_streams_keep_the_order_of_a_whole_answer(captures: list[Json]) -> None:
    late = []
    for name, chunks in recorded_streams(captures):
        told, reply = events_of(chunks)
        if fields(message_of(told)) != v1(answer(reply, ASKED)):
            late.append(name)
    assert late == []


# ------------------------------------------------------------------------------------------------------ single events


def piece(**delta: Any) -> Json:
    return wire_chunk(delta, None, None)


def told_of(*deltas: Json) -> list[Any]:
    """The events of deltas but for the last; short: the kind of the event, the place, what it says."""
    short = []
    chunks = [piece(**delta) for delta in deltas]
    check(chunks)
    for event in events_of(chunks)[0][1:-1]:  # not those of the check: core writes its numbers into the blocks
        said = event.get("content") or event["delta"]
        short.append((event["event"].removeprefix("content-block-"), event["index"], said))
    return short


def test_a_message_begins_and_ends() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "cost": 0.5}
    first, *_, last = check([piece(content="a"), wire_chunk({}, "stop", usage)])
    metadata = {"provider": "openrouter"}
    assert first == {"event": "message-start", "role": "ai", "id": "lc_run--1", "metadata": metadata}
    assert last["usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    assert last["metadata"]["cost"] == 0.5
    assert "additional_kwargs" not in last


def test_an_answer_of_nothing_is_a_message_still() -> None:
    assert [event["event"] for event in check([])] == ["message-start", "message-finish"]
    begun = check([wire_chunk({"content": ""}, "stop", None)])
    assert [event["event"] for event in begun] == ["message-start", "message-finish"]


def test_reasoning_goes_on_after_text() -> None:
    signed = [{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}]
    told = told_of({"reasoning": "h"}, {"content": "a"}, {"reasoning": "m", "reasoning_details": signed})
    assert told == [
        ("start", 0, {"type": "reasoning", "reasoning": ""}),
        ("delta", 0, {"type": "reasoning-delta", "reasoning": "h"}),
        ("start", 1, {"type": "text", "text": ""}),
        ("delta", 1, {"type": "text-delta", "text": "a"}),
        ("delta", 0, {"type": "reasoning-delta", "reasoning": "m"}),
        ("finish", 0, {"type": "reasoning", "reasoning": "hm", "extras": {"reasoning_details": signed}}),
        ("finish", 1, {"type": "text", "text": "a"}),
    ]


def test_sealed_reasoning_and_server_tools_stand_before_the_text() -> None:
    sealed = {"type": "reasoning.encrypted", "data": "x", "index": 0}
    searched = {"type": "reasoning.server_tool_call", "tool_call_id": "s", "tool_name": "w", "result": "r"}
    told = told_of({"content": "", "reasoning_details": [sealed, searched]}, {"content": "a"})
    assert [(said["type"], place) for kind, place, said in told if kind == "finish"] == [
        ("reasoning", 0),
        ("server_tool_call", 1),
        ("server_tool_result", 2),
        ("text", 3),
    ]
    assert ("start", 1, {"type": "server_tool_call", "id": "s", "name": "w", "args": {}}) in told


def test_interleaved_calls_with_late_names() -> None:
    told = told_of(
        {"tool_calls": [made_call(0, "a", None, '{"x"')]},
        {"tool_calls": [made_call(1, "b", "g", "{"), made_call(0, None, "f", ": 1}")]},
        {"tool_calls": [made_call(1, None, None, "}")]},
    )
    assert told == [
        ("start", 0, {"type": "tool_call_chunk", "id": "a", "name": None, "args": "", "index": 0}),
        ("delta", 0, {"type": "tool-call-delta", "args": '{"x"'}),
        ("start", 1, {"type": "tool_call_chunk", "id": "b", "name": "g", "args": "", "index": 1}),
        ("delta", 1, {"type": "tool-call-delta", "args": "{"}),
        ("delta", 0, {"type": "block-delta", "fields": {"type": "tool_call_chunk", "name": "f"}}),
        ("delta", 0, {"type": "tool-call-delta", "args": ": 1}"}),
        ("delta", 1, {"type": "tool-call-delta", "args": "}"}),
        ("finish", 0, {"type": "tool_call", "name": "f", "args": {"x": 1}, "id": "a"}),
        ("finish", 1, {"type": "tool_call", "name": "g", "args": {}, "id": "b"}),
    ]


def test_a_call_that_says_nothing_at_first_keeps_its_place() -> None:
    told = told_of({"tool_calls": [made_call(0, None, None, None), made_call(1, "b", "g", "{}")]}, {"content": "a"})
    starts = [(place, said["type"], said.get("id")) for kind, place, said in told if kind == "start"]
    assert starts == [(0, "tool_call_chunk", None), (1, "tool_call_chunk", "b"), (2, "text", None)]
    assert told[-3][2]["id"] == "call_gen-1_0"


def test_a_cut_off_call_is_finished_as_invalid() -> None:
    told = told_of({"tool_calls": [made_call(0, "a", "f", '{"x": ')]})
    cut = {"type": "invalid_tool_call", "name": "f", "args": '{"x": ', "id": "a", "error": None}
    assert told[-1] == ("finish", 0, cut)


def test_images_sound_and_refusals_open_as_they_come() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}
    deltas: list[Json] = [
        {"refusal": "No"},
        {"images": [image]},
        {"audio": {"id": "a", "data": "QU"}},
        {"refusal": ".", "audio": {"data": "JD"}},
    ]
    said = told_of(*deltas)
    assert said[:3] == [
        ("start", 0, {"type": "non_standard", "value": {}}),
        ("start", 1, {"type": "image", "mime_type": "image/png"}),
        ("start", 2, {"type": "audio", "id": "a"}),
    ]
    assert [block for kind, _, block in said if kind == "finish"] == [
        {"type": "non_standard", "value": {"type": "refusal", "refusal": "No."}},
        {"type": "image", "base64": "QQ==", "mime_type": "image/png"},
        {"type": "audio", "id": "a", "base64": "QUJD"},
    ]


def test_reasoning_of_interleaved_items_is_told_as_it_came() -> None:
    """A whole answer sorts it by item; a stream cannot take back what it said."""
    items = [{"type": "reasoning.text", "text": text, "index": index} for text, index in (("a", 0), ("b", 1), ("c", 0))]
    told, _ = events_of([piece(reasoning_details=[item]) for item in items])
    assert_valid_event_stream(told)
    assert told[-2]["content"]["reasoning"] == "abc"


# ----------------------------------------------------------------------------------------------- through the model

DETAILS = [{"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}]
RICH: Json = {
    "text": "Let me look.",
    "reasoning": "hm",
    "reasoning_details": DETAILS,
    "annotations": [{"type": "url_citation", "url_citation": {"url": "http://x"}}, {"type": "file", "file": {}}],
    "images": ["data:image/png;base64,QQ=="],
    "tool_calls": [
        {"id": "a", "name": "f", "arguments": {"x": 1}},
        {"id": "b", "name": "g", "arguments": '{"x": '},
        {"id": "c", "name": "h", "arguments": ""},
    ],
    "cost": 0.25,
}
SHAPES: dict[str, Json] = {
    "everything": RICH,
    "text": {"text": "one two"},
    "calls": {"tool_calls": [{"id": "a", "name": "f", "arguments": {"x": 1}}]},
    "reasoning": {
        "text": "a",
        "reasoning": "hm hm",
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}],
    },
    "refusal": {"refusal": "I cannot."},
    "audio": {"audio": {"id": "a", "data": "QUJD", "transcript": "hi", "expires_at": 3}},
    "image": {"images": ["http://x"]},
}


def v3(model: ChatOpenRouter, **options: Any) -> tuple[list[Json], AIMessage]:
    arriving: Any = model.stream_events("hi", version="v3", **options)
    return list(arriving), arriving.output


def av3(model: ChatOpenRouter, **options: Any) -> tuple[list[Json], AIMessage]:
    async def ask() -> tuple[list[Json], AIMessage]:
        arriving: Any = await model.astream_events("hi", version="v3", **options)
        told = [event async for event in arriving]
        message = await arriving
        await model.aclose()
        return told, message

    return asyncio.run(ask())


WAYS = [v3, av3]


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_message_of_invoke(make: Make, openrouter_gateway: LocalGateway, shape: str, ask: Any) -> None:
    same = {"id": "gen-1", "created": 7}
    for _ in range(2):
        openrouter_gateway.reply(**SHAPES[shape])
    told, message = ask(make())
    whole = make(output_version="v1").invoke("hi")
    assert_valid_event_stream(told)
    assert whole.response_metadata.keys() == message.response_metadata.keys()
    whole.response_metadata |= same
    message.response_metadata |= same
    assert fields(message) == fields(whole)
    assert message.id is not None and message.id.startswith("lc_run--")
    assert told[0]["id"] == message.id


@pytest.mark.parametrize("ask", WAYS)
def test_the_next_turn_is_the_same(make: Make, openrouter_gateway: LocalGateway, sent: Any, ask: Any) -> None:
    openrouter_gateway.reply(**RICH)
    _, message = ask(make())
    make().invoke([HumanMessage("hi"), message, HumanMessage("go on")])
    back = sent()["messages"][1]
    assert back["reasoning_details"] == DETAILS
    assert [call["id"] for call in back["tool_calls"]] == ["a", "c"]
    assert [item["type"] for item in back["annotations"]] == ["file"]
    assert back["content"] == "Let me look."
    assert back["images"][0]["image_url"] == {"url": "data:image/png;base64,QQ=="}


def test_projections(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one two", reasoning="hm hm", tool_calls=[{"id": "a", "name": "f", "arguments": {"x": 1}}])
    arriving: Any = make().stream_events("hi", version="v3")
    assert len(list(arriving.text)) > 1
    assert (str(arriving.text), str(arriving.reasoning)) == ("one two", "hm hm")
    pieces = list(arriving.tool_calls)
    assert "".join(piece["args"] for piece in pieces) == '{"x": 1}'
    assert {(piece["id"], piece["name"], piece["index"]) for piece in pieces} == {("a", "f", 0)}
    assert arriving.tool_calls.get()[0]["args"] == {"x": 1}
    assert arriving.output.usage_metadata["total_tokens"] > 0


@pytest.mark.parametrize("ask", WAYS)
def test_options_of_the_call(make: Make, sent: Any, ask: Any) -> None:
    ask(make(seed=2), seed=3, stop=["x"])
    body = sent()
    assert (body["seed"], body["stop"], body["stream"]) == (3, ["x"], True)


@pytest.mark.parametrize("ask", WAYS)
def test_a_break_in_the_middle_is_our_error(make: Make, openrouter_gateway: LocalGateway, ask: Any) -> None:
    chunk = wire_chunk({"content": "Hel"}, None, None)
    openrouter_gateway.reply(events=[chunk, {"error": {"code": 502, "message": "gone"}, "choices": []}])
    with pytest.raises(StreamInterruptedError) as caught:
        ask(make())
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hel"


@pytest.mark.parametrize("ask", WAYS)
def test_an_error_before_the_first_piece(make: Make, openrouter_gateway: LocalGateway, ask: Any) -> None:
    openrouter_gateway.reply(body={"error": {"code": 429, "message": "slow down"}}, status=429)
    with pytest.raises(RateLimitError):
        ask(make())


def test_leaving_early_hangs_up(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("word " * 200, delay=0.01)
    arriving: Any = make()._stream_chat_model_events([HumanMessage("hi")])
    assert next(arriving)["event"] == "message-start"
    arriving.close()
    assert openrouter_gateway.requests[-1].wait()
    assert openrouter_gateway.requests[-1].client_left


async def test_leaving_early_hangs_up_async(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("word " * 200, delay=0.01)
    model = make()
    arriving: Any = await model.astream_events("hi", version="v3")
    async for _ in arriving.text:
        break
    await arriving.aclose()
    assert await asyncio.to_thread(openrouter_gateway.requests[-1].wait)
    assert openrouter_gateway.requests[-1].client_left
    await model.aclose()


# ------------------------------------------------------------------------------------------------------- callbacks


class Tokens(BaseCallbackHandler):
    """Knows tokens, not events."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.ended: list[Any] = []

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:
        self.heard.append(chunk.message)

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.ended.append(response.generations[0][0].message)


class AsyncTokens(AsyncCallbackHandler):
    """The same, awaited."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    async def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:
        self.heard.append(chunk.message)


class Events(Tokens):
    """Knows both."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Json] = []

    def on_stream_event(self, event: Any, **_: Any) -> None:
        self.events.append(event)


@pytest.mark.parametrize("ask", WAYS)
def test_who_knows_tokens_only_hears_tokens(make: Make, openrouter_gateway: LocalGateway, ask: Any) -> None:
    openrouter_gateway.reply("one two", reasoning="hm")
    heard = Tokens()
    _, message = ask(make(), config={"callbacks": [heard]})
    total = heard.heard[0] + heard.heard[1:]
    assert total.content == message.text == "one two"
    assert total.usage_metadata == message.usage_metadata
    assert heard.ended == [message]


def test_an_async_handler_of_tokens(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one two")
    heard = AsyncTokens()
    av3(make(), config={"callbacks": [heard]})
    assert "".join(chunk.content for chunk in heard.heard) == "one two"


@pytest.mark.parametrize("ask", WAYS)
def test_who_knows_events_hears_no_tokens(make: Make, openrouter_gateway: LocalGateway, ask: Any) -> None:
    openrouter_gateway.reply("one two")
    heard = Events()
    told, _ = ask(make(), config={"callbacks": [heard]})
    assert heard.heard == []
    assert heard.events == told


# ---------------------------------------------------------------------------------------------------------- graphs


def graph(model: ChatOpenRouter) -> Any:
    """A graph whose node only invokes the model."""
    made = StateGraph(MessagesState)
    made.add_node("talk", lambda state: {"messages": [model.invoke(state["messages"])]})
    made.add_edge(START, "talk")
    made.add_edge("talk", END)
    return made.compile()


def weather(city: str) -> str:
    """The weather of a city."""
    return f"fine in {city}"


QUESTION: Any = {"messages": [("human", "hi")]}


def test_a_graph_streams_what_invoke_says(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(**RICH)
    run: Any = graph(make()).stream_events(QUESTION, version="v3")
    [message] = list(run.messages)
    assert str(message.text) == "Let me look."
    kept = run.output["messages"][-1]
    assert kept.additional_kwargs["reasoning_details"] == DETAILS
    assert kept.response_metadata["cost"] == 0.25
    assert [call["id"] for call in kept.tool_calls] == ["a", "c"]
    assert [call["id"] for call in kept.invalid_tool_calls] == ["b"]
    assert len(run.output["messages"]) == 2
    assert openrouter_gateway.requests[-1].body["stream"] is True


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_graph_streams_chunks(make: Make, openrouter_gateway: LocalGateway, version: Any) -> None:
    openrouter_gateway.reply("one two", reasoning="hm")
    parts: list[Any] = list(graph(make()).stream(QUESTION, stream_mode="messages", version=version))
    chunks = [part["data"][0] if version == "v2" else part[0] for part in parts]
    assert "".join(chunk.text for chunk in chunks) == "one two"
    assert len(chunks) > 2


def test_an_agent_streams_events(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(
        "Let me see.", reasoning="hm", reasoning_details=DETAILS, tool_calls=[("weather", {"city": "Paris"})]
    )
    openrouter_gateway.reply("It is fine.")
    run: Any = create_agent(make(), tools=[weather]).stream_events(QUESTION, version="v3")
    texts = [str(message.text) for message in run.messages]
    assert texts == ["Let me see.", "It is fine."]
    back = openrouter_gateway.requests[-1].body["messages"]
    assert back[1]["reasoning_details"] == DETAILS
    assert back[1]["tool_calls"][0]["function"]["name"] == "weather"
    assert back[2]["content"] == "fine in Paris"


async def test_an_agent_streams_events_async(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("", tool_calls=[("weather", {"city": "Paris"})])
    openrouter_gateway.reply("It is fine.")
    model = make()
    run: Any = await create_agent(model, tools=[weather]).astream_events(QUESTION, version="v3")
    texts = [await message.text async for message in run.messages]
    assert texts == ["", "It is fine."]
    await model.aclose()


def test_a_graph_gets_our_error(make: Make, openrouter_gateway: LocalGateway) -> None:
    chunk = wire_chunk({"content": "Hel"}, None, None)
    openrouter_gateway.reply(events=[chunk, {"error": {"code": 502, "message": "gone"}, "choices": []}])
    run: Any = graph(make()).stream_events(QUESTION, version="v3")
    with pytest.raises(OpenRouterError) as caught:
        assert run.output
    assert caught.value.partial is not None
