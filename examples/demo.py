"""The demonstration of `make demo`: a chain, a query engine over this package's docs, a fallback, a budget, the bill.

Offline a small language model answers behind a local gateway, or scripted replies where its wheels are not installed.
With LIVE=1 OpenRouter answers, and charges the account of OPENROUTER_API_KEY.
"""

import itertools
import os
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate
from llama_index.core import Document, PromptTemplate, VectorStoreIndex
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent
from llama_index.core.node_parser import MarkdownNodeParser, SentenceSplitter

from openrouter_adapters import BudgetExceededError, track_costs
from openrouter_adapters.gateway import LocalGateway, LocalModel
from openrouter_adapters.langchain import ChatOpenRouter
from openrouter_adapters.llamaindex import OpenRouter, OpenRouterEmbedding, OpenRouterRerank

DOCS = Path(__file__).resolve().parents[1] / "docs"
MODEL, FALLBACK = "openai/gpt-4o-mini", "anthropic/claude-haiku-4.5"
LIGHTHOUSE = "What is a lighthouse for?"
STREAMS = "What happens when a stream breaks off?"
COAST = "Write one sentence about a lighthouse."
SEA = "Write one sentence about the sea."
BUDGET = 0.00006  # USD
SCRIPT = {
    LIGHTHOUSE: "It shows ships where the coast begins, so that they keep clear of it at night.",
    STREAMS: "An exception is raised that says what happened, and holds what had arrived.",
    COAST: "White in the sun and red at dusk, it waits for the night.",
    SEA: "Grey under rain and green over sand, the sea is never twice the same.",
}
SHORT = {"temperature": 0.2, "max_tokens": 60}
rows = []
facts = {}


@contextmanager
def offline():
    """Where to connect to a gateway on this machine, and the gateway."""
    with ExitStack() as stack:
        try:
            began = time.monotonic()
            model = stack.enter_context(LocalModel().load())
            print(
                f"Offline: {model.name} answers (loaded in {time.monotonic() - began:.1f} s), behind a local gateway."
            )
            gateway = stack.enter_context(LocalGateway(respond=model))
        except ImportError as missing:
            print(f"Offline: replies are scripted, because {missing}")
            gateway = stack.enter_context(LocalGateway())
            for question, answer in SCRIPT.items():
                gateway.reply(answer, match=question, times=None, delay=0.02)
        print("Models, providers and prices are OpenRouter's by name; no request leaves this machine.")
        yield {"base_url": gateway.base_url, "api_key": "any"}, gateway


@contextmanager
def live():
    """Where to connect to OpenRouter; there is no gateway."""
    if not (key := os.environ.get("OPENROUTER_API_KEY")):
        sys.exit("LIVE=1 asks OpenRouter: set OPENROUTER_API_KEY first, or leave LIVE out to stay on this machine.")
    print("Live: OpenRouter answers, and charges the account of OPENROUTER_API_KEY (less than a cent).")
    yield {"api_key": key}, None


def shown(title, pieces, facts_of):
    """Print an answer as it streams, and keep for the table what it says about itself."""
    began, arrivals = time.monotonic(), []
    for piece in pieces:
        if text := piece if isinstance(piece, str) else piece.text:
            arrivals.append(time.monotonic() - began)
            print("" if arrivals[1:] else "  ", end="")
            print(text.replace("\n", " "), end="", flush=True)
    facts = facts_of(None if isinstance(piece, str) else piece)
    pace = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) if len(arrivals) > 1 else 0
    rows.append({"what": title, "first": arrivals[0], "pace": pace, **facts})
    print(f"\n  -- {facts['model']} at {facts['provider']}, {facts['id']}")


def of_message(chunk):
    """What LangChain's last chunk says about the answer."""
    facts, tokens = chunk.response_metadata, chunk.usage_metadata
    counts = {"in": tokens["input_tokens"], "out": tokens["output_tokens"]}
    return {**{key: facts[key] for key in ("provider", "cost", "id")}, "model": facts["model_name"], **counts}


class Receipt(BaseEventHandler):
    """Keeps what LlamaIndex's last answer says about itself."""

    def handle(self, event, **_):
        if isinstance(event, LLMChatEndEvent):
            facts.update(event.response.additional_kwargs)


