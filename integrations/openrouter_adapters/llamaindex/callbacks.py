"""The decorators of a model's methods: LlamaIndex is told of every call, and streams let go of their connection.

LlamaIndex's callbacks wrap a stream's generator in another and never close the inner one: it would stay open until
nothing refers to it any more, and an event handler that keeps an exception refers to it for long. So the stream that
the caller holds is one of ours, which closes both.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, aclosing, closing, suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from llama_index.core.instrumentation.event_handlers import NullEventHandler
from llama_index.core.llms.callbacks import dispatcher, llm_chat_callback, llm_completion_callback

from openrouter_adapters.core.leaving import aclose

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")
G = TypeVar("G")


class Decorator(Protocol):
    """A decorator that keeps a method's type; LlamaIndex's own annotations lose it."""

    def __call__(self, method: F) -> F:
        """Decorate a method."""


told_chat: Decorator = llm_chat_callback()
told_completion: Decorator = llm_completion_callback()


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


class Told:
    """A stream on its way past LlamaIndex's callbacks to the shell around them.

    LlamaIndex makes an event of every item, which takes as long as all that we do for it. Where nobody hears events,
    its callbacks get no item but the last, or what broke the stream off, and end the call by that as ever.

    Attributes:
        items: the generator that owns the connection.
        heard: whether the callbacks are to see each item: a handler of events was there when the stream began.
        last: the last item that was handed over.
        error: what broke it off.
    """

    def __init__(self, items: Any) -> None:
        self.items = items
        self.heard: bool = _events_are_heard()
        self.last: Any = None
        self.error: BaseException | None = None

    def end(self) -> Generator[Any, None, None]:
        """What LlamaIndex is told of a stream at its end."""
        error, self.error = self.error, None
        if error is not None:
            raise error
        if self.last is not None:
            yield self.last

    async def aend(self) -> AsyncGenerator[Any, None]:
        """As `end`."""
        for last in self.end():
            yield last


def _events_are_heard() -> bool:
    """Whether there is a handler of LlamaIndex's events, beside the one that does nothing."""
    at: Any = dispatcher
    while at:
        if any(not isinstance(handler, NullEventHandler) for handler in at.event_handlers):
            return True
        at = at.parent if at.propagate else None
    return False


_made: ContextVar[list[Told]] = ContextVar("_made")


def told(items: G) -> G:
    """Make known the generator that owns a connection; called by a method under `closes` or `acloses`.

    Returns:
        What the method returns to LlamaIndex's callbacks.
    """
    stream = Told(items)
    _made.get().append(stream)
    end: Any = items if stream.heard else stream.aend() if isinstance(items, AsyncGenerator) else stream.end()
    return cast("G", end)


def closes(method: Callable[P, Generator[T, None, None]]) -> Callable[P, Generator[T, None, None]]:
    """The method, its stream closed in and out; goes above LlamaIndex's decorator."""

    @wraps(method)
    def shell(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        made: list[Told] = []
        token = _made.set(made)
        try:
            items = method(*args, **kwargs)
        finally:
            _made.reset(token)
        return _closing(items, *made)

    return shell


def acloses(
    method: Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]],
) -> Callable[P, Coroutine[Any, Any, AsyncGenerator[T, None]]]:
    """As `closes`, for a coroutine that returns an async generator."""

    @wraps(method)
    async def shell(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        made: list[Told] = []
        token = _made.set(made)
        try:
            items = await method(*args, **kwargs)
        finally:
            _made.reset(token)
        return _aclosing(items, *made)

    return shell


def _closing(seen: Generator[T, None, None], stream: Told) -> Generator[T, None, None]:
    """The items of a stream, ``seen`` being what LlamaIndex made of it."""
    with closing(stream.items):
        if stream.heard:
            yield from seen
            return
        try:
            for item in stream.items:
                stream.last = item
                yield item
        except BaseException as error:
            stream.error = error
        for _ in seen:  # raises that
            pass


async def _aclosing(seen: AsyncGenerator[T, None], stream: Told) -> AsyncGenerator[T, None]:
    """As `_closing`."""
    async with AsyncExitStack() as left:
        for each in (stream.items, seen):
            left.push_async_callback(aclose, each)
        if stream.heard:
            async for item in seen:
                yield item
            return
        try:
            async for item in stream.items:
                stream.last = item
                yield item
        except BaseException as error:
            stream.error = error
        _end(seen)


def _end(seen: AsyncGenerator[Any, None]) -> None:
    """Let LlamaIndex end a call whose stream has ended, or was broken off.

    It awaits nothing then, so no event loop is needed: the one that was there may be shutting down, and complains about
    generators that begin meanwhile.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        with suppress(StopAsyncIteration):
            while True:
                with suppress(StopIteration):  # an item
                    seen.__anext__().send(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)
