"""One run: the calls, then a look at what is left of them."""

from __future__ import annotations

import asyncio
import gc
import time

from .asking import Asked
from .crowd import HANG, Crowd, LoopThread
from .findings import Findings
from .ledger import Ledger
from .resources import Memory, memory, settled, sockets, threads
from .server import GatewayProcess

WARM_UP = 6
"""Calls of each caller before memory is measured for the first time."""

GRACE = 1.0
"""Seconds after the last call in which every connection is let go."""

WATCHDOG = 3.0
"""Seconds in which the thread that watches time limits ends, once there are none."""


def soak(ledger: Ledger, seed: int, concurrent: int, *, seconds: float, calls: int) -> Findings:
    """Make calls for some time, or so many of them.

    Args:
        ledger: where the outcomes are noted.
        seed: what the calls are made from.
        concurrent: how many at once.
        seconds: for how long.
        calls: how many, in place of some time; memory is not measured then.
    """
    findings, sockets_before, threads_before = Findings(ledger), sockets(), threads()
    with GatewayProcess() as gateway:
        loop, asked = LoopThread(ledger), Asked(gateway.base_url)
        findings.memory = _call(Crowd(seed, concurrent, asked, ledger, loop), seconds, calls)
        gc.collect()
        time.sleep(GRACE)
        findings.gateway = gateway.report()
        if not ledger.broken_off:
            opened = sockets()
            findings.tasks = _close(loop, asked)
            findings.sockets = (sockets_before, opened, settled(sockets, sockets_before, GRACE))
            findings.threads = settled(threads, threads_before, WATCHDOG) - threads_before
    return findings


def _call(crowd: Crowd, seconds: float, calls: int) -> tuple[Memory, Memory] | None:
    """All calls; the memory after a warm-up and at the end."""
    if calls:
        crowd.run(lambda number: number < calls)
        return None
    if not crowd.run(lambda number: number < WARM_UP * crowd.size):
        return None
    before, until = memory(), time.monotonic() + seconds
    return (before, memory()) if crowd.run(lambda _: time.monotonic() < until) else None


def _close(loop: LoopThread, asked: Asked) -> int:
    """Close the models and the loop; how many tasks were left in it."""
    left = loop.submit(_tasks()).result(HANG)
    loop.submit(asked.aclose()).result(HANG)
    loop.stop()
    return left


async def _tasks() -> int:
    """The tasks of the running loop, but for this one."""
    return len(asyncio.all_tasks()) - 1
