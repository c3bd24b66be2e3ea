"""Objects instead of text in LlamaIndex: whole, while they grow, with their cost, and what happens without one."""

from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from offline import openrouter
from pydantic import BaseModel, Field

from openrouter_adapters import RefusalError, StructuredOutputError
from openrouter_adapters.llamaindex import OpenRouter

TEXT = "Eddystone, off Plymouth, is 49 m high. Its lamp was first lit in 1698."
ASK = PromptTemplate("Which lighthouse is this? {text}")


class Lighthouse(BaseModel):
    """A lighthouse."""

    name: str
    height: float = Field(description="metres")
    first_lit: int | None = Field(default=None, description="year")


def script(gateway):  # only without a key: what the local gateway answers
    facts = '{"name": "Eddystone", "height": 49, "first_lit": 1698}'
    gateway.reply(facts)
    gateway.reply(tool_calls=[("Lighthouse", facts)])
    gateway.reply(facts)
    gateway.reply(facts)
    gateway.reply(refusal="I will not make up a lighthouse.")
    gateway.reply('{"name": "Eddy', finish_reason="length")
    return "a local gateway gives scripted answers."


with openrouter(script) as connection, OpenRouter(model="openai/gpt-4o-mini", **connection) as llm:
    print("By a strict JSON schema, since the catalogue says that the model can:")
    print(f"  {llm.structured_predict(Lighthouse, ASK, text=TEXT)!r}")

    print("\nBy a tool that must be called:")
    by_tool = {"pydantic_program_mode": "function"}
    print(f"  {llm.structured_predict(Lighthouse, ASK, llm_kwargs=by_tool, text=TEXT)!r}")

    print("\nWhile it grows; what has not come yet is None:")
    for partial in llm.stream_structured_predict(Lighthouse, ASK, text=TEXT):
        print(f"  {partial!r}")

    print("\nAs an LLM of its own, for query engines and agents too:")
    structured = llm.as_structured_llm(Lighthouse)
    response = structured.chat([ChatMessage(TEXT)])
    facts = response.additional_kwargs
    print(f"  {response.raw!r}\n  {facts['provider']}, ${facts['cost']:.6f}")

    print("\nWhen the model will not, or cannot:")
    for question in ("Make up a lighthouse.", "Tell me all about Eddystone."):
        try:
            print(f"  {structured.complete(question, max_tokens=50).raw!r}")
        except RefusalError as error:
            print(f"  refused: {error.refusal}")
        except StructuredOutputError as error:
            print(f"  {error}")
            print(f"  it cost ${error.raw.additional_kwargs['cost']:.6f} and said {error.raw.message.content!r}")
