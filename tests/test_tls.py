"""TLS: a certificate that nobody trusts ends the call at once; one that is trusted, or not looked at, is as plain."""

from __future__ import annotations

import time
from typing import Any

import openai
import pytest

from openrouter_adapters import APIConnectionError, StallTimeoutError

from .certificates import Certificate
from .every_way import KEY, OWN, Way, chat_ways, every_way, own_stream_ways, plain_ways
from .loopback import Server, commenting, dripping
from .shown import leaks


def own_client(way: Way, verify: Any) -> Any:
    return (openai.DefaultAsyncHttpxClient if way.waits else openai.DefaultHttpxClient)(verify=verify)


@every_way
def test_a_certificate_that_nobody_trusts_is_not_tried_again(
    way: Way, certificate: Certificate, at_once: list[float]
) -> None:
    with Server(tls=certificate.server()) as server, pytest.raises(APIConnectionError, match="certificate") as caught:
        way.ask(way.model(server.url, max_retries=2, default_headers=OWN))
    assert caught.value.retryable is False and not at_once
    assert server.connections == 1 and not server.received
    assert leaks(caught.value) == []


@plain_ways
@pytest.mark.parametrize("trust", ["no look", "trusted"])
def test_a_client_of_the_callers_decides_what_it_trusts(way: Way, certificate: Certificate, trust: str) -> None:
    verify = certificate.trusting() if trust == "trusted" else False
    with Server(tls=certificate.server()) as server:
        way.ask_over(own_client(way, verify), server.url)
        assert server.received[0].header("Authorization") == f"Bearer {KEY}"


@plain_ways
def test_stalls_are_seen_through_tls(way: Way, certificate: Certificate) -> None:
    begun = time.monotonic()
    with Server(commenting, certificate.server()) as server, pytest.raises(StallTimeoutError):
        way.ask_over(own_client(way, False), server.url, stall_timeout=0.2, timeout=20)
    assert time.monotonic() - begun < 2.0


@own_stream_ways
def test_a_stream_is_left_through_tls(way: Way, certificate: Certificate) -> None:
    with Server(dripping, certificate.server()) as server:
        assert way.leave_early_over(own_client(way, False), server.url, server.left)


@chat_ways
def test_plain_http_where_tls_is_spoken_is_a_connection_error(way: Way, certificate: Certificate) -> None:
    with Server(tls=certificate.server()) as server, pytest.raises(APIConnectionError) as caught:
        way.ask(way.model(f"http://127.0.0.1:{server.port}", default_headers=OWN))
    assert leaks(caught.value) == []


@chat_ways
def test_tls_where_plain_http_is_spoken_is_a_connection_error(way: Way) -> None:
    with Server() as server, pytest.raises(APIConnectionError) as caught:
        way.ask(way.model(f"https://127.0.0.1:{server.port}", default_headers=OWN))
    assert leaks(caught.value) == []
