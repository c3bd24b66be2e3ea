"""Agents of both frameworks against an OpenRouter that misbehaves: a file to copy, and to put your own agent into.

It never needs a key or the network: pip install pytest langchain "openrouter-adapters[langchain,llamaindex,gateway]",
then pytest test_under_faults.py. The fixture openrouter_gateway comes with the package.
"""

import asyncio

import pytest
from langchain.agents import create_agent
from llama_index.core.agent.workflow import FunctionAgent

from openrouter_adapters import IncompleteStreamError, InsufficientCreditsError
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

# LlamaIndex's workflow engine looks at an agent's deprecated attributes, too.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:inspect")
MODELS = {"model": "openai/gpt-5-mini", "models": ["anthropic/claude-haiku-4.5"]}
ran = []


def tide(harbour: str) -> str:
    """When the next high tide is at a harbour."""
    ran.append(harbour)
    return f"High tide at {harbour} is at 16:20."


def ask_langgraph(question):
    agent = create_agent(ChatOpenRouter(**MODELS, streaming=True), [tide])
    return agent.invoke({"messages": [("user", question)]})["messages"][-1].text


def ask_llamaindex(question):
    async def run():
        async with OpenRouter(**MODELS) as llm:
            return str(await FunctionAgent(tools=[tide], llm=llm).run(question))

    return asyncio.run(run())


@pytest.fixture(params=[ask_langgraph, ask_llamaindex])
def ask(request, openrouter_gateway, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_gateway.base_url)  # both adapters read these
    monkeypatch.setenv("OPENROUTER_API_KEY", "any")
    ran.clear()
    openrouter_gateway.reply(tool_calls=[("tide", {"harbour": "Ayr"})])  # replies are given in this order
    openrouter_gateway.reply("Leave Ayr at 16:20.")
    return request.param


@pytest.mark.parametrize("fault", ["rate_limit", "upstream_502", "error_200"])
def test_what_passes_is_tried_again(ask, openrouter_gateway, fault):
    openrouter_gateway.fault(fault, retry_after=0)
    assert ask("When should I leave Ayr?") == "Leave Ayr at 16:20."
    failed, called, answered = openrouter_gateway.requests
    assert failed.body == called.body
    assert answered.body["messages"][-1]["content"] == "High tide at Ayr is at 16:20."


def test_another_model_answers_when_the_first_one_has_no_provider_left(ask, openrouter_gateway):
    for provider in ("openai", "azure"):
        openrouter_gateway.down(provider)
    assert ask("When should I leave Ayr?") == "Leave Ayr at 16:20."
    assert {request.model for request in openrouter_gateway.requests} == {"anthropic/claude-4.5-haiku-20251001"}


def test_no_tool_runs_on_half_an_answer(ask, openrouter_gateway):
    openrouter_gateway.fault("cut", after=1)
    with pytest.raises(IncompleteStreamError):
        ask("When should I leave Ayr?")
    assert (ran, len(openrouter_gateway.requests)) == ([], 1)


def test_an_empty_account_is_told_at_once(ask, openrouter_gateway):
    openrouter_gateway.fault("insufficient_credits", match="Ayr", times=None)
    with pytest.raises(InsufficientCreditsError):
        ask("When should I leave Ayr?")
    assert [request.status for request in openrouter_gateway.requests] == [402]
