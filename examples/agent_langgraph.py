"""A LangGraph agent over OpenRouter: it thinks, asks two tools at once, streams, remembers, and says what it cost.

Needs langgraph beside this package: pip install langgraph.
"""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter


@tool
def tide(harbour: str) -> str:
    """When the next high tide is at a harbour."""
    return f"High tide at {harbour} is at 16:20."


@tool
def wind(harbour: str) -> str:
    """How the wind blows at a harbour."""
    return f"The wind at {harbour} is south-west, force 4."


def script(gateway):  # only without a key: what the local gateway answers
    both = [("tide", {"harbour": "Ayr"}), ("wind", {"harbour": "Ayr"})]
    gateway.reply(reasoning="Both tide and wind matter.", tool_calls=both)
    gateway.reply("Leave Ayr at 16:20, on the high tide; with force 4 astern it is an easy sail.", delay=0.03)
    gateway.reply("You asked about Ayr.", delay=0.03)
    return "a local gateway gives scripted answers."


with openrouter(script) as connection:
    model = ChatOpenRouter(model="anthropic/claude-haiku-4.5", reasoning={"max_tokens": 1024}, **connection)
    thinking = model.bind_tools([tide, wind])

    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [thinking.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([tide, wind]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    agent = graph.compile(checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "one"}}

    for question in ("When should I leave Ayr today?", "Which harbour did I ask about?"):
        print(f"{question}\n  ", end="")
        asked = {"messages": [{"role": "user", "content": question}]}
        for chunk, where in agent.stream(asked, thread, stream_mode="messages"):
            if where["langgraph_node"] == "model":
                print(chunk.text, end="", flush=True)
        print("\n")

answers = [message for message in agent.get_state(thread).values["messages"] if isinstance(message, AIMessage)]
for answer in answers:
    facts, calls = answer.response_metadata, ", ".join(call["name"] for call in answer.tool_calls)
    thought = len(answer.additional_kwargs.get("reasoning_details", ()))
    print(f"  {facts['provider']}: ${facts['cost']:.6f}, {thought} reasoning kept, called: {calls or 'nothing'}")
print(f"  together ${sum(answer.response_metadata['cost'] for answer in answers):.6f}")
