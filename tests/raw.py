"""A loopback server that sends exactly the bytes that it is told to send, when it is told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

Step = bytes | float
"""Bytes to send, or seconds to wait."""


class RawServer:
    """Answers each connection's first request with the steps, then closes the connection.

    Attributes:
        address: for use as ``base_url``.
        requests: what was asked, oldest first: the head of each request, as text.
        left: whether the last client hung up before the steps were done.
    """

    def __init__(self, steps: Iterable[Step] = (), *more: Sequence[Step]) -> None:
        """A server for one script, or for one script per request; the last one is for all that follow."""
        self.scripts: list[Sequence[Step]] = [tuple(steps), *more]
        self.requests: list[str] = []
        self.left = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._stopped = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.requests.append(_head(connection))
            script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
            try:
                self._play(connection, script)
            except OSError:
                self.left = True
                return
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(1.0)
            while connection.recv(65_536):  # a close with bytes unread would be a reset
                pass

    def _play(self, connection: socket.socket, script: Sequence[Step]) -> None:
        for step in script:
            if isinstance(step, bytes):
                connection.sendall(step)
            elif self._stopped.wait(step):
                return


def _head(connection: socket.socket) -> str:
    """Read one request; its head."""
    data = b""
    while b"\r\n\r\n" not in data and (block := connection.recv(65_536)):
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    lengths = [int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")]
    while lengths and len(body) < lengths[0] and (block := connection.recv(65_536)):
        body += block
    return "\n".join(lines)


def http(
    status: str, body: bytes = b"", kind: str | None = "application/json", framing: str = "length", *headers: str
) -> bytes:
    """The bytes of an answer.

    Args:
        status: such as ``"200 OK"``.
        body: what follows the head.
        kind: the content type; None: none.
        framing: "length", "chunked" (one chunk and the end), or "open": it ends with the connection.
        *headers: more lines of the head.
    """
    # Or the next request might come over the connection that is about to be closed.
    lines = [f"HTTP/1.1 {status}", "connection: close", *([f"content-type: {kind}"] if kind else []), *headers]
    if framing == "chunked":
        lines, body = [*lines, "transfer-encoding: chunked"], b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    elif framing == "length":
        lines = [*lines, f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def repeated(step: bytes, every: float, seconds: float) -> list[Step]:
    """The same bytes again and again, for so long."""
    return [part for _ in range(int(seconds / every)) for part in (step, every)]


def took(begun: float) -> float:
    """Seconds since a moment of `time.monotonic`."""
    return time.monotonic() - begun
