"""What every model object of the LangChain adapter has: LangChain's errors, and the names that its users know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import PrivateAttr

from openrouter_adapters.core.model import OpenRouterModel, new_client

if TYPE_CHECKING:
    from openrouter_adapters.core.client import Client

Method = Literal["function_calling", "json_schema", "json_mode"]
"""How an answer is brought into a schema; LangChain's word for it."""


def _specialized(error: Any) -> Any:
    """LangChain's class of an error; the classes load openai, so only once something went wrong."""
    from openrouter_adapters.langchain.errors import specialized

    return specialized(error)


class LangChainModel(OpenRouterModel):
    """Chat, embeddings and reranking."""

    option_aliases: ClassVar[Mapping[str, str]] = {
        "openrouter_provider": "provider",
        "openrouter_api_key": "api_key",
        "openrouter_api_base": "base_url",
        "request_timeout": "timeout",
        "model_name": "model",
        "model_kwargs": "extra_body",
    }

    _client: Client = PrivateAttr(default_factory=lambda: new_client(_specialized))
