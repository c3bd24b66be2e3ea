"""What an agent costs, by model, provider and tag; and a budget that ends one that never has enough.

Needs langgraph beside this package: pip install langgraph.
"""

import json

from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from offline import openrouter

from openrouter_adapters import BudgetExceededError, track_costs
from openrouter_adapters.langchain import ChatOpenRouter

BUDGET = 0.02  # USD


def script(gateway):  # only without a key: what the local gateway answers
    once_more = [("depth", {"place": "the next buoy"})]
    gateway.reply(tool_calls=once_more, cost=0.0035, match=lambda body: "tools" in body, times=None)
    gateway.reply("A lighthouse shows ships where the coast begins.", cost=0.0004, times=None)
    return "a local gateway gives scripted answers, and names the price of each."


@tool
def depth(place: str) -> str:
    """How deep the water is at a place."""
    return json.dumps({"place": place, "metres": 7})


def agent(model):
    """A graph that asks the model and its tools in turn, until the model has its answer."""
    bound = model.bind_tools([depth])
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [bound.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([depth]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile()


with openrouter(script) as connection, track_costs() as costs:
    model = ChatOpenRouter(model="openai/gpt-5-mini", **connection)
    with track_costs(tags="questions"):
        model.batch(["What is a lighthouse for?", "And a buoy?", "And a foghorn?"])
    try:
        with track_costs(budget=BUDGET, tags="agent"):
            agent(model).invoke({"messages": [("user", "Sound the whole channel, buoy after buoy.")]})
    except BudgetExceededError as error:
        print(f"The agent was stopped: ${error.spent} of ${error.limit} spent.\n")
    model.close()

for title, groups in (("tag", costs.by_tag), ("model", costs.by_model), ("provider", costs.by_provider)):
    for name, sums in groups.items():
        print(f"  {title:<9} {name:<20} {sums.calls:>2} calls  {sums.tokens.total:>5} tokens  ${sums.cost:.4f}")
print(f"  together ${costs.total} in {costs.calls} calls")
