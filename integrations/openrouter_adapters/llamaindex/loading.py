"""LlamaIndex's `load_llm` and `load_embed_model` know our classes by name, once this package is imported.

LlamaIndex keeps the classes that it can load in tables of two modules. Importing those imports ``openai`` where
LlamaIndex's own OpenAI package is installed, so a class is entered into a table that is there already, or as soon as
somebody else imports it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from llama_index.core.schema import BaseComponent
from typing_extensions import override

LLMS = ("llama_index.core.llms.loading", "RECOGNIZED_LLMS")
"""Where `load_llm` looks: the module and its table."""
EMBEDDINGS = ("llama_index.core.embeddings.loading", "RECOGNIZED_EMBEDDINGS")
"""Where `load_embed_model` looks."""


def loadable(cls: type[BaseComponent], where: tuple[str, str]) -> None:
    """Let LlamaIndex load a class by its ``class_name()``.

    Args:
        cls: the class.
        where: `LLMS` or `EMBEDDINGS`.
    """
    module, table = where
    if module in sys.modules:
        _enter(sys.modules[module], table, cls)
    else:
        sys.meta_path.insert(0, _Awaited(module, table, cls))


def _enter(module: ModuleType, table: str, cls: type[BaseComponent]) -> None:
    known: dict[str, Any] = getattr(module, table, {})
    known[cls.class_name()] = cls


class _Awaited(MetaPathFinder):
    """Waits for one module to be imported; leaves when it is."""

    def __init__(self, module: str, table: str, cls: type[BaseComponent]) -> None:
        self._module, self._table, self._cls = module, table, cls

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)  # by whoever finds it without us
        if spec is not None and spec.loader is not None:
            spec.loader = _Entering(spec.loader, self._table, self._cls)
        return spec


class _Entering(Loader):
    """Loads as another loader does, leaves the module to that one, and enters the class."""

    def __init__(self, loader: Loader, table: str, cls: type[BaseComponent]) -> None:
        self._loader, self._table, self._cls = loader, table, cls

    @override
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    @override
    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        _enter(module, self._table, self._cls)
