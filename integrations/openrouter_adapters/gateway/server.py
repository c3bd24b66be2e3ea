"""The only I/O: an HTTP server with its own thread and event loop."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import answers
from .answers import Handler, answer
from .making import Making
from .problems import Problem
from .state import Exchange, State
from .wire import BLANK_LINES, COMMENT, DONE, Cut, Pause, Step, Wire, problem_wire

__all__ = ["Server"]

PREFIX = "/api/v1"
_START_TIMEOUT = 10.0
_KEEP_ALIVE = 1.0
"""Seconds of silence before it is told that an answer is still being made; until then it may yet be refused."""
_KEYLESS = ("/models", "/models/{slug:path}/endpoints", "/model/{slug:path}")


class Server:
    """Serves one state from a thread of its own."""

    def __init__(self, state: State, port: int = 0) -> None:
        """Take a port; nothing is served yet."""
        self.state: State = state
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self._players: set[Player] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"openrouter-gateway:{self.port}", daemon=True)

    def start(self) -> None:
        """Serve; returns when requests are answered."""
        self._thread.start()
        if not self._started.wait(_START_TIMEOUT):
            raise RuntimeError("the local gateway did not start")

    def stop(self) -> None:
        """Close every connection, and end the thread."""
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()

    def renew(self, state: State) -> None:
        """Serve another state, and end the answers that are still being sent."""
        self.state = state
        self._loop.call_soon_threadsafe(self._release)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        config = uvicorn.Config(
            self._app(),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            timeout_keep_alive=75,
        )
        self._uvicorn = _Uvicorn(config, self._started)
        await self._uvicorn.serve(sockets=[self._socket])

    def _stop(self) -> None:
        self._release()
        self._uvicorn.stopping.set()

    def _release(self) -> None:
        for player in self._players:
            player.release()

    def _app(self) -> Starlette:
        paths: list[tuple[str, str, Handler]] = [
            ("POST", "/chat/completions", answers.chat),
            ("POST", "/embeddings", answers.embeddings),
            ("POST", "/rerank", answers.rerank),
            ("GET", "/models", answers.models),
            ("GET", "/models/user", answers.models),
            ("GET", "/models/{slug:path}/endpoints", answers.endpoints),
            ("GET", "/model/{slug:path}", answers.model),
            ("GET", "/generation", answers.generation),
            ("GET", "/key", answers.key),
            ("GET", "/auth/key", answers.key),
            ("GET", "/credits", answers.credits),
        ]
        routes = [
            Route(PREFIX + path, self._endpoint(handler, needs_key=path not in _KEYLESS), methods=[method])
            for method, path, handler in paths
        ]
        nothing = self._endpoint(answers.nothing, needs_key=False)
        everything = Route("/{path:path}", nothing, methods=["GET", "POST", "PUT", "DELETE"])
        return Starlette(routes=[*routes, everything])

    def _endpoint(self, handler: Handler, *, needs_key: bool) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            exchange = await read(request)
            self.state.log.append(exchange)
            wire = answer(self.state, exchange, handler, needs_key=needs_key)
            exchange.status = wire.status
            return Player(wire, exchange, self._players) if wire.status else HangUp(self._uvicorn, wire, exchange)

        return endpoint


class _Uvicorn(uvicorn.Server):
    """A uvicorn that waits to be stopped instead of looking at a flag ten times a second."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()
        self._announce = started

    @override
    async def main_loop(self) -> None:
        self._announce.set()
        await self.stopping.wait()
        self.force_exit = True

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)


async def read(request: Request) -> Exchange:
    """A request as the log keeps it."""
    raw = await request.body()
    headers = dict(request.headers)
    key = headers.get("authorization", "").removeprefix("Bearer").strip()
    if key:
        headers["authorization"] = "Bearer ***"
    query = dict(request.query_params)
    port = request.client.port if request.client else 0
    return Exchange(request.method, request.url.path, query, headers, _json(raw), port=port, key=key)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")


