"""Thinking as it streams, and kept through a tool loop: it goes back whole, signatures included, in both frameworks."""

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

QUESTION = "Ask for the tide at Ayr, then say whether a boat of 2 m draught gets in now."
THINKS = {"model": "anthropic/claude-haiku-4.5", "reasoning": {"max_tokens": 1024}}  # or reasoning_effort="low"


def script(gateway):  # only without a key: what the local gateway answers
    for _ in ("LangChain", "LlamaIndex"):
        need = "I need the depth at Ayr before I can tell."
        gateway.reply(reasoning=need, tool_calls=[("tide", {"harbour": "Ayr"})], delay=0.02)
        gateway.reply("Yes, with 30 cm to spare.", reasoning="2.3 m is more than 2 m.", delay=0.02)
    return "a local gateway gives scripted answers."


def tide(harbour: str) -> str:
    """How deep the water is at a harbour now."""
    return f"The water at {harbour} is 2.3 m deep, and rising."


def with_langchain(model):
    tide_tool = tool(tide)
    bound, messages, answer = model.bind_tools([tide_tool]), [HumanMessage(QUESTION)], None
    while answer is None or answer.tool_calls:
        answer = None
        for chunk in bound.stream(messages):
            print(chunk.additional_kwargs.get("reasoning_content", ""), end="", flush=True)
            answer = chunk if answer is None else answer + chunk
        messages += [answer, *(tide_tool.invoke(call) for call in answer.tool_calls)]
        kept = [item["type"] for item in answer.additional_kwargs.get("reasoning_details", ())]
        thought = answer.usage_metadata.get("output_token_details", {}).get("reasoning", 0)
        print(f"\n  {answer.text or '(calls its tool)'}")
        print(f"  thought for {thought} tokens, keeps {', '.join(kept) or 'none'}\n")


def with_llamaindex(llm):
    tide_tool = FunctionTool.from_defaults(tide)
    talk, calls = [ChatMessage(QUESTION)], None
    while calls is None or calls:
        for item in llm.stream_chat_with_tools([tide_tool], chat_history=talk):
            print(item.additional_kwargs.get("thinking_delta", ""), end="", flush=True)
        calls = llm.get_tool_calls_from_response(item, error_on_no_tool_call=False)
        talk.append(item.message)  # its ThinkingBlock has what goes back
        for call in calls:
            result = tide_tool(**call.tool_kwargs).content
            talk.append(ChatMessage(role="tool", content=result, additional_kwargs={"tool_call_id": call.tool_id}))
        thoughts = [block for block in item.message.blocks if block.block_type == "thinking"]
        kept = [
            each["type"] for block in thoughts for each in block.additional_information.get("reasoning_details", ())
        ]
        thought = item.additional_kwargs.get("reasoning_tokens", 0)
        print(f"\n  {item.message.content or '(calls its tool)'}")
        print(f"  thought for {thought} tokens, keeps {', '.join(kept) or 'none'}\n")


with openrouter(script) as connection:
    print(f"LangChain, asked: {QUESTION}\n")
    with_langchain(ChatOpenRouter(**THINKS, **connection))

    print(f"LlamaIndex, asked: {QUESTION}\n")
    with_llamaindex(OpenRouter(**THINKS, **connection))
