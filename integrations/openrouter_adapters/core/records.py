"""`CallRecord`: what one request took. `Costs`: many of them, and their sums.

Money is `Decimal`, in USD. Nothing here loads openai, and nothing does I/O.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from typing_extensions import override

from openrouter_adapters.core.usage import Usage
from openrouter_adapters.core.wire import EXACT

NOTHING = Decimal(0)
ANSWERED, LEFT = "answered", "left"


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token counts, as OpenRouter reports them; what is not reported counts as zero.

    Attributes:
        input: of the prompt, those in the next two included.
        output: of the answer, reasoning included.
        cached: of the prompt, read from a cache.
        cache_write: of the prompt, written to a cache.
        reasoning: of the answer, thought before it.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @classmethod
    def of(cls, usage: Usage | None) -> Tokens:
        """The counts in an answer's usage."""
        if usage is None:
            return cls()
        return cls(
            input=usage.prompt_tokens or 0,
            output=usage.completion_tokens or 0,
            cached=usage.cached_tokens or 0,
            cache_write=usage.cache_write_tokens or 0,
            reasoning=usage.reasoning_tokens or 0,
        )

    @property
    def total(self) -> int:
        """Input and output."""
        return self.input + self.output

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.cache_write + other.cache_write,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """What one request took, and what became of it. A retry is a request of its own. Never has content in it.

    Attributes:
        time: when it was sent (aware, UTC).
        seconds: how long until its end.
        endpoint: the path: ``/chat/completions``, ``/embeddings`` or ``/rerank``.
        requested_model: the model asked for; None when the request named none.
        model: the model that answered; None when unknown.
        provider: the upstream that answered, or failed (a display name); None when unknown.
        id: the generation id; None when none was told.
        tokens: token counts.
        cost: USD, with an own provider key (BYOK) the provider's bill included; None when not reported.
        priced: whether the cost is known, all of it.
        served: whether it is a call that OpenRouter charges, or may have charged: answered, whole or in part, or of
            unknown fate. A refusal (an error without an answer) is none.
        outcome: ``answered``; ``left`` when the caller left the answer on its way; or the error's class name.
        status_code: HTTP status, or the status that an error's code stands for; None when there was none.
        tags: the tags of the scopes and runs that it was made in.
        settled: whether its cost was asked for afterwards: then this is the second that is told of it.
    """

    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    endpoint: str = "/chat/completions"
    requested_model: str | None = None
    model: str | None = None
    provider: str | None = None
    id: str | None = None
    tokens: Tokens = Tokens()
    cost: Decimal | None = None
    priced: bool = True
    served: bool = True
    outcome: str = ANSWERED
    status_code: int | None = None
    tags: tuple[str, ...] = ()
    settled: bool = False

    @property
    def unpriced(self) -> bool:
        """Whether it was charged, or may have been, and nobody said how much."""
        return self.served and not self.priced

    def used(self, usage: Usage | None) -> CallRecord:
        """With what the answer's usage says."""
        cost = usage.cost if usage else None
        known = None if cost is None else cost.total
        charged = known if known is not None or cost is None else cost.charged
        return replace(self, tokens=Tokens.of(usage), cost=charged, priced=known is not None)


@dataclass(frozen=True, slots=True)
class Sums:
    """What several calls took together.

    Attributes:
        cost: USD, over the calls whose cost is known.
        calls: how many calls OpenRouter served.
        tokens: token counts.
        unpriced_calls: how many of the calls have a cost that nobody told.
    """

    cost: Decimal = NOTHING
    calls: int = 0
    tokens: Tokens = Tokens()
    unpriced_calls: int = 0

    def plus(self, record: CallRecord) -> Sums:
        """With one more."""
        return Sums(
            EXACT.add(self.cost, record.cost or NOTHING),
            self.calls + record.served,
            self.tokens + record.tokens,
            self.unpriced_calls + record.unpriced,
        )


