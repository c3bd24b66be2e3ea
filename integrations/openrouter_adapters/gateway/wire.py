"""What goes over the socket: a status, headers, and steps to take one after the other."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from .problems import Problem

__all__ = ["Cut", "Pause", "Step", "Wire"]

COMMENT = b": OPENROUTER PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"
BLANK_LINES = b"\n         \n"
"""The white space OpenRouter sends while an unstreamed answer is being made."""


@dataclass(frozen=True)
class Pause:
    """Send nothing for a while; by default until the client leaves."""

    seconds: float = math.inf


@dataclass(frozen=True)
class Cut:
    """Close the connection in the middle of the answer."""


Step: TypeAlias = bytes | dict[str, Any] | Pause | Cut
"""Bytes go out as they are; an object goes out as JSON, in a stream as an event; each by itself."""

Make: TypeAlias = Callable[[Callable[[Step], bool]], Iterable[Step]]
"""Makes steps, for as long as it takes: hands each over, until that says that nobody listens; returns the last ones."""


@dataclass(frozen=True)
class Wire:
    """One HTTP answer.

    Attributes:
        status: the HTTP status; 0 hangs up without an answer, after sending what bytes there are.
        headers: the response headers.
        steps: what to send and do.
        live: makes more steps, in a thread of its own, to take after these.
        forever: steps to take again and again after these, until the client leaves.
        then: what becomes of the answer once all of it is made.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    live: Make | None = None
    forever: tuple[Step, ...] = ()
    then: Callable[["Wire"], "Wire"] | None = None

    @property
    def streams(self) -> bool:
        """Whether this is a stream of events."""
        return self.headers.get("content-type") == "text/event-stream"

    def whole(self, made: Iterable[Step]) -> "Wire":
        """The same answer when all of it is made."""
        wire = replace(self, steps=(*self.steps, *made), live=None, then=None)
        return self.then(wire) if self.then else wire

    def encode(self, step: bytes | dict[str, Any]) -> bytes:
        """A step's bytes. What JSON can say and UTF-8 cannot, half of a surrogate pair, is a question mark."""
        if isinstance(step, bytes):
            return step
        text = as_json(step)
        return (f"data: {text}\n\n" if self.streams else text).encode(errors="replace")


def as_json(value: Any) -> str:
    """JSON without needless white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_wire(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Wire:
    """A JSON answer."""
    step = body if isinstance(body, dict) else as_json(body).encode(errors="replace")
    return Wire(status, {"content-type": "application/json", **(headers or {})}, (step,))


def problem_wire(problem: Problem) -> Wire:
    """An error status with its body."""
    return json_wire(problem.body(), problem.status, problem.headers)


def event_stream(steps: Iterable[Step], headers: Mapping[str, str] | None = None) -> Wire:
    """A stream of server-sent events."""
    base = {"content-type": "text/event-stream", "cache-control": "no-cache"}
    return Wire(200, {**base, **(headers or {})}, tuple(steps))
