"""The callers: threads, tasks of one long-lived event loop, and event loops that live for two calls."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from itertools import islice
from typing import Any, TypeVar

from .asking import Asked
from .ledger import Ledger, listen_in
from .plan import KINDS, Call, plan

T = TypeVar("T")

HANG = 20.0
"""Seconds after which a call counts as hung."""

More = Callable[[int], bool]
"""Whether the call of a number is still to be made."""


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._runner = asyncio.Runner()
        self._loop = self._runner.get_loop()
        listen_in(self._loop, ledger)
        self._thread = threading.Thread(target=self._loop.run_forever, name="soak-loop", daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run something in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self) -> None:
        """End the loop as `asyncio.run` ends one."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._runner.close()


class Crowd:
    """So many callers at once; caller i makes the calls i, i + n, i + 2n ..."""

    def __init__(self, seed: int, size: int, asked: Asked, ledger: Ledger, loop: LoopThread) -> None:
        self.size = size
        self._seed, self._asked, self._ledger, self._loop = seed, asked, ledger, loop
        self._next = list(range(size))

    def run(self, more: More) -> bool:
        """Let all make calls as long as there are more; False when one hangs."""
        lanes = {kind: [i for i in range(len(self._next)) if KINDS[i % len(KINDS)] == kind] for kind in set(KINDS)}
        threads = [threading.Thread(target=self._in_thread, args=(i, more), daemon=True) for i in lanes["thread"]]
        threads += [threading.Thread(target=self._in_loops, args=(i, more), daemon=True) for i in lanes["loop"]]
        for thread in threads:
            thread.start()
        tasks = self._loop.submit(self._in_tasks(lanes["task"], more))
        return self._wait(lambda: tasks.done() and not any(thread.is_alive() for thread in threads))

    def _wait(self, finished: Callable[[], bool]) -> bool:
        """Wait for the end, and collect garbage now and then: streams in reference cycles wait for that."""
        collected = time.monotonic()
        while not finished():
            time.sleep(0.05)
            if time.monotonic() - collected > 1.0:
                gc.collect()
                collected = time.monotonic()
            if hung := self._ledger.open(HANG):
                self._ledger.note(f"no outcome after {HANG:g} s: {', '.join(map(str, hung))}")
                self._ledger.broken_off = True
                faulthandler.dump_traceback(all_threads=True)
                return False
        return True

    def _calls(self, lane: int, more: More) -> Iterator[Call]:
        while more(self._next[lane]):
            yield plan(self._seed, self._next[lane])
            self._next[lane] += len(self._next)

    def _in_thread(self, lane: int, more: More) -> None:
        for call in self._calls(lane, more):
            self._ledger.begin(call)
            try:
                self._ledger.end(call, self._asked.ask(call))
            except BaseException as error:
                self._ledger.end(call, error)

    async def _in_tasks(self, lanes: list[int], more: More) -> None:
        await asyncio.gather(*(self._in_task(self._calls(lane, more)) for lane in lanes))

    async def _in_task(self, calls: Iterator[Call]) -> None:
        for call in calls:
            self._ledger.begin(call)
            try:
                self._ledger.end(call, await self._asked.aask(call))
            except BaseException as error:
                self._ledger.end(call, error)

    def _in_loops(self, lane: int, more: More) -> None:
        calls = self._calls(lane, more)
        while two := list(islice(calls, 2)):
            asyncio.run(self._in_own_loop(two))

    async def _in_own_loop(self, calls: list[Call]) -> None:
        listen_in(asyncio.get_running_loop(), self._ledger)
        await self._in_task(iter(calls))
