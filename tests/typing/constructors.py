"""What a type checker says of the constructors: not run, but checked by `make check`.

Every `type: ignore` here is an error that a caller must be shown; a missing one fails the check too.
"""

from decimal import Decimal

from openrouter_adapters import RateLimitError, refresh_catalog
from openrouter_adapters.langchain import ChatOpenRouter, OpenRouterEmbeddings, OpenRouterRerank
from openrouter_adapters.llamaindex import OpenRouter, OpenRouterEmbedding
from openrouter_adapters.llamaindex import OpenRouterRerank as NodeRerank

chat = ChatOpenRouter(
    model="openai/gpt-4o-mini",
    models=["anthropic/claude-haiku-4.5"],
    provider={"order": ["azure"], "zdr": True, "max_price": {"prompt": 1, "completion": "2"}},
    reasoning={"effort": "high"},
    api_key="sk-or-...",
    timeout=30,
    temperature=0,
    streaming=True,
)
llm = OpenRouter(model="openai/gpt-4o-mini", order=["azure"], max_tokens=100, context_window=8192)
embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small", dimensions=256, provider={"zdr": True})
reranker = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=3, rank_fields=["title"])
embed_model = OpenRouterEmbedding(model="openai/text-embedding-3-small", dimensions=256, embed_batch_size=50)
node_reranker = NodeRerank(model="cohere/rerank-v3.5", top_n=3, keep_retrieval_score=True)

ChatOpenRouter(modle="openai/gpt-4o-mini")  # type: ignore[call-arg]
ChatOpenRouter(temperature="hot")  # type: ignore[arg-type]
OpenRouter(max_tokens=1.5)  # type: ignore[arg-type]
OpenRouterEmbeddings(temperature=1)  # type: ignore[call-arg]
OpenRouterRerank(top_n="3")  # type: ignore[arg-type]
OpenRouterEmbedding()  # type: ignore[call-arg]
OpenRouterEmbedding(model="a/b", embed_batch_size="9")  # type: ignore[arg-type]
NodeRerank(model="a/b", topn=3)  # type: ignore[call-arg]


def answers() -> tuple[str, str, int]:
    return str(chat.invoke("hi").text), llm.complete("hi").text, refresh_catalog(max_age=0)


def retrieval() -> tuple[list[list[float]], list[float], Decimal | None]:
    ranked = reranker.rerank("query", ["a", "b"], top_n=1)
    scores = [rank.relevance_score for rank in ranked.results]
    return embeddings.embed_documents(["a", "b"]), scores, embeddings.embed(["a"]).cost


def retrieval_in_llamaindex() -> tuple[list[float], list[float], Decimal | None]:
    ranked = node_reranker.rerank("query", ["a", "b"], top_n=1)
    scores = [rank.relevance_score for rank in ranked.results]
    return embed_model.get_query_embedding("a"), scores, embed_model.embed(["a"], kind="query").cost


def seconds_to_wait(error: RateLimitError) -> float | None:
    return error.retry_after
