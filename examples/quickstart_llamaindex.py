"""A LlamaIndex query engine over OpenRouter: streamed, with a fallback model and an order of providers."""

from llama_index.core import Document, SummaryIndex
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent
from offline import openrouter

from openrouter_adapters.llamaindex import OpenRouter

NOTES = ["Marta keeps the lighthouse and lights its lamp at dusk.", "Ivo, her brother, rows over when she is away."]
facts = {}


class Receipt(BaseEventHandler):
    """Keeps what the answer says about itself: who gave it, and what it cost in USD."""

    def handle(self, event, **_):
        if isinstance(event, LLMChatEndEvent):
            facts.update(event.response.additional_kwargs)


get_dispatcher().add_event_handler(Receipt())
with openrouter() as connection:
    llm = OpenRouter(
        model="openai/gpt-5-mini",
        models=["meta-llama/llama-3.3-70b-instruct"],  # answers when the first model cannot
        provider={"order": ["groq", "deepinfra"]},  # who is asked first, and who next
        **connection,
    )
    index = SummaryIndex.from_documents([Document(text=note) for note in NOTES])
    question = "Who lights the lamp?"
    print(f"LlamaIndex, asked: {question}\n\n  ", end="")
    for piece in index.as_query_engine(llm=llm, streaming=True).query(question).response_gen:
        print(piece, end="", flush=True)

print(f"\n\n  answered by {facts['model']} at {facts['provider']} (order: {', '.join(llm.provider['order'])})")
print(f"  fell back from {facts['requested_model']}: {'yes' if facts.get('fallback_used') else 'no'}")
print(f"  {facts['prompt_tokens']} + {facts['completion_tokens']} tokens, ${facts['cost']:.6f}\n")
