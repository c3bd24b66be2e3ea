"""Reading an open response, sync and async: the bytes come from here, what they mean is said by `core.exchange`.

Time limits are kept here too: a stream that only keeps alive is broken off after ``stall_timeout``, and a body is read
to its end after ``[DONE]``, so that its connection serves the next request.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
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
        arriving = _watched(exchange, exchange.response.iter_bytes())
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
        arriving = _awatched(exchange, exchange.response.aiter_bytes())
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
    for block in _watched(exchange, exchange.response.iter_bytes()):
        if exchange.alive is not None and not block.isspace():
            exchange.alive()
        yield block


async def ablocks(exchange: Exchange) -> AsyncIterator[bytes]:
    """As `blocks`."""
    async for block in _awatched(exchange, exchange.response.aiter_bytes()):
        if exchange.alive is not None and not block.isspace():
            exchange.alive()
        yield block


class _Silence:
    """How long no data may still not come. Only reading counts: a slow reader is no silence."""

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        self._exchange = exchange
        self._seconds = self.left = seconds
        exchange.alive = self.heard

    def heard(self) -> None:
        """Data came."""
        self.left = self._seconds

    def broken(self) -> None:
        """Too long: break the connection."""
        self._exchange.stalled = True
        _hang_up(self._exchange.response)


def _watched(exchange: Exchange, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks, as long as ``stall_timeout`` allows for what carries no data."""
    seconds = exchange.request.stall_timeout
    return blocks if seconds is None else _stalling(_Silence(exchange, seconds), blocks)


def _stalling(silence: _Silence, blocks: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        begun = time.monotonic()
        with Alarm(silence.left, silence.broken):
            block = next(blocks, None)
        if block is None:
            return
        silence.left -= time.monotonic() - begun
        yield block


def _awatched(exchange: Exchange, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """As `_watched`."""
    seconds = exchange.request.stall_timeout
    return blocks if seconds is None else _astalling(exchange, _Silence(exchange, seconds), blocks)


async def _astalling(exchange: Exchange, silence: _Silence, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(silence.left):
                block = await anext(blocks, None)
        except TimeoutError:
            exchange.stalled = True
            raise
        if block is None:
            return
        silence.left -= time.monotonic() - begun
        yield block


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
