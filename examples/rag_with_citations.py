"""Retrieval in LlamaIndex on one key: embed notes, find and rerank them, answer with citations, and cost of each."""

from collections import Counter

from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.callbacks.schema import EventPayload
from llama_index.core.query_engine import CitationQueryEngine
from llama_index.core.schema import QueryBundle, TextNode
from offline import openrouter

from openrouter_adapters.llamaindex import OpenRouter, OpenRouterEmbedding, OpenRouterRerank

NOTES = {
    "log, page 3": "Marta keeps the lighthouse and lights its lamp at dusk.",
    "log, page 8": "When Marta is away, her brother Ivo rows over and lights the lamp.",
    "tide table": "High water at the lighthouse rock is at 16:20, half an hour after Ayr.",
    "cookbook": "Smoked herring keeps for a week in a cool cellar.",
    "inventory": "The lamp room holds four spare wicks and two barrels of oil.",
}
QUESTION = "Who lights the lamp when Marta is away?"


class Receipt(BaseCallbackHandler):
    """Adds up what LlamaIndex's steps cost, in USD."""

    def __init__(self):
        super().__init__([], [])
        self.costs = Counter()

    def on_event_end(self, event_type, payload=None, event_id="", **_):
        if event_type == CBEventType.RERANKING:
            self.costs["reranking"] += payload[EventPayload.ADDITIONAL_KWARGS]["cost"]
        elif event_type == CBEventType.LLM:
            self.costs["answering"] += payload[EventPayload.RESPONSE].additional_kwargs["cost"]

    def on_event_start(self, event_type, payload=None, event_id="", parent_id="", **_):
        return event_id

    def start_trace(self, trace_id=None): ...

    def end_trace(self, trace_id=None, trace_map=None): ...


def script(gateway):  # only without a key: what the local gateway answers
    gateway.reply("Her brother Ivo does [1]; otherwise Marta lights it herself, at dusk [2].", match=QUESTION)
    return "a local gateway embeds and ranks by the words that texts share; its answer is scripted."


with openrouter(script) as connection:
    embed_model = OpenRouterEmbedding(model="openai/text-embedding-3-small", **connection)
    reranker = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=2, **connection)
    llm = OpenRouter(model="openai/gpt-4o-mini", **connection)
    receipt = Receipt()
    Settings.callback_manager = CallbackManager([receipt])  # the engine tells it of every step

    nodes = [TextNode(text=text, metadata={"from": place}) for place, text in NOTES.items()]
    embedded = embed_model.embed(nodes)  # the vectors, and what they took
    for node, vector in zip(nodes, embedded.vectors, strict=True):
        node.embedding = vector
    index = VectorStoreIndex(nodes, embed_model=embed_model)

    engine = CitationQueryEngine.from_args(index, llm=llm, similarity_top_k=4, node_postprocessors=[reranker])
    asked = embed_model.embed([QUESTION], kind="query")
    response = engine.query(QueryBundle(QUESTION, embedding=asked.vectors[0]))

    print(f"{QUESTION}\n\n  {response}\n")
    for number, source in enumerate(response.source_nodes, 1):
        print(f"  [{number}] {source.metadata['from']}, relevance {source.score:.2f}")
    costs = {"embedding": float(embedded.cost + asked.cost), **receipt.costs}
    print("\n" + "\n".join(f"  {step:10} ${cost:.7f}" for step, cost in costs.items()))
    print(f"  together   ${sum(costs.values()):.7f}")
