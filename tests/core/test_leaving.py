"""Streams that are left to the garbage collector, to the end of a loop or to a fork, and many at once with faults."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from openrouter_adapters import OpenRouterError, StallTimeoutError
from openrouter_adapters.core import connections, leaving
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.stream import Delta
from openrouter_adapters.gateway import LocalGateway

from ..leaving import ASYNC_LEAVES, LEAVES, endless, left_early
from .asking import complete, request, stream

OPEN_FILES = Path("/proc/self/fd")


def arriving(client: Client, asked: Request) -> Iterator[Delta]:
    with client.stream(asked) as opened:
        yield from opened


async def aarriving(client: Client, asked: Request) -> Any:
    async with client.astream(asked) as opened:
        async for delta in opened:
            yield delta


def abandon(pieces: Iterator[Delta]) -> None:
    """Leave a stream, begun, to the garbage collector."""
    next(pieces)
    cycle: list[Any] = [pieces]
    cycle.append(cycle)


def in_time(work: Callable[[], Any]) -> Any:
    """What work gives, in a thread that may hang for ever."""
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(work()), daemon=True)
    thread.start()
    thread.join(10)
    assert done, "it hangs, or failed"
    return done[0]


def pool_lock(http_client: Any) -> Any:
    """The lock of the connection pool under an HTTP client."""
    return http_client._transport._pool._optional_thread_lock


@pytest.fixture(params=["shared", "own", "stall_timeout"])
def options(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Whose HTTP client, and whether a watchdog is there."""
    if request.param != "own":
        yield {"stall_timeout": 5.0} if request.param == "stall_timeout" else {}
        return
    with openai.DefaultHttpxClient() as own:
        yield {"http_client": own}


@pytest.fixture
def collector() -> Iterator[None]:
    """The garbage collector looks only at what a test makes, and only when the test says so."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


# --------------------------------------------------------------------------------------------- the garbage collector


@pytest.mark.usefixtures("collector")
def test_collecting_a_stream_under_the_lock_of_the_pool(
    client: Client, openrouter_gateway: LocalGateway, options: dict[str, Any]
) -> None:
    """As the collector may at any allocation: a close there would wait for the lock that its own thread has."""
    complete(client, request(openrouter_gateway, **options))
    endless(openrouter_gateway)
    abandon(arriving(client, request(openrouter_gateway, **options)))
    http_client = options.get("http_client") or connections.shared.sync(client)
    lock = pool_lock(http_client)

    def collect() -> bool:
        with lock:
            return gc.collect() > 0

    try:
        assert in_time(collect)
    except AssertionError:
        lock._lock.release()  # or what comes after this test hangs too
        raise
    assert left_early(openrouter_gateway)
    assert in_time(lambda: complete(client, request(openrouter_gateway, **options)))[0]
    assert leaving._left.empty(), "the next call closed it"


@pytest.mark.usefixtures("collector")
def test_collecting_in_another_thread(
    client: Client, openrouter_gateway: LocalGateway, options: dict[str, Any]
) -> None:
    endless(openrouter_gateway)
    abandon(arriving(client, request(openrouter_gateway, **options)))
    in_time(gc.collect)
    assert left_early(openrouter_gateway)


@pytest.mark.parametrize("leave", LEAVES)
def test_leaving(
    client: Client, openrouter_gateway: LocalGateway, options: dict[str, Any], leave: Callable[[Any], None]
) -> None:
    endless(openrouter_gateway)
    leave(arriving(client, request(openrouter_gateway, **options)))
    assert left_early(openrouter_gateway)
    assert complete(client, request(openrouter_gateway, **options))[0]


@pytest.mark.usefixtures("collector")
@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="nothing tells how many files are open")
def test_what_was_left_is_closed(client: Client, openrouter_gateway: LocalGateway, options: dict[str, Any]) -> None:
    """The gateway lives in this process too, and may be a moment late with its end of a connection."""
    opened = []
    openrouter_gateway.fault("comments_forever", after=2, times=None)
    for _ in range(50):
        abandon(arriving(client, request(openrouter_gateway, **options)))
        gc.collect()
        opened.append(len([*OPEN_FILES.iterdir()]))
    assert max(opened) - opened[0] < 10


@pytest.mark.usefixtures("collector")
def test_a_read_in_another_thread_outlives_what_is_left(client: Client, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(chunks=["word "] * 30, delay=0.01)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(stream, client, request(openrouter_gateway))
        while not openrouter_gateway.requests:
            time.sleep(0.01)
        for _ in range(5):
            endless(openrouter_gateway)
            abandon(arriving(client, request(openrouter_gateway)))
            gc.collect()
        assert reading.result()[0] == "word " * 30


# -------------------------------------------------------------------------------------------------------- event loops


@pytest.mark.parametrize("after", ["close", "call"])
def test_a_loop_that_is_just_closed(client: Client, openrouter_gateway: LocalGateway, after: str) -> None:
    """Nobody ends its generators: the next call, or the end of the model, hangs up."""
    held: list[Any] = []

    async def begin() -> None:
        held.append(aarriving(client, request(openrouter_gateway)))
        await anext(held[0])

    endless(openrouter_gateway)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(begin())
    loop.close()
    if after == "close":
        client.close()
    else:
        complete(client, request(openrouter_gateway))
    assert left_early(openrouter_gateway, 0)
    assert not dead_loops() and not leaving._held
    held.clear()
    del loop
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Python's own, of sockets that nobody can close any more
        gc.collect()


@pytest.mark.parametrize("leave", ASYNC_LEAVES)
async def test_leaving_async(client: Client, openrouter_gateway: LocalGateway, leave: Callable[[Any], Any]) -> None:
    before = asyncio.all_tasks()
    endless(openrouter_gateway)
    await leave(aarriving(client, request(openrouter_gateway)))
    assert await asyncio.to_thread(left_early, openrouter_gateway)
    async with asyncio.timeout(1):  # of a generator that is just dropped, Python's own task closes it
        while asyncio.all_tasks() != before or leaving._held:
            await asyncio.sleep(0.01)
    await client.aclose()


async def test_no_task_outlives_a_stream(client: Client, openrouter_gateway: LocalGateway) -> None:
    before = asyncio.all_tasks()
    async with client.astream(request(openrouter_gateway)) as opened:
        assert len(asyncio.all_tasks() - before) == 1
        async for _ in opened:
            pass
    assert asyncio.all_tasks() == before
    openrouter_gateway.fault("error_chunk", after=1)
    with pytest.raises(OpenRouterError):
        async with client.astream(request(openrouter_gateway)) as opened:
            async for _ in opened:
                pass
    assert asyncio.all_tasks() == before
    endless(openrouter_gateway)
    async with client.astream(request(openrouter_gateway)) as opened:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                async for _ in opened:
                    pass
    assert asyncio.all_tasks() == before and not leaving._held
    await client.aclose()


# -------------------------------------------------------------------------------------------------------------- forks

FORK = """
import gc, os, sys
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.request import build_request
from openrouter_adapters.gateway import LocalGateway

