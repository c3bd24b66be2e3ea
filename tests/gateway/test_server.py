"""Real HTTP: the log, the key, clients that leave, many at once, starting and stopping."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import pytest

from openrouter_adapters.gateway import LocalGateway, Reply

from .conftest import Client

MESSAGES = [{"role": "user", "content": "Hi"}]


def test_the_log(gateway: LocalGateway, client: Client) -> None:
    client.chat("one", model="openai/gpt-4o")
    client.post("/chat/completions?x=1", {"messages": MESSAGES, "stream": True}, key="sk-secret", X_Title="Test")
    client.get("/key")
    first, second, third = gateway.requests
    assert (first.method, first.path, first.status) == ("POST", "/api/v1/chat/completions", 200)
    assert (first.body["model"], first.model, first.provider) == ("openai/gpt-4o", "openai/gpt-4o", "OpenAI")
    assert (second.query, second.headers["x-title"]) == ({"x": "1"}, "Test")
    assert second.headers["authorization"] == "Bearer ***"
    assert (second.key, "sk-secret" in repr(second)) == ("sk-secret", False)
    assert second.wait() and second.done and not second.client_left
    assert second.chunks_sent == 6
    assert (third.method, third.path, third.body) == ("GET", "/api/v1/key", None)


def test_each_test_has_a_fresh_gateway(gateway: LocalGateway, client: Client) -> None:
    assert gateway.requests == []
    assert client.get("/key").body["data"]["usage"] == 0


def test_reset(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("scripted")
    gateway.fault("overloaded", times=None)
    gateway.down("openai")
    gateway.serve("brand/new")
    client.chat()
    gateway.reset()
    assert gateway.requests == []
    answer = client.chat("x").body
    assert (answer["choices"][0]["message"]["content"], answer["provider"]) == ("You said: x", "OpenAI")
    assert client.chat(model="brand/new").status == 400


def test_reset_ends_what_hangs(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("silence")
    response = client.begin("POST", "/chat/completions", {"messages": MESSAGES, "stream": True})
    (hanging,) = gateway.requests
    gateway.reset()
    assert hanging.wait()
    assert not hanging.client_left
    response.close()


@pytest.mark.parametrize("key", ["", "Bearer"])
def test_without_a_key(key: str, client: Client) -> None:
    headers = {"Authorization": key} if key else {}
    answer = client.post("/chat/completions", {"messages": MESSAGES}, key="", **headers)
    assert (answer.status, answer.body) == (401, {"error": {"message": "Missing Authentication header", "code": 401}})


def test_the_one_key() -> None:
    with LocalGateway(api_key="right") as gateway, Client(gateway) as client:
        body = {"messages": MESSAGES}
        assert [client.post("/chat/completions", body, key=key).status for key in ("right", "wrong")] == [200, 401]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": "Hi"},
        {"messages": ["Hi"]},
        {"messages": [{"content": "Hi"}]},
        {"messages": MESSAGES, "temperature": 5},
        {"messages": MESSAGES, "provider": ["openai"]},
        {"messages": MESSAGES, "models": "openai/gpt-4o"},
        [],
        b"{",
        b"\xff",
    ],
)
def test_requests_that_make_no_sense(body: object, client: Client) -> None:
    answer = client.post("/chat/completions", body)
    assert (answer.status, answer.body["error"]["code"]) == (400, 400)


@pytest.mark.parametrize("limit", [0, -1])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_has_room_for_a_token(name: str, limit: int, client: Client) -> None:
    answer = client.chat(**{name: limit})
    assert answer.status == 400
    assert answer.body["error"]["message"] == f"Expected {name} to be at least 1, received {limit}"
    assert client.chat(**{name: 1}).body["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "openai/gpt-5-mini"])
def test_half_a_surrogate_pair_is_answered(model: str, stream: bool, client: Client) -> None:
    """JSON can say it, UTF-8 cannot. The second model's thoughts are sealed."""
    answer = client.chat("\ud83d!", model=model, stream=stream, reasoning={"effort": "low"})
    assert answer.status == 200 and ("[DONE]" in answer.text) == stream
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in answer.chunks)
    assert (text if stream else answer.body["choices"][0]["message"]["content"]) == "You said: ?!"
    assert client.post("/rerank", {"model": "cohere/rerank-v3.5", "query": "\ud83d", "documents": ["\ud83d"]}).body


def failing(body: object) -> Reply:
    raise KeyError("name")


def test_the_gateways_own_mistakes_are_told() -> None:
    with LocalGateway(respond=failing) as gateway, Client(gateway) as client:
        answer = client.chat()
        assert (answer.status, answer.body["error"]["message"]) == (500, "The local gateway failed: KeyError('name')")
        gateway.fault("overloaded", match=lambda body: bool(body["name"]))
        assert client.chat().body == answer.body
        assert gateway.requests[1].wait() and gateway.requests[1].status == 500


