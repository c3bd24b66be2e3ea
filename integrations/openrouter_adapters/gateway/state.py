"""What a gateway remembers: the script, the faults to come, who is down, and what was asked."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar

from typing_extensions import override

from .echo import last_user_text
from .faults import Fault
from .market import Model, Provider
from .problems import Problem
from .prompt_cache import PromptCache
from .reply import Body, Reply, Respond
from .routing import Market

__all__ = ["Exchange", "Match", "State"]

T = TypeVar("T")

_SHOWN = 80

Match: TypeAlias = str | Callable[[Body], bool] | None
"""Which requests are meant: a part of the last user message, a predicate on the body, or any request."""


@dataclass
class Exchange:
    """One request, and what became of it.

    Attributes:
        method: the HTTP method.
        path: the path below the host, such as ``/api/v1/chat/completions``.
        query: the query parameters.
        headers: the request headers, names in lower case; the key is replaced by ``***``.
        body: the JSON body; None where there was none.
        status: the status it was answered with, once it was.
        model: the model that answered, where there was one.
        provider: the provider that answered, where there was one.
        chunks_sent: data chunks of a stream that were sent.
        client_left: whether the client closed the connection before the answer was complete.
        port: the client's end of the connection: the same for requests that came over one connection.
        key: the key that was sent, in no repr.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any = None
    status: int | None = None
    model: str | None = None
    provider: str | None = None
    chunks_sent: int = 0
    client_left: bool = False
    port: int = 0
    key: str = field(default="", repr=False)
    _done: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def done(self) -> bool:
        """Whether nothing more happens."""
        return self._done.is_set()

    @override
    def __str__(self) -> str:
        """The request in a line."""
        asked = " ".join(_words(self.body).split())
        return f"{self.method} {self.path}: {asked[:_SHOWN]}{'…' if asked[_SHOWN:] else ''}"

    def finish(self) -> None:
        """Note that nothing more happens."""
        self._done.set()

    def wait(self, timeout: float = 5.0) -> bool:
        """Wait until nothing more happens; False when that took too long."""
        return self._done.wait(timeout)


@dataclass
class _Entry(Generic[T]):
    value: T
    match: Match
    path: str
    times: int | None

    def suits(self, path: str, body: Any) -> bool:
        if self.path not in path:
            return False
        if isinstance(self.match, str):
            return self.match in _words(body)
        return self.match is None or (isinstance(body, dict) and self.match(body))


def _words(body: Any) -> str:
    return last_user_text(body) if isinstance(body, dict) and isinstance(body.get("messages"), list) else str(body)


class Queue(Generic[T]):
    """Things to hand out in order, each to the first request that it suits."""

    def __init__(self) -> None:
        """An empty queue."""
        self._entries: list[_Entry[T]] = []
        self._lock = threading.Lock()

    def add(self, value: T, match: Match = None, times: int | None = 1, path: str = "") -> None:
        """Append a thing; it is handed out so many times, or always."""
        with self._lock:
            self._entries.append(_Entry(value, match, path, times))

    def take(self, path: str, body: Any) -> T | None:
        """The first thing that suits a request."""
        with self._lock:
            entry = next((entry for entry in self._entries if entry.suits(path, body)), None)
            if entry is None:
                return None
            if entry.times is not None:
                entry.times -= 1
                if entry.times <= 0:
                    self._entries.remove(entry)
            return entry.value

    def left(self) -> list[T]:
        """What was not handed out so many times as it was to be."""
        with self._lock:
            return [entry.value for entry in self._entries if entry.times is not None]


@dataclass
class State:
    """Everything that one gateway knows; ``streams``: whether who asks for a stream gets one."""

    models: dict[str, Model]
    providers: dict[str, Provider]
    respond: Respond
    api_key: str | None = None
    strict: bool = False
    streams: bool = True
    replies: Queue[Reply] = field(default_factory=Queue)
    faults: Queue[Fault] = field(default_factory=Queue)
    down: dict[str, int] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    log: list[Exchange] = field(default_factory=list)
    unscripted: list[Exchange] = field(default_factory=list)
    generations: dict[str, Body] = field(default_factory=dict)
    prompt_cache: PromptCache = field(default_factory=PromptCache)

    def market(self) -> Market:
        """The state of things that routing looks at."""
        return Market(self.models, self.providers, self.down, self.slow)

    def scripted(self, exchange: Exchange) -> Reply | Problem | None:
        """The reply that is scripted for a request; a refusal, where there is none and there must be."""
        reply = self.replies.take(exchange.path, exchange.body)
        if reply or not self.strict:
            return reply
        self.unscripted.append(exchange)
        return Problem(400, f"Strict local gateway: nothing is scripted for {exchange}", user_id=None)

    def spent(self) -> float:
        """USD charged so far."""
        return float(sum(Decimal(str(generation["total_cost"])) for generation in [*self.generations.values()]))
