"""`Reacting`: tools for a model that has none, by the words of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.llms.llm import LLM
from typing_extensions import override

if TYPE_CHECKING:
    from llama_index.core.chat_engine.types import AgentChatResponse
    from llama_index.core.tools.types import BaseTool


class Reacting(LLM):
    """Stands below FunctionCallingLLM, which hands on to it when a model cannot call functions.

    LlamaIndex then makes a ReActAgent, and gives it None for the parts that the caller did not name; it takes no None.
    """

    @override
    def predict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        """Ask for one step in the words of ReAct, and call the tool that it names."""
        return super().predict_and_call(list(tools), *args, **{**_parts(), **kwargs})

    @override
    async def apredict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        """As `predict_and_call`."""
        return await super().apredict_and_call(list(tools), *args, **{**_parts(), **kwargs})


def _parts() -> dict[str, Any]:
    from llama_index.core.agent.react import ReActChatFormatter, ReActOutputParser

    return {"react_chat_formatter": ReActChatFormatter(), "output_parser": ReActOutputParser()}
