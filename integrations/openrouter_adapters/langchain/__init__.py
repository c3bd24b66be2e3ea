"""OpenRouter in LangChain. Importing it registers the translator behind `content_blocks`."""

from langchain_core.messages.block_translators import register_translator

from openrouter_adapters.langchain.chat import ChatOpenRouter
from openrouter_adapters.langchain.chunks import PROVIDER
from openrouter_adapters.langchain.content import chunk_blocks, content_blocks

register_translator(PROVIDER, content_blocks, chunk_blocks)

__all__ = ["ChatOpenRouter"]
