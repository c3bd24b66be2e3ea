"""The decorators of a model's methods: LlamaIndex is told of every call, and streams let go of their connection.

LlamaIndex's callbacks wrap a stream's generator in another and never close the inner one: it would stay open until
nothing refers to it any more, and an event handler that keeps an exception refers to it for long. So the stream that
the caller holds is one of ours, which closes both.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, aclosing, closing
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

from openrouter_adapters.core.leaving import aclose

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
G = TypeVar("G")


class Told(Protocol):
    """A decorator that keeps a method's type; LlamaIndex's own annotations lose it."""

    def __call__(self, method: F) -> F:
        """Decorate a method."""


told_chat: Told = llm_chat_callback()
told_completion: Told = llm_completion_callback()


def changed(items: Generator[T, None, None], change: Callable[[T], U]) -> Generator[U, None, None]:
    """The items of a stream, each of them changed; closing this closes that."""
    with closing(items):
        for item in items:
            yield change(item)


async def achanged(items: AsyncGenerator[T, None], change: Callable[[T], U]) -> AsyncGenerator[U, None]:
    """As `changed`."""
    async with aclosing(items):
        async for item in items:
            yield change(item)


# The generator that a method has just made, on its way past the callbacks to the shell around them.
_connected: ContextVar[list[Any]] = ContextVar("_connected")


def owns_connection(items: G) -> G:
    """Make known the generator that owns a connection; called by a method under `closes` or `acloses`."""
    _connected.get().append(items)
    return items


def closes(method: Callable[P, Generator[T, None, None]]) -> Callable[P, Generator[T, None, None]]:
    """The method, its stream closed in and out; goes above LlamaIndex's decorator."""

    @wraps(method)
    def shell(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        noted: list[Any] = []
        token = _connected.set(noted)
        try:
            items = method(*args, **kwargs)
        finally:
            _connected.reset(token)
        return _closing(items, *noted)

    return shell


def acloses(
    method: Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]],
) -> Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]]:
    """As `closes`, for a coroutine that returns an async generator."""

    @wraps(method)
    async def shell(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        noted: list[Any] = []
        token = _connected.set(noted)
        try:
            items = await method(*args, **kwargs)
        finally:
            _connected.reset(token)
        return aclosed_with(items, *noted)

    return shell


def _closing(items: Generator[T, None, None], inner: Generator[Any, None, None]) -> Generator[T, None, None]:
    with closing(inner):
        yield from items


async def aclosed_with(items: AsyncGenerator[T, None], *within: AsyncGenerator[Any, None]) -> AsyncGenerator[T, None]:
    """The items of an async generator; at their end, or when it is left, that and those within are closed."""
    async with AsyncExitStack() as left:
        for each in (*reversed(within), items):
            left.push_async_callback(aclose, each)
        async for item in items:
            yield item
