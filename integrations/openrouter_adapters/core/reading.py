"""Reading an open response, sync and async: the bytes come from here, what they mean is said by `core.exchange`.

Time limits are kept here too: a stream that only keeps alive is broken off after ``stall_timeout``, and a body is read
to its end after ``[DONE]``, so that its connection serves the next request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import TYPE_CHECKING, Any

from openrouter_adapters.core.leaving import Held, hang_up, multiplexed
from openrouter_adapters.core.stream import Delta
from openrouter_adapters.core.watchdog import Alarm

if TYPE_CHECKING:
    from openrouter_adapters.core.exchange import Exchange

# A body is read to its end after [DONE], or its connection is lost for the next request; but not for ever.
_DRAIN_SECONDS, _DRAIN_BYTES = 1.0, 65_536
_READ_TIMEOUT = 600.0  # seconds between two bytes: the SDK's default


def deltas(exchange: Exchange) -> Generator[Delta]:
    """The pieces of a streamed answer; the response is closed at the end, whichever it is."""
    response, builder = exchange.response, exchange.builder
    blocks = response.iter_raw() if _is_plain(response) else response.iter_bytes()
    held = Held(response, blocks)
    try:
        arriving = _watched(exchange, blocks)
        for block in arriving:
            for data in exchange.events(block):
                delta = exchange.take(data)
                if delta is not None:
                    yield delta
            if exchange.done or builder.error is not None:
                break
        if exchange.failed:
            _drain(exchange, arriving)
        yield from exchange.end()
        _drain(exchange, arriving)
        exchange.ended()
    except GeneratorExit:
        held.leave()
        raise
    except Exception as error:
        exchange.fail(error)
    finally:
        held.close()
        exchange.left()
        exchange.tries.publish()


async def adeltas(exchange: Exchange) -> AsyncGenerator[Delta]:
    """As `deltas`."""
    try:
        response, builder = exchange.response, exchange.builder
        arriving = _awatched(exchange, response.aiter_raw() if _is_plain(response) else response.aiter_bytes())
        async for block in arriving:
            for data in exchange.events(block):
                delta = exchange.take(data)
                if delta is not None:
                    yield delta
            if exchange.done or builder.error is not None:
                break
        if exchange.failed:
            await _adrain(exchange, arriving)
        for delta in exchange.end():
            yield delta
        await _adrain(exchange, arriving)
        exchange.ended()
    except Exception as error:
        exchange.fail(error)
    finally:
        exchange.left()
        try:
            await exchange.response.aclose()
        finally:
            await exchange.tries.apublish()


def _is_plain(response: Any) -> bool:
    """Whether its bytes are as they come from the network: then there is nothing to decode for each block."""
    return "content-encoding" not in response.headers and not response.is_stream_consumed


def whole_body(exchange: Exchange) -> bytes:
    """A body to its end; of one that only says what went wrong, as much as is of use."""
    for block in _watched(exchange, exchange.response.iter_bytes()):
        if not exchange.collect(block):
            break
    return exchange.collected()


async def awhole_body(exchange: Exchange) -> bytes:
    """As `whole_body`."""
    async for block in _awatched(exchange, exchange.response.aiter_bytes()):
        if not exchange.collect(block):
            break
    return exchange.collected()


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
        """Too long: break the connection, unless others use it; their next block then ends this answer."""
        response = self._exchange.response
        if response.is_closed:  # the end had come already, only its reader was slow
            return
        self._exchange.stalled = True
        if not multiplexed(response):
            _break(response)


def _break(response: Any) -> None:
    """Make a read that is blocked in another thread return."""
    if not hang_up(response):
        response.close()


def _watched(exchange: Exchange, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks, as long as ``stall_timeout`` allows for what carries no data."""
    seconds = exchange.request.stall_timeout
    return blocks if seconds is None else _stalling(exchange, _Silence(exchange, seconds), blocks)


def _stalling(exchange: Exchange, silence: _Silence, blocks: Iterator[bytes]) -> Iterator[bytes]:
    while True:
        begun = time.monotonic()
        with Alarm(silence.left, silence.broken):
            block = next(blocks, None)
        if exchange.stalled:
            raise TimeoutError
        if block is None:
            return
        silence.left -= time.monotonic() - begun
        yield block


def _awatched(exchange: Exchange, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """As `_watched`."""
    request = exchange.request
    if request.stall_timeout is not None:
        return _astalling(exchange, _Silence(exchange, request.stall_timeout), blocks)
    # aiohttp waits for ever behind a broken chunk size, whatever its own limit.
    return _atimed(request.timeout or _READ_TIMEOUT, blocks) if request.http_async_client == "aiohttp" else blocks


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


async def _atimed(seconds: float, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        async with asyncio.timeout(seconds):
            block = await anext(blocks, None)
        if block is None:
            return
        yield block


def _drain(exchange: Exchange, blocks: Iterator[bytes]) -> None:
    """Read what follows the answer: usage after an error, and the end, so that the connection can be used again."""
    if multiplexed(exchange.response):
        return
    left = _DRAIN_BYTES
    with Alarm(_DRAIN_SECONDS, lambda: _break(exchange.response)):
        try:
            for block in blocks:
                left -= exchange.afterwards(block)
                if left < 0:
                    return
        except Exception:  # the answer is whole already, or failed: only the connection is lost
            return


async def _adrain(exchange: Exchange, blocks: AsyncIterator[bytes]) -> None:
    """As `_drain`."""
    if multiplexed(exchange.response):
        return
    left = _DRAIN_BYTES
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for block in blocks:
                left -= exchange.afterwards(block)
                if left < 0:
                    return
    except Exception:  # as in _drain
        return
