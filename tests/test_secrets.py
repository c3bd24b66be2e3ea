"""No key and no header of the caller's is in anything that an exception holds, whatever went wrong."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from openrouter_adapters import OpenRouterError

from .every_way import KEY, OWN, Way, async_ways, chat_ways, every_way, sync_ways
from .loopback import (
    Handler,
    Received,
    Server,
    commenting,
    cut,
    garbage,
    hang_up,
    http,
    refused_port,
    silent,
)
from .shown import leaks

REFUSAL = {"error": {"code": 401, "message": "No"}}


def redirected(then: Handler) -> Handler:
    """Redirects to another path, and does there what another handler does."""

    def handle(received: Received) -> bytes | Iterator[bytes]:
        there = received.target.startswith("/there")
        return then(received) if there else http(307, Location=f"/there{received.target}")

    return handle


MAIN: dict[str, Handler] = {
    "status": lambda _: http(401, REFUSAL),
    "error in 200": lambda _: http(200, REFUSAL),
    "cut": cut,
    "hang up": hang_up,
    "redirect to a status": redirected(lambda _: http(401, REFUSAL)),
}
MORE: dict[str, tuple[Handler, dict[str, Any]]] = {
    "page": (lambda _: http(502, "<html>Bad gateway</html>", "text/html"), {}),
    "empty": (lambda _: http(200), {}),
    "no JSON": (lambda _: http(200, "hello"), {}),
    "not compressed": (lambda _: http(200, "hello", Content_Encoding="gzip"), {}),
    "garbage": (garbage, {}),
    "silence": (silent, {"timeout": 0.1}),
    "stall": (commenting, {"stall_timeout": 0.1}),
    "redirect to an error in 200": (redirected(lambda _: http(200, REFUSAL)), {}),
    "redirect to a hang up": (redirected(hang_up), {}),
    "redirect without end": (lambda received: http(307, Location=received.target), {}),
    "redirect elsewhere": (lambda _: http(307, Location="ftp://example.com/x"), {}),
    "redirect nowhere": (lambda _: http(307, Location="http://[::bad/x"), {}),
}


def failing(way: Way, url: str, **options: Any) -> OpenRouterError:
    """The error that a model with headers of its own raises."""
    model = way.model(url, default_headers=OWN, **options)
    with pytest.raises(OpenRouterError) as caught:
        way.ask(model)
    return caught.value


@every_way
@pytest.mark.parametrize("handle", MAIN.values(), ids=MAIN)
def test_no_exception_shows_a_secret(way: Way, handle: Handler) -> None:
    with Server(handle) as server:
        assert leaks(failing(way, server.url)) == []
        first = server.received[0]
    assert first.header("Authorization") == f"Bearer {KEY}", "it was sent, or there was nothing to be shown"
    assert first.header("X-Provider-Key") == OWN["X-Provider-Key"]


@chat_ways
@pytest.mark.parametrize(("handle", "options"), MORE.values(), ids=MORE)
def test_no_exception_of_a_rarer_kind_shows_a_secret(way: Way, handle: Handler, options: dict[str, Any]) -> None:
    with Server(handle) as server:
        assert leaks(failing(way, server.url, **options)) == []


@every_way
def test_a_refused_connection_shows_no_secret(way: Way) -> None:
    assert leaks(failing(way, f"http://127.0.0.1:{refused_port()}")) == []


@every_way
@pytest.mark.parametrize("handle", [MAIN["status"], hang_up], ids=["status", "hang up"])
@pytest.mark.parametrize("call", [{"extra_headers": OWN}, {"api_key": KEY}], ids=["headers", "key"])
def test_what_was_given_to_a_call_is_in_nothing_that_the_error_holds(
    way: Way, handle: Handler, call: dict[str, Any]
) -> None:
    """The frames of a framework hold the arguments of the call that it was given."""
    with Server(handle) as server, pytest.raises(OpenRouterError) as caught:
        way.ask(way.model(server.url, api_key="another-key"), **call)
    assert leaks(caught.value, frames=False) == []


@chat_ways
def test_failed_tries_show_no_secret(way: Way, at_once: list[float]) -> None:
    with Server(hang_up) as server:
        failed = failing(way, server.url, max_retries=2)
        assert len(failed.failed_tries) == 2 and len(server.received) == 3
    assert [leaks(one) for one in (failed, *failed.failed_tries)] == [[], [], []]


# --------------------------------------------------------------------------------------- cancelled and interrupted


@pytest.mark.parametrize("handle", [silent, commenting])
@async_ways
def test_a_time_limit_of_the_callers_shows_no_secret(way: Way, handle: Handler) -> None:
    async def limited() -> None:
        async with asyncio.timeout(0.2):
            await way.aask(way.model(server.url, default_headers=OWN))

    with Server(handle) as server, pytest.raises(TimeoutError) as caught:
        asyncio.run(limited())
    assert leaks(caught.value) == []


@pytest.mark.parametrize("handle", [silent, commenting])
@async_ways
def test_a_cancelled_task_shows_no_secret(way: Way, handle: Handler) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(way.aask(way.model(server.url, default_headers=OWN)))
        while not server.received:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)
        task.cancel()
        await task

    with Server(handle) as server, pytest.raises(asyncio.CancelledError) as caught:
        asyncio.run(cancelled())
    assert leaks(caught.value) == []


def interrupt_once_asked(server: Server, over: threading.Event) -> None:
    """What Control-C does, as soon as the server was asked; nothing once the call is over."""
    while not server.received and not over.wait(0.01):
        pass
    if not over.wait(0.05):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.mark.parametrize("handle", [silent, commenting])
@sync_ways
def test_an_interrupt_shows_no_secret(way: Way, handle: Handler) -> None:
    """Control-C while the headers, or the next piece, are waited for."""
    over = threading.Event()
    with Server(handle) as server:
        model = way.model(server.url, default_headers=OWN)
        interrupting = threading.Thread(target=interrupt_once_asked, args=(server, over))
        interrupting.start()
        try:
            with pytest.raises(KeyboardInterrupt) as caught:
                way.ask(model)
        finally:
            over.set()
            interrupting.join()
    assert leaks(caught.value) == []


# ------------------------------------------------------------------------------------- exceptions that are the caller's


@chat_ways
@pytest.mark.parametrize("handle", [hang_up, cut])
def test_an_exception_that_the_caller_handles_meanwhile_is_left_alone(way: Way, handle: Handler) -> None:
    """It is the context of ours, and none of its business: neither its traceback goes, nor is it a reason."""

    class TooManyRedirects(Exception):
        """So does one of httpx call itself, after which there is no use in another try."""

    with Server(handle) as server:
        try:
            raise TooManyRedirects
        except TooManyRedirects as handled:
            before = handled.__traceback__
            failed = failing(way, server.url)
            assert before is not None and handled.__traceback__ is before
    assert failed.retryable is failing_alone(way, handle).retryable


def failing_alone(way: Way, handle: Handler) -> OpenRouterError:
    with Server(handle) as server:
        return failing(way, server.url)