class HangUp(Response):
    """Closes the connection without a word, or after words that are no HTTP."""

    def __init__(self, server: uvicorn.Server, wire: Wire, exchange: Exchange) -> None:
        super().__init__()
        self._server, self._exchange = server, exchange
        self._words = b"".join(step for step in wire.steps if isinstance(step, bytes))

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the request's connection among the server's, and end it."""
        for connection in self._server.server_state.connections:
            if isinstance(connection, H11Protocol) and connection.client == scope["client"]:
                connection.transport.write(self._words)
                connection.transport.close() if self._words else connection.transport.abort()
        await receive()
        self._exchange.finish()


class Player(Response):
    """Sends an answer step by step, and notices when the client leaves."""

    def __init__(self, wire: Wire, exchange: Exchange, players: "set[Player]") -> None:
        super().__init__()
        self._wire, self._exchange, self._players = wire, exchange, players
        self._released = asyncio.get_running_loop().create_future()

    def release(self) -> None:
        """End pauses, now and in future, and the answer with them."""
        if not self._released.done():
            self._released.set_result(None)

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Play the answer."""
        gone = asyncio.ensure_future(_disconnected(receive))
        self._players.add(self)
        try:
            await self._play(send, gone)
        finally:
            gone.cancel()
            self._players.discard(self)
            self._exchange.finish()

    async def _play(self, send: Send, gone: "asyncio.Future[None]") -> None:
        if self._wire.live is None:
            await self._send_all(None, send, gone)
            return
        making = Making(self._wire.live)
        try:
            await (self._make_whole if self._wire.then else self._begin)(making, gone)
            await self._send_all(making if self._wire.live is not None else None, send, gone)
        finally:
            await making.leave()

    async def _begin(self, making: Making, gone: "asyncio.Future[None]") -> None:
        """Wait a moment for the first step: a problem is still told by a status."""
        await self._next_of(making, gone)
        if making.upcoming().done() and isinstance(problem := making.upcoming().result(), Problem):
            self._answer_with(problem_wire(problem))

    async def _make_whole(self, making: Making, gone: "asyncio.Future[None]") -> None:
        """Wait for all of an answer that goes wrong in some way: how is seen in the whole."""
        steps: list[Step] = []
        while not self._is_over(gone):
            await self._next_of(making, gone)
            if not making.upcoming().done():
                continue
            made = making.take()
            if made is None or isinstance(made, Problem):
                self._answer_with(problem_wire(made) if made else self._wire.whole(steps))
                return
            steps.append(made)

    def _answer_with(self, wire: Wire) -> None:
        self._wire, self._exchange.status = wire, wire.status

    async def _send_all(self, making: Making | None, send: Send, gone: "asyncio.Future[None]") -> None:
        headers = [(name.encode(), value.encode()) for name, value in self._wire.headers.items()]
        await send({"type": "http.response.start", "status": self._wire.status, "headers": headers})
        whole = await self._take(self._wire.steps, send, gone)
        if whole and making:
            whole = await self._take_made(making, send, gone)
        while whole and self._wire.forever:
            whole = await self._take(self._wire.forever, send, gone)
        if whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _take(self, steps: tuple[Step, ...], send: Send, gone: "asyncio.Future[None]") -> bool:
        """Take steps; False when the answer ends before its time."""
        for step in steps:
            if isinstance(step, Cut) or self._is_over(gone):
                return False
            if isinstance(step, Pause):
                await self._wait(step, gone)
                if self._is_over(gone):
                    return False
            else:
                await self._send(step, send)
        return True

    async def _take_made(self, making: Making, send: Send, gone: "asyncio.Future[None]") -> bool:
        """Take steps as they are made; False when the answer ends before its time."""
        while True:
            await self._next_of(making, gone)
            if self._is_over(gone):
                return False
            if not making.upcoming().done():
                await self._send(COMMENT if self._wire.streams else BLANK_LINES, send)
            elif (made := making.take()) is None:
                return True
            elif isinstance(made, Problem):
                await self._take((made.body(), *([DONE] if self._wire.streams else [])), send, gone)
            else:
                await self._take((made,), send, gone)

    async def _next_of(self, making: Making, gone: "asyncio.Future[None]") -> None:
        wanted: set[asyncio.Future[Any]] = {making.upcoming(), gone, self._released}
        await asyncio.wait(wanted, timeout=_KEEP_ALIVE, return_when=asyncio.FIRST_COMPLETED)

    def _is_over(self, gone: "asyncio.Future[None]") -> bool:
        """Whether the client has left, or the answer was called off, with steps still to take."""
        self._exchange.client_left = gone.done()
        return gone.done() or self._released.done()

    async def _wait(self, pause: Pause, gone: "asyncio.Future[None]") -> None:
        timeout = None if pause.seconds == float("inf") else pause.seconds
        await asyncio.wait({gone, self._released}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    async def _send(self, step: bytes | dict[str, Any], send: Send) -> None:
        """Send one step by itself, then let the loop see whether the client is still there."""
        await send({"type": "http.response.body", "body": self._wire.encode(step), "more_body": True})
        self._exchange.chunks_sent += isinstance(step, dict) and self._wire.streams
        await asyncio.sleep(0)


async def _disconnected(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
