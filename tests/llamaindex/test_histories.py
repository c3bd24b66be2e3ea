"""Conversations that other packages began: their tool calls, in whatever form they left them."""

from types import SimpleNamespace
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, TextBlock, ThinkingBlock, ToolCallBlock

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter
from openrouter_adapters.llamaindex.messages import wire_messages

WIRE = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
RESPONSES = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'}
FORMS: dict[str, Any] = {
    "OpenAI": WIRE,
    "Ollama": {"id": "c1", "function": {"name": "add", "arguments": {"a": 1}}},
    "OpenAI Responses": RESPONSES,
    "OpenAI Responses, of the SDK": SimpleNamespace(model_dump=lambda: {**RESPONSES, "status": None}),
    "Anthropic": {"id": "c1", "input": {"a": 1}, "name": "add", "type": "tool_use"},
    "Bedrock": {"toolUseId": "c1", "name": "add", "input": {"a": 1}},
    "Gemini": {"id": "c1", "name": "add", "args": {"a": 1}},
    "Cohere": {"id": "c1", "name": "add", "parameters": {"a": 1}},
}


def asking(*calls: Any) -> ChatMessage:
    return ChatMessage(role="assistant", content="hm", additional_kwargs={"tool_calls": list(calls)})


def calling(*calls: tuple[str | None, str, Any], **information: Any) -> ChatMessage:
    blocks: list[Any] = [ThinkingBlock(content="hm", additional_information=information)] if information else []
    blocks += [ToolCallBlock(tool_call_id=given, tool_name=name, tool_kwargs=kwargs) for given, name, kwargs in calls]
    return ChatMessage(role="assistant", blocks=blocks)


def told(content: str, **extra: Any) -> ChatMessage:
    return ChatMessage(role="tool", content=content, additional_kwargs=extra)


def ids(*messages: ChatMessage) -> tuple[list[str], dict[str, str]]:
    """The ids of the calls, and for each answer that of its call."""
    made = wire_messages(messages)
    asked = [call["id"] for message in made for call in message.get("tool_calls", ())]
    return asked, {message["content"]: message["tool_call_id"] for message in made if message["role"] == "tool"}


@pytest.mark.parametrize("form", FORMS)
def test_calls_are_read_in_the_form_of_every_api(form: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    said = asking(FORMS[form])
    llm.chat([ChatMessage("add"), said, told("5", tool_call_id="c1"), ChatMessage("so?")])
    _, asked, answer, _ = gateway.requests[-1].body["messages"]
    assert asked["tool_calls"] == [WIRE] and answer["tool_call_id"] == "c1"
    [call] = llm.get_tool_calls_from_response(ChatResponse(message=said))
    assert (call.tool_id, call.tool_name, call.tool_kwargs) == ("c1", "add", {"a": 1})


@pytest.mark.parametrize(
    "call", [{"id": "c1"}, {"id": "c1", "function": {"arguments": "{}"}}, {"toolUse": {"name": "add"}}]
)
def test_a_call_without_a_name_is_refused(call: Any, llm: OpenRouter, gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match=r"messages\[1\]: additional_kwargs\['tool_calls'\] has a call without a name"):
        llm.chat([ChatMessage("add"), asking(call)])
    assert not gateway.requests


def test_an_id_that_is_a_number_is_the_same_in_the_call_and_its_answer() -> None:
    calls = [{**WIRE, "id": number} for number in (7, 0)]
    assert ids(asking(*calls), told("a", tool_call_id=7), told("b", tool_call_id=0)) == (
        ["7", "0"],
        {"a": "7", "b": "0"},
    )


@pytest.mark.parametrize("form", ["blocks", "dicts"])
def test_an_id_that_stands_twice_is_made_two_and_answered_in_order(form: str) -> None:
    """As a function's name stands for the id of each of its calls."""
    if form == "blocks":
        turn = calling(("add", "add", {"a": 1}), ("add", "add", {"a": 2}))
    else:
        turn = asking(*({"id": "add", "name": "add", "args": {"a": n}} for n in (1, 2)))
    answers = [told(content, tool_call_id="add", name="add") for content in "abcd"]
    asked, answered = ids(turn, *answers[:2], turn, *answers[2:])
    assert len(set(asked)) == 4 and asked[0] == "add"
    assert answered == dict(zip("abcd", asked, strict=True))


def test_an_answer_is_that_of_the_last_turn_that_asked_under_its_id() -> None:
    asked, answered = ids(calling(("add", "add", {})), calling(("add", "add", {})), told("b", tool_call_id="add"))
    assert len(set(asked)) == 2 and answered == {"b": asked[1]}


def test_an_id_that_reasoning_is_bound_to_stays() -> None:
    bound = {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "id": "add", "index": 0}]}
    turn, answer = calling(("add", "add", {}), **bound), told("a", tool_call_id="add")
    assert ids(turn, answer, turn, answer) == (["add", "add"], {"a": "add"})


