"""Who answers: fallback models, the order of providers, privacy and price limits, and what happens when nobody may."""

from offline import openrouter

from openrouter_adapters import NoEndpointsError
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

QUESTION = "Name one lighthouse."


def script(gateway):  # only without a key: what the local gateway answers
    gateway.reply("Eddystone.", match=QUESTION, times=None)
    gateway.down("anthropic")
    return "a local gateway gives scripted answers; its provider anthropic is down."


def show(what, facts):
    """Who answered, and for how much."""
    fell_back = "a fallback" if facts.get("fallback_used") else "as asked"
    who = f"{facts.get('model_name') or facts['model']} at {facts['provider']}"
    print(f"  {what:<24} {who}, {fell_back}, ${facts['cost']:.6f}")


with openrouter(script) as connection:
    model = ChatOpenRouter(model="anthropic/claude-haiku-4.5", **connection)

    print("OpenRouter chooses the provider:")
    show("nothing asked for", model.invoke(QUESTION).response_metadata)
    show("google first", model.invoke(QUESTION, provider={"order": ["google-vertex", "anthropic"]}).response_metadata)

    print("\nOpenRouter falls back to other models, in one request:")
    private = {"only": ["anthropic", "openai", "deepinfra"], "data_collection": "deny"}  # stricter yet: "zdr": True
    others = ["openai/gpt-4o-mini", "meta-llama/llama-3.3-70b-instruct"]
    show("two models in reserve", model.invoke(QUESTION, models=others, provider=private).response_metadata)
    cheap = {**private, "max_price": {"prompt": 0.14, "completion": 0.5}}  # USD per million tokens
    show("the same, below a price", model.invoke(QUESTION, models=others, provider=cheap).response_metadata)

    print("\nNobody may answer:")
    nobody = model.bind(provider={"only": ["groq"]})
    try:
        nobody.invoke(QUESTION)
    except NoEndpointsError as error:
        print(f"  {error}")

    print("\nLangChain falls back, with a request of its own, whatever the trouble was:")
    other = ChatOpenRouter(model="mistralai/mistral-small-3.2-24b-instruct", **connection)
    show("with_fallbacks", nobody.with_fallbacks([other]).invoke(QUESTION).response_metadata)

    print("\nLlamaIndex says it in the same words:")
    llm = OpenRouter(model="anthropic/claude-haiku-4.5", models=others, **connection)
    show("two models in reserve", llm.complete(QUESTION, provider=private).additional_kwargs)
