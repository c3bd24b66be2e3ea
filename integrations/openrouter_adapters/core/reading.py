"""Reading an open response, sync and async: the bytes come from here, what they mean is said by `core.exchange`.

Time limits are kept here too: a stream that only keeps alive is broken off after ``stall_timeout``, and a body is read
to its end after ``[DONE]``, so that its connection serves the next request.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from openrouter_adapters.core.stream import Delta
from openrouter_adapters.core.watchdog import Alarm

if TYPE_CHECKING:
    from openrouter_adapters.core.exchange import Exchange

# A body is read to its end after [DONE], or its connection is lost for the next request; but not for ever.
_DRAIN_SECONDS, _DRAIN_BYTES = 1.0, 65_536


def deltas(exchange: Exchange) -> Generator[Delta]:
    """The pieces of a streamed answer; the response is closed at the end, whichever it is."""
    try:
        with _stall_alarm(exchange):
            arriving = exchange.response.iter_bytes()
            if not exchange.streams:
                yield from exchange.one_body(b"".join(arriving))
                return
            for block in arriving:
                yield from exchange.fold(block)
                if exchange.done:
                    break
            yield from exchange.end()
        _drain(exchange, arriving)
    except Exception as error:
        exchange.fail(error)
    finally:
        exchange.response.close()


async def adeltas(exchange: Exchange) -> AsyncGenerator[Delta]:
    """As `deltas`."""
    try:
        arriving = _timed(exchange, exchange.response.aiter_bytes())
        if not exchange.streams:
            for delta in exchange.one_body(b"".join([block async for block in arriving])):
                yield delta
            return
        async for block in arriving:
            for delta in exchange.fold(block):
                yield delta
            if exchange.done:
                break
        for delta in exchange.end():
            yield delta
        await _adrain(exchange, arriving)
    except Exception as error:
        exchange.fail(error)
    finally:
        await exchange.response.aclose()


def blocks(exchange: Exchange) -> Iterator[bytes]:
    """The blocks of a whole body; white space does not count as data."""
    with _stall_alarm(exchange):
        for block in exchange.response.iter_bytes():
            if exchange.alive is not None and not block.isspace():
                exchange.alive()
            yield block


async def ablocks(exchange: Exchange) -> AsyncIterator[bytes]:
    """As `blocks`."""
    async for block in _timed(exchange, exchange.response.aiter_bytes()):
        if exchange.alive is not None and not block.isspace():
            exchange.alive()
        yield block


def _stall_alarm(exchange: Exchange) -> AbstractContextManager[Any]:
    """Break the connection when no data comes for ``stall_timeout`` seconds."""
    seconds = exchange.request.stall_timeout
    if seconds is None:
        return nullcontext()

    def stall() -> None:
        exchange.stalled = True
        _hang_up(exchange.response)

    alarm = Alarm(seconds, stall)
    exchange.alive = alarm.reset
    return alarm


def _hang_up(response: Any) -> None:
    """Make a read that is blocked in another thread return."""
    stream = response.extensions.get("network_stream")
    sock = stream.get_extra_info("socket") if stream is not None else None
    if sock is None:
        response.close()
        return
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is closed already
        return


def _timed(exchange: Exchange, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The blocks, none later than ``stall_timeout`` seconds after the last data."""
    seconds = exchange.request.stall_timeout
    return blocks if seconds is None else _stalling(exchange, blocks, seconds)


async def _stalling(exchange: Exchange, blocks: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes]:
    deadline = time.monotonic() + seconds

    def alive() -> None:
        nonlocal deadline
        deadline = time.monotonic() + seconds

    exchange.alive = alive
    while True:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                block = await anext(blocks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            exchange.stalled = True
            raise
        yield block


def _drain(exchange: Exchange, blocks: Iterator[bytes]) -> None:
    """Read what follows ``[DONE]``, so that the connection can be used again."""
    left = _DRAIN_BYTES
    with Alarm(_DRAIN_SECONDS, lambda: _hang_up(exchange.response)):
        try:
            for block in blocks:
                left -= len(block)
                if left < 0:
                    return
        except Exception:  # the answer is whole already: only the connection is lost
            return


async def _adrain(exchange: Exchange, blocks: AsyncIterator[bytes]) -> None:
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for block in blocks:
                left -= len(block)
                if left < 0:
                    return
    except Exception:  # as in _drain
        return
