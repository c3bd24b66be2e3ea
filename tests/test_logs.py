"""No log of any logger holds a key or a header of the caller's, not even at DEBUG."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openrouter_adapters import OpenRouterError

from .every_way import HAS_AIOHTTP, KEY, OWN, SECRETS, Way, chat_ways, every_way
from .loopback import Handler, Received, Server, cut, garbage, good, hang_up, http, refused_port

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("openai", "httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "asyncio", "openrouter_adapters")


def redirect(received: Received) -> bytes:
    return good(received) if received.target.startswith("/there") else http(307, Location=f"/there{received.target}")


MAIN: dict[str, Handler] = {"good": good, "status": lambda _: http(401, {"error": {"code": 401, "message": "No"}})}
MORE: dict[str, Handler] = {
    "error in 200": lambda _: http(200, {"error": {"code": 400, "message": "No"}}),
    "cut": cut,
    "hang up": hang_up,
    "garbage": garbage,
    "redirect": redirect,
    "redirect elsewhere": lambda _: http(307, Location="http://localhost:1/"),
}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """All that every logger says, read as soon as it is said."""
    said: list[str] = []

    class Reading(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.name} {record.getMessage()} {record.args!r} {vars(record)!r}")

    reading, known = Reading(), [*logging.root.manager.loggerDict, *LIBRARIES]
    with caplog.at_level(logging.DEBUG):
        for name in known:
            caplog.set_level(logging.DEBUG, logger=name)
        logging.getLogger().addHandler(reading)
        yield said
        logging.getLogger().removeHandler(reading)


def leaking(logged: list[str]) -> list[str]:
    assert [line for line in logged if line.startswith(("httpcore", "httpx", "aiohttp", "caller"))], (
        "somebody said something"
    )
    return [line for line in logged if any(secret in line for secret in SECRETS)]


def ask(way: Way, url: str) -> None:
    """Ask, and be refused or not."""
    try:
        way.ask(way.model(url, default_headers=OWN))
    except OpenRouterError as error:
        logging.getLogger("caller").warning("It failed", exc_info=error)


@every_way
@pytest.mark.parametrize("handle", MAIN.values(), ids=MAIN)
def test_no_log_shows_a_secret(way: Way, handle: Handler, logged: list[str]) -> None:
    with Server(handle) as server:
        ask(way, server.url)
        assert server.received[0].header("Authorization") == f"Bearer {KEY}"
        assert server.received[0].header("X-Provider-Key") == OWN["X-Provider-Key"]
    assert leaking(logged) == []


@chat_ways
@pytest.mark.parametrize("handle", MORE.values(), ids=MORE)
def test_no_log_of_something_rarer_shows_a_secret(way: Way, handle: Handler, logged: list[str]) -> None:
    with Server(handle) as server:
        ask(way, server.url)
    assert leaking(logged) == []


@every_way
def test_no_log_of_a_refused_connection_shows_a_secret(way: Way, logged: list[str]) -> None:
    ask(way, f"http://127.0.0.1:{refused_port()}")
    assert leaking(logged) == []


@chat_ways
def test_no_log_shows_what_was_given_to_a_call(way: Way, logged: list[str]) -> None:
    with Server() as server:
        way.ask(way.model(server.url, api_key="another-key"), api_key=KEY, extra_headers=OWN)
        assert server.received[0].header("X-Provider-Key") == OWN["X-Provider-Key"]
    assert leaking(logged) == []


SCRIPT = """
import asyncio, logging, sys
from openrouter_adapters import OpenRouterError
from openrouter_adapters.langchain import ChatOpenRouter
logging.basicConfig(level=logging.DEBUG)
url, refused, key, header, *aiohttp = sys.argv[1:]
for address in (url, url + "/401", refused):
    for client in (None, *aiohttp):
        given = {"default_headers": {"X-Provider-Key": header}, "http_async_client": client, "max_retries": 0}
        model = ChatOpenRouter(model="a/b", api_key=key, base_url=address, **given)
        for ask in (model.invoke, lambda text: list(model.stream(text)), lambda text: asyncio.run(model.ainvoke(text))):
            try:
                ask("hi")
            except OpenRouterError as error:
                print(repr(error))
"""


def test_a_program_that_logs_everything_shows_no_secret() -> None:
    """All of it is written out, and event loops tell more than usual."""
    refusing = http(401, {"error": {"code": 401, "message": "No"}})
    with Server(lambda received: refusing if "/401" in received.target else good(received)) as server:
        command = [sys.executable, "-c", SCRIPT, server.url, f"http://127.0.0.1:{refused_port()}", *SECRETS]
        command += ["aiohttp"] * HAS_AIOHTTP
        env = {**os.environ, "PYTHONPATH": str(ROOT / "integrations"), "PYTHONASYNCIODEBUG": "1"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
        assert {sent.header("Authorization") for sent in server.received} == {f"Bearer {KEY}"}
    assert "DEBUG" in done.stderr and "AuthenticationError" in done.stdout
    assert [
        line for line in (done.stdout + done.stderr).splitlines() if any(secret in line for secret in SECRETS)
    ] == []
