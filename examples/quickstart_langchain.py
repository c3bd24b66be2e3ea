"""A LangChain chain over OpenRouter: streamed, with a fallback model and an order of providers."""

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from offline import openrouter

from openrouter_adapters.langchain import ChatOpenRouter


class Receipt(BaseCallbackHandler):
    """Keeps what the answer says about itself: who gave it, and what it cost in USD."""

    def on_llm_end(self, response, **_):
        message = response.generations[0][0].message
        self.facts, self.tokens = message.response_metadata, message.usage_metadata


with openrouter() as connection:
    model = ChatOpenRouter(
        model="openai/gpt-5-mini",
        models=["anthropic/claude-haiku-4.5"],  # answers when the first model cannot
        provider={"order": ["amazon-bedrock", "anthropic"]},  # who is asked first, and who next
        **connection,
    )
    prompt = ChatPromptTemplate.from_messages([("system", "Answer in one sentence."), ("user", "{question}")])
    chain = prompt | model | StrOutputParser()
    question, receipt = "What is a lighthouse for?", Receipt()

    print(f"LangChain, asked: {question}\n\n  ", end="")
    for piece in chain.stream({"question": question}, config={"callbacks": [receipt]}):
        print(piece, end="", flush=True)

facts, tokens = receipt.facts, receipt.tokens
print(f"\n\n  answered by {facts['model_name']} at {facts['provider']} (order: {', '.join(model.provider['order'])})")
print(f"  fell back from {facts['requested_model']}: {'yes' if facts.get('fallback_used') else 'no'}")
print(f"  {tokens['input_tokens']} + {tokens['output_tokens']} tokens, ${facts['cost']:.6f}\n")
