"""ReActAgent, CodeActAgent, AgentWorkflow and tools that are agents, over the adapter."""

import asyncio
import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core import SummaryIndex
from llama_index.core.agent.workflow import AgentWorkflow, CodeActAgent, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.objects import ObjectIndex
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context

from openrouter_adapters import OpenRouterError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

from ..vendors import ANSWERS, events, replayed, whole
from .runs import OF_THE_ENGINE, QUESTION, add, memory, ran, results, script, sent, weather

pytestmark = OF_THE_ENGINE

Make = Callable[..., OpenRouter]
both_ways = pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
ACTION = 'Thought: I need the tool.\nAction: weather\nAction Input: {"city": "Paris"}'
ANSWER = "Thought: I can answer.\nAnswer: Sunny."


# ------------------------------------------------------------------------------------------------------- ReActAgent


@both_ways
async def test_react_thinks_acts_and_answers(streaming: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(ACTION, reasoning="The tool it is.")
    gateway.reply(ANSWER, reasoning="Now I know.", cost=0.5)
    run = await ran(ReActAgent(tools=[weather], llm=llm, streaming=streaming), QUESTION)
    assert str(run.output) == "Sunny." and run.output.raw["usage"]["cost"] == 0.5
    assert [result.tool_output.content for result in run.of(ToolCallResult)] == ["sunny in Paris"]
    assert sent(gateway)[-1]["content"] == "Observation: sunny in Paris"
    assert all("tools" not in request.body for request in gateway.requests)
    thoughts = "".join(event.thinking_delta or "" for event in run.streamed)
    assert thoughts == ("The tool it is.Now I know." if streaming else "")


@both_ways
async def test_react_asks_again_when_only_thoughts_came(
    streaming: bool, llm: OpenRouter, gateway: LocalGateway
) -> None:
    gateway.reply(reasoning="Hm.", reasoning_details=[{"type": "reasoning.text", "text": "Hm.", "signature": "s"}])
    gateway.reply(ANSWER)
    run = await ran(ReActAgent(tools=[weather], llm=llm, streaming=streaming), QUESTION)
    assert str(run.output) == "Sunny."
    *_, said, asked = sent(gateway)
    assert said["role"] == "assistant" and said["content"] == ""
    assert [item["signature"] for item in said["reasoning_details"]] == ["s"]
    assert "previous response was empty" in asked["content"]


async def test_react_is_told_of_the_wires_trouble(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.fault("error_chunk", after=1)
    with pytest.raises(OpenRouterError):
        await ran(ReActAgent(tools=[weather], llm=llm), QUESTION)


# ------------------------------------------------------------------------------------------------------ CodeActAgent


async def printed(code: str) -> str:
    """Run code; what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue()


@both_ways
async def test_code_is_run_and_its_result_told(streaming: bool, llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply("Let me see. <execute>print(6 * 7)</execute>", reasoning="Code it is.")
    gateway.reply("It is 42.")
    run = await ran(CodeActAgent(code_execute_fn=printed, llm=llm, streaming=streaming), "What is 6 * 7?")
    assert str(run.output) == "It is 42."
    assert sent(gateway)[-1] == {"role": "user", "content": "Result of executing the code given:\n\n42\n"}
    assert "tools" not in gateway.requests[0].body
    assert "".join(event.thinking_delta or "" for event in run.streamed) == ("Code it is." if streaming else "")


# ----------------------------------------------------------------------------------------------------- AgentWorkflow


def team(llm: OpenRouter, streaming: bool = True) -> AgentWorkflow:
    """Somebody who asks, and somebody who knows."""
    clerk = FunctionAgent(
        name="clerk", description="Asks.", llm=llm, tools=[add], can_handoff_to=["meteorologist"], streaming=streaming
    )
    meteorologist = FunctionAgent(
        name="meteorologist", description="Knows.", llm=llm, tools=[weather], streaming=streaming
    )
    return AgentWorkflow(agents=[clerk, meteorologist], root_agent="clerk")


@both_ways
async def test_a_handoff_takes_the_thoughts_along(streaming: bool, make: Make, gateway: LocalGateway) -> None:
    name, message = ANSWERS["anthropic"]
    details = [{"type": "reasoning.text", "text": "Not me.", "signature": "s0", "index": 0}]
    handoff = ("handoff", {"to_agent": "meteorologist", "reason": "the weather"})
    gateway.reply(reasoning="Not me.", reasoning_details=details, tool_calls=[handoff])
    script(gateway, message)
    run = await ran(team(make(model=name), streaming), QUESTION)
    assert str(run.output) == "Sunny in both." and run.output.current_agent_name == "meteorologist"
    clerks, meteorologists, _ = (request.body for request in gateway.requests)
    assert [tool["function"]["name"] for tool in clerks["tools"]] == ["add", "handoff"]
    assert meteorologists["tools"][0]["function"]["name"] == "weather"
    # Who takes over is told what was said before: the call, its thought, and that the matter is now theirs.
    calls, told = [item for item in meteorologists["messages"] if item["role"] in ("assistant", "tool")][:2]
    assert calls["reasoning_details"] == details and calls["tool_calls"][0]["function"]["name"] == "handoff"
    assert told["tool_call_id"] == calls["tool_calls"][0]["id"] and "handling the request" in told["content"]
    assert sent(gateway)[-2:] == [replayed(message), *results(message)]
    names = {event.current_agent_name: event.thinking_delta for event in run.streamed if event.thinking_delta}
    assert list(names) == (["clerk", "meteorologist"] if streaming else [])


@both_ways
async def test_a_team_remembers(streaming: bool, make: Make, gateway: LocalGateway) -> None:
    name, message = ANSWERS["openai, distinct indices"]
    gateway.reply(body=whole(message), events=events(message))
    gateway.reply("Sunny in both.")
    kept, workflow = memory(), AgentWorkflow.from_tools_or_functions([weather], llm=make(model=name))
    assert isinstance(workflow.agents[workflow.root_agent], FunctionAgent)
    workflow.agents[workflow.root_agent].streaming = streaming
    await ran(workflow, QUESTION, memory=kept)
    await ran(workflow, "Thanks", memory=kept)
    assert sent(gateway)[1] == replayed(message) and sent(gateway)[-1]["content"] == "Thanks"


async def test_a_team_is_told_of_the_wires_trouble(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("handoff", {"to_agent": "meteorologist", "reason": "the weather"})])
    gateway.fault("cut", match=lambda body: body["tools"][0]["function"]["name"] == "weather")
    gateway.reply("Sunny.")
    with pytest.raises(OpenRouterError):
        await ran(team(llm), QUESTION)


async def test_a_model_without_tools_reacts(make: Make, gateway: LocalGateway) -> None:
    gateway.reply(ACTION)
    gateway.reply(ANSWER)
    workflow = AgentWorkflow.from_tools_or_functions([weather], llm=make(is_function_calling_model=False))
    assert isinstance(workflow.agents[workflow.root_agent], ReActAgent)
    assert str((await ran(workflow, QUESTION)).output) == "Sunny."


# ---------------------------------------------------------------------------------------- agents and models as tools


async def test_an_agent_can_be_a_tool_of_another(make: Make, gateway: LocalGateway) -> None:
    llm = make()
    expert = FunctionAgent(name="expert", tools=[weather], llm=llm, system_prompt="You know the weather.")

    async def ask(question: str) -> str:
        """Ask the expert."""
        return str(await expert.run(question, memory=memory()))

    gateway.reply(tool_calls=[("ask", {"question": "Paris?"})])
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})])
    gateway.reply("Sunny, says the tool.")
    gateway.reply("Sunny, says the expert.")
    run = await ran(FunctionAgent(tools=[FunctionTool.from_defaults(ask)], llm=llm), QUESTION)
    assert str(run.output) == "Sunny, says the expert."
    assert [len(request.body["messages"]) for request in gateway.requests] == [1, 2, 4, 3]
    assert sent(gateway)[-1]["content"] == "Sunny, says the tool."


async def test_a_tool_can_use_the_context_and_the_model(llm: OpenRouter, gateway: LocalGateway) -> None:
    async def note(ctx: Context, word: str) -> str:
        """Note a word."""
        await ctx.store.set("noted", word)
        return (await llm.acomplete(f"Praise {word}")).text

    gateway.reply(tool_calls=[("note", {"word": "Ayr"})])
    gateway.reply("Fine.", match="Praise Ayr")
    agent = FunctionAgent(tools=[note], llm=llm)
    ctx: Context[Any] = Context(agent)
    await ran(agent, "Note Ayr", ctx=ctx)
    assert await ctx.store.get("noted") == "Ayr"
    assert sent(gateway)[-1]["content"] == "Fine."
    parameters = gateway.requests[0].body["tools"][0]["function"]["parameters"]
    assert list(parameters["properties"]) == ["word"]


async def test_tools_can_be_retrieved(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})])
    found = ObjectIndex.from_objects(TOOLS, index_cls=SummaryIndex).as_retriever()
    await ran(FunctionAgent(tool_retriever=found, llm=llm), QUESTION)
    assert [tool["function"]["name"] for tool in gateway.requests[0].body["tools"]] == ["weather", "add"]
    assert sent(gateway)[-1]["content"] == "sunny in Paris"


TOOLS = [FunctionTool.from_defaults(weather), FunctionTool.from_defaults(add)]


def test_predict_and_call(llm: OpenRouter, gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("weather", {"city": "Paris"})], times=2)
    for answer in (llm.predict_and_call(TOOLS, QUESTION), asyncio.run(llm.apredict_and_call(TOOLS, QUESTION))):
        assert str(answer) == "sunny in Paris" and answer.sources[0].tool_name == "weather"
