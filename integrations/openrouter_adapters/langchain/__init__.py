"""OpenRouter in LangChain. Importing it registers the translator behind `content_blocks`."""

from openrouter_adapters.langchain import content
from openrouter_adapters.langchain.chat import ChatOpenRouter

__all__ = ["ChatOpenRouter"]

content.register()
