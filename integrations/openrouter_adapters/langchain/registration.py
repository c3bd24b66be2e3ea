"""`init_chat_model("openrouter:...")` with the model of this package. Only when asked for."""

from __future__ import annotations

from typing import Any


def register_with_init_chat_model(name: str = "openrouter") -> None:
    """Let LangChain's ``init_chat_model`` build a `ChatOpenRouter` for a provider name.

    LangChain has no registry for packages of others, so its own table is changed, for this process. Nothing happens by
    itself on import.

    Args:
        name: the provider's name: ``init_chat_model("openrouter:openai/gpt-5-mini")``. The default takes the place of
            the ``langchain-openrouter`` package; give another name to have both.

    Raises:
        ImportError: the package ``langchain``, which has `init_chat_model`, is not installed.
    """
    try:
        from langchain.chat_models import base
    except ModuleNotFoundError as error:
        if error.name != "langchain":
            raise
        raise ImportError("init_chat_model is part of langchain: pip install langchain") from error
    base._BUILTIN_PROVIDERS[name] = ("openrouter_adapters.langchain", "ChatOpenRouter", _make)
    base._get_chat_model_creator.cache_clear()


def _make(cls: Any, **options: Any) -> Any:
    return cls(**options)
