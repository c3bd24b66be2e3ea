"""Tools on the way out, tool calls on the way back."""

import asyncio
import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.chat_engine.types import AgentChatResponse
from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.program.utils import process_streaming_objects
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

HELLO = [ChatMessage("hello")]


class Place(BaseModel):
    name: str
    note: str | None = None


class Trip(BaseModel):
    to: Place
    stops: list[Place] = []


def add(a: int, b: int = 0) -> int:
    """Add."""
    return a + b


ADD = FunctionTool.from_defaults(add)
SEARCH = {"type": "openrouter:web_search"}
WIRE_ADD = ADD.metadata.to_openai_tool()
FLAT_ADD = {"type": "function", **WIRE_ADD["function"]}  # as in the Responses API
NAMED = {"type": "function", "function": {"name": "add"}}
BOOK = FunctionTool.from_defaults(lambda to, stops: "booked", name="book", description="Book.", fn_schema=Trip)


def prepared(llm: OpenRouter, tools: list[Any], **options: Any) -> dict[str, Any]:
    made = llm._prepare_chat_with_tools(tools, user_msg="hi", **options)
    assert made.pop("messages") == [ChatMessage("hi")]
    return made


def test_what_is_prepared(llm: OpenRouter) -> None:
    made = prepared(llm, [ADD], allow_parallel_tool_calls=True)
    assert made.keys() == {"tools"}
    assert made["tools"][0]["function"]["name"] == "add" and "strict" not in made["tools"][0]["function"]
    assert prepared(llm, [], tool_required=True, tool_choice="add") == {}
    assert prepared(llm, [ADD], temperature=0)["temperature"] == 0


@pytest.mark.parametrize(
    ("options", "choice"),
    [
        ({}, None),
        ({"tool_choice": None}, None),
        ({"tool_required": True}, "required"),
        ({"tool_choice": "any"}, "required"),
        ({"tool_choice": "auto", "tool_required": True}, "auto"),
        ({"tool_choice": "none"}, "none"),
        ({"tool_choice": "add"}, {"type": "function", "function": {"name": "add"}}),
        ({"tool_choice": {"type": "tool"}}, {"type": "tool"}),
    ],
)
def test_tool_choice(llm: OpenRouter, options: dict[str, Any], choice: Any) -> None:
    assert prepared(llm, [ADD], **options).get("tool_choice") == choice


def test_tool_choice_that_is_no_tool(llm: OpenRouter) -> None:
    with pytest.raises(ValueError, match=r"tool_choice='ad': no such tool; there are \['add'\]"):
        prepared(llm, [ADD], tool_choice="ad")


@pytest.mark.parametrize(
    ("tools", "options", "said"),
    [
        ([add], {}, r"is no tool: FunctionTool.from_defaults\(add\)"),
        ([Place], {}, r"is no tool: FunctionTool.from_defaults\(Place\)"),
        ([3], {}, "tools has 3, which is no tool: give FunctionTool"),
        (ADD, {}, "tools must be a list, not <"),
        ({"type": "openrouter:web_search"}, {}, "tools must be a list, not {"),
        ([ADD], {"tool_choice": ["add"]}, r"tool_choice=\['add'\] must be one tool's name, a dict, or 'auto', 'none'"),
    ],
)
def test_what_is_no_tool_is_refused_in_words(
    llm: OpenRouter, gateway: LocalGateway, tools: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        llm.chat_with_tools(tools, user_msg="hi", **options)
    assert not gateway.requests


def test_a_choice_that_names_no_tool_is_refused_as_a_dict_too(llm: OpenRouter) -> None:
    with pytest.raises(ValueError, match="no such tool; there are"):
        prepared(llm, [ADD], tool_choice={"type": "function", "function": {"name": "ad"}})


def test_a_server_tool_is_chosen_by_its_type(llm: OpenRouter) -> None:
    assert prepared(llm, [ADD, SEARCH], tool_choice=SEARCH["type"])["tool_choice"] == SEARCH


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"tools": [WIRE_ADD], "tool_choice": "any"}, {"tools": [WIRE_ADD], "tool_choice": "required"}),
        ({"tools": [WIRE_ADD], "tool_choice": "add"}, {"tools": [WIRE_ADD], "tool_choice": NAMED}),
        ({"tools": [ADD], "tool_choice": NAMED}, {"tools": [WIRE_ADD], "tool_choice": NAMED}),
        ({"tools": [WIRE_ADD]}, {"tools": [WIRE_ADD]}),
        ({"tools": [FLAT_ADD]}, {"tools": [WIRE_ADD]}),
        ({"tools": [ADD], "tool_choice": {"type": "tool", "name": "add"}}, {"tools": [WIRE_ADD], "tool_choice": NAMED}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        ({"tool_choice": "any"}, {"tool_choice": "required"}),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": False}, {}),
    ],
)
async def test_tools_of_a_plain_call_are_put_as_those_of_chat_with_tools(
    llm: OpenRouter, gateway: LocalGateway, options: dict[str, Any], sent: dict[str, Any]
) -> None:
    before = copy.deepcopy({name: value for name, value in options.items() if value != [ADD]})
    llm.chat(HELLO, **options)
    await llm.acomplete("hello", **options)
    await llm.aclose()
    for request in gateway.requests:
        assert {key: value for key, value in request.body.items() if key not in ("model", "messages")} == sent
    assert before.items() <= options.items()


