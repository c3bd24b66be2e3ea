"""What every model object of the LlamaIndex adapter has, besides what LlamaIndex's own base classes give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from llama_index.core.callbacks import CallbackManager
from typing_extensions import override

from openrouter_adapters.core.arguments import without_user
from openrouter_adapters.core.model import OpenRouterModel
from openrouter_adapters.core.wire import known


class LlamaIndexModel(OpenRouterModel):
    """Chat, embeddings and reranking."""

    option_aliases: ClassVar[Mapping[str, str]] = {"api_base": "base_url", "async_http_client": "http_async_client"}
    of_this_process: ClassVar[tuple[str, ...]] = (*OpenRouterModel.of_this_process, "callback_manager")

    def shown(self, *names: str) -> dict[str, Any]:
        """What traces show beside the model's name: the options of these names that are set, and where requests go."""
        address = self.base_url and without_user(self.base_url)
        return known(**{name: getattr(self, name) for name in names}, base_url=address)

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self.callback_manager: CallbackManager = CallbackManager([])