def test_paths_that_there_are_not(client: Client) -> None:
    assert client.post("/nothing", {}).body == {"error": {"message": "Not Found", "code": 404}}


def test_a_client_that_leaves_early_is_noticed(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("one two three four five six seven eight nine ten", delay=5)
    response = client.begin("POST", "/chat/completions", {"messages": MESSAGES, "stream": True})
    while not response.readline().startswith(b"data: {"):
        pass
    response.close()
    client.__exit__()
    (request,) = gateway.requests
    assert request.wait()
    assert request.client_left
    assert 1 <= request.chunks_sent < 10


def test_a_client_that_reads_to_the_end_has_not_left(gateway: LocalGateway, client: Client) -> None:
    for _ in range(20):
        client.chat(stream=True)
    assert [request.wait() and request.client_left for request in gateway.requests] == [False] * 20


def test_many_at_once(gateway: LocalGateway, client: Client) -> None:
    def ask(number: int) -> str:
        with Client(gateway) as own:
            chunks = own.chat(str(number), stream=bool(number % 2))
            if not number % 2:
                return chunks.body["choices"][0]["message"]["content"]
            return "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks.chunks)

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(ask, range(200))) == [f"You said: {number}" for number in range(200)]
    assert len(gateway.requests) == 200


def test_slow_answers_do_not_wait_for_each_other(gateway: LocalGateway) -> None:
    gateway.slow("openai", 0.3)

    def ask(_: int) -> int:
        with Client(gateway) as own:
            return own.chat().status

    begun = perf_counter()
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {200}
    assert perf_counter() - begun < 3


def test_one_connection_serves_many_requests(gateway: LocalGateway, client: Client) -> None:
    host, port = gateway.base_url.split("/")[2].split(":")
    payload = json.dumps({"messages": MESSAGES, "stream": True}).encode()
    request = "POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
    head = f"{request}Content-Length: {len(payload)}\r\n\r\n".encode()
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for _ in range(3):
            connection.sendall(head + payload)
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += connection.recv(65536)
            assert b"data: [DONE]" in received


def test_several_gateways_side_by_side() -> None:
    with LocalGateway() as one, LocalGateway() as two, Client(one) as first, Client(two) as second:
        one.reply("I am one")
        assert one.base_url != two.base_url
        assert (second.message("x")["content"], first.message("x")["content"]) == ("You said: x", "I am one")
        assert (len(one.requests), len(two.requests)) == (1, 1)


def test_stopping_closes_what_is_open() -> None:
    before = threading.active_count()
    with LocalGateway() as gateway, Client(gateway) as client:
        gateway.fault("silence")
        hanging = client.begin("POST", "/chat/completions", {"messages": MESSAGES, "stream": True})
        address = gateway.base_url.split("/")[2].split(":")
        gateway.stop()
        assert threading.active_count() <= before
        with pytest.raises(OSError):
            socket.create_connection((address[0], int(address[1])), timeout=1)
        hanging.close()
    gateway.stop()  # a second time does no harm


def test_start_and_stop_are_quick() -> None:
    with LocalGateway():
        pass  # whatever has to be imported is
    times = []
    for _ in range(3):
        begun = perf_counter()
        with LocalGateway():
            times.append(perf_counter() - begun)
    assert min(times) < 0.3


def test_it_can_be_started_again() -> None:
    gateway = LocalGateway()
    for _ in range(2):
        with gateway, Client(gateway) as client:
            assert client.chat().status == 200


def test_a_port_of_ones_own() -> None:
    with LocalGateway() as other:
        port = int(other.base_url.split(":")[2].split("/")[0])
        with pytest.raises(OSError):
            LocalGateway(port=port).start()
    with LocalGateway(port=port) as gateway:
        assert gateway.base_url == f"http://127.0.0.1:{port}/api/v1"


def test_there_is_no_address_before_the_start() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        assert LocalGateway().base_url


def test_nothing_is_logged(gateway: LocalGateway, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.chat()
    gateway.fault("html")
    client.chat()
    assert caplog.records == []


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openrouter_adapters.gateway.server", None)
    with pytest.raises(ImportError, match=r"openrouter-adapters\[gateway\]"):
        LocalGateway().start()


HEAVY = ["starlette", "uvicorn", "openai", "pydantic", "httpx", "httpx2", "aiohttp", "langchain_core", "llama_index"]


def test_the_pytest_plugin_loads_nothing_heavy_for_tests_that_ask_for_no_gateway(tmp_path: Path) -> None:
    plugin = "openrouter_adapters.gateway.pytest_plugin"
    loaded = f"{{*sys.modules}} & {{*{HEAVY}, 'openrouter_adapters.gateway.gateway'}}"
    program = f"import sys\n\ndef test():\n    assert '{plugin}' in sys.modules\n    assert {loaded} == set()\n"
    (tmp_path / "test_light.py").write_text(program)
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "pytest", "-p", plugin, "test_light.py"]
    done = subprocess.run(
        command, env={**os.environ, **alone}, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
