"""The decorators of a model's methods: LlamaIndex is told of every call, and streams let go of their connection.

LlamaIndex's callbacks wrap a stream's generator in another and never close the inner one: it would stay open until
nothing refers to it any more, and an event handler that keeps an exception refers to it for long. So the generator that
the caller holds is one of ours, which closes both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import aclosing, closing, contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import iscoroutinefunction
from types import MappingProxyType
from typing import Any, ParamSpec, Protocol, TypeVar

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from openrouter_adapters.llamaindex.shorthand import SECRET, in_the_open

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")
G = TypeVar("G")


class Told(Protocol):
    """A decorator that keeps a method's type; LlamaIndex's own annotations lose it."""

    def __call__(self, method: F) -> F:
        """Decorate a method."""


told_chat: Told = llm_chat_callback()
told_completion: Told = llm_completion_callback()

# The generator that a method has just made, on its way past the callbacks to the shell around them.
_inner: ContextVar[list[Any]] = ContextVar("_inner")


def lent(items: G) -> G:
    """Make known the generator that owns a connection; called by a method under `closes` or `acloses`."""
    _inner.get().append(items)
    return items


def closes(method: Callable[P, Generator[T, None, None]]) -> Callable[P, Generator[T, None, None]]:
    """The method, its stream closed in and out; goes above LlamaIndex's decorator."""

    @wraps(method)
    def shell(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        noted: list[Any] = []
        token = _inner.set(noted)
        try:
            items = method(*args, **kwargs)
        finally:
            _inner.reset(token)
        return _closed_with(items, *noted)

    return shell


def acloses(
    method: Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]],
) -> Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]]:
    """As `closes`, for a coroutine that returns an async generator."""

    @wraps(method)
    async def shell(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        noted: list[Any] = []
        token = _inner.set(noted)
        try:
            items = await method(*args, **kwargs)
        finally:
            _inner.reset(token)
        return _aclosed_with(items, *noted)

    return shell


def _closed_with(items: Generator[T, None, None], inner: Generator[Any, None, None]) -> Generator[T, None, None]:
    with closing(inner):
        yield from items


async def _aclosed_with(items: AsyncGenerator[T, None], inner: AsyncGenerator[Any, None]) -> AsyncGenerator[T, None]:
    async with aclosing(inner), aclosing(items):
        async for item in items:
            yield item


# ------------------------------------------------------------------------------------------------------- secrets

_METHODS = tuple(f"{kind}{what}" for kind in ("", "stream_", "a", "astream_") for what in ("chat", "complete"))
_PREDICTIONS = tuple(f"{kind}structured_predict" for kind in ("", "stream_", "a", "astream_"))

secrets: ContextVar[Mapping[str, Any]] = ContextVar("secrets", default=MappingProxyType({}))
"""What of the present call's keywords is `SECRET`."""


def keeps_secrets(cls: type[T]) -> type[T]:
    """A class decorator: keys, headers and clients given per call pass by LlamaIndex's spans, events and payloads.

    It is put around what LlamaIndex itself puts around the methods when the class is made.
    """
    for name in _METHODS:
        setattr(cls, name, _private(getattr(cls, name)))
    for name in _PREDICTIONS:
        setattr(cls, name, _private_prediction(getattr(cls, name)))
    return cls


@contextmanager
def _taken_out(kwargs: dict[str, Any]) -> Generator[None]:
    kwargs.update(in_the_open(kwargs))
    token = secrets.set({name: kwargs.pop(name) for name in SECRET if name in kwargs})
    try:
        yield
    finally:
        secrets.reset(token)


def _private(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def shell(*args: Any, **kwargs: Any) -> Any:
        with _taken_out(kwargs):
            return method(*args, **kwargs)

    @wraps(method)
    async def ashell(*args: Any, **kwargs: Any) -> Any:
        with _taken_out(kwargs):
            return await method(*args, **kwargs)

    return ashell if iscoroutinefunction(method) else shell


def _private_prediction(method: Callable[..., Any]) -> Callable[..., Any]:
    """As `_private`, for methods that take options as ``llm_kwargs``; the caller's dict stays as it is."""

    @wraps(method)
    def shell(self: Any, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any) -> Any:
        options = dict(llm_kwargs or {})
        with _taken_out(options):
            return method(self, output_cls, prompt, options, **prompt_args)

    @wraps(method)
    async def ashell(self: Any, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any) -> Any:
        options = dict(llm_kwargs or {})
        with _taken_out(options):
            return await method(self, output_cls, prompt, options, **prompt_args)

    return ashell if iscoroutinefunction(method) else shell


# --------------------------------------------------------------------------------------------------- wrong arguments


def checks_arguments(cls: type[T]) -> type[T]:
    """A class decorator: what is no conversation and no prompt is refused before anybody is told of a call."""
    for name in _METHODS:
        check = _check_messages if name.endswith("chat") else _check_prompt
        setattr(cls, name, _checked(getattr(cls, name), check))
    return cls


def _check_messages(_: Any, messages: Any = (), **__: Any) -> None:
    is_list = isinstance(messages, Sequence) and not isinstance(messages, str)
    if not (is_list and all(isinstance(message, ChatMessage) for message in messages)):
        kinds = ", ".join(sorted({type(message).__name__ for message in messages})) if is_list else ""
        given = f"{type(messages).__name__} of {kinds}" if kinds else type(messages).__name__
        raise TypeError(f"messages must be a list of ChatMessage, not a {given}; for plain text use complete()")


def _check_prompt(_: Any, prompt: Any = "", *__: Any, **___: Any) -> None:
    if not isinstance(prompt, str):
        raise TypeError(f"prompt must be text, not a {type(prompt).__name__}; for messages use chat()")


def _checked(method: Callable[..., Any], check: Callable[..., None]) -> Callable[..., Any]:
    @wraps(method)
    def shell(*args: Any, **kwargs: Any) -> Any:
        check(*args, **kwargs)
        return method(*args, **kwargs)

    @wraps(method)
    async def ashell(*args: Any, **kwargs: Any) -> Any:
        check(*args, **kwargs)
        return await method(*args, **kwargs)

    return ashell if iscoroutinefunction(method) else shell
