"""An answer as it comes, sync in LangChain and async in LlamaIndex; and one left early, with what it cost."""

import asyncio

from llama_index.core.llms import ChatMessage
from offline import openrouter

from openrouter_adapters import track_costs
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

QUESTION = "Why does a lighthouse flash?"
LONG = "Tell me the history of lighthouses, from the beginning."


def script(gateway):  # only without a key: what the local gateway answers
    answer = "So that ships can tell it from other lights: each lighthouse has a rhythm of its own."
    gateway.reply(answer, match=QUESTION, times=None, delay=0.02)
    gateway.reply("It began with fires on hills. Then came towers. " * 20, match=LONG, delay=0.02)
    return "a local gateway gives scripted answers, word by word."


def with_langchain(model):
    """Sync: the last chunk says who answered, and for how much."""
    for chunk in model.stream(QUESTION):
        print(chunk.text, end="", flush=True)
    facts = chunk.response_metadata
    print(f"\n  {facts['finish_reason']}, {facts['provider']}, ${facts['cost']:.6f}")


async def with_llamaindex(llm):
    """Async: the last item says who answered, and for how much."""
    async for item in await llm.astream_chat([ChatMessage(QUESTION)]):
        print(item.delta, end="", flush=True)
    facts = item.additional_kwargs
    print(f"\n  {facts['finish_reason']}, {facts['provider']}, ${facts['cost']:.6f}")
    await llm.aclose()


def leave_early(model):
    """Closing the stream closes the connection, and the model stops where its provider can."""
    with track_costs() as costs:
        stream, said = model.stream(LONG), ""
        for chunk in stream:
            said += chunk.text
            if len(said) > 40:
                break
        stream.close()
        print(f"{said} ...\n  left, {costs.unpriced_calls} call without a price")
        costs.settle()  # asks OpenRouter, which knows a moment later
        print(f"  it was ${costs.total:.6f}")


with openrouter(script) as connection:
    print(f"LangChain, asked: {QUESTION}\n")
    model = ChatOpenRouter(model="openai/gpt-4o-mini", **connection)
    with_langchain(model)

    print(f"\nLlamaIndex, asked: {QUESTION}\n")
    asyncio.run(with_llamaindex(OpenRouter(model="openai/gpt-4o-mini", **connection)))

    print("\nLeft early:\n")
    leave_early(model)
