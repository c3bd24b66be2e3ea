"""A gateway per test, and a small client made of the standard library's."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.gateway.pytest_plugin import _openrouter_gateway_server, openrouter_gateway

__all__ = ["_openrouter_gateway_server", "openrouter_gateway"]


class Answer:
    """One HTTP answer, read to its end."""

    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def events(self) -> list[str]:
        return self.text.split("\n\n")[:-1]

    @property
    def chunks(self) -> list[Any]:
        return [json.loads(event[6:]) for event in self.events if event.startswith("data: {")]


class Client:
    """Talks to a gateway the way any client would."""

    def __init__(self, gateway: LocalGateway) -> None:
        self.gateway = gateway
        self._open: list[HTTPConnection] = []

    def send(
        self, method: str, path: str, body: Any = None, key: str = "test-key", timeout: float = 60, **headers: str
    ) -> HTTPConnection:
        """Send a request; nothing of the answer is waited for."""
        url = urlsplit(self.gateway.base_url)
        connection = HTTPConnection(url.hostname or "", url.port, timeout=timeout)
        self._open.append(connection)
        auth = {"Authorization": f"Bearer {key}"} if key else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, url.path + path, payload, {"Content-Type": "application/json", **auth, **named})
        return connection

    def begin(self, method: str, path: str, body: Any = None, **more: Any) -> HTTPResponse:
        """Send a request; the answer is still to be read."""
        return self.send(method, path, body, **more).getresponse()

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return Answer(self.begin("POST", path, body, **headers))

    def get(self, path: str, **headers: str) -> Answer:
        return Answer(self.begin("GET", path, **headers))

    def chat(self, text: str = "Hello there", /, **body: Any) -> Answer:
        return self.post("/chat/completions", {"messages": [{"role": "user", "content": text}], **body})

    def message(self, text: str = "Hello there", /, **body: Any) -> Any:
        return self.chat(text, **body).body["choices"][0]["message"]

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self._open:
            connection.close()


@pytest.fixture
def gateway(openrouter_gateway: LocalGateway) -> LocalGateway:
    return openrouter_gateway


@pytest.fixture
def client(gateway: LocalGateway) -> Iterator[Client]:
    with Client(gateway) as client:
        yield client