def test_a_tools_schema_has_everything_in_place(llm: OpenRouter) -> None:
    """References are what fewer providers understand."""
    parameters = prepared(llm, [BOOK])["tools"][0]["function"]["parameters"]
    assert "$" not in str(parameters) and "definitions" not in parameters
    assert parameters["properties"]["to"]["properties"].keys() == {"name", "note"}


def test_the_callers_history_stays(llm: OpenRouter) -> None:
    history = [ChatMessage("before")]
    made = llm._prepare_chat_with_tools([ADD], user_msg=ChatMessage("now"), chat_history=history)
    assert history == [ChatMessage("before")] and made["messages"] == [ChatMessage("before"), ChatMessage("now")]


def test_nothing_of_the_adapters_own_is_sent(llm: OpenRouter, gateway: LocalGateway) -> None:
    llm.chat_with_tools([ADD], user_msg="hi")
    assert gateway.requests[-1].body.keys() == {"model", "messages", "stream", "tools"} or (
        gateway.requests[-1].body.keys() == {"model", "messages", "tools"}
    )


@pytest.mark.parametrize("strict", [None, True])
def test_server_tools_go_out_as_they_are(llm: OpenRouter, gateway: LocalGateway, strict: bool | None) -> None:
    search = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}
    gateway.reply(tool_calls=[("add", '{"a": 1}')])
    response = llm.chat_with_tools([search, ADD], user_msg="hi", tool_choice="add", strict=strict)
    sent = gateway.requests[-1].body
    assert sent["tools"][0] == search and sent["tool_choice"]["function"]["name"] == "add"
    assert [call.tool_name for call in llm.get_tool_calls_from_response(response)] == ["add"]


def test_strict_tools(make: Callable[..., OpenRouter], llm: OpenRouter) -> None:
    function = prepared(make(strict=True), [BOOK])["tools"][0]["function"]
    schema = function["parameters"]
    assert function["strict"] is True
    assert (schema["required"], schema["additionalProperties"]) == (["to", "stops"], False)
    for place in (schema["properties"]["to"], schema["properties"]["stops"]["items"]):
        assert place["required"] == ["name", "note"] and place["additionalProperties"] is False
    assert prepared(make(strict=True), [BOOK], strict=False)["tools"][0]["function"]["strict"] is False
    assert prepared(llm, [BOOK], strict=True)["tools"][0]["function"]["strict"] is True


OWN_TOOLS = [SEARCH, {"type": "function", "function": {"name": "other", "parameters": {}}}]


@pytest.mark.parametrize("place", ["extra_body", "additional_kwargs"])
def test_the_llms_own_server_tools_stay_beside_an_agents(
    make: Callable[..., OpenRouter], gateway: LocalGateway, place: str
) -> None:
    own = {"tools": list(OWN_TOOLS)}
    llm = make(**{place: own})
    llm.chat_with_tools([ADD], user_msg="hi")
    assert [tool.get("function", tool).get("name", tool["type"]) for tool in gateway.requests[0].body["tools"]] == [
        "add",
        "openrouter:web_search",
    ]
    assert own == {"tools": OWN_TOOLS}
    llm.chat(HELLO)
    assert gateway.requests[1].body["tools"] == OWN_TOOLS


TWO = [("add", '{"a": 1}'), ("add", '{"a": 2}')]


def test_one_call_unless_several_are_allowed(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=TWO, times=4)
    for allowed, count in ((False, 1), (True, 2)):
        whole = llm.chat_with_tools([ADD], user_msg="hi", allow_parallel_tool_calls=allowed)
        *items, last = llm.stream_chat_with_tools([ADD], user_msg="hi", allow_parallel_tool_calls=allowed)
        for response in (whole, last, items[-1]):
            assert len(llm.get_tool_calls_from_response(response)) == count
            assert len(response.message.additional_kwargs["tool_calls"]) == count
        assert len(whole.raw.choices[0].message.tool_calls) == 2


