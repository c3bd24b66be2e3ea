"""What the tests of agents share: a tool, scripted reasoning loops, and runs whose events are kept."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from llama_index.core.agent.workflow import AgentOutput, AgentStream
from llama_index.core.memory import ChatMemoryBuffer

from openrouter_adapters.gateway import LocalGateway

from ..vendors import Message, events, whole

# The workflow engine looks at every attribute of an agent, pydantic's deprecated ones too; and agents ask their context
# whether it runs.
OF_THE_ENGINE = [
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince211"),
    pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning"),
]

QUESTION = "What is the weather in Paris and Köln?"


class Run(NamedTuple):
    """What an agent gave, and what it showed on the way."""

    output: AgentOutput
    events: list[Any]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def streamed(self) -> list[AgentStream]:
        return self.of(AgentStream)


async def ran(agent: Any, *said: Any, **options: Any) -> Run:
    """Run an agent to its end, with a memory that holds nothing open unless one is given."""
    if not {"memory", "ctx"} & options.keys():
        options["memory"] = memory()
    handler = agent.run(*said, **options)
    try:
        seen = [event async for event in handler.stream_events()]
        return Run(await handler, seen)
    finally:
        for llm in models(agent):
            await llm.aclose()


def models(agent: Any) -> list[Any]:
    """The models of an agent, or of a workflow of agents."""
    return [each.llm for each in getattr(agent, "agents", {"": agent}).values()]


def memory() -> ChatMemoryBuffer:
    return ChatMemoryBuffer.from_defaults(token_limit=100_000)


def weather(city: str, days: float = 1) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def script(gateway: LocalGateway, message: Message) -> None:
    """A first answer, for a stream or not, then one that ends the loop."""
    gateway.reply(body=whole(message), events=events(message))
    gateway.reply("Sunny in both.")


def results(message: Message) -> list[Message]:
    """What the tool says to the calls of a first answer."""
    return [
        {"role": "tool", "content": f"sunny in {arguments(call)['city']}", "tool_call_id": call["id"]}
        for call in message["tool_calls"]
    ]


def arguments(call: Message) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(call["function"]["arguments"])
    return found


def sent(gateway: LocalGateway, number: int = -1) -> list[Message]:
    """The messages of a request."""
    messages: list[Message] = gateway.requests[number].body["messages"]
    return messages