def of_event(_):
    """What LlamaIndex's last answer says about itself."""
    names = {"model": "model", "provider": "provider", "cost": "cost", "id": "id"}
    return {key: facts[name] for key, name in {**names, "in": "prompt_tokens", "out": "completion_tokens"}.items()}


def a_chain(connection):
    print(f"\n1. A LangChain chain streams: {LIGHTHOUSE}\n")
    prompt = ChatPromptTemplate.from_template("{question} Answer in one sentence.")
    with ChatOpenRouter(model=MODEL, seed=2, **SHORT, **connection) as model:
        shown("chain", (prompt | model).stream({"question": LIGHTHOUSE}), of_message)


def a_query_engine(connection):
    print(f"\n2. A LlamaIndex query engine reads this package's docs, and cites: {STREAMS}\n")
    pages = [Document(text=page.read_text("utf-8"), metadata={"page": page.name}) for page in sorted(DOCS.glob("*.md"))]
    nodes = SentenceSplitter(chunk_size=200, chunk_overlap=0).get_nodes_from_documents(
        MarkdownNodeParser().get_nodes_from_documents(pages)
    )
    embed_model = OpenRouterEmbedding(model="openai/text-embedding-3-small", **connection)
    reranker = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=1, **connection)
    llm = OpenRouter(model=MODEL, seed=1, **{**SHORT, "temperature": 0}, **connection)
    get_dispatcher().add_event_handler(Receipt())
    index = VectorStoreIndex(nodes, embed_model=embed_model)
    prompt = PromptTemplate("{context_str}\n\n{query_str} Answer in one sentence with the text above.")
    engine = index.as_query_engine(
        llm=llm, similarity_top_k=12, node_postprocessors=[reranker], streaming=True, text_qa_template=prompt
    )
    response = engine.query(STREAMS)
    shown("query engine", response.response_gen, of_event)
    for source in response.source_nodes:
        words = " ".join(source.text.lstrip("# ").split())
        print(f"  source: docs/{source.metadata['page']}, of {len(nodes)} passages: {words[:80]}...")
    llm.close()


def a_fallback(connection, gateway):
    down, asked = ["openai", "azure"], {"models": [FALLBACK]}
    for provider in down if gateway else ():
        gateway.down(provider)
    if not gateway:  # nobody is down on demand there: they are not to be asked
        asked["provider"] = {"ignore": down}
    print(f"\n3. The providers of {MODEL} ({', '.join(down)}) are down, and a fallback answers: {COAST}\n")
    with ChatOpenRouter(model=MODEL, seed=1, **SHORT, **asked, **connection) as model:
        shown("fallback", model.stream(COAST), of_message)
    for provider in down if gateway else ():
        gateway.up(provider)


def a_budget(connection):
    print(f"\n4. A loop without an end has a budget of ${BUDGET:.5f}: {SEA}\n")
    with ChatOpenRouter(model=MODEL, **SHORT, **connection) as model, track_costs(budget=BUDGET):
        try:
            for call in itertools.count(1):
                shown(f"loop, call {call}", model.stream(SEA, seed=call), of_message)
        except BudgetExceededError as error:
            print(f"  Call {call} was not sent: ${error.spent} of ${error.limit:f} is spent.")


def table():
    print(f"\n  {'':<14} {'model':<35} {'provider':<15} {'tokens':>9} {'cost':>10} {'first':>7} {'pace':>9}")
    for row in rows:
        tokens, first, pace = f"{row['in']}+{row['out']}", f"{row['first']:.2f} s", f"{row['pace']:.0f} tok/s"
        who = f"{row['what']:<14} {row['model']:<35} {row['provider']:<15}"
        print(f"  {who} {tokens:>9} ${row['cost']:.7f} {first:>7} {pace:>9}")


began = time.monotonic()
with (live if os.environ.get("LIVE") == "1" else offline)() as (connection, gateway), track_costs() as costs:
    a_chain(connection)
    a_query_engine(connection)
    a_fallback(connection, gateway)
    a_budget(connection)
table()
print(f"\n  ${costs.total} for {costs.calls} requests, embeddings and reranking included.")
print(f"  All in {time.monotonic() - began:.0f} seconds.")