class Costs:
    """Records of calls and their sums. Safe to use from many threads.

    A call is a request that OpenRouter served, or may have charged; a refused request is in `records` alone.
    """

    def __init__(self, records: Iterable[CallRecord] = ()) -> None:
        # Of the same thread's too: a stream that is collected as garbage ends wherever that happens. For its sake a
        # record is only appended, which nothing can come between, and added up by whoever asks.
        self._lock = threading.RLock()
        self._records = list(records)
        self._added_up = (Sums(), 0)  # the sums of so many records

    @override
    def __getstate__(self) -> dict[str, Any]:
        """Records and sums may go to another process."""
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.RLock())

    @override
    def __repr__(self) -> str:
        sums = self.sums
        unpriced = f", unpriced_calls={sums.unpriced_calls}" if sums.unpriced_calls else ""
        return f"<{type(self).__name__} total=${sums.cost:f}, calls={sums.calls}{unpriced}>"

    def add(self, record: CallRecord) -> None:
        """Count one more."""
        self._records.append(record)

    def replace(self, old: CallRecord, new: CallRecord) -> None:
        """Put what was learned of a call later in the place of what was known; nothing, if that is not here."""
        with self._lock:
            place = next((place for place, record in enumerate(self._records) if record is old), None)
            if place is not None:
                self._records[place] = new
                self._added_up = (Sums(), 0)

    def clear(self) -> None:
        """Begin anew: no records, and all sums zero."""
        with self._lock:
            self._records, self._added_up = [], (Sums(), 0)

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """One for each request, in the order in which they ended."""
        with self._lock:
            return tuple(self._records)

    @property
    def sums(self) -> Sums:
        """All of them together, at one moment."""
        with self._lock:
            sums, count = self._added_up
            while count < len(self._records):
                sums, count = sums.plus(self._records[count]), count + 1
            self._added_up = sums, count
            return sums

    @property
    def total(self) -> Decimal:
        """USD charged, over all calls whose cost is known."""
        return self.sums.cost

    @property
    def calls(self) -> int:
        """How many calls OpenRouter served."""
        return self.sums.calls

    @property
    def tokens(self) -> Tokens:
        """Token counts of all calls."""
        return self.sums.tokens

    @property
    def unpriced_calls(self) -> int:
        """How many calls may have cost something that nobody told: answers without a cost, streams broken off."""
        return self.sums.unpriced_calls

    @property
    def by_model(self) -> dict[str, Sums]:
        """By the model that answered; by the one asked for where that is unknown."""
        return self.by(lambda record: (record.model or record.requested_model or "unknown",))

    @property
    def by_provider(self) -> dict[str, Sums]:
        """By the upstream that answered; ``unknown`` where nobody told."""
        return self.by(lambda record: (record.provider or "unknown",))

    @property
    def by_tag(self) -> dict[str, Sums]:
        """By tag; a call with several counts under each of them."""
        return self.by(lambda record: record.tags)

    @property
    def by_day(self) -> dict[str, Sums]:
        """By the day on which it was sent (``2026-11-26``, UTC)."""
        return self.by(lambda record: (record.time.astimezone(UTC).date().isoformat(),))

    def by(self, keys: Callable[[CallRecord], Iterable[str]]) -> dict[str, Sums]:
        """Sums by groups of your own.

        Args:
            keys: gives the names of the groups that a call is in.
        """
        groups: dict[str, list[CallRecord]] = {}
        for record in self.records:
            for key in dict.fromkeys(keys(record)) if record.served else ():
                groups.setdefault(key, []).append(record)
        return {key: _summed(records) for key, records in groups.items()}


class HeardCosts(Costs):
    """Costs that are heard of from several sides: what has a generation id counts once, however often it is told."""

    @override
    def __init__(self, records: Iterable[CallRecord] = ()) -> None:
        super().__init__(records)
        self._ids: set[str | None] = {record.id for record in self.records if record.id}

    def hear(self, records: Iterable[CallRecord]) -> None:
        """Count what is not counted yet."""
        with self._lock:
            for record in records:
                if record.id not in self._ids:
                    self.add(record)
                if record.id:
                    self._ids.add(record.id)

    def reset_counts(self) -> None:
        """Begin anew: no records, and all sums zero."""
        with self._lock:
            self.clear()
            self._ids = set()


def _summed(records: Iterable[CallRecord]) -> Sums:
    sums = Sums()
    for record in records:
        sums = sums.plus(record)
    return sums


def tags_of(given: str | Iterable[str] | Mapping[str, object] | None) -> tuple[str, ...]:
    """Tags as plain words, each once: a mapping's are ``key:value``.

    Raises:
        TypeError: it is no text and no list of texts.
    """
    if isinstance(given, Mapping):
        return tuple(f"{key}:{value}" for key, value in given.items())
    words = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(word, str) for word in words if given is not None):
        raise TypeError(f"tags={given!r}: give a text, several, or a mapping")
    return tuple(dict.fromkeys(word for word in words if isinstance(word, str)))
