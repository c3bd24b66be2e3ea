"""The only I/O: requests over the HTTP clients of the `openai` SDK, sync and async, with the one layer of retries.

Every request is opened as a stream of bytes, an unstreamed answer too: so time limits and connections are handled in
one way, and headers are known before the body. What the bytes mean is in `core.exchange`, which both colours share.

This module imports openai when the first request is made, not before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from openrouter_adapters.core.answer import Answer
from openrouter_adapters.core.leaving import Held, aclose, guard, sweep
from openrouter_adapters.core.reading import adeltas, awhole_body, deltas, whole_body
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.stream import Delta, ReplyBuilder
from openrouter_adapters.core.tries import Tries

if TYPE_CHECKING:
    from openrouter_adapters.core.connections import Connections
    from openrouter_adapters.core.errors import Specialize
    from openrouter_adapters.core.exchange import Exchange

T = TypeVar("T")
A = TypeVar("A", bound="Reply | Answer[Any]")
C = TypeVar("C")


class Client:
    """Sends requests and reads answers. Cheap to make; connections open on first use and are shared.

    Works from many threads, and from any number of event loops at once or in turn. Copies and pickles as a fresh
    client.

    Args:
        specialize: gives a framework's own subclass of an error class.
    """

    def __init__(self, specialize: Specialize | None = None) -> None:
        self._specialize = specialize

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._specialize,)

    # ---- sync

    def complete(self, request: Request) -> Reply:
        """One whole answer.

        Raises:
            OpenRouterError: the request failed, or its answer did; after the retries that are due.
        """
        if not request.streams_only:
            return self._retrying(
                request, lambda tries: self._whole_once(tries, lambda opened, data: opened.whole(data))
            )
        with self.stream(request) as stream:
            for _ in stream:
                pass
        return stream.reply()

    def fetch(self, request: Request, read: Callable[[dict[str, Any]], C]) -> Answer[C]:
        """The answer of another endpoint than chat.

        Args:
            request: what to ask.
            read: makes the answer's content of its JSON object; raises `core.answer.Unreadable` when it cannot.

        Raises:
            OpenRouterError: as `complete`.
        """
        return self._retrying(
            request, lambda tries: self._whole_once(tries, lambda opened, data: opened.answer(data, read))
        )

    def stream(self, request: Request) -> ReplyStream:
        """One answer, piece by piece: ``with client.stream(request) as stream: for delta in stream: ...``."""
        return ReplyStream(self, request)

    def _whole_once(self, tries: Tries, read: Callable[[Exchange, bytes], A]) -> A:
        exchange = self._open(tries, stream=False)
        try:
            return exchange.answered(read(exchange, whole_body(exchange)))
        except Exception as error:
            exchange.fail(error)
        finally:
            exchange.response.close()

    def start(self, request: Request) -> tuple[Exchange, Delta | None, Generator[Delta]]:
        """Open a stream and wait for its first piece, so that trouble before it is retried like a call's."""
        return self._retrying(request, self._start_once)

    def _start_once(self, tries: Tries) -> tuple[Exchange, Delta | None, Generator[Delta]]:
        exchange = self._open(tries, stream=True)
        arriving = deltas(exchange)
        return exchange, next(arriving, None), arriving

    def _open(self, tries: Tries, *, stream: bool) -> Exchange:
        from openrouter_adapters.core import connections, exchange, network

        sweep()
        tries.begin(self._specialize)
        request = tries.request
        _check_choices(request, stream)
        http = request.http_client or connections.shared.sync(self)
        token = connections.sending.set(connections.Sealed(_headers(request)))
        try:
            response = http.send(connections.built(http, request, stream=stream), stream=True)
        except Exception as error:
            response = network.refused(error, request, self._specialize)
        except BaseException as error:
            error.__traceback__ = None  # its frames may hold what is sealed
            raise
        finally:
            connections.sending.reset(token)
        return exchange.Exchange(tries, response, self._specialize)

    def _retrying(self, request: Request, attempt: Callable[[Tries], T]) -> T:
        from openrouter_adapters.core.errors import OpenRouterError

        tries = Tries(request)
        while True:
            try:
                return attempt(tries)
            except OpenRouterError as error:
                wait = tries.wait_after(error)
                if wait is None:
                    raise
            except BaseException as error:
                tries.cut_off(error)
                raise
            finally:
                tries.publish()
            time.sleep(wait)

    def close(self) -> None:
        """Let go of the shared connections; the next use opens anew. A client of the caller's is never closed."""
        from openrouter_adapters.core import connections

        connections.shared.leave(self)

    # ---- async: the same, with await

    async def acomplete(self, request: Request) -> Reply:
        """As `complete`."""
        if not request.streams_only:
            return await self._aretrying(
                request, lambda tries: self._awhole_once(tries, lambda opened, data: opened.whole(data))
            )
        async with self.astream(request) as stream:
            async for _ in stream:
                pass
        return stream.reply()

    async def afetch(self, request: Request, read: Callable[[dict[str, Any]], C]) -> Answer[C]:
        """As `fetch`."""
        return await self._aretrying(
            request, lambda tries: self._awhole_once(tries, lambda opened, data: opened.answer(data, read))
        )

    def astream(self, request: Request) -> AsyncReplyStream:
        """As `stream`: ``async with client.astream(request) as stream: async for delta in stream: ...``."""
        return AsyncReplyStream(self, request)

    async def _awhole_once(self, tries: Tries, read: Callable[[Exchange, bytes], A]) -> A:
        exchange = await self._aopen(tries, stream=False)
        try:
            return exchange.answered(read(exchange, await awhole_body(exchange)))
        except Exception as error:
            exchange.fail(error)
        finally:
            await exchange.response.aclose()

    async def astart(self, request: Request) -> tuple[Exchange, Delta | None, AsyncGenerator[Delta]]:
        """As `start`."""
        return await self._aretrying(request, self._astart_once)

    async def _astart_once(self, tries: Tries) -> tuple[Exchange, Delta | None, AsyncGenerator[Delta]]:
        exchange = await self._aopen(tries, stream=True)
        arriving = adeltas(exchange)
        return exchange, await anext(arriving, None), arriving

    async def _aopen(self, tries: Tries, *, stream: bool) -> Exchange:
        from openrouter_adapters.core import connections, exchange, network

        sweep()
        tries.begin(self._specialize)
        request = tries.request
        _check_choices(request, stream)
        http = await self._async_http(request, connections.shared)
        token = connections.sending.set(connections.Sealed(_headers(request)))
        try:
            response = await http.send(connections.built(http, request, stream=stream), stream=True)
        except Exception as error:
            response = network.refused(error, request, self._specialize)
        except BaseException as error:
            error.__traceback__ = None  # its frames may hold what is sealed
            raise
        finally:
            connections.sending.reset(token)
        return exchange.Exchange(tries, response, self._specialize)

    async def _async_http(self, request: Request, shared: Connections) -> Any:
        own = request.http_async_client
        return await shared.for_loop(self, own or "httpx") if own is None or own == "aiohttp" else own

    async def _aretrying(self, request: Request, attempt: Callable[[Tries], Awaitable[T]]) -> T:
        from openrouter_adapters.core.errors import OpenRouterError

        tries = Tries(request)
        while True:
            try:
                return await attempt(tries)
            except OpenRouterError as error:
                wait = tries.wait_after(error)
                if wait is None:
                    raise
            except BaseException as error:
                tries.cut_off(error)
                raise
            finally:
                await tries.apublish()
            await asyncio.sleep(wait)

    async def aclose(self) -> None:
        """As `close`, for the running event loop too."""
        from openrouter_adapters.core import connections

        await connections.shared.leave_loop(self)


