"""What a reasoning model thought goes back with the tool's result exactly as it came, whichever way it came.

The measure is always the second request as the gateway received it: its assistant message is the first answer as the
provider said it unstreamed, with every item of ``reasoning_details`` and the very text of the arguments.
"""

from __future__ import annotations

import inspect
import itertools
import json
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, messages_from_dict, messages_to_dict
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter

from ..vendors import ANSWERS, Message, events, replayed, whole

Make = Callable[..., ChatOpenRouter]
QUESTION = HumanMessage("What is the weather in Paris and Köln?")


@tool
def weather(city: str, days: float = 1) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def script(gateway: LocalGateway, message: Message) -> None:
    """A first answer, for a stream or not, then one that ends the loop."""
    gateway.reply(body=whole(message), events=events(message))
    gateway.reply("Sunny in both.")


def second_answer(gateway: LocalGateway) -> list[Message]:
    """The messages of the second request, without the question."""
    assert len(gateway.requests) == 2
    return list(gateway.requests[1].body["messages"][1:])


def streams(gateway: LocalGateway) -> bool:
    """Whether the answers came in pieces."""
    (said,) = {bool(request.body.get("stream")) for request in gateway.requests}
    return said


def results(message: Message) -> list[Message]:
    cities = [json.loads(call["function"]["arguments"])["city"] for call in message["tool_calls"]]
    ids = [call["id"] for call in message["tool_calls"]]
    return [{"role": "tool", "tool_call_id": i, "content": f"sunny in {c}"} for i, c in zip(ids, cities, strict=True)]


# ------------------------------------------------------------------------------------------------------- by hand


def added(chunks: list[Any]) -> Any:
    return reduce(operator.add, chunks)


async def astreamed(model: Any, said: Any) -> Any:
    return added([chunk async for chunk in model.astream(said)])


async def aevents_v3(model: Any, said: Any) -> Any:
    return await (await model.astream_events(said, version="v3")).output


BY_HAND: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda model, said: model.invoke(said),
    "stream": lambda model, said: added(list(model.stream(said))),
    "events v3": lambda model, said: model.stream_events(said, version="v3").output,
    "ainvoke": lambda model, said: model.ainvoke(said),
    "astream": astreamed,
    "aevents v3": aevents_v3,
}


