"""What is measured, of whom, and the goals: ratios within one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One column of the table.

    Attributes:
        title: its head, with the unit.
        what: the worker's method.
        given: its arguments.
        unless: the contenders that it says nothing of.
        more_is_better: whether a higher number is the better one.
    """

    title: str
    what: str
    given: dict[str, Any] = field(default_factory=dict)
    unless: tuple[str, ...] = ()
    more_is_better: bool = False
    rounds: int | None = None


_NO_WIRE = ("LangChain floor", "LlamaIndex floor")
_ONLY_ASYNC = ("ours, aiohttp", "raw floor, aiohttp")
_SLOW_AT_500 = ("langchain-openrouter",)  # it does not come to an end

MEASURES = (
    Measure("construct, µs", "construct", unless=("raw floor", "raw floor, aiohttp", *_NO_WIRE)),
    Measure("call, µs", "call", unless=_ONLY_ASYNC),
    Measure("async call, µs", "acall", {"at_once": 1}),
    Measure("async call, 50 at once, µs", "acall", {"at_once": 50}),
    Measure(
        "500 calls of 50 ms at once, calls/s", "throughput", unless=(*_NO_WIRE, *_SLOW_AT_500), more_is_better=True
    ),
    Measure("text chunk, µs", "chunk", {"kind": "text"}, unless=_ONLY_ASYNC),
    Measure("async text chunk, µs", "chunk", {"kind": "text", "color": "async"}),
    Measure("reasoning chunk, µs", "chunk", {"kind": "reasoning"}, unless=_ONLY_ASYNC),
    Measure("tool-call chunk, µs", "chunk", {"kind": "tool"}, unless=_ONLY_ASYNC),
    Measure(
        "text chunk, one a packet, µs", "chunk", {"kind": "text", "how": "-packets"}, unless=(*_ONLY_ASYNC, *_NO_WIRE)
    ),
    Measure("500 streams at once, delay of a chunk, ms", "delay", unless=(*_NO_WIRE, *_SLOW_AT_500), rounds=1),
    Measure("first chunk, ms", "first", unless=(*_ONLY_ASYNC, *_NO_WIRE)),
    Measure("chunk of 20,000, µs", "long", unless=_ONLY_ASYNC, rounds=1),
    Measure("memory of 20,000 chunks, KiB", "memory", unless=(*_ONLY_ASYNC, *_NO_WIRE), rounds=1),
    Measure("new connections, ten streams", "connections", unless=(*_ONLY_ASYNC, *_NO_WIRE), rounds=1),
    Measure("function calls, text chunk", "calls_per_chunk", {"kind": "text"}, unless=_ONLY_ASYNC, rounds=1),
    Measure("function calls, reasoning chunk", "calls_per_chunk", {"kind": "reasoning"}, unless=_ONLY_ASYNC, rounds=1),
    Measure("function calls, tool-call chunk", "calls_per_chunk", {"kind": "tool"}, unless=_ONLY_ASYNC, rounds=1),
)
IMPORT = Measure("import beside the framework, s", "import")


@dataclass(frozen=True)
class Goal:
    """What is wanted: ours divided by a sum of others' at most (or at least) so much.

    Attributes:
        measure: the title of the measure.
        of: whose it is: ours.
        by: whose are summed up to divide by; none: the number itself.
        limit: the most (the least, where more is better) that it may be.
    """

    measure: str
    by: tuple[str, ...]
    limit: float
    of: str = "ours"


_PEER, _OPENAI, _OFFICIAL = "langchain-openrouter", "ChatOpenAI", "llama-index-llms-openrouter"
_TEXT, _ATEXT = "text chunk, µs", "async text chunk, µs"
_AT_500 = "500 calls of 50 ms at once, calls/s"
_AIOHTTP = "ours, aiohttp"

GOALS = {
    "langchain": (
        *(Goal(title, (_PEER,), 1 / 28) for title in (_TEXT, _ATEXT)),
        *(Goal(title, (_OPENAI,), 1 / 7) for title in (_TEXT, _ATEXT)),
        *(Goal(title, ("LangChain floor", "raw floor"), 1.55) for title in (_TEXT, _ATEXT)),
        Goal(_ATEXT, (_PEER,), 1 / 60, _AIOHTTP),
        Goal(_ATEXT, (_OPENAI,), 1 / 17, _AIOHTTP),
        *(Goal(f"{kind} chunk, µs", (_PEER,), 1 / 20) for kind in ("reasoning", "tool-call")),
        *(Goal(f"{kind} chunk, µs", (_OPENAI,), 1 / 6) for kind in ("reasoning", "tool-call")),
        Goal("call, µs", (_PEER,), 1 / 16),
        Goal("call, µs", (_OPENAI,), 2 / 3),
        Goal("async call, 50 at once, µs", (_PEER,), 1 / 10),
        Goal("async call, 50 at once, µs", (_OPENAI,), 2 / 3),
        Goal("async call, 50 at once, µs", (_OPENAI,), 1 / 3, _AIOHTTP),
        Goal(_AT_500, (_OPENAI,), 3.5, _AIOHTTP),
        Goal("new connections, ten streams", (), 0),
        Goal("function calls, text chunk", (), 110),
        Goal("function calls, reasoning chunk", (), 135),
        Goal("function calls, tool-call chunk", (), 140),
        Goal(IMPORT.title, (), 0.03),
    ),
    "llamaindex": (
        *(Goal(title, (_OFFICIAL,), 1 / 7.5) for title in (_TEXT, _ATEXT)),
        *(Goal(title, ("LlamaIndex floor", "raw floor"), 1.15) for title in (_TEXT, _ATEXT)),
        Goal(_ATEXT, (_OFFICIAL,), 1 / 17, _AIOHTTP),
        *(Goal(f"{kind} chunk, µs", (_OFFICIAL,), 1 / 6) for kind in ("reasoning", "tool-call")),
        Goal("call, µs", (_OFFICIAL,), 2 / 3),
        Goal("async call, 50 at once, µs", (_OFFICIAL,), 1 / 4),
        Goal(_AT_500, (_OFFICIAL,), 10, _AIOHTTP),
        Goal("new connections, ten streams", (), 0),
        Goal("function calls, text chunk", (), 85),
        Goal("function calls, reasoning chunk", (), 90),
        Goal("function calls, tool-call chunk", (), 95),
        Goal(IMPORT.title, (), 0.03),
    ),
}
