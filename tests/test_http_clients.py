"""HTTP clients of the caller's, of either generation of httpx: they are used as they are, and left open."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

from openrouter_adapters import (
    APIConnectionError,
    APITimeoutError,
    IncompleteStreamError,
    OpenRouterError,
    ProviderError,
    StallTimeoutError,
)

from .every_way import HEADER, KEY, OWN, Way, own_stream_ways, plain_ways
from .loopback import Handler, Server, commenting, cut, dripping, garbage, good, hang_up, http, refused_port, silent
from .shown import leaks

GENERATIONS = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]

Make = Callable[..., Any]


@pytest.fixture(params=GENERATIONS)
def generation(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


@pytest.fixture
def make(generation: Any) -> Make:
    """Makes a client of the colour that a way of asking needs."""
    return lambda way, **given: (generation.AsyncClient if way.waits else generation.Client)(**given)


def hook(way: Way, see: Callable[[Any], None]) -> Any:
    async def wait(seen: Any) -> None:
        see(seen)

    return wait if way.waits else see


class Boom(Exception):
    """Of the caller's own code."""


def boom(_: Any) -> Any:
    raise Boom("very own")


# ----------------------------------------------------------------------------------------------------------------- used


@plain_ways
def test_a_client_is_used_and_left_open(way: Way, make: Make) -> None:
    def twice(client: Any, url: str) -> None:
        model = way.model(url, http_client=client)
        assert way.ask(model) and way.ask(model)
        model.close()
        assert not client.is_closed

    async def atwice(client: Any, url: str) -> None:
        async with client:
            model = way.model(url, http_async_client=client)
            assert await way.aask(model) and await way.aask(model)
            await model.aclose()
            assert not client.is_closed

    client = make(way)
    with Server() as server:
        if way.waits:
            asyncio.run(atwice(client, server.url))
        else:
            with client:
                twice(client, server.url)
        assert len(server.received) == 2 and server.connections == 1


@plain_ways
def test_a_clients_settings_do_not_interfere(way: Way, make: Make) -> None:
    own = {"Authorization": "Bearer of-the-client", "User-Agent": "of-the-client", "X-Mine": "1"}
    client = make(way, base_url="http://127.0.0.1:1/elsewhere", headers=own, params={"more": "1"}, timeout=5)
    with Server() as server:
        way.ask_over(client, f"{server.url}/v1", default_headers=OWN)
        [sent] = server.received
    assert sent.target == "/v1/chat/completions?more=1"
    assert (sent.header("Authorization"), sent.header("X-Provider-Key")) == (f"Bearer {KEY}", HEADER)
    assert (sent.header("User-Agent"), sent.header("X-Mine")) == ("openrouter-adapters", "1")
    assert not [name for name, _ in sent.headers if name.lower().startswith("x-stainless")]


@plain_ways
def test_a_clients_auth_is_the_callers_choice(way: Way, make: Make) -> None:
    with Server() as server:
        way.ask_over(make(way, auth=("me", "password")), server.url)
        assert (server.received[0].header("Authorization") or "").startswith("Basic")


@plain_ways
def test_a_clients_time_limit_holds_unless_there_is_a_nearer_one(way: Way, make: Make) -> None:
    with Server(silent) as server:
        with pytest.raises(APITimeoutError, match="Timeout"):
            way.ask_over(make(way, timeout=0.1), server.url)
        with pytest.raises(APITimeoutError, match=r"timeout=0\.1 s"):
            way.ask_over(make(way), server.url, timeout=0.1)


# ---------------------------------------------------------------------------------------------------------- in trouble

BEFORE: dict[str, tuple[Handler, type[OpenRouterError]]] = {
    "silence": (silent, APITimeoutError),
    "hang up": (hang_up, APIConnectionError),
    "garbage": (garbage, APIConnectionError),
    "status": (lambda _: http(503, "down", "text/plain"), ProviderError),
}


@plain_ways
@pytest.mark.parametrize(("handle", "error"), BEFORE.values(), ids=BEFORE)
def test_trouble_is_ours_and_tried_again(
    way: Way, make: Make, handle: Handler, error: type[OpenRouterError], at_once: list[float]
) -> None:
    with Server(handle) as server, pytest.raises(error) as caught:
        way.ask_over(make(way), server.url, timeout=0.1, max_retries=1, default_headers=OWN)
    assert len(server.received) == 2 and leaks(caught.value) == []


@plain_ways
def test_a_refused_connection_is_ours(way: Way, make: Make) -> None:
    with pytest.raises(APIConnectionError, match=r"127\.0\.0\.1") as caught:
        way.ask_over(make(way), f"http://127.0.0.1:{refused_port()}", default_headers=OWN)
    assert caught.value.retryable and leaks(caught.value) == []


