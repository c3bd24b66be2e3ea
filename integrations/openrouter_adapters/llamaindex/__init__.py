"""OpenRouter in LlamaIndex: ``OpenRouter`` is an LLM for agents, query engines and chat engines.

Importing it makes it known to LlamaIndex's `load_llm`.
"""

try:
    from openrouter_adapters.llamaindex import loading
    from openrouter_adapters.llamaindex.llm import OpenRouter
except ModuleNotFoundError as error:
    if error.name not in ("llama_index", "llama_index.core"):
        raise
    said = "openrouter_adapters.llamaindex needs llama-index-core: pip install 'openrouter-adapters[llamaindex]'"
    raise ImportError(said) from error

__all__ = ["OpenRouter"]

loading.loadable(OpenRouter, loading.LLMS)
