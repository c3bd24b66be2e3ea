"""Functions that a model may call, in each framework, without an agent: it asks, you run them, it answers."""

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

QUESTION = "When is high tide at Ayr, and what is the wind there?"


def script(gateway):  # only without a key: what the local gateway answers
    for _ in ("LangChain", "LlamaIndex"):
        gateway.reply(tool_calls=[("tide", {"harbour": "Ayr"}), ("wind", {"harbour": "Ayr"})])
        gateway.reply("High tide at Ayr is at 16:20, with a south-westerly of force 4.")
    return "a local gateway gives scripted answers."


def tide(harbour: str) -> str:
    """When the next high tide is at a harbour."""
    return f"High tide at {harbour} is at 16:20."


def wind(harbour: str) -> str:
    """How the wind blows at a harbour."""
    return f"The wind at {harbour} is south-west, force 4."


def with_langchain(model):
    tools = {function.__name__: tool(function) for function in (tide, wind)}
    with_tools = model.bind_tools(list(tools.values()))
    messages = [HumanMessage(QUESTION)]
    while (answer := with_tools.invoke(messages)).tool_calls:
        messages.append(answer)
        for call in answer.tool_calls:
            messages.append(tools[call["name"]].invoke(call))  # a ToolMessage
            print(f"  {call['name']}({call['args']}): {messages[-1].text}")
    print(f"  {answer.text}")


def with_llamaindex(llm):
    tools = {function.__name__: FunctionTool.from_defaults(function) for function in (tide, wind)}
    talk = [ChatMessage(QUESTION)]
    while True:
        answer = llm.chat_with_tools(list(tools.values()), chat_history=talk, allow_parallel_tool_calls=True)
        calls = llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
        if not calls:
            break
        talk.append(answer.message)
        for call in calls:
            result = tools[call.tool_name](**call.tool_kwargs).content
            talk.append(ChatMessage(role="tool", content=result, additional_kwargs={"tool_call_id": call.tool_id}))
            print(f"  {call.tool_name}({call.tool_kwargs}): {result}")
    print(f"  {answer.message.content}")


with openrouter(script) as connection:
    print(f"LangChain, asked: {QUESTION}\n")
    with_langchain(ChatOpenRouter(model="openai/gpt-4o-mini", **connection))

    print(f"\nLlamaIndex, asked: {QUESTION}\n")
    with_llamaindex(OpenRouter(model="openai/gpt-4o-mini", **connection))
