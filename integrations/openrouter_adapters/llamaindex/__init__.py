"""OpenRouter in LlamaIndex.

``OpenRouter`` is an LLM for agents, query engines and chat engines, ``OpenRouterEmbedding`` makes the vectors of
indices and retrievers, ``OpenRouterRerank`` puts what they find into the order of its relevance.
``OpenRouterCostHandler`` sums what all of that costs, ``OpenRouterCostCallbackHandler`` does so for a callback manager.

Importing it makes the first two known to LlamaIndex's `load_llm` and `load_embed_model`.
"""

try:
    from openrouter_adapters.llamaindex import loading
    from openrouter_adapters.llamaindex.costs import OpenRouterCostCallbackHandler, OpenRouterCostHandler
    from openrouter_adapters.llamaindex.embedding import OpenRouterEmbedding
    from openrouter_adapters.llamaindex.llm import OpenRouter
    from openrouter_adapters.llamaindex.rerank import OpenRouterRerank
except ModuleNotFoundError as error:
    if error.name not in ("llama_index", "llama_index.core"):
        raise
    said = "openrouter_adapters.llamaindex needs llama-index-core: pip install 'openrouter-adapters[llamaindex]'"
    raise ImportError(said) from error

__all__ = [
    "OpenRouter",
    "OpenRouterCostCallbackHandler",
    "OpenRouterCostHandler",
    "OpenRouterEmbedding",
    "OpenRouterRerank",
]

loading.loadable(OpenRouter, loading.LLMS)
loading.loadable(OpenRouterEmbedding, loading.EMBEDDINGS)
