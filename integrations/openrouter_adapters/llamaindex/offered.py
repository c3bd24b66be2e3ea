"""`Offered`: the tools of a ``predict_and_call``, in which LlamaIndex finds whatever name a model comes up with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.tools.types import BaseTool


class Offered(list[BaseTool]):
    """The tools of one call, and after its answer also those that there are not: each says so.

    LlamaIndex looks the called tools up by name. An invented one would be a KeyError, and the answer would be lost.
    """

    def answer_for_missing(self, calls: Iterable[ToolSelection]) -> None:
        """Add what answers the calls of tools that nobody offered."""
        for call in calls:
            if all(tool.metadata.name != call.tool_name for tool in self):
                self.append(_missing(call.tool_name))


def _missing(name: str) -> FunctionTool:
    said = f"Tool {name!r} not found. Please select a tool that is available."

    def refuse(*_: Any, **__: Any) -> None:
        raise LookupError(said)

    return FunctionTool(refuse, ToolMetadata(said, name))
