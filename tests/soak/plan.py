"""What each call is: made from the seed and its number alone, so that any call can be made again."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from openrouter_adapters.gateway import FAULTS

from .answers import TOOL, answer

ADAPTERS = ("langchain", "llamaindex")
# Where a call runs, by the last digit of its number: in a thread, in the one long-lived event loop, or in a loop that
# lives for two calls.
KINDS = ("thread", "task", "thread", "loop", "thread", "task", "thread", "task", "thread", "loop")
# How a caller may leave. A loop that ends closes all layers of what lies in a cycle at once: the SDK itself fails then.
LEAVES = {
    "thread": ("close", "drop", "cycle"),
    "task": ("close", "drop", "cycle", "cancel"),
    "loop": ("close", "drop", "cancel"),
}
CODES = (400, 429, 502)
# Those whose error has a code of choice, and those that let some pieces of a stream through.
CODED = ("error_200", "choice_error", "error_chunk", "error_chunk_bare", "error_chunk_first", "late_error")
BROKEN_OFF = (
    *("error_chunk", "error_chunk_bare", "error_chunk_with_usage", "cut", "cut_in_chunk", "truncated"),
    *("no_finish", "silence", "comments_forever", "malformed_chunk"),
)
ENDLESS = ("silence", "comments_forever")
# What would otherwise take its time.
QUICK: dict[str, dict[str, Any]] = {
    **{name: {"retry_after": 0} for name in ("in_flight_budget", "rate_limit", "unavailable")},
    "capacity_exhausted": {"availability": {"retry_after": 0}},
    "slow_start": {"seconds": 0.05},
}


@dataclass(frozen=True)
class Call:
    """One call.

    Attributes:
        number: which call.
        kind: "thread", "task" (of the long-lived loop) or "loop" (one of its own).
        adapter: "langchain" or "llamaindex".
        aiohttp: whether its model's async client is aiohttp's.
        streams: whether it streams.
        leaves: how it leaves: "close", "drop" (to the reference count), "cycle" (to the garbage collector), "cancel";
            "" stays.
        after: after how many items of the stream it leaves.
        patience: seconds after which it is cancelled.
        fault: what goes wrong; "" for nothing.
        details: the fault's details.
        times: with how many tries it goes wrong; None for all.
        max_retries: how many tries more than one there may be.
        limits: the time limits.
    """

    number: int
    kind: str
    adapter: str
    aiohttp: bool
    streams: bool
    leaves: str
    after: int
    patience: float
    fault: str
    details: dict[str, Any]
    times: int | None
    max_retries: int
    limits: dict[str, float]

    @property
    def waits(self) -> bool:
        """Whether it is async."""
        return self.kind != "thread"

    @property
    def way(self) -> str:
        """How it asks, in short."""
        method = "a" * self.waits + ("stream" if self.streams else "whole")
        return "-".join(filter(None, [self.adapter, method, self.kind, "aiohttp" * self.aiohttp, self.leaves]))

    def options(self) -> dict[str, Any]:
        """The options of the call: a fault for every try goes into a header, one that passes into `user`."""
        scripted = f"{self.fault}:{self.times}" if self.times is not None else ":"
        named = {"extra_headers": {"X-Gateway-Fault": self.header()}} if self.fault and self.times is None else {}
        tools = {"tools": [TOOL]} if answer(self.number).arguments else {}
        script = {"user": f"{self.number}:{scripted}:{self.max_retries}", "max_retries": self.max_retries}
        return {**script, **named, **tools, **self.limits}

    def header(self) -> str:
        """The fault and its details as the gateway reads them."""
        return "; ".join([self.fault, *(f"{name}={json.dumps(value)}" for name, value in self.details.items())])

    @override
    def __str__(self) -> str:
        times = "" if self.times is None else f" x{self.times}"
        fault = f"{self.header()}{times}" if self.fault else "no fault"
        return f"call {self.number} ({self.way}; {fault}; max_retries={self.max_retries} {self.limits or ''})"


def plan(seed: int, number: int) -> Call:
    """The call of a number."""
    rng = random.Random(f"{seed}:{number}")
    kind = KINDS[number % len(KINDS)]
    streams = rng.random() < 0.6
    fault = rng.choice(list(FAULTS)) if rng.random() < 0.5 else ""
    times = rng.choice((None, 1, 1, 2)) if fault else None
    return Call(
        number=number,
        kind=kind,
        adapter=rng.choice(ADAPTERS),
        aiohttp=kind != "thread" and rng.random() < 0.35,
        streams=streams,
        leaves=_leaving(rng, streams, kind),
        after=rng.randrange(1, 6),
        patience=rng.uniform(0.0, 0.08),
        fault=fault,
        details=_details(rng, fault) if times is None else QUICK.get(fault, {}),
        times=times,
        max_retries=rng.randrange(3),
        limits=_limits(rng, fault),
    )


def _leaving(rng: random.Random, streams: bool, kind: str) -> str:
    ways = [way for way in LEAVES[kind] if streams or way == "cancel"]
    return rng.choice(ways) if ways and rng.random() < 0.2 else ""


def _details(rng: random.Random, fault: str) -> dict[str, Any]:
    code = {"code": rng.choice(CODES)} if fault in CODED else {}
    after = {"after": rng.randrange(4)} if fault in BROKEN_OFF else {}
    status = {"status": rng.choice((200, 403, 502))} if fault == "html" else {}
    return {**QUICK.get(fault, {}), **code, **after, **status}


def _limits(rng: random.Random, fault: str) -> dict[str, float]:
    if fault not in ENDLESS:
        return {}
    name = "stall_timeout" if fault == "comments_forever" or rng.random() < 0.5 else "timeout"
    return {name: round(rng.uniform(0.3, 0.8), 2)}