def serve(ready, stop):
    with LocalGateway() as gateway:
        gateway.reply(chunks=["one ", "two ", "three ", "four "], delay=0.1, times=None)
        os.write(ready, gateway.base_url.encode())
        os.read(stop, 1)

(url, ready), (stop, stopped) = os.pipe(), os.pipe()
server = os.fork()
if not server:
    serve(ready, stop)
    os._exit(0)
options = OpenRouterOptions(api_key="k", base_url=os.read(url, 100).decode(), model="openai/gpt-4o-mini")
asked, client = build_request(options, {}, [{"role": "user", "content": "hi"}]), Client()

def arriving():
    with client.stream(asked) as opened:
        for delta in opened:
            yield delta.text

for how in ("exit", "collect"):
    held, cycle = arriving(), [arriving()]
    cycle.append(cycle)
    first, other = next(held), next(cycle[0])
    child = os.fork()
    if not child:
        if how == "collect":
            held = cycle = None
            gc.collect()
            "".join(arriving())
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(first + "".join(held), other + "".join(cycle[0]), sep="|", flush=True)  # or the next child says it too
os.write(stopped, b".")
os.waitpid(server, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_forked_child_leaves_its_parents_streams_alone() -> None:
    ran = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.stdout, ran.stderr) == ("one two three four |one two three four \n" * 2, "")


# --------------------------------------------------------------------------------------------------------- all at once

FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("hang_up", {}),
    ("cut", {"after": 1}),
    ("error_chunk", {"after": 1}),
    ("silence", {"after": 1}),
]


def outcome(ask: Callable[[], Any]) -> str:
    try:
        ask()
    except OpenRouterError as error:
        return type(error).__name__
    return "answer"


async def aoutcomes(client: Client, asks: list[Request]) -> list[str]:
    async def one(asked: Request) -> str:
        try:
            async for _ in aarriving(client, asked):
                pass
        except OpenRouterError as error:
            return type(error).__name__
        return "answer"

    found = await asyncio.gather(*map(one, asks))
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return found


def dead_loops() -> list[Any]:
    """Loops that are closed, and still have connections; a loop that lives may belong to other tests."""
    return [loop for loop, _ in connections.shared._async if loop.is_closed()]


def test_many_threads_and_loops_at_once_with_faults(client: Client, openrouter_gateway: LocalGateway) -> None:
    for name, details in FAULTS:
        openrouter_gateway.fault(name, **details, times=10)
    openrouter_gateway.reply("one two three", times=None)
    asked = request(openrouter_gateway, stall_timeout=0.2)
    before = set(threading.enumerate())
    with ThreadPoolExecutor(8) as pool:
        loops = [pool.submit(asyncio.run, aoutcomes(client, [asked] * 8)) for _ in range(4)]
        streamed = [pool.submit(outcome, lambda: [*arriving(client, asked)]) for _ in range(32)]
        whole = [pool.submit(outcome, lambda: client.complete(asked)) for _ in range(32)]
        counted = Counter(found for loop in loops for found in loop.result())
        counted.update(future.result() for future in (*streamed, *whole))
    assert counted["answer"] >= 40 and counted[StallTimeoutError.__name__] and sum(counted.values()) == 96
    assert not leaving._held and not dead_loops()
    assert {thread.name for thread in set(threading.enumerate()) - before} <= {"openrouter-adapters-watchdog"}
