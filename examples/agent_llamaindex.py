"""A LlamaIndex agent over OpenRouter: it thinks aloud, asks two tools at once, remembers, and says what it cost."""

import asyncio

from llama_index.core.agent.workflow import AgentOutput, AgentStream, FunctionAgent, ToolCallResult
from llama_index.core.memory import ChatMemoryBuffer
from offline import openrouter

from openrouter_adapters.llamaindex import OpenRouter


def tide(harbour: str) -> str:
    """When the next high tide is at a harbour."""
    return f"High tide at {harbour} is at 16:20."


def wind(harbour: str) -> str:
    """How the wind blows at a harbour."""
    return f"The wind at {harbour} is south-west, force 4."


def script(gateway):  # only without a key: what the local gateway answers
    both = [("tide", {"harbour": "Ayr"}), ("wind", {"harbour": "Ayr"})]
    gateway.reply(reasoning="Both tide and wind matter.", tool_calls=both, delay=0.03)
    gateway.reply("Leave Ayr at 16:20, on the high tide; with force 4 astern it is an easy sail.", delay=0.03)
    gateway.reply("You asked about Ayr.", delay=0.03)
    return "a local gateway gives scripted answers."


async def ask(agent, memory, question):
    """One run of the agent, shown as it comes; the answers of the model in it."""
    print(f"{question}\n  ", end="")
    handler, answers = agent.run(question, memory=memory), []
    async for event in handler.stream_events():
        if isinstance(event, AgentStream):
            print(event.thinking_delta or event.delta, end="", flush=True)
        elif isinstance(event, ToolCallResult):
            print(f"[{event.tool_name}] {event.tool_output.content}", end="\n  ")
        elif isinstance(event, AgentOutput):
            answers.append(event)
            print("\n  ", end="")
    await handler
    print()
    return answers


async def main():
    with openrouter(script) as connection:
        llm = OpenRouter(model="anthropic/claude-haiku-4.5", reasoning={"max_tokens": 1024}, **connection)
        agent, memory = FunctionAgent(tools=[tide, wind], llm=llm), ChatMemoryBuffer.from_defaults(llm=llm)
        answers = await ask(agent, memory, "When should I leave Ayr today?")
        answers += await ask(agent, memory, "Which harbour did I ask about?")
        await llm.aclose()

    for answer in answers:
        blocks = answer.response.blocks
        calls = ", ".join(block.tool_name for block in blocks if block.block_type == "tool_call")
        thoughts = sum(block.block_type == "thinking" for block in blocks)
        price = f"${answer.raw.usage.cost:.6f}"
        print(f"  {answer.raw.provider}: {price}, {thoughts} reasoning kept, called: {calls or 'nothing'}")
    print(f"  together ${sum(answer.raw.usage.cost for answer in answers):.6f}")


asyncio.run(main())
