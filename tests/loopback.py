"""Small servers on loopback: one that says whatever bytes a test wants, and a proxy in front of it."""

from __future__ import annotations

import base64
import json
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

WHOLE = {
    "chat": {
        "id": "gen-1",
        "model": "a/b",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    },
    "embeddings": {"model": "a/b", "data": [{"index": 0, "embedding": [0.1, 0.2]}]},
    "rerank": {"id": "gen-1", "model": "a/b", "results": [{"index": 0, "relevance_score": 0.9}]},
}
CHUNK = {"id": "gen-1", "model": "a/b", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]}
LAST = {"id": "gen-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Received:
    """A request as it came."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for given, value in self.headers if given.lower() == name.lower()), None)

    @property
    def streams(self) -> bool:
        return bool(json.loads(self.body or b"{}").get("stream"))


# Bytes: the connection lives on. Pieces: they are sent one by one, then the connection is closed.
Handler = Callable[[Received], bytes | Iterator[bytes]]


def http(status: int, body: Any = "", kind: str = "application/json", **headers: str) -> bytes:
    """A response; underscores in the names of headers stand for hyphens."""
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    given = {"Content-Type": kind, "Content-Length": str(len(data)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Status\r\n{lines}\r\n".encode() + data


def event(body: Any) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def good(received: Received) -> bytes:
    """The answer that is asked for."""
    if received.streams:
        return http(200, f"{event(CHUNK).decode()}{event(LAST).decode()}data: [DONE]\n\n", "text/event-stream")
    kind = next((kind for kind in ("embeddings", "rerank") if kind in received.target), "chat")
    return http(200, WHOLE[kind])


def hang_up(_: Received) -> Iterator[bytes]:
    yield from ()


def garbage(_: Received) -> Iterator[bytes]:
    yield b"NOT HTTP AT ALL\r\n\r\n"


def cut(_: Received) -> Iterator[bytes]:
    """A body that breaks off."""
    yield EVENT_STREAM.replace(b"Connection: close", b"Content-Length: 10000") + event(CHUNK)


def silent(_: Received) -> Iterator[bytes]:
    """No byte at all."""
    for _ in range(200):
        time.sleep(0.02)
        yield b""


def commenting(received: Received) -> Iterator[bytes]:
    """An answer that says only that it lives; a stream does so after its first piece."""
    yield EVENT_STREAM + event(CHUNK) * received.streams
    for _ in range(200):
        time.sleep(0.02)
        yield b": OPENROUTER PROCESSING\n\n"


def dripping(_: Received) -> Iterator[bytes]:
    """A stream without end."""
    yield EVENT_STREAM
    for _ in range(200):
        yield event(CHUNK)
        time.sleep(0.02)


class Listener:
    """Accepts connections, each in a thread of its own, until its ``with`` block is left."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.connections = 0
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(connection)
        with connection, suppress(OSError):
            self.serve(connection)
        self._open.discard(connection)

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Server(Listener):
    """Answers as its handler says.

    Attributes:
        received: the requests, oldest first.
        left: set when a client had gone before everything was sent.
    """

    def __init__(self, handle: Handler = good, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.received: list[Received] = []
        self.left = threading.Event()
        self._handle = handle
        self._tls = tls

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        if self._tls is None:
            self._talk(connection)
            return
        with self._tls.wrap_socket(connection, server_side=True) as secured:
            self._talk(secured)

    def _talk(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as incoming:
            while (received := _read(incoming)) is not None:
                self.received.append(received)
                said = self._handle(received)
                if isinstance(said, bytes):
                    connection.sendall(said)
                else:
                    self._send_all(connection, said)
                    return

    def _send_all(self, connection: socket.socket, pieces: Iterator[bytes]) -> None:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            self.left.set()


def _read(incoming: Any) -> Received | None:
    line = incoming.readline().decode("latin-1")
    if line.count(" ") < 2:  # the end, or no HTTP
        return None
    method, target, _ = line.split(" ", 2)
    headers = []
    while text := incoming.readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = text.partition(":")
        headers.append((name, value.strip()))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    return Received(method, target, tuple(headers), incoming.read(length))


class Proxy(Listener):
    """An HTTP proxy: CONNECT, and requests for whole addresses.

    Attributes:
        received: the requests that it passed on, CONNECT included, without bodies.
    """

    def __init__(self, credentials: str = "") -> None:
        super().__init__()
        self.received: list[Received] = []
        self._wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else None

    def serve(self, connection: socket.socket) -> None:
        head, _, rest = _head(connection).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        received = Received(method, target, headers, b"")
        self.received.append(received)
        if self._wanted and received.header("proxy-authorization") != self._wanted:
            connection.sendall(http(407, Proxy_Authenticate="Basic", Connection="close"))
            return
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with socket.create_connection((parts.hostname or "", parts.port or 80)) as upstream:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection"))]
                passed = "\r\n".join([f"{method} {parts.path} HTTP/1.1", *kept, "Connection: close", "", ""])
                upstream.sendall(passed.encode() + rest)
            _pump(connection, upstream)


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        block = connection.recv(65536)
        if not block:
            raise OSError("gone")
        head += block
    return head


def _pump(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as waiting:
        for source, sink in ((one, other), (other, one)):
            waiting.register(source, selectors.EVENT_READ, sink)
        while True:
            for key, _ in waiting.select():
                block = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not block:
                    return
                key.data.sendall(block)


def refused_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