class ReplyStream:
    """An answer that is arriving. Entering opens it, leaving closes the connection at once, read to the end or not.

    Iterate it for `Delta` after `Delta`; then `reply` is the whole answer.
    """

    def __init__(self, client: Client, request: Request) -> None:
        self._client = client
        self._request = request
        self._exchange: Exchange | None = None
        self._first: Delta | None = None
        self._rest: Generator[Delta] | None = None

    def __enter__(self) -> ReplyStream:
        """Open the stream and wait for its first piece.

        Raises:
            OpenRouterError: it failed before the first piece, after the retries that are due.
        """
        self._exchange, self._first, self._rest = self._client.start(self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rest is not None:
            self._rest.close()

    def __iter__(self) -> Iterator[Delta]:
        first = () if self._first is None else (self._first,)
        return chain(first, self._rest or ())

    @property
    def builder(self) -> ReplyBuilder:
        """What has arrived so far."""
        return _entered(self._exchange).builder

    def reply(self) -> Reply:
        """The answer so far; after the last piece, the whole one."""
        return _entered(self._exchange).reply()


class AsyncReplyStream:
    """As `ReplyStream`, with ``async with`` and ``async for``."""

    def __init__(self, client: Client, request: Request) -> None:
        self._client = client
        self._request = request
        self._exchange: Exchange | None = None
        self._first: Delta | None = None
        self._rest: AsyncGenerator[Delta] | None = None
        self._held: Held | None = None
        self._guard: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncReplyStream:
        """As `ReplyStream.__enter__`."""
        self._exchange, self._first, self._rest = await self._client.astart(self._request)
        self._held = Held(self._exchange.response, self._rest, asyncio.get_running_loop())
        self._guard = guard(self._exchange.response)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is None or self._guard is None or self._rest is None:
            return
        self._guard.cancel()
        self._held.release()
        # The connection first, by whoever leaves: a loop that shuts down ends every generator in a task of its own.
        try:
            await self._held.response.aclose()
        finally:
            await aclose(self._rest)
            if not self._guard.done():
                await asyncio.wait({self._guard})

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    def __anext__(self) -> Awaitable[Delta]:
        """The next piece: the first was waited for on entering, all others come from where they are read."""
        first, self._first = self._first, None
        return _entered(self._rest).__anext__() if first is None else _at_once(first)

    @property
    def builder(self) -> ReplyBuilder:
        """What has arrived so far."""
        return _entered(self._exchange).builder

    def reply(self) -> Reply:
        """As `ReplyStream.reply`."""
        return _entered(self._exchange).reply()


def _check_choices(request: Request, stream: bool) -> None:
    """Refuse several choices of one stream, which would be told apart by nobody.

    Raises:
        ValueError: several are asked for.
    """
    if stream and (choices := request.body.get("n")) not in (None, 1):
        raise ValueError(f"n={choices!r}: a stream has one choice, ask without streaming (audio always streams)")


def _headers(request: Request) -> dict[str, str]:
    """The headers of a request. The caller's own ``Authorization`` first, then the address's, then the key."""
    key = request.api_key.get_secret_value()
    authorization = request.basic.get_secret_value() or (f"Bearer {key}" if key else "")
    has_own = any(name.lower() == "authorization" for name in request.headers)
    return request.headers if has_own or not authorization else {**request.headers, "Authorization": authorization}


async def _at_once(delta: Delta) -> Delta:
    return delta


def _entered(opened: T | None) -> T:
    if opened is None:
        raise RuntimeError("the stream is not open: use it in a with statement")
    return opened
