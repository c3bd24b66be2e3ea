"""Proxies: of the environment and of the caller's clients, for http and https, streamed and not."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from openrouter_adapters import APIConnectionError, InvalidRequestError, StallTimeoutError
from openrouter_adapters.core import connections
from openrouter_adapters.langchain import ChatOpenRouter

from .certificates import Certificate
from .every_way import KEY, OWN, Way, chat_ways, every_way, own_stream_ways, plain_ways, stream_ways
from .loopback import Proxy, Server, commenting, dripping
from .shown import leaks

# Of aiohttp, to the transport that gives it the password of a proxy.
pytestmark = pytest.mark.filterwarnings(
    "ignore:BasicAuth is deprecated:DeprecationWarning", "ignore:The 'proxy_auth' parameter:DeprecationWarning"
)

PASSWORD = "very-secret-password"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as made:
        yield made


@pytest.fixture
def strict_proxy() -> Iterator[Proxy]:
    with Proxy(f"me:{PASSWORD}") as made:
        yield made


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets variables of proxies, for clients that are made anew."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    fresh = connections.Connections()
    monkeypatch.setattr(connections, "shared", fresh)

    def put(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    yield put
    fresh.close_sync()


def own_client(way: Way, proxy: str, **options: Any) -> Any:
    kind = openai.DefaultAsyncHttpxClient if way.waits else openai.DefaultHttpxClient
    return kind(proxy=proxy, **options)


def with_password(proxy: Proxy, password: str = PASSWORD) -> str:
    return f"http://me:{password}@127.0.0.1:{proxy.port}"


# -------------------------------------------------------------------------------------------------- of the environment


@every_way
def test_the_environments_proxy_is_used(way: Way, proxy: Proxy, environment: Callable[..., None]) -> None:
    environment(HTTP_PROXY=proxy.url)
    with Server() as server:
        way.ask(way.model(server.url, default_headers=OWN))
        [passed], [received] = proxy.received, server.received
    assert (passed.method, passed.target) == ("POST", f"{server.url}{received.target}")
    assert received.header("Authorization") == f"Bearer {KEY}"


@chat_ways
@pytest.mark.parametrize("spared", ["127.0.0.1", "localhost,127.0.0.1", "*"])
def test_hosts_are_spared(way: Way, proxy: Proxy, environment: Callable[..., None], spared: str) -> None:
    environment(ALL_PROXY=proxy.url, NO_PROXY=spared)
    with Server() as server:
        way.ask(way.model(server.url))
        assert len(server.received) == 1 and not proxy.received


@chat_ways
def test_a_proxy_that_wants_a_password_is_given_it(
    way: Way, strict_proxy: Proxy, environment: Callable[..., None]
) -> None:
    environment(ALL_PROXY=with_password(strict_proxy))
    with Server() as server:
        way.ask(way.model(server.url))
        [received] = server.received
    assert received.header("Proxy-Authorization") is None and received.header("Authorization") == f"Bearer {KEY}"


@chat_ways
@pytest.mark.parametrize("wrong", ["", "wrong-very-secret"])
def test_a_proxy_that_refuses_is_named(
    way: Way, strict_proxy: Proxy, environment: Callable[..., None], wrong: str, at_once: list[float]
) -> None:
    environment(ALL_PROXY=with_password(strict_proxy, wrong) if wrong else strict_proxy.url)
    with (
        Server() as server,
        pytest.raises(InvalidRequestError, match=r"407.*a proxy on the way asks for cred") as caught,
    ):
        way.ask(way.model(server.url, default_headers=OWN, max_retries=2))
    assert not server.received and len(strict_proxy.received) == 1 and not at_once
    assert leaks(caught.value) == leaks(caught.value, "wrong-very-secret") == []


@chat_ways
def test_a_tunnel_that_is_refused_is_named(
    way: Way, strict_proxy: Proxy, environment: Callable[..., None], at_once: list[float]
) -> None:
    environment(ALL_PROXY=with_password(strict_proxy, "wrong-very-secret"))
    with pytest.raises(APIConnectionError, match=r"407.*a proxy on the way asks for credentials") as caught:
        way.ask(way.model("https://127.0.0.1:1", default_headers=OWN, max_retries=2))
    [asked] = strict_proxy.received
    assert asked.method == "CONNECT" and asked.header("Authorization") is asked.header("X-Provider-Key") is None
    assert caught.value.retryable is False and not at_once
    assert leaks(caught.value) == leaks(caught.value, "wrong-very-secret") == []


@chat_ways
def test_a_proxy_that_is_not_there_is_a_connection_error(way: Way, environment: Callable[..., None]) -> None:
    with Proxy() as gone:
        pass
    environment(ALL_PROXY=with_password(gone))
    with Server() as server, pytest.raises(APIConnectionError) as caught:
        way.ask(way.model(server.url, default_headers=OWN))
    assert caught.value.retryable and not server.received
    assert leaks(caught.value) == leaks(caught.value, PASSWORD) == []


# ---------------------------------------------------------------------------------------------- of the caller's clients


@plain_ways
def test_a_clients_own_proxy_is_used(way: Way, strict_proxy: Proxy) -> None:
    with Server() as server:
        way.ask_over(own_client(way, with_password(strict_proxy)), server.url)
        assert len(server.received) == len(strict_proxy.received) == 1


@plain_ways
def test_a_tunnel_hides_the_key_from_the_proxy(way: Way, proxy: Proxy, certificate: Certificate) -> None:
    with Server(tls=certificate.server()) as server:
        way.ask_over(own_client(way, proxy.url, verify=certificate.trusting()), server.url, default_headers=OWN)
        [asked], [received] = proxy.received, server.received
    assert (asked.method, asked.target) == ("CONNECT", f"127.0.0.1:{server.port}")
    assert asked.header("Authorization") is asked.header("X-Provider-Key") is None
    assert received.header("Authorization") == f"Bearer {KEY}"


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, certificate: Certificate) -> ssl.SSLContext | None:
    return certificate.server() if request.param == "https" else None


@plain_ways
def test_stalls_are_seen_through_a_proxy(way: Way, proxy: Proxy, tls: ssl.SSLContext | None) -> None:
    with Server(commenting, tls) as server, pytest.raises(StallTimeoutError):
        way.ask_over(own_client(way, proxy.url, verify=False), server.url, stall_timeout=0.2, timeout=20)
    assert len(proxy.received) == 1


@own_stream_ways
def test_a_stream_is_left_through_a_proxy(way: Way, proxy: Proxy, tls: ssl.SSLContext | None) -> None:
    with Server(dripping, tls) as server:
        assert way.leave_early_over(own_client(way, proxy.url, verify=False), server.url, server.left)
        assert len(proxy.received) == 1


@stream_ways
def test_a_stream_is_left_through_the_environments_proxy(
    way: Way, proxy: Proxy, environment: Callable[..., None]
) -> None:
    environment(HTTP_PROXY=proxy.url)
    with Server(dripping) as server:
        assert way.leave_early(way.model(server.url), server.left)
        assert len(proxy.received) == 1


def test_what_is_no_proxy_is_refused_by_the_client_itself(environment: Callable[..., None]) -> None:
    """In its own words: nothing of ours has to do with it. They show no key."""
    environment(ALL_PROXY="nonsense://127.0.0.1:1")
    model = ChatOpenRouter(model="a/b", api_key=KEY, base_url="http://127.0.0.1:1", max_retries=0)
    with pytest.raises(ValueError, match="proxy") as caught:
        model.invoke("hi")
    assert KEY not in f"{caught.value!r}"
