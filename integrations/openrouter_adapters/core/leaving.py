"""Leaving a stream before its end, from wherever that happens: a garbage collection, another loop's end, a fork.

The garbage collector may run inside the connection pool, under its lock (httpcore 1 has a plain one). Whoever closes a
response there waits for himself for ever; and httpx's own generators do, once they are garbage. So every open response
is held here, garbage or not: to leave one is to hang up, which takes no lock and is seen by the server at once, and to
let the next call, which holds no lock either, close what was left.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any


class Held:
    """A response that is being read.

    Args:
        response: it.
        reader: the generator that reads it.
        loop: the event loop that it belongs to; None: none.
    """

    def __init__(
        self,
        response: Any,
        reader: Iterator[Any] | AsyncIterator[Any],
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.response = response
        self.loop = loop
        self._reader = reader
        _held[id(self)] = self

    def close(self) -> None:
        """It was read to its end, or failed."""
        if self.release():
            self.response.close()

    def leave(self) -> None:
        """It is left, perhaps by the garbage collector."""
        if self.release():
            if not multiplexed(self.response) and hang_up(self.response):
                _left.put(self)
            else:
                self.response.close()

    def release(self) -> bool:
        """Hold it no longer; False when it was not held."""
        return _held.pop(id(self), None) is not None


_held: dict[int, Held] = {}
_left: SimpleQueue[Held] = SimpleQueue()


def sweep() -> None:
    """Close what was left, and hang up on what belongs to event loops that are closed."""
    while not _left.empty():
        with suppress(Exception):  # another thread was quicker, or its end is no good one: nobody waits for it
            _left.get_nowait().response.close()
    for held in list(_held.values()):
        if held.loop is not None and held.loop.is_closed() and held.release():
            hang_up(held.response)


def hang_up(response: Any) -> bool:
    """End a connection at once, without any lock; a read that is blocked in another thread returns.

    Returns:
        Whether nothing more is to be done: there was a socket to do it with, or it had ended by itself.
    """
    if response.is_closed:  # the connection may serve another request by now
        return True
    stream = response.extensions.get("network_stream")
    sock = stream.get_extra_info("socket") if stream is not None else None
    if sock is None:
        return False
    with suppress(Exception):  # it is closed already, or of an event loop that does not lend its sockets
        sock.shutdown(socket.SHUT_RDWR)
    return True


async def aclose(items: AsyncGenerator[Any, None]) -> None:
    """Close an async generator, unless that is under way: of garbage, each generator is closed in a task of its own."""
    if not getattr(items, "ag_running", False):
        await items.aclose()


def multiplexed(response: Any) -> bool:
    """Whether other answers come over the same connection, which must live on."""
    return bool(response.extensions.get("http_version") == b"HTTP/2")


def guard(response: Any) -> asyncio.Task[None]:
    """A task that closes an async response when it is cancelled, as a loop that ends does with every task.

    It does so before it ends the generators that still read it, all at once, which would then step on each other.
    """
    task = asyncio.get_running_loop().create_task(_close_when_cancelled(response))
    # A loop that is closed without more ado leaves all its tasks behind; of this one nobody needs to hear.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    return task


async def _close_when_cancelled(response: Any) -> None:
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:  # nothing else: once the loop is closed, there is nothing to await with
        with suppress(Exception):  # nobody waits for it
            await response.aclose()


_of_the_parent: list[Any] = []


def _after_fork() -> None:
    """A forked child neither hangs up on its parent's connections nor closes them, which would need their locks."""
    global _held, _left
    _of_the_parent.append((_held, _left))
    _held, _left = {}, SimpleQueue()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
