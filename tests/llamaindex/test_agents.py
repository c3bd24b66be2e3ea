"""Agents, query engines and chat engines over the adapter."""

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, Settings, SummaryIndex, VectorStoreIndex
from llama_index.core.agent.workflow import AgentStream, AgentWorkflow, FunctionAgent
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.memory import ChatMemoryBuffer

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

# The workflow engine looks at every attribute of an agent, pydantic's deprecated ones too.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def memory() -> ChatMemoryBuffer:
    """The default memory is a database that nobody closes."""
    return ChatMemoryBuffer.from_defaults(token_limit=10_000)


@pytest.fixture
def settings(llm: OpenRouter) -> Iterator[None]:
    before = (Settings._llm, Settings._embed_model)
    Settings.llm, Settings.embed_model = llm, MockEmbedding(embed_dim=4)
    yield
    Settings._llm, Settings._embed_model = before


@pytest.mark.parametrize("streaming", [True, False])
async def test_function_agent(llm: OpenRouter, gateway: LocalGateway, streaming: bool) -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "index": 0, "format": "anthropic-claude-v1"}
    ]
    gateway.reply(reasoning="hm", reasoning_details=details, tool_calls=[("add", '{"a":  1, "b": 2}')])
    gateway.reply("It is 3.", cost=0.5)
    agent = FunctionAgent(tools=[add], llm=llm, streaming=streaming)
    handler = agent.run("1 + 2?", memory=memory())
    seen = [event async for event in handler.stream_events() if isinstance(event, AgentStream)]
    output = await handler
    assert str(output) == "It is 3." and output.raw["usage"]["cost"] == 0.5
    first, second = (request.body for request in gateway.requests)
    assert "parallel_tool_calls" not in first and first["tools"][0]["function"]["name"] == "add"
    _, said, result = second["messages"]
    assert said["content"] is None and said["reasoning_details"] == details
    assert said["tool_calls"][0]["function"]["arguments"] == '{"a":  1, "b": 2}'
    assert result == {"role": "tool", "content": "3", "tool_call_id": said["tool_calls"][0]["id"]}
    if streaming:
        assert "".join(event.thinking_delta or "" for event in seen) == "hm"
        assert "".join(event.delta for event in seen) == "It is 3."
        assert any(event.tool_calls for event in seen)
    await llm.aclose()


async def test_agent_workflow_takes_a_function_agent(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Hello!")
    workflow = AgentWorkflow.from_tools_or_functions([add], llm=llm)
    assert isinstance(next(iter(workflow.agents.values())), FunctionAgent)
    assert str(await workflow.run("hi", memory=memory())) == "Hello!"
    await llm.aclose()


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("index", [SummaryIndex, VectorStoreIndex])
def test_query_engines(settings: None, gateway: LocalGateway, index: Any, streaming: bool) -> None:
    gateway.reply("Paris it is.")
    documents = [Document(text=f"Fact {number}: Paris.") for number in range(10)]
    engine = index.from_documents(documents).as_query_engine(streaming=streaming)
    assert str(engine.query("Where?")) == "Paris it is."
    assert len(gateway.requests) == 1  # ten documents fit into one prompt


def test_chat_engine(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Hello!")
    gateway.reply("Still here.")
    gateway.reply(refusal="No.")
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory(), system_prompt="Be kind.")
    assert str(engine.chat("hi")) == "Hello!"
    streamed = engine.stream_chat("and now?")
    assert "".join(streamed.response_gen) == "Still here."
    assert [message["role"] for message in gateway.requests[-1].body["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert str(engine.chat("do evil")) == ""


async def test_chat_engine_async(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Hello!")
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory())
    assert str(await engine.achat("hi")) == "Hello!"
    await llm.aclose()


def test_system_prompt_and_prompts(llm: OpenRouter, gateway: LocalGateway) -> None:
    from llama_index.core import PromptTemplate

    llm.system_prompt = "Be kind."
    gateway.reply("Yes.", times=2)
    assert llm.predict(PromptTemplate("Is {x}?"), x="it") == "Yes."
    assert "".join(llm.stream(PromptTemplate("Is {x}?"), x="it")) == "Yes."
    assert gateway.requests[-1].body["messages"][0] == {"role": "system", "content": "Be kind."}