@plain_ways
def test_a_broken_answer_is_ours(way: Way, make: Make) -> None:
    with Server(cut) as server, pytest.raises(OpenRouterError) as caught:
        way.ask_over(make(way), server.url, default_headers=OWN)
    assert isinstance(caught.value, IncompleteStreamError if way.streams else APIConnectionError)
    assert leaks(caught.value) == []


@plain_ways
def test_a_stall_is_ours(way: Way, make: Make) -> None:
    with Server(commenting) as server, pytest.raises(StallTimeoutError) as caught:
        way.ask_over(make(way), server.url, stall_timeout=0.15, timeout=20, default_headers=OWN)
    assert leaks(caught.value) == []


@own_stream_ways
def test_a_stream_is_left_at_once(way: Way, make: Make) -> None:
    with Server(dripping) as server:
        assert way.leave_early_over(make(way), server.url, server.left)


@plain_ways
@pytest.mark.parametrize("kind", ["ConnectTimeout", "PoolTimeout", "ReadTimeout", "ReadError", "RemoteProtocolError"])
def test_trouble_of_any_transport_is_ours(way: Way, make: Make, generation: Any, kind: str) -> None:
    def fail(request: Any) -> Any:
        raise getattr(generation, kind)("no", request=request)

    with pytest.raises(APIConnectionError) as caught:
        way.ask_over(make(way, transport=generation.MockTransport(fail)), "http://127.0.0.1:1", default_headers=OWN)
    assert isinstance(caught.value, APITimeoutError) is kind.endswith("Timeout") and leaks(caught.value) == []


# ---------------------------------------------------------------------------------------------------- the caller's code


@plain_ways
def test_hooks_see_every_try_once(way: Way, make: Make, at_once: list[float]) -> None:
    asked: list[Any] = []
    answered: list[Any] = []
    hooks = {"request": [hook(way, asked.append)], "response": [hook(way, answered.append)]}
    answers = iter([http(503, "down", "text/plain"), http(503, "down", "text/plain")])
    with Server(lambda received: next(answers, None) or good(received)) as server:
        way.ask_over(make(way, event_hooks=hooks), server.url, max_retries=3)
    assert [len(asked), len(answered)] == [3, 3] and [one.status_code for one in answered] == [503, 503, 200]


@plain_ways
def test_a_request_hook_sees_what_is_sent(way: Way, make: Make) -> None:
    """Whoever signs requests needs all of their headers."""
    seen: list[dict[str, str]] = []
    hooks = {"request": [hook(way, lambda request: seen.append(dict(request.headers)))]}
    with Server() as server:
        way.ask_over(make(way, event_hooks=hooks), server.url, default_headers=OWN)
        sent = {name.lower(): value for name, value in server.received[0].headers}
    assert seen == [sent]


@plain_ways
@pytest.mark.parametrize("when", ["request", "response"])
def test_what_a_hook_raises_comes_out_as_it_is(way: Way, make: Make, when: str, at_once: list[float]) -> None:
    with Server() as server, pytest.raises(Boom, match=r"^very own$") as caught:
        client = make(way, event_hooks={when: [hook(way, boom)]})
        way.ask_over(client, server.url, max_retries=2, default_headers=OWN)
    assert len(server.received) == (when == "response") and not at_once
    assert leaks(caught.value) == []


@plain_ways
def test_what_a_transport_raises_comes_out_as_it_is(
    way: Way, make: Make, generation: Any, at_once: list[float]
) -> None:
    tries: list[Any] = []

    def fail(request: Any) -> Any:
        tries.append(request)
        boom(request)

    with pytest.raises(Boom, match=r"^very own$") as caught:
        client = make(way, transport=generation.MockTransport(fail))
        way.ask_over(client, "http://127.0.0.1:1", max_retries=2, default_headers=OWN)
    assert len(tries) == 1 and not at_once and leaks(caught.value) == []


@plain_ways
def test_what_a_body_raises_comes_out_as_it_is(way: Way, make: Make, generation: Any, at_once: list[float]) -> None:
    class Body(generation.SyncByteStream, generation.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Any:
            return iter(map(boom, [b""]))

        async def __aiter__(self) -> Any:
            yield boom(b"")

    def answer(_: Any) -> Any:
        return generation.Response(200, headers={"content-type": "text/event-stream"}, stream=Body())

    with pytest.raises(Boom, match=r"^very own$") as caught:
        client = make(way, transport=generation.MockTransport(answer))
        way.ask_over(client, "http://127.0.0.1:1", max_retries=2, default_headers=OWN)
    assert not at_once and leaks(caught.value) == []


@plain_ways
def test_a_closed_client_says_so_itself(way: Way, make: Make) -> None:
    client = make(way)
    if way.waits:
        asyncio.run(client.aclose())
        model = way.model("http://127.0.0.1:1", http_async_client=client, default_headers=OWN)
    else:
        client.close()
        model = way.model("http://127.0.0.1:1", http_client=client, default_headers=OWN)
    with pytest.raises(RuntimeError, match="closed") as caught:
        way.ask(model)
    assert leaks(caught.value) == []
