"""OpenRouter in LlamaIndex.

``OpenRouter`` is an LLM for agents, query engines and chat engines, ``OpenRouterEmbedding`` makes the vectors of
indices and retrievers, ``OpenRouterRerank`` puts what they find into the order of its relevance.
"""

try:
    from openrouter_adapters.llamaindex.embedding import OpenRouterEmbedding
    from openrouter_adapters.llamaindex.llm import OpenRouter
    from openrouter_adapters.llamaindex.rerank import OpenRouterRerank
except ModuleNotFoundError as error:
    if error.name not in ("llama_index", "llama_index.core"):
        raise
    said = "openrouter_adapters.llamaindex needs llama-index-core: pip install 'openrouter-adapters[llamaindex]'"
    raise ImportError(said) from error

__all__ = ["OpenRouter", "OpenRouterEmbedding", "OpenRouterRerank"]
