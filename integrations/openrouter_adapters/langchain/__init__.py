"""OpenRouter in LangChain. Importing it registers the translator behind `content_blocks`.

What goes beside the chat model is loaded when asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

try:
    from openrouter_adapters.langchain import content
    from openrouter_adapters.langchain.chat import ChatOpenRouter
except ModuleNotFoundError as _error:
    if _error.name != "langchain_core":
        raise
    _said = "openrouter_adapters.langchain needs langchain-core: pip install 'openrouter-adapters[langchain]'"
    raise ImportError(_said) from _error

if TYPE_CHECKING:
    from openrouter_adapters.langchain.costs import OpenRouterCostHandler, get_openrouter_costs
    from openrouter_adapters.langchain.embeddings import OpenRouterEmbeddings
    from openrouter_adapters.langchain.registration import register_with_init_chat_model
    from openrouter_adapters.langchain.rerank import OpenRouterRerank

__all__ = [
    "ChatOpenRouter",
    "OpenRouterCostHandler",
    "OpenRouterEmbeddings",
    "OpenRouterRerank",
    "get_openrouter_costs",
    "register_with_init_chat_model",
]

_ELSEWHERE = {
    **dict.fromkeys(("OpenRouterCostHandler", "get_openrouter_costs"), "costs"),
    "OpenRouterEmbeddings": "embeddings",
    "OpenRouterRerank": "rerank",
    "register_with_init_chat_model": "registration",
}

content.register()


def __getattr__(name: str) -> Any:
    if name in _ELSEWHERE:
        return getattr(import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
