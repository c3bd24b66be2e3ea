"""`load_llm` and `load_embed_model` know this package, whoever is imported first; nobody else is imported for it."""

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from llama_index.core.embeddings.loading import load_embed_model
from llama_index.core.llms.loading import load_llm

from openrouter_adapters.llamaindex import OpenRouter, OpenRouterEmbedding, loading

from .conftest import KEY


def test_load_llm(make: Callable[..., OpenRouter], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    llm = make(provider={"order": ["openai"]}, temperature=0.5)
    again = load_llm(llm.to_dict())
    assert isinstance(again, OpenRouter)
    assert again.to_dict() == llm.to_dict()
    again.close()


def test_load_embed_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    made = OpenRouterEmbedding(model="openai/text-embedding-3-small", dimensions=4, embed_batch_size=5)
    again = load_embed_model(made.to_dict())
    assert isinstance(again, OpenRouterEmbedding)
    assert again.to_dict() == made.to_dict()


FIRST = "import openrouter_adapters.llamaindex"
SECOND = "from llama_index.core.llms import loading; from llama_index.core.embeddings import loading as embeddings"


@pytest.mark.parametrize("lines", [(FIRST, SECOND), (SECOND, FIRST)], ids=["ours first", "LlamaIndex's first"])
def test_in_either_order_and_without_importing_others(tmp_path: Path, lines: tuple[str, str]) -> None:
    """The place of LlamaIndex's own OpenAI package is taken by one that says when it is imported."""
    package = tmp_path / "llama_index" / "llms" / "openai"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("class OpenAI:\n    class_name = staticmethod(lambda: 'theirs')\n")
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
{lines[0]}
print("llama_index.llms.openai" in sys.modules)
{lines[1]}
print(*loading.RECOGNIZED_LLMS, *embeddings.RECOGNIZED_EMBEDDINGS)
assert loading.__spec__.loader is loading.__loader__ and "Source" in type(loading.__loader__).__name__
llm = loading.load_llm({{"class_name": "OpenRouter_LLM", "model": "a/b", "api_key": "k"}})
assert type(llm).__name__ == "OpenRouter"
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert ended.stderr == ""
    theirs_imported, names = ended.stdout.splitlines()
    assert theirs_imported == str(lines[0] == SECOND)
    assert {"theirs", "OpenRouter_LLM", "OpenRouterEmbedding"} <= set(names.split())


def test_a_core_without_tables_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "some_core.loading", ModuleType("some_core.loading"))
    loading.loadable(lambda: OpenRouter, ("some_core.loading", "TABLE"))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    loading.loadable(lambda: OpenRouter, ("no_such_core_at_all", "TABLE"))
    with pytest.raises(ModuleNotFoundError):
        __import__("no_such_core_at_all")


@pytest.mark.parametrize("package", ["wrapt", "filetype"])
def test_what_llama_index_core_brings_along_is_still_its_own_need(package: str) -> None:
    """We import it, and do not ask for it: when core no longer does, we must."""
    needed = metadata.requires("llama-index-core") or []
    assert any(line.partition(" ")[0].startswith(package) and "extra ==" not in line for line in needed)
