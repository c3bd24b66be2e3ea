"""A model without tools is prompted to use them: what LlamaIndex leaves out of that is filled in."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


def formats_react(cls: type[T]) -> type[T]:
    """A class decorator: ``predict_and_call`` gives LlamaIndex's ReAct agent the formatter that it cannot do without.

    LlamaIndex passes None where the caller gave none, which its agent refuses. The methods themselves are not
    overridden, so that each call stays one span.
    """
    for name in ("predict_and_call", "apredict_and_call"):
        setattr(cls, name, _formatted(getattr(cls, name)))
    return cls


def _formatted(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def shell(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.metadata.is_function_calling_model:
            from llama_index.core.agent.react.formatter import ReActChatFormatter
            from llama_index.core.agent.react.output_parser import ReActOutputParser

            kwargs["react_chat_formatter"] = kwargs.get("react_chat_formatter") or ReActChatFormatter.from_defaults()
            kwargs["output_parser"] = kwargs.get("output_parser") or ReActOutputParser()
        return method(self, *args, **kwargs)

    return shell
