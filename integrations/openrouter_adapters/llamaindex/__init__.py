"""OpenRouter in LlamaIndex.

``OpenRouter`` is an LLM for agents, query engines and chat engines, ``OpenRouterEmbedding`` makes the vectors of
indices and retrievers, ``OpenRouterRerank`` puts what they find into the order of its relevance.
``OpenRouterCostHandler`` sums what all of that costs, ``OpenRouterCostCallbackHandler`` does so for a callback manager.

Importing it makes the first two known to LlamaIndex's `load_llm` and `load_embed_model`. What goes beside the LLM is
loaded when asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from openrouter_adapters.llamaindex import loading
    from openrouter_adapters.llamaindex.llm import OpenRouter
except ModuleNotFoundError as _error:
    if _error.name not in ("llama_index", "llama_index.core", "wrapt"):  # the last comes with it
        raise
    _said = "openrouter_adapters.llamaindex needs llama-index-core: pip install 'openrouter-adapters[llamaindex]'"
    raise ImportError(_said) from _error

if TYPE_CHECKING:
    from openrouter_adapters.llamaindex.costs import OpenRouterCostCallbackHandler, OpenRouterCostHandler
    from openrouter_adapters.llamaindex.embedding import OpenRouterEmbedding
    from openrouter_adapters.llamaindex.rerank import OpenRouterRerank

__all__ = [
    "OpenRouter",
    "OpenRouterCostCallbackHandler",
    "OpenRouterCostHandler",
    "OpenRouterEmbedding",
    "OpenRouterRerank",
]

_ELSEWHERE = {
    **dict.fromkeys(("OpenRouterCostCallbackHandler", "OpenRouterCostHandler"), "costs"),
    "OpenRouterEmbedding": "embedding",
    "OpenRouterRerank": "rerank",
}


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        return getattr(import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


loading.loadable(lambda: OpenRouter, loading.LLMS)
loading.loadable(lambda: __getattr__("OpenRouterEmbedding"), loading.EMBEDDINGS)
