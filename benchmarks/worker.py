"""One contender in a process of its own: reads what to measure from stdin, a line of JSON each; answers with numbers.

python -m benchmarks.worker langchain ours http://127.0.0.1:8080
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
import tracemalloc
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.contenders import FRAMEWORKS, Contender

FEW, MANY = 200, 2200
"""The chunks of two streams: what the longer takes more is the chunks' alone."""

CALLS = 40
REPEATS = 3
"""The least of so many counts: what else the machine does only ever adds."""
CHUNK = len("word ")


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU, all threads of the process."""
    gc.collect()
    begun = time.process_time()
    work()
    return time.process_time() - begun


def least(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of CPU, the least of some counts."""
    return min(cpu(work) for _ in range(repeats))


class Worker:
    def __init__(self, contender: Contender, base_url: str) -> None:
        self.contender = contender
        self._base_url = base_url
        self._runner = asyncio.Runner()
        self._models: dict[str, Any] = {}

    def close(self) -> None:
        """Let go of connections and the event loop."""
        self.contender.close()
        self._runner.close()

    def model(self, name: str) -> Any:
        if name not in self._models:
            self._models[name] = self.contender.make(name)
        return self._models[name]

    # ---- streams

    def read(self, name: str) -> None:
        """Read a stream to its end."""
        for _ in self.contender.stream(self.model(name)):
            pass

    async def _aread(self, name: str) -> None:
        async for _ in self.contender.astream(self.model(name)):
            pass

    def chunk(self, kind: str, how: str = "", color: str = "sync") -> float:
        """Microseconds of CPU for one chunk."""

        def read(name: str) -> None:
            if color == "sync":
                self.read(name)
            else:
                self._runner.run(self._aread(name))

        costs = [least(partial(read, f"bench/{kind}-{number}{how}")) for number in (FEW, MANY)]
        return (costs[1] - costs[0]) / (MANY - FEW) * 1e6

    def first(self) -> float:
        """Milliseconds on the clock to the first chunk."""
        begun = time.perf_counter()
        stream = iter(self.contender.stream(self.model(f"bench/text-{FEW}")))
        for characters in stream:
            if characters:
                break
        took = time.perf_counter() - begun
        for _ in stream:
            pass
        return took * 1e3

    def long(self, number: int = 20_000) -> float:
        """Microseconds of CPU for each chunk of a long stream."""
        return least(partial(self.read, f"bench/text-{number}"), 2) / number * 1e6

    def memory(self, number: int = 20_000) -> float:
        """The most KiB that a long stream needs beyond a short one, and beyond its own text."""
        peaks = []
        for length in (100, number):
            gc.collect()
            tracemalloc.start()
            self.read(f"bench/text-{length}")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        return (peaks[1] - peaks[0] - number * CHUNK) / 1024

    def delay(self, at_once: int = 500) -> float:
        """Milliseconds on the clock from the server's hand to the reader's, of the 99th of 100 chunks.

        Args:
            at_once: so many streams are open in this process, each of which gets a chunk every quarter of a second.
        """
        delays: list[float] = []
        gc.collect()
        gc.disable()  # a collection of all that a framework has loaded takes 150 ms, and so much would be all to see
        self._runner.run(self._at_once(at_once, delays))
        gc.enable()
        return statistics.quantiles(delays, n=100)[-1] * 1e3

    async def _at_once(self, number: int, delays: list[float]) -> None:
        await asyncio.gather(*(self._timed(delays) for _ in range(number)))

    async def _timed(self, delays: list[float]) -> None:
        async for text in self.contender.atexts(self.model("bench/text-12-timed")):
            if text:
                delays.append(time.time() - float(text))

    def connections(self) -> float:
        """New connections for ten streams in a row after the first."""
        self.read(f"bench/text-{FEW}")
        before = self._connections()
        for _ in range(10):
            self.read(f"bench/text-{FEW}")
        return self._connections() - before

    def _connections(self) -> int:
        with urllib.request.urlopen(f"{self._base_url}/connections") as answer:
            return int(answer.read())

    def calls_per_chunk(self, kind: str) -> float:
        """Function calls for one chunk, exactly: Python's and C's, as cProfile counts them."""
        import cProfile

        counts = []
        self.read(f"bench/{kind}-{FEW}")  # what is loaded with the first stream counts for none
        for number in (FEW, MANY):
            profile = cProfile.Profile()
            profile.runcall(self.read, f"bench/{kind}-{number}")
            counts.append(sum(entry.callcount for entry in profile.getstats()))
        return (counts[1] - counts[0]) / (MANY - FEW)

    # ---- calls

    def call(self) -> float:
        """Microseconds of CPU for one call."""
        model = self.model("bench/call-0")
        return least(lambda: [self.contender.call(model) for _ in range(CALLS)]) / CALLS * 1e6

    def acall(self, at_once: int) -> float:
        """Microseconds of CPU for one call, so many at once."""
        rounds = max(1, 2 * CALLS // at_once)
        cost = least(lambda: self._runner.run(self._rounds("bench/call-0", at_once, rounds)))
        return cost / (at_once * rounds) * 1e6

    def throughput(self, at_once: int = 500) -> float:
        """Calls a second, so many at once, each of which takes the server 50 ms."""
        begun = time.perf_counter()
        self._runner.run(self._rounds("bench/call-0-wait50", at_once, 3))
        return at_once * 3 / (time.perf_counter() - begun)

    async def _rounds(self, name: str, at_once: int, rounds: int) -> None:
        model = self.model(name)
        for _ in range(rounds):
            await asyncio.gather(*(self.contender.acall(model) for _ in range(at_once)))

    # ---- models

    def construct(self, number: int = 30) -> float:
        """Microseconds of CPU for one more model object."""
        return cpu(lambda: [self.contender.make("bench/call-0") for _ in range(number)]) / number * 1e6


def main(framework: str, name: str, address: str) -> None:
    contender = FRAMEWORKS[framework][name](f"{address}/api/v1")
    worker = Worker(contender, address)
    print("ready", flush=True)
    for line in sys.stdin:
        what, given = json.loads(line)
        try:
            told: dict[str, Any] = {"value": getattr(worker, what)(**given)}
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