def test_whole_calls_only(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", '{"a": 1}'), ("add", '{"a": 1, "b')], finish_reason="length", times=2)
    for response in (llm.chat(HELLO), list(llm.stream_chat(HELLO))[-1]):
        [call] = llm.get_tool_calls_from_response(response)
        assert (call.tool_name, call.tool_kwargs) == ("add", {"a": 1})
        assert call.tool_id == response.message.additional_kwargs["tool_calls"][0]["id"]


def test_no_call(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("just words")
    gateway.reply(tool_calls=[("add", '{"a')], finish_reason="length")
    with pytest.raises(ValueError, match=r"the answer has no tool call$"):
        llm.get_tool_calls_from_response(llm.chat(HELLO))
    with pytest.raises(ValueError, match="arguments of add are cut off"):
        llm.get_tool_calls_from_response(llm.chat(HELLO))
    assert llm.get_tool_calls_from_response(ChatResponse(message=ChatMessage("")), error_on_no_tool_call=False) == []


def test_calls_of_a_reloaded_history(llm: OpenRouter) -> None:
    wire = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    broken = {"id": "d", "function": {"name": "add", "arguments": "{"}}
    for item in (wire, SimpleNamespace(model_dump=lambda: wire)):
        message = ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": [item, broken]})
        [call] = llm.get_tool_calls_from_response(ChatResponse(message=message))
        assert (call.tool_id, call.tool_kwargs) == ("c", {"a": 1})
    cut = ChatMessage(
        role="assistant", blocks=[ToolCallBlock(tool_call_id="c", tool_name="add", tool_kwargs='{"a": 1, "b')]
    )
    assert llm.get_tool_calls_from_response(ChatResponse(message=cut), error_on_no_tool_call=False) == []


def test_calls_while_they_arrive(llm: OpenRouter, gateway: LocalGateway) -> None:
    pieces = ["", '{"na', 'me": "Par', 'is", "note', '": "old"}', "garbage"]
    gateway.reply(
        chunks=[{"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": p}}]} for p in pieces]
    )
    seen = [llm.get_tool_calls_from_response(item, error_on_no_tool_call=False) for item in llm.stream_chat(HELLO)]
    assert [[call.tool_kwargs for call in calls] for calls in seen] == [
        [{}],
        [{}],
        [{"name": "Par"}],
        [{"name": "Paris"}],
        [{"name": "Paris", "note": "old"}],
        [{"name": "Paris", "note": "old"}],
        [],  # the whole text is no JSON
    ]


def test_partial_objects(llm: OpenRouter, gateway: LocalGateway) -> None:
    pieces = ['{"name": "Par', 'is", "note": "o', 'ld"}']
    gateway.reply(
        chunks=[
            {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "Place", "arguments": p}}]} for p in pieces
        ]
    )
    objects = [process_streaming_objects(item, Place, llm=llm) for item in llm.stream_chat(HELLO)]
    assert [(made.name, made.note) for made in objects] == [
        ("Par", None),
        ("Paris", "o"),
        ("Paris", "old"),
        ("Paris", "old"),
    ]
    assert isinstance(objects[-1], Place)


def test_predict_and_call(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", '{"a": 1, "b": 2}')])
    assert str(llm.predict_and_call([ADD], user_msg="add 1 and 2")) == "3"


async def called(llm: OpenRouter, way: str, tools: list[FunctionTool], **options: Any) -> AgentChatResponse:
    if way == "predict_and_call":
        return await asyncio.to_thread(llm.predict_and_call, tools, user_msg="hi", **options)
    return await llm.apredict_and_call(tools, user_msg="hi", **options)


AND_CALL = ["predict_and_call", "apredict_and_call"]


@pytest.mark.parametrize("way", AND_CALL)
@pytest.mark.parametrize("name", ["nope", "ADD", "add ", ""])
@pytest.mark.parametrize("arguments", [{}, {"a": 1}, {"input": 1}, {"a": 1, "b": 2}])
async def test_a_tool_that_there_is_not_answers_that(
    llm: OpenRouter, gateway: LocalGateway, way: str, name: str, arguments: dict[str, Any]
) -> None:
    gateway.reply(tool_calls=[("add", {"a": 1, "b": 2}), (name, arguments), (name, arguments)])
    tools = [ADD]
    with llm:
        made = await called(llm, way, tools, allow_parallel_tool_calls=True, verbose=True)
    assert [(out.tool_name, out.raw_input) for out in made.sources[1:]] == [(name, arguments)] * 2
    assert [out.is_error for out in made.sources] == [False, True, True]
    said = f"Encountered error: Tool {name!r} not found. Please select a tool that is available."
    assert str(made) == "\n\n".join(["3", said, said])
    assert tools == [ADD]
    await llm.aclose()


@pytest.mark.parametrize("way", AND_CALL)
async def test_a_tool_that_there_is_not_is_a_tools_error(llm: OpenRouter, gateway: LocalGateway, way: str) -> None:
    gateway.reply(tool_calls=[("nope", {"a": 1})])
    with llm, pytest.raises(ValueError, match="Tool 'nope' not found"):
        await called(llm, way, [ADD], error_on_tool_error=True)
    await llm.aclose()


@pytest.mark.parametrize("call", [{}, {"id": "A", "type": "custom", "custom": {"name": "add", "input": "hello"}}])
def test_a_call_that_names_no_tool(llm: OpenRouter, gateway: LocalGateway, call: dict[str, Any]) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    gateway.reply(body={"id": "g", "choices": [{"message": message, "finish_reason": "tool_calls"}]})
    (out,) = llm.predict_and_call([ADD], user_msg="hi").sources
    assert out.is_error and "not found" in out.content


def test_the_callers_own_tools_stay_as_they_are(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("nope", {"a": 1})])
    tools = [ADD]
    response = llm.chat_with_tools(tools, user_msg="hi")
    assert [call.tool_name for call in llm.get_tool_calls_from_response(response)] == ["nope"]
    assert tools == [ADD]


