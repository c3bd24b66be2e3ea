"""A server may repeat what it was sent when it refuses it: credentials come out as three stars."""

from __future__ import annotations

import base64
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from openrouter_adapters import OpenRouterError

from .every_way import KEY, Way, chat_ways, every_way, stream_ways
from .loopback import CHUNK, EVENT_STREAM, Handler, Received, Server, event, http
from .shown import leaks


def repeated(received: Received) -> str:
    return f"You sent {received.header('authorization')}, which is wrong"


def in_a_chunk(received: Received) -> Iterator[bytes]:
    yield EVENT_STREAM + event(CHUNK) + event({"error": {"code": 502, "message": repeated(received)}})


REPEATING: dict[str, Handler] = {
    "status": lambda received: http(401, {"error": {"code": 401, "message": repeated(received)}}),
    "detail": lambda received: http(
        400, {"error": {"code": 400, "message": "Provider error", "metadata": {"raw": repeated(received)}}}
    ),
    "page": lambda received: http(403, f"<html>{repeated(received)}</html>", "text/html"),
    "error in 200": lambda received: http(200, {"error": {"code": 400, "message": repeated(received)}}),
    "no JSON": lambda received: http(200, repeated(received), "text/plain"),
    "no object": lambda received: http(200, [repeated(received)]),
    "no choices": lambda received: http(200, {"detail": repeated(received)}),
}
IN_STREAMS: dict[str, Handler] = {
    "chunk": in_a_chunk,
    "malformed chunk": lambda received: http(200, f"data: {{{repeated(received)}\n\n", "text/event-stream"),
    "no object": lambda received: http(200, f'data: ["{repeated(received)}"]\n\n', "text/event-stream"),
}


def failing(way: Way, url: str, **options: Any) -> OpenRouterError:
    with pytest.raises(OpenRouterError) as caught:
        way.ask(way.model(url, **options))
    return caught.value


@every_way
@pytest.mark.parametrize("handle", [REPEATING["status"], REPEATING["error in 200"]], ids=["status", "200"])
def test_a_repeated_key_is_not_shown(way: Way, handle: Handler) -> None:
    with Server(handle) as server:
        failed = failing(way, server.url)
    assert leaks(failed, KEY, frames=False) == [] and "***" in str(failed)


@chat_ways
@pytest.mark.parametrize("handle", REPEATING.values(), ids=REPEATING)
@pytest.mark.parametrize("authorization", ["", "Token very-own-token", "very-own-token"])
def test_a_repeated_authorization_is_not_shown(way: Way, handle: Handler, authorization: str) -> None:
    own = {"default_headers": {"authorization": authorization}} if authorization else {}
    with Server(handle) as server:
        failed = failing(way, server.url, **own)
    assert leaks(failed, "very-own-token", KEY, frames=False) == [] and "***" in str(failed)


@chat_ways
def test_nor_is_it_in_what_stands_beside_an_error(way: Way) -> None:
    def beside(received: Received) -> bytes:
        error, usage = {"code": 502, "message": "no"}, {"prompt_tokens": 3, "cost": 0.25}
        return http(200, {"error": error, "usage": usage, "echo": repeated(received)})

    with Server(beside) as server:
        failed = failing(way, server.url)
    assert failed.partial is not None and failed.partial.usage is not None
    assert KEY not in str(failed.partial.body) and KEY.encode() not in pickle.dumps(failed)


@chat_ways
def test_a_repeated_password_is_not_shown(way: Way) -> None:
    with Server(REPEATING["status"]) as server:
        failed = failing(way, server.url.replace("//", "//me:very-own-password@"))
        assert (server.received[0].header("authorization") or "").startswith("Basic")
    ready = base64.b64encode(b"me:very-own-password").decode()
    assert leaks(failed, ready, "very-own-password", frames=False) == [] and "***" in str(failed)


@stream_ways
@pytest.mark.parametrize("handle", IN_STREAMS.values(), ids=IN_STREAMS)
def test_a_key_repeated_in_a_stream_is_not_shown(way: Way, handle: Handler) -> None:
    with Server(handle) as server:
        failed = failing(way, server.url)
    assert leaks(failed, KEY, frames=False) == [] and "***" in str(failed)


@chat_ways
@pytest.mark.parametrize("place", [180, 190, 199])
def test_half_of_a_repeated_key_is_not_shown_either(way: Way, place: int) -> None:
    """What is shown of a body that is no answer is cut short, perhaps in the middle of the key."""
    with Server(lambda received: http(200, "x" * place + KEY, "text/plain")) as server:
        failed = failing(way, server.url)
    assert leaks(failed, KEY[:6], frames=False) == []


@chat_ways
def test_an_answer_that_has_the_key_in_it_is_left_alone(way: Way) -> None:
    """Somebody may ask a model about it."""
    said = {"role": "assistant", "content": KEY}
    whole = {"id": "gen-1", "choices": [{"index": 0, "finish_reason": "stop", "message": said}]}
    with Server(lambda received: http(200, whole)) as server:
        assert KEY in f"{way.ask(way.model(server.url))}"


@chat_ways
def test_a_key_too_short_to_be_one_stars_out_no_words(way: Way) -> None:
    with Server(lambda received: http(401, {"error": {"code": 401, "message": "a sad case"}})) as server:
        assert "a sad case" in str(failing(way, server.url, api_key="a"))
