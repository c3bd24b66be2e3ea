"""A long prompt that many questions share, cached at the provider: how many of its tokens were, and what that saved."""

from pathlib import Path

from langchain_core.messages import HumanMessage, SystemMessage
from llama_index.core.base.llms.types import CacheControl
from llama_index.core.llms import CachePoint, ChatMessage, TextBlock
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

# A provider caches a beginning from some length on: Claude Haiku 4.5 from 4096 tokens.
MANUAL = (Path(__file__).parents[1] / "docs" / "failures.md").read_text(encoding="utf-8")
QUESTIONS = ["What is a StallTimeoutError?", "Is a 403 tried again?", "When is a 402 tried again?"]


def script(gateway):  # only without a key: what the local gateway answers, and charges
    full = len(MANUAL) / 4 * 1e-6  # USD; writing is a quarter dearer than the plain price, reading costs a tenth
    gateway.reply("No data came for too long.", cost=full)
    gateway.reply("No, never.", cost=full * 1.25)
    gateway.reply("When OpenRouter says that it passes.", cost=full * 0.1)
    gateway.reply("The upstream failed, or OpenRouter did.", cost=full * 0.1)
    return "a local gateway gives scripted answers, at the prices of Claude Haiku 4.5; it caches prompts itself."


def row(*cells):
    print("  {:<27}{:>8}{:>9}{:>8}{:>11}{:>8}".format(*cells))


def show(question, tokens, written, read, cost, full):
    saved = "" if cost is full else f"{1 - cost / full:.0%}"
    row(question, tokens, written, read, f"${cost:.5f}", saved)


with openrouter(script) as connection:
    # The cache is the provider's: say who is to answer, so that the next question finds it there.
    same = {"model": "anthropic/claude-haiku-4.5", "provider": {"order": ["anthropic"]}, "max_tokens": 100}
    model, full = ChatOpenRouter(**same, **connection), None
    row("", "tokens", "written", "read", "cost", "saved")
    for number, question in enumerate(QUESTIONS):
        manual = {"type": "text", "text": MANUAL}
        if number:  # the first one is asked without, for comparison
            manual["cache_control"] = {"type": "ephemeral"}  # all up to here is to be cached
        answer = model.invoke([SystemMessage([manual]), HumanMessage(question)])
        tokens, cost = answer.usage_metadata, answer.response_metadata["cost"]
        full = full or cost
        cached = tokens.get("input_token_details", {})
        written, read = cached.get("cache_creation", 0), cached.get("cache_read", 0)
        show(question, tokens["input_tokens"], written, read, cost, full)

    llm, question = OpenRouter(**same, **connection), "What is a ProviderError?"
    manual = [TextBlock(text=MANUAL), CachePoint(cache_control=CacheControl(type="ephemeral"))]
    response = llm.chat([ChatMessage(role="system", blocks=manual), ChatMessage(question)])
    facts = response.additional_kwargs  # LlamaIndex reads what LangChain wrote: the request is the same
    written, read = facts.get("cache_write_tokens", 0), facts.get("cached_tokens", 0)
    show(question, facts["prompt_tokens"], written, read, facts["cost"], full)
