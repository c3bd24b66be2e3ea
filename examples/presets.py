"""Presets: model, system prompt, routing and parameters that are kept at OpenRouter, and changed there, not in code.

Live it needs a preset of yours, made at https://openrouter.ai/settings/presets: python presets.py ITS-SLUG.
"""

import sys

from offline import openrouter

from openrouter_adapters import OpenRouterError
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

PRESET = sys.argv[1] if len(sys.argv) > 1 else "lighthouse-keeper"
QUESTION = "Who are you?"


def script(gateway):  # only without a key: what the local gateway answers
    chosen = {"model": "anthropic/claude-4.5-haiku-20251001", "provider": "Anthropic"}
    gateway.reply("I keep this light.", match=lambda body: body["model"] == f"@preset/{PRESET}", times=None, **chosen)
    gateway.reply("I keep this light, too.", match=lambda body: body.get("preset") == PRESET, times=None)
    gateway.reply("I keep this light, too.", match=lambda body: "@preset/" in body["model"])
    return "a local gateway gives scripted answers, as if it had the preset."


def show(how, ask, name):
    """Ask, and say which model the preset chose."""
    try:
        text, facts = ask()
        print(f"  {how:<44} {text}\n  {'':<44} {facts[name]} at {facts['provider']}, ${facts['cost']:.6f}")
    except OpenRouterError as error:
        print(f"  {how:<44} {error}")


def langchain(**options):
    answer = ChatOpenRouter(**options, **connection).invoke(QUESTION)
    return answer.text, answer.response_metadata


def llamaindex(**options):
    response = OpenRouter(**options, **connection).complete(QUESTION)
    return response.text, response.additional_kwargs


with openrouter(script) as connection:
    print("LangChain")
    show("as a model", lambda: langchain(model=f"@preset/{PRESET}"), "model_name")
    show("for a model of your own choice", lambda: langchain(model=f"openai/gpt-4o-mini@preset/{PRESET}"), "model_name")
    show("as an option", lambda: langchain(model="openai/gpt-4o-mini", preset=PRESET), "model_name")

    print("\nLlamaIndex")
    show("as a model", lambda: llamaindex(model=f"@preset/{PRESET}"), "model")
    show("as an option", lambda: llamaindex(model="openai/gpt-4o-mini", preset=PRESET), "model")