async def done(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", BY_HAND)
@pytest.mark.parametrize("answer", ANSWERS)
async def test_by_hand(answer: str, way: str, version: str, make: Make, openrouter_gateway: LocalGateway) -> None:
    name, message = ANSWERS[answer]
    script(openrouter_gateway, message)
    model = make(model=name, output_version=version).bind_tools([weather])
    first: AIMessage = await done(BY_HAND[way](model, [QUESTION]))
    said = [weather.invoke(call) for call in first.tool_calls]
    await done(BY_HAND[way](model, [QUESTION, first, *said]))
    assert second_answer(openrouter_gateway) == [replayed(message), *results(message)]
    assert streams(openrouter_gateway) == (way not in ("invoke", "ainvoke"))


# -------------------------------------------------------------------------------------------------------- in agents


def collected(mode: Any, **options: Any) -> Callable[[Any, Any], Any]:
    return lambda agent, said: list(agent.stream(said, stream_mode=mode, **options))


def acollected(mode: Any, **options: Any) -> Callable[[Any, Any], Any]:
    async def collect(agent: Any, said: Any) -> Any:
        return [item async for item in agent.astream(said, stream_mode=mode, **options)]

    return collect


async def aevents_v2(agent: Any, said: Any) -> Any:
    return [event async for event in agent.astream_events(said, version="v2")]


IN_AGENTS: dict[str, Callable[[Any, Any], Any]] = {
    "invoke": lambda agent, said: agent.invoke(said),
    "messages": collected("messages"),
    "values": collected("values"),
    "messages and updates": collected(["messages", "updates"]),
    "messages, version 2": collected("messages", version="v2"),
    "ainvoke": lambda agent, said: agent.ainvoke(said),
    "amessages": acollected("messages"),
    "aupdates": acollected("updates"),
    "aevents v2": aevents_v2,
}


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", IN_AGENTS)
@pytest.mark.parametrize("answer", ANSWERS)
async def test_in_agents(answer: str, way: str, version: str, make: Make, openrouter_gateway: LocalGateway) -> None:
    name, message = ANSWERS[answer]
    script(openrouter_gateway, message)
    agent = create_agent(make(model=name, output_version=version), [weather])
    await done(IN_AGENTS[way](agent, {"messages": [QUESTION]}))
    assert second_answer(openrouter_gateway) == [replayed(message), *results(message)]
    assert streams(openrouter_gateway) == (way not in ("invoke", "ainvoke", "values", "aupdates"))


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_agent_shows_the_thoughts_as_they_come(
    answer: str, version: str, make: Make, openrouter_gateway: LocalGateway
) -> None:
    name, message = ANSWERS[answer]
    script(openrouter_gateway, message)
    agent = create_agent(make(model=name, output_version=version), [weather])
    chunks = [chunk for chunk, _ in agent.stream({"messages": [QUESTION]}, stream_mode="messages")]
    blocks = [block for chunk in chunks for block in chunk.content_blocks if block["type"] == "reasoning"]
    pieces = [block["reasoning"] for block in blocks if block.get("reasoning")]
    assert "".join(pieces) == (message["reasoning"] or "")
    assert len(pieces) > 1 or len((message["reasoning"] or "").split()) < 2


# ------------------------------------------------------------------------------------------- however it is cut up


@given(
    st.sampled_from(sorted(ANSWERS)),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 4),
    st.sampled_from(["v0", "v1"]),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_fragmentation(
    make: Make, openrouter_gateway: LocalGateway, answer: str, sizes: list[int], at_once: int, version: str
) -> None:
    def cut(text: str) -> list[str]:
        ends = [0, *itertools.takewhile(lambda end: end < len(text), itertools.accumulate(itertools.cycle(sizes)))]
        return [text[start:end] for start, end in itertools.pairwise([*ends, len(text)])]

    name, message = ANSWERS[answer]
    openrouter_gateway.reset()
    openrouter_gateway.reply(events=events(message, cut, at_once))
    with make(model=name, output_version=version) as model:
        first = added(list(model.bind_tools([weather]).stream([QUESTION])))
        model.invoke([QUESTION, first, *[weather.invoke(call) for call in first.tool_calls]])
    assert second_answer(openrouter_gateway) == [replayed(message), *results(message)]


# ------------------------------------------------------------------------------------------- kept, and taken up again

THREAD: Any = {"configurable": {"thread_id": "1"}}


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("answer", ANSWERS)
def test_through_a_checkpointer(
    answer: str, streamed: bool, version: str, make: Make, openrouter_gateway: LocalGateway
) -> None:
    """Interrupted before the tool, taken up by another agent, and remembered in the next turn."""
    name, message = ANSWERS[answer]
    script(openrouter_gateway, message)
    model, memory = make(model=name, output_version=version), InMemorySaver()
    way = "messages" if streamed else "values"
    before = create_agent(model, [weather], checkpointer=memory, interrupt_before=["tools"])
    list(before.stream({"messages": [QUESTION]}, THREAD, stream_mode=way))
    assert len(openrouter_gateway.requests) == 1
    after = create_agent(model, [weather], checkpointer=memory)
    list(after.stream(None, THREAD, stream_mode=way))
    assert second_answer(openrouter_gateway) == [replayed(message), *results(message)]
    list(after.stream({"messages": [HumanMessage("Thanks")]}, THREAD, stream_mode=way))
    again = openrouter_gateway.requests[2].body["messages"]
    assert again[1:-2] == [replayed(message), *results(message)]
    assert again[-2:] == [{"role": "assistant", "content": "Sunny in both."}, {"role": "user", "content": "Thanks"}]


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", BY_HAND)
@pytest.mark.parametrize("answer", ["anthropic, two thoughts", "openai, distinct indices", "gemini"])
async def test_in_a_graph_of_ones_own(
    answer: str, way: str, version: str, make: Make, openrouter_gateway: LocalGateway
) -> None:
    """A node that gives the state what came, be it a message or a sum of chunks; and the next turn."""
    name, message = ANSWERS[answer]
    script(openrouter_gateway, message)
    model = make(model=name, output_version=version).bind_tools([weather])

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await done(BY_HAND[way](model, state["messages"]))]}

    graph = StateGraph(MessagesState).add_node("model", ask).add_node("tools", ToolNode([weather]))
    graph.add_edge(START, "model").add_conditional_edges("model", tools_condition).add_edge("tools", "model")
    loop = graph.compile(checkpointer=InMemorySaver())
    await loop.ainvoke({"messages": [QUESTION]}, THREAD)
    assert second_answer(openrouter_gateway) == [replayed(message), *results(message)]
    await loop.ainvoke({"messages": [HumanMessage("Thanks")]}, THREAD)
    assert openrouter_gateway.requests[2].body["messages"][1:-2] == [replayed(message), *results(message)]


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", ["invoke", "stream", "events v3"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_through_json(answer: str, way: str, version: str, make: Make, openrouter_gateway: LocalGateway) -> None:
    name, message = ANSWERS[answer]
    script(openrouter_gateway, message)
    model = make(model=name, output_version=version).bind_tools([weather])
    first = BY_HAND[way](model, [QUESTION])
    talk = [QUESTION, first, *[weather.invoke(call) for call in first.tool_calls]]
    model.invoke(messages_from_dict(json.loads(json.dumps(messages_to_dict(talk)))))
    assert second_answer(openrouter_gateway) == [replayed(message), *results(message)]


@pytest.mark.parametrize("way", IN_AGENTS)
async def test_several_rounds(way: str, make: Make, openrouter_gateway: LocalGateway) -> None:
    """Each round's thought stays with its own answer."""
    _, round_ = ANSWERS["anthropic"]
    rounds = [renamed(round_, f"toolu_{number}", f"s{number}==") for number in range(3)]
    for message in rounds:
        openrouter_gateway.reply(body=whole(message), events=events(message))
    agent = create_agent(make(model="anthropic/claude-sonnet-4.5"), [weather])
    await done(IN_AGENTS[way](agent, {"messages": [QUESTION]}))
    said = [message for message in openrouter_gateway.requests[-1].body["messages"] if message["role"] == "assistant"]
    assert said == [replayed(message) for message in rounds]


def renamed(message: Message, call_id: str, signature: str) -> Message:
    details = [{**item, "signature": signature} for item in message["reasoning_details"]]
    return {**message, "reasoning_details": details, "tool_calls": [{**message["tool_calls"][0], "id": call_id}]}
