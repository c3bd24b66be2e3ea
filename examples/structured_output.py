"""Answers that follow a schema: three ways, streamed, with their cost, and what happens when the model does not."""

from typing import TypedDict

from offline import openrouter
from pydantic import BaseModel, Field

from openrouter_adapters import RefusalError, StructuredOutputError
from openrouter_adapters.langchain import ChatOpenRouter

TEXT = "Eddystone, off Plymouth, is 49 m high. Its lamp was first lit in 1698."


class Lighthouse(BaseModel):
    """A lighthouse."""

    name: str
    height: float = Field(description="metres")
    first_lit: int | None = Field(default=None, description="year")


class Summary(TypedDict):
    """A text in short."""

    title: str
    keywords: list[str]


def script(gateway):  # only without a key: what the local gateway answers
    facts = '{"name": "Eddystone", "height": 49, "first_lit": 1698}'
    gateway.reply(tool_calls=[("Lighthouse", facts)])
    gateway.reply(facts)
    gateway.reply('{"title": "A lighthouse off Plymouth", "keywords": ["Eddystone", "1698"]}')
    gateway.reply(refusal="I will not make up a lighthouse.")
    gateway.reply('{"name": "Eddy', finish_reason="length")
    return "a local gateway gives scripted answers."


with openrouter(script) as connection:
    model = ChatOpenRouter(model="openai/gpt-4o-mini", models=["anthropic/claude-haiku-4.5"], **connection)

    print("By a tool that must be called, which nearly every model can do:")
    print(f"  {model.with_structured_output(Lighthouse).invoke(TEXT)!r}")

    print("\nBy a strict JSON schema, with the message beside it:")
    result = model.with_structured_output(Lighthouse, method="json_schema", include_raw=True).invoke(TEXT)
    facts = result["raw"].response_metadata
    print(f"  {result['parsed']!r}\n  {facts['provider']}, ${facts['cost']:.6f}")

    print("\nStreamed into a dict that grows:")
    for partial in model.with_structured_output(Summary, method="json_schema").stream(TEXT):
        print(f"  {partial}")

    print("\nWhen the model will not, or cannot:")
    structured = model.with_structured_output(Lighthouse, method="json_schema", max_tokens=50)
    for question in ("Make up a lighthouse.", "Tell me all about Eddystone."):
        try:
            print(f"  {structured.invoke(question)!r}")
        except RefusalError as error:
            print(f"  refused: {error.refusal}")
        except StructuredOutputError as error:
            print(f"  {error}")
            print(f"  it cost ${error.raw.response_metadata['cost']:.6f} and said {error.raw.text!r}")
