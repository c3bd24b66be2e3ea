"""LlamaIndex's `load_llm` and `load_embed_model` know our classes by name, once this package is imported.

LlamaIndex keeps the classes that it can load in tables of two modules. Importing those imports ``openai`` where
LlamaIndex's own OpenAI package is installed, so a class is entered into a table that is there already, or as soon as
somebody else imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import wrapt  # comes with llama-index-core
from llama_index.core.schema import BaseComponent

LLMS = ("llama_index.core.llms.loading", "RECOGNIZED_LLMS")
"""Where `load_llm` looks: the module and its table."""
EMBEDDINGS = ("llama_index.core.embeddings.loading", "RECOGNIZED_EMBEDDINGS")
"""Where `load_embed_model` looks."""


def loadable(get: Callable[[], type[BaseComponent]], where: tuple[str, str]) -> None:
    """Let LlamaIndex load a class by its ``class_name()``.

    Args:
        get: gives the class, once there is a table for it.
        where: `LLMS` or `EMBEDDINGS`.
    """
    module, table = where

    def enter(loaded: ModuleType) -> None:
        known: dict[str, object] = getattr(loaded, table, {})  # another core may have no such table
        cls = get()
        known[cls.class_name()] = cls

    wrapt.register_post_import_hook(enter, module)
