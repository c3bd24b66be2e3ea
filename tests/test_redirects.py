"""Where redirects lead, the key does not follow, unless it is the same host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from openrouter_adapters import APIConnectionError, InvalidRequestError, OpenRouterError

from .every_way import KEY, OWN, Way, chat_ways, every_way, plain_ways
from .loopback import Received, Server, good, http
from .shown import leaks


def within(received: Received) -> bytes:
    return good(received) if received.target.startswith("/there") else http(307, Location=f"/there{received.target}")


@pytest.fixture
def there() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def away(there: Server) -> Iterator[Server]:
    """Redirects to a host of another name."""
    with Server(lambda received: http(307, Location=f"http://localhost:{there.port}{received.target}")) as server:
        yield server


@every_way
def test_the_key_stays_with_the_host(way: Way) -> None:
    with Server(within) as server:
        way.ask(way.model(server.url, default_headers=OWN))
        first, second = server.received
    assert second.target == f"/there{first.target}" and second.body == first.body
    assert {(one.header("Authorization"), one.header("X-Provider-Key")) for one in (first, second)} == {
        (f"Bearer {KEY}", OWN["X-Provider-Key"])
    }


@every_way
def test_neither_key_nor_headers_of_the_callers_leave_the_host(way: Way, there: Server, away: Server) -> None:
    """A redirect is followed, body and all; what the caller gave for one host is not for another."""
    way.ask(way.model(away.url, default_headers={**OWN, "User-Agent": "mine/1"}, app_title="Mine"))
    [first], [second] = away.received, there.received
    assert (first.header("Authorization"), first.header("X-Provider-Key")) == (f"Bearer {KEY}", OWN["X-Provider-Key"])
    assert second.body == first.body and second.header("Content-Type") == "application/json"
    named = {name.lower() for name, _ in second.headers}
    assert not {"authorization", "x-provider-key", "x-openrouter-title", "x-title"} & named


@chat_ways
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_credentials_of_any_kind_leave_the_host(way: Way, there: Server, status: int) -> None:
    def elsewhere(received: Received) -> bytes:
        return http(status, Location=f"http://localhost:{there.port}{received.target}")

    with Server(elsewhere) as server:
        for address, options in (
            (server.url, {"default_headers": {"authorization": "Bearer own", **OWN}}),
            (server.url.replace("//", "//me:password@"), {"default_headers": OWN}),
        ):
            way.ask(way.model(address, **options))
    assert len(there.received) == 2
    assert not [one for one in there.received if one.header("Authorization") or one.header("X-Provider-Key")]


@chat_ways
def test_another_port_is_another_host(way: Way, there: Server) -> None:
    with Server(lambda received: http(307, Location=f"{there.url}{received.target}")) as server:
        way.ask(way.model(server.url, default_headers=OWN))
    assert there.received[0].header("Authorization") is there.received[0].header("X-Provider-Key") is None


@chat_ways
def test_a_way_back_does_not_bring_the_key_back(way: Way) -> None:
    def handle(received: Received) -> bytes:
        here = f"127.0.0.1:{server.port}"
        if received.target.startswith("/there"):
            return good(received) if received.header("Host") == here else http(307, Location=f"http://{here}/there")
        return http(307, Location=f"http://localhost:{server.port}/there")

    with Server(handle) as server:
        way.ask(way.model(server.url, default_headers=OWN))
        assert len(server.received) == 3
        assert [one.header("X-Provider-Key") for one in server.received[1:]] == [None, None]
        assert [one.header("Authorization") for one in server.received[1:]] == [None, None]


@chat_ways
def test_the_error_of_another_host_shows_no_secret(way: Way) -> None:
    refusing = http(401, {"error": {"code": 401, "message": "No"}})
    with (
        Server(lambda _: refusing) as there,
        Server(lambda received: http(307, Location=f"http://localhost:{there.port}{received.target}")) as server,
        pytest.raises(OpenRouterError) as caught,
    ):
        way.ask(way.model(server.url, default_headers=OWN))
    assert caught.value.status_code == 401 and leaks(caught.value) == []


# ---------------------------------------------------------------------------------------------- that are not followed


def unfollowing(way: Way) -> Any:
    """A client that follows no redirect."""
    return (openai.DefaultAsyncHttpxClient if way.waits else openai.DefaultHttpxClient)(follow_redirects=False)


@plain_ways
def test_a_redirect_that_is_not_followed_is_named(way: Way, at_once: list[float]) -> None:
    with Server(within) as server, pytest.raises(InvalidRequestError, match="redirects to /there/chat") as caught:
        way.ask_over(unfollowing(way), server.url, default_headers=OWN, max_retries=2)
    assert len(server.received) == 1
    assert (caught.value.status_code, caught.value.retryable) == (307, False)
    assert caught.value.response.next_request is not None and leaks(caught.value) == []


@plain_ways
def test_an_address_that_repeats_the_key_is_shown_without_it(way: Way) -> None:
    server = Server(lambda _: http(307, Location=f"/there?key={KEY}&x=1"))
    with server, pytest.raises(InvalidRequestError, match=r"redirects to /there\?key=\*\*\*&x=") as caught:
        way.ask_over(unfollowing(way), server.url)
    assert KEY not in f"{caught.value} {caught.value!r}"


NOWHERE = {
    "no such port": "http://127.0.0.1:70000/",
    "a long name": f"http://{'a' * 300}.example/",
    "no address": "http://[::bad/",
    "another scheme": "ftp://127.0.0.1/",
    "itself": "/chat/completions",
}


@chat_ways
@pytest.mark.parametrize("location", NOWHERE.values(), ids=NOWHERE)
def test_a_redirect_to_nowhere_is_not_tried_again(way: Way, location: str, at_once: list[float]) -> None:
    with Server(lambda _: http(307, Location=location)) as server, pytest.raises(APIConnectionError) as caught:
        way.ask(way.model(server.url, max_retries=2, default_headers=OWN))
    assert caught.value.retryable is False and not at_once
    assert len(server.received) == (21 if location == "/chat/completions" else 1)
    assert leaks(caught.value) == []
