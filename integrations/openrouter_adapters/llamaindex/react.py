"""A model without tools is prompted to use them: what LlamaIndex leaves out of that is filled in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from llama_index.core.llms.llm import LLM
from typing_extensions import override

if TYPE_CHECKING:
    from llama_index.core.chat_engine.types import AgentChatResponse
    from llama_index.core.tools.types import BaseTool

_OF_THE_AGENT = ("react_chat_formatter", "output_parser", "tool_retriever", "memory")
# What is said of tools on the wire, where there are none.
_OF_TOOLS = ("tool_required", "tool_choice", "strict", "allow_parallel_tool_calls", "require_parameters")


class ReActPrediction(LLM):
    """A mixin right behind `FunctionCallingLLM`, whose ``predict_and_call`` comes here for models without tools.

    LlamaIndex's ReAct agent is given the formatter that it cannot do without, and an LLM that has the call's options:
    the agent asks without any.
    """

    @abstractmethod
    def having(self, call: Mapping[str, Any]) -> Self:
        """A copy that has a call's options as its own."""

    @override
    def predict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        llm, agent = self._reacting(kwargs)
        return super(ReActPrediction, llm).predict_and_call(list(tools), *args, **agent)

    @override
    async def apredict_and_call(self, tools: Sequence[BaseTool], *args: Any, **kwargs: Any) -> AgentChatResponse:
        llm, agent = self._reacting(kwargs)
        return await super(ReActPrediction, llm).apredict_and_call(list(tools), *args, **agent)

    def _reacting(self, kwargs: dict[str, Any]) -> tuple[Self, dict[str, Any]]:
        from llama_index.core.agent.react.formatter import ReActChatFormatter
        from llama_index.core.agent.react.output_parser import ReActOutputParser

        turn = ("user_msg", "chat_history", "verbose")
        agent = {name: kwargs[name] for name in (*turn, *_OF_THE_AGENT) if name in kwargs}
        agent["react_chat_formatter"] = agent.get("react_chat_formatter") or ReActChatFormatter.from_defaults()
        agent["output_parser"] = agent.get("output_parser") or ReActOutputParser()
        options = {name: value for name, value in kwargs.items() if name not in (*agent, *_OF_TOOLS)}
        return self.having(options) if options else self, agent
