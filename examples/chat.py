"""A conversation of two turns in each framework, and what every answer says about itself: who gave it, and its cost."""

from langchain_core.messages import HumanMessage, SystemMessage
from llama_index.core.llms import ChatMessage
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter

RULES = "You are a lighthouse keeper. Answer in one sentence."
QUESTIONS = ["How high is your tower?", "And how far does its light reach?"]


def script(gateway):  # only without a key: what the local gateway answers
    gateway.reply("Forty metres, and I climb its 192 steps twice a day.", match=QUESTIONS[0], times=None)
    gateway.reply("From up there it reaches nineteen miles on a clear night.", match=QUESTIONS[1], times=None)
    return "a local gateway gives scripted answers."


with openrouter(script) as connection:
    print("LangChain")
    model = ChatOpenRouter(model="openai/gpt-4o-mini", temperature=0.2, max_tokens=100, **connection)
    messages = [SystemMessage(RULES)]
    for question in QUESTIONS:
        messages.append(HumanMessage(question))
        answer = model.invoke(messages)
        messages.append(answer)  # the answer goes back with the next question
        facts, tokens = answer.response_metadata, answer.usage_metadata
        print(f"  {question}\n    {answer.text}")
        print(
            f"    {facts['model_name']} at {facts['provider']}, {tokens['total_tokens']} tokens, ${facts['cost']:.6f}"
        )

    print("\nLlamaIndex")
    llm = OpenRouter(model="openai/gpt-4o-mini", temperature=0.2, max_tokens=100, **connection)
    talk = [ChatMessage(role="system", content=RULES)]
    for question in QUESTIONS:
        talk.append(ChatMessage(question))
        response = llm.chat(talk)
        talk.append(response.message)
        facts = response.additional_kwargs
        print(f"  {question}\n    {response.message.content}")
        print(f"    {facts['model']} at {facts['provider']}, {facts['total_tokens']} tokens, ${facts['cost']:.6f}")