# ----------------------------------------------------------------------------------- however a provider numbers calls


def piece(index: int | None, arguments: str | None = None, call_id: str | None = None, name: str | None = None) -> Any:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    numbered = {} if index is None else {"index": index}
    return {**numbered, **({"id": call_id} if call_id else {}), "function": function}


ONE, OTHER = {"a": 1}, {"a": 2, "b": 3}
SHAPES = {
    "two whole calls in one delta": [[piece(0, '{"a": 1}', "x", "add"), piece(1, '{"a": 2, "b": 3}', "y", "add")]],
    "interleaved": [
        [piece(0, "", "x", "add"), piece(1, "", "y", "add")],
        [piece(0, '{"a"')],
        [piece(1, '{"a": 2, ')],
        [piece(0, ": 1}")],
        [piece(1, '"b": 3}')],
    ],
    "the same index, another id": [
        [piece(0, '{"a": 1}', "x", "add")],
        [piece(0, '{"a": 2, "b": 3}', "y", "add")],
    ],
    "id and name in every piece": [
        [piece(0, '{"a"', "x", "add")],
        [piece(0, ": 1}", "x", "add")],
        [piece(1, '{"a": 2, ', "y", "add")],
        [piece(1, '"b": 3}', "y", "add")],
    ],
    "no index": [
        [piece(None, '{"a"', "x", "add")],
        [piece(None, ": 1}")],
        [piece(None, '{"a": 2, "b": 3}', "y", "add")],
    ],
    "the whole call again at the end": [
        [piece(0, '{"a": 1}', "x", "add")],
        [piece(1, '{"a": 2, "b": 3}', "y", "add")],
        [piece(1, '{"a": 2, "b": 3}', "y", "add")],
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_calls_are_put_together_however_they_come(llm: OpenRouter, gateway: LocalGateway, shape: str) -> None:
    gateway.reply(chunks=[{"content": None, "tool_calls": pieces} for pieces in SHAPES[shape]], times=2)
    lasts = [list(llm.stream_chat(HELLO))[-1], [item async for item in await llm.astream_chat(HELLO)][-1]]
    for last in lasts:
        calls = llm.get_tool_calls_from_response(last)
        assert [(call.tool_id, call.tool_name, call.tool_kwargs) for call in calls] == [
            ("x", "add", ONE),
            ("y", "add", OTHER),
        ]
        plain = last.message.additional_kwargs["tool_calls"]
        assert [call["id"] for call in plain] == ["x", "y"] and all(type(call) is dict for call in plain)
    await llm.aclose()


def test_nothing_of_the_callers_is_changed(llm: OpenRouter, gateway: LocalGateway) -> None:
    history = [ChatMessage("before")]
    choice = {"type": "function", "function": {"name": "add"}}
    options = {"provider": {"order": ["openai"]}, "extra_body": {"x": {"y": 1}}}
    given = (history, choice, options, ADD.metadata)
    before = copy.deepcopy(given)
    gateway.reply(tool_calls=[("add", '{"a": 1}')], times=2)
    response = llm.chat_with_tools([ADD], "hi", history, tool_choice=choice, **options)
    list(llm.stream_chat_with_tools([ADD], "hi", history, tool_choice=choice, **options))
    assert given == before
    kept = response.model_copy(deep=True)
    llm.get_tool_calls_from_response(response)
    assert response == kept
