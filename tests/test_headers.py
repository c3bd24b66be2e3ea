"""What goes over the wire beside the body: nothing that nobody asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .every_way import HAS_AIOHTTP, KEY, Way, async_ways, chat_ways, every_way, sync_ways
from .loopback import Received, Server, good

ROOT = Path(__file__).resolve().parents[1]
SENT = {
    "accept": "application/json",
    "accept-encoding": "gzip, deflate",
    "authorization": f"Bearer {KEY}",
    "connection": "keep-alive",
    "content-type": "application/json",
    "user-agent": "openrouter-adapters",
}
OPTIONS: dict[str, Any] = {"app_url": "https://example.com", "app_title": "Mine", "app_categories": ["cli-agent"]}


def headers(received: Received) -> dict[str, str]:
    """Of a request, without those that say where to and how much."""
    given = {name.lower(): value for name, value in received.headers}
    assert len(given) == len(received.headers), "no header stands twice"
    return {name: value for name, value in given.items() if name not in ("host", "content-length")}


def encodings(sent: dict[str, str]) -> dict[str, str]:
    """Without the encodings that are read only where more packages are installed."""
    kept = [one for one in sent["accept-encoding"].split(", ") if one in ("gzip", "deflate")]
    return {**sent, "accept-encoding": ", ".join(kept)}


@every_way
def test_these_headers_go_out_and_no_other(way: Way) -> None:
    with Server() as server:
        way.ask(way.model(server.url))
        [sent] = server.received
    assert encodings(headers(sent)) == SENT
    assert (sent.header("Host"), sent.header("Content-Length")) == (f"127.0.0.1:{server.port}", str(len(sent.body)))


@every_way
def test_what_names_an_app_goes_out_when_it_is_set(way: Way) -> None:
    with Server() as server:
        way.ask(way.model(server.url, **OPTIONS))
        sent = encodings(headers(server.received[0]))
    more = {name: sent[name] for name in sent.keys() - SENT.keys()}
    assert sorted(more.values()) == ["Mine", "cli-agent", "https://example.com"]
    assert more["http-referer"] == "https://example.com"


@every_way
def test_headers_of_the_callers_win(way: Way) -> None:
    own = {"user-agent": "mine/1", "X-Stainless-Foo": "mine", "OpenAI-Beta": "mine", "accept": "text/plain"}
    with Server() as server:
        way.ask(way.model(server.url, default_headers=own))
        sent = headers(server.received[0])
    assert encodings(sent) == {**SENT, **{name.lower(): value for name, value in own.items()}}


@chat_ways
def test_headers_of_a_call_win_over_the_models(way: Way) -> None:
    with Server() as server:
        model = way.model(server.url, default_headers={"User-Agent": "mine/1", "X-One": "1"})
        way.ask(model, extra_headers={"user-agent": "mine/2", "x-stainless-lang": "mine"})
        sent = headers(server.received[0])
    assert (sent["user-agent"], sent["x-one"], sent["x-stainless-lang"]) == ("mine/2", "1", "mine")


# ------------------------------------------------------------------------------------------ the environment, and files

# All that the SDK's sources read, but for OPENAI_LOG, which logs.
VARIABLES = [
    "OPENAI_API_KEY",
    "OPENAI_ADMIN_KEY",
    "OPENAI_ORG_ID",
    "OPENAI_PROJECT_ID",
    "OPENAI_WEBHOOK_SECRET",
    "OPENAI_BASE_URL",
    "OPENAI_CUSTOM_HEADERS",
    "OPENAI_API_TYPE",
    "OPENAI_API_VERSION",
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_AD_TOKEN",
    "AZURE_OPENAI_API_KEY",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_BEDROCK_BASE_URL",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
]
VALUES = {
    "nothing": "",
    "headers": "X-Garbage: garbage\nAuthorization: Bearer garbage\n\ngärbäge: gärbäge\u2028",
    "an address": "http://garbage:99999/[",
}
SCRIPT = """
import asyncio, sys
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.request import build_request

async def astream(asked):
    async with client.astream(asked) as arriving:
        return [piece async for piece in arriving]

url, key, *aiohttp = sys.argv[1:]
client, hi = Client(), [{"role": "user", "content": "hi"}]
for kind in (None, *aiohttp):
    given = {"model": "a/b", "api_key": key, "base_url": url, "http_async_client": kind, "max_retries": 0}
    asked = build_request(OpenRouterOptions(**given), {}, hi)
    asyncio.run(client.acomplete(asked)), asyncio.run(astream(asked))
client.complete(asked)
with client.stream(asked) as arriving:
    list(arriving)
"""
ASKED = 6 if HAS_AIOHTTP else 4


def asked_elsewhere(server: Server, **environment: str) -> list[dict[str, str]]:
    """The headers that a process with such an environment sends."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "integrations"), **environment}
    command = [sys.executable, "-W", "error", "-c", SCRIPT, server.url, KEY, *(["aiohttp"] * HAS_AIOHTTP)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    return [encodings(headers(sent)) for sent in server.received]


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_no_variable_of_the_sdks_has_an_influence(value: str) -> None:
    with Server() as server:
        assert asked_elsewhere(server, **dict.fromkeys(VARIABLES, value)) == [SENT] * ASKED


def test_stored_passwords_have_no_influence(tmp_path: Path) -> None:
    """HTTP clients look for them in ``~/.netrc``."""
    stored = tmp_path / ".netrc"
    stored.write_text("machine 127.0.0.1 login me password garbage\ndefault login me password garbage\n")
    stored.chmod(0o600)
    with Server() as server:
        assert asked_elsewhere(server, HOME=str(tmp_path), NETRC=str(stored)) == [SENT] * ASKED


# -------------------------------------------------------------------------------------------------------------- cookies


def with_a_cookie(received: Received) -> bytes:
    return good(received).replace(b"\r\n\r\n", b"\r\nSet-Cookie: session=of-another; Path=/\r\n\r\n", 1)


def cookies(server: Server) -> list[str | None]:
    return [sent.header("cookie") for sent in server.received]


@sync_ways
def test_no_cookie_goes_out_with_anothers_key(way: Way) -> None:
    with Server(with_a_cookie) as server:
        for key in ("one", "another", "one"):
            way.ask(way.model(server.url, api_key=key))
        assert cookies(server) == [None, None, None]


@async_ways
async def test_no_cookie_goes_out_with_anothers_key_from_one_loop(way: Way) -> None:
    with Server(with_a_cookie) as server:
        models = [way.model(server.url, api_key=key) for key in ("one", "another")]
        for model in (*models, models[0]):
            await way.aask(model)
        assert cookies(server) == [None, None, None]
        for model in models:
            await model.aclose()
