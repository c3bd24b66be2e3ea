"""A loopback server that replays answers byte for byte. It knows nothing of OpenRouter."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVENTS = "text/event-stream"
_PIECE = 509  # bytes of a body that arrive together: a prime, so that pieces end anywhere, inside a character too


@dataclass(frozen=True)
class Answer:
    """What goes over the socket.

    Attributes:
        body: the bytes after the headers.
        status: the HTTP status.
        headers: the response headers, but for the framing.
        hangs_up: whether the connection breaks before the body is framed as complete.
    """

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    hangs_up: bool = False

    def framed(self) -> bytes:
        """The body in HTTP's chunked encoding."""
        pieces = (self.body[at : at + _PIECE] for at in range(0, len(self.body), _PIECE))
        framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        return framed if self.hangs_up else framed + b"0\r\n\r\n"


class ReplayServer(ThreadingHTTPServer):
    """Answers every request to an address with the answer that stands there.

    Attributes:
        requests: the JSON bodies that came, oldest first, by address.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: dict[str, list[Any]] = {}
        self._answers: dict[str, Answer] = {}
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def put(self, answer: Answer) -> str:
        """Have an answer served; its address, for use as ``base_url``."""
        name = f"/{next(self._numbers)}"
        self._answers[name] = answer
        return f"http://127.0.0.1:{self.server_port}{name}"

    def asked(self, address: str) -> list[Any]:
        """The bodies of the requests to an address."""
        return self.requests["/" + address.rpartition("/")[2]]

    def take(self, path: str, body: bytes) -> Answer:
        name = path.removesuffix("/chat/completions")
        self.requests.setdefault(name, []).append(json.loads(body))
        return self._answers[name]

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ReplayServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        answer = self.server.take(self.path, self.rfile.read(int(self.headers["content-length"])))
        self.send_response_only(answer.status)
        for name, value in {**answer.headers, "transfer-encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.framed())
        self.close_connection = answer.hangs_up
