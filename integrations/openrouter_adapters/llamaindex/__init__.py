"""OpenRouter in LlamaIndex: ``OpenRouter`` is an LLM for agents, query engines and chat engines."""

from openrouter_adapters.llamaindex.llm import OpenRouter

__all__ = ["OpenRouter"]
