"""HTTP/2, where answers share a connection: what ends one of them leaves the others alone."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import Any

import openai
import pytest

from openrouter_adapters import StallTimeoutError
from openrouter_adapters.langchain import ChatOpenRouter

from .certificates import Certificate
from .every_way import KEY, OWN
from .loopback import CHUNK, LAST, WHOLE, Listener, event
from .shown import leaks

pytestmark = pytest.mark.skipif(importlib.util.find_spec("h2") is None, reason="needs h2: httpx has no HTTP/2 without")

STALLING, SLOW = "stalling", "slow"
EVENTS = [(":status", "200"), ("content-type", "text/event-stream")]


class Server(Listener):
    """Streams comments only to who asks for the model "stalling", and pieces, slowly, to who asks for "slow"."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__()
        tls.set_alpn_protocols(["h2"])
        self._tls = tls
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        with self._tls.wrap_socket(connection, server_side=True) as secured:
            spoken = H2Connection(H2Configuration(client_side=False))
            spoken.initiate_connection()
            secured.sendall(spoken.data_to_send())
            bodies: dict[int, bytes] = {}
            while data := secured.recv(65536):
                with self._lock:
                    happened = spoken.receive_data(data)
                    secured.sendall(spoken.data_to_send())
                for one in happened:
                    kind, stream = type(one).__name__, getattr(one, "stream_id", 0)
                    bodies[stream] = bodies.get(stream, b"") + (one.data if kind == "DataReceived" else b"")
                    if kind == "StreamEnded":
                        answering = (secured, spoken, stream, json.loads(bodies[stream]))
                        threading.Thread(target=self._answer, args=answering, daemon=True).start()

    def _answer(self, secured: Any, spoken: Any, stream: int, body: dict[str, Any]) -> None:
        def begin(headers: list[tuple[str, str]]) -> None:
            with self._lock:
                spoken.send_headers(stream, headers)
                secured.sendall(spoken.data_to_send())

        def say(data: bytes, *, end: bool = False) -> None:
            with self._lock:
                spoken.send_data(stream, data, end_stream=end)
                secured.sendall(spoken.data_to_send())

        with suppress(Exception):  # the stream was reset, or the connection is gone
            if not body.get("stream"):
                begin([(":status", "200"), ("content-type", "application/json")])
                say(json.dumps(WHOLE["chat"]).encode(), end=True)
                return
            begin(EVENTS)
            say(event(CHUNK))
            for _ in range(200 if body["model"] == STALLING else 20):
                time.sleep(0.04)
                say(b": PROCESSING\n\n" if body["model"] == STALLING else event(CHUNK))
            say(event(LAST) + b"data: [DONE]\n\n", end=True)


@pytest.fixture
def server(certificate: Certificate) -> Any:
    with Server(certificate.server()) as made:
        yield made


def model(server: Server, name: str, **options: Any) -> Any:
    given = {"model": name, "api_key": KEY, "max_retries": 0, "base_url": server.url, "default_headers": OWN}
    return ChatOpenRouter(**{**given, **options})


def begun(asked: Any) -> Iterator[Any]:
    """A stream whose first piece has come: two threads that ask at the same moment can be given one stream's number.

    (`httpcore` takes the next number and writes it down in two steps, with no lock around them.)
    """
    pieces = asked.stream("hi")
    return chain([next(pieces)], pieces)


def test_a_stall_ends_one_answer_of_several(server: Server) -> None:
    with openai.DefaultHttpxClient(http2=True, verify=False) as client, ThreadPoolExecutor(2) as pool:
        assert model(server, SLOW, http_client=client).invoke("hi").text == "Hello"
        slow = pool.submit(list, begun(model(server, SLOW, http_client=client)))
        stalling = model(server, STALLING, http_client=client, stall_timeout=0.3)
        with pytest.raises(StallTimeoutError) as caught:
            list(stalling.stream("hi"))
        assert "".join(piece.text for piece in slow.result(10)) == "Hello" * 21
    assert server.connections == 1 and leaks(caught.value) == []


async def test_a_stall_ends_one_async_answer_of_several(server: Server) -> None:
    async def pieces(asked: Any) -> list[Any]:
        return [piece async for piece in asked.astream("hi")]

    async with openai.DefaultAsyncHttpxClient(http2=True, verify=False) as client:
        assert (await model(server, SLOW, http_async_client=client).ainvoke("hi")).text == "Hello"
        slow = asyncio.create_task(pieces(model(server, SLOW, http_async_client=client)))
        with pytest.raises(StallTimeoutError) as caught:
            await pieces(model(server, STALLING, http_async_client=client, stall_timeout=0.3))
        assert "".join(piece.text for piece in await slow) == "Hello" * 21
    assert server.connections == 1 and leaks(caught.value) == []


def test_leaving_one_answer_leaves_the_others(server: Server) -> None:
    with openai.DefaultHttpxClient(http2=True, verify=False) as client, ThreadPoolExecutor(2) as pool:
        assert model(server, SLOW, http_client=client).invoke("hi").text == "Hello"
        slow = pool.submit(list, begun(model(server, SLOW, http_client=client)))
        arriving = model(server, STALLING, http_client=client).stream("hi")
        next(arriving)
        arriving.close()
        assert "".join(piece.text for piece in slow.result(10)) == "Hello" * 21
    assert server.connections == 1
