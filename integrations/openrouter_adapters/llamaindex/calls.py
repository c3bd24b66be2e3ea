"""`GuardedCalls`: what stands before the methods of an LLM, before LlamaIndex tells anybody of a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from typing_extensions import override

from openrouter_adapters.core.tools import listed
from openrouter_adapters.llamaindex.offered import Offered
from openrouter_adapters.llamaindex.secrets import hidden

_COLOURS = ("", "stream_", "a", "astream_")
_CHATS = tuple(f"{colour}chat" for colour in _COLOURS)
_COMPLETIONS = tuple(f"{colour}complete" for colour in _COLOURS)
_WITH_TOOLS = tuple(f"{chat}_with_tools" for chat in (*_CHATS, "_prepare_chat"))
_AND_CALL = ("predict_and_call", "apredict_and_call")
_PREDICTIONS = tuple(f"{colour}structured_predict" for colour in _COLOURS)

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class GuardedCalls:
    """A mixin for LLMs: each method hides the secrets of its call; what is no conversation and no prompt is refused.

    LlamaIndex puts its spans around methods when a class is made. This stands around those, in subclasses too.
    """

    @override
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, hide in _HIDING.items():
            owner = next((base for base in cls.__mro__ if name in vars(base)), object)
            method = getattr(cls, name, None)
            if method is None or getattr(method, "__isabstractmethod__", False):
                continue
            if owner is cls or not issubclass(owner, GuardedCalls):
                # Arguments are checked by the first to have the method: whoever overrides it may take others.
                check = None if _is_inherited(cls, name) else _CHECKS.get(name)
                setattr(cls, name, _guarded(method, hide, check))


def _is_inherited(cls: type, name: str) -> bool:
    return any(name in vars(base) and issubclass(base, GuardedCalls) for base in cls.__mro__[1:])


def _guarded(
    method: Callable[..., Any], hide: Callable[..., Arguments], check: Callable[..., None] | None
) -> Callable[..., Any]:
    def guard(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
        if check is not None:
            check(*args, **kwargs)
        return hide(*args, **kwargs)

    @wraps(method)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = guard(args, kwargs)
        return method(*args, **kwargs)

    @wraps(method)
    async def aguarded(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = guard(args, kwargs)
        return await method(*args, **kwargs)

    return aguarded if iscoroutinefunction(method) else guarded


def _hide_options(*args: Any, **options: Any) -> Arguments:
    return args, hidden(options)


def _offer(self: Any, tools: Any, *args: Any, **options: Any) -> Arguments:
    return (self, Offered(listed(tools)), *args), hidden(options)


def _hide_llm_kwargs(self: Any, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **variables: Any) -> Arguments:
    return (self, output_cls, prompt, hidden(llm_kwargs or {})), variables


def _check_messages(_: Any, messages: Any = (), *__: Any, **___: Any) -> None:
    is_list = isinstance(messages, Sequence) and not isinstance(messages, str)
    if not (is_list and all(isinstance(message, ChatMessage) for message in messages)):
        kinds = ", ".join(sorted({type(message).__name__ for message in messages})) if is_list else ""
        given = f"{type(messages).__name__} of {kinds}" if kinds else type(messages).__name__
        raise TypeError(f"messages must be a list of ChatMessage, not a {given}; for plain text use complete()")


def _check_prompt(_: Any, prompt: Any = "", *__: Any, **___: Any) -> None:
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be text, not a {type(prompt).__name__}; for messages use chat()")


_HIDING: dict[str, Callable[..., Arguments]] = {
    **dict.fromkeys((*_CHATS, *_COMPLETIONS, *_WITH_TOOLS), _hide_options),
    **dict.fromkeys(_AND_CALL, _offer),
    **dict.fromkeys(_PREDICTIONS, _hide_llm_kwargs),
}
_CHECKS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(_CHATS, _check_messages),
    **dict.fromkeys(_COMPLETIONS, _check_prompt),
}