def test_a_made_up_id_is_nobody_elses() -> None:
    asked, answered = ids(calling(("call_1_0", "add", {})), calling((None, "add", {})), told("b"))
    assert len(set(asked)) == 2 and answered == {"b": asked[1]}


def test_an_answer_without_an_id_is_that_of_the_tool_it_names_then_of_the_next() -> None:
    turn = calling((None, "add", {}), (None, "sub", {}), (None, "add", {}), (None, "mul", {}))
    asked, answered = ids(
        turn, told("a", name="sub"), told("b", name="add"), told("c", name="add"), told("d", name="old")
    )
    assert answered == {"a": asked[1], "b": asked[0], "c": asked[2], "d": asked[3]}


# ---------------------------------------------------------------------------------------- calls that came to nothing


@pytest.mark.parametrize("form", ["block", "dict", "empty text"])
def test_a_turn_that_had_only_a_cut_off_call_is_left_out(form: str, llm: OpenRouter, gateway: LocalGateway) -> None:
    cut = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a'}}
    said = calling(("c1", "add", '{"a'))
    if form != "block":
        blocks = [TextBlock(text="")] if form == "empty text" else []
        said = ChatMessage(role="assistant", blocks=blocks, additional_kwargs={"tool_calls": [cut]})
    llm.chat([ChatMessage("add"), said, ChatMessage("go on")])
    assert gateway.requests[-1].body["messages"] == [{"role": "user", "content": text} for text in ("add", "go on")]


@pytest.mark.parametrize(
    "said",
    [
        ChatMessage(role="assistant", content="hm", additional_kwargs={"tool_calls": [{"name": "add", "args": '{"a'}]}),
        calling(("c1", "add", '{"a'), reasoning_details=[]),
    ],
)
def test_what_else_a_turn_with_a_cut_off_call_has_goes_back(said: ChatMessage) -> None:
    [made] = wire_messages([said])
    assert "tool_calls" not in made and (made["content"] or made["reasoning"])


def test_an_empty_message_is_sent_as_it_is() -> None:
    assert wire_messages([ChatMessage(role="assistant", content="")]) == [{"role": "assistant", "content": ""}]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_arguments_that_json_cannot_say_are_refused(number: float, llm: OpenRouter, gateway: LocalGateway) -> None:
    with pytest.raises(
        ValueError, match=r"messages\[1\]: the arguments of the call of 'add' cannot be written as JSON"
    ):
        llm.chat([ChatMessage("add"), calling(("c1", "add", {"a": number}))])
    assert not gateway.requests


def test_what_a_model_wrote_goes_back_as_it_wrote_it(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", '{"a":  NaN}')])
    said = llm.chat([ChatMessage("add")]).message
    answer = told("nan", tool_call_id=said.additional_kwargs["tool_calls"][0]["id"])
    llm.chat([ChatMessage("add"), said, answer])
    assert gateway.requests[-1].body["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"a":  NaN}'
