"""Every call and what became of it, and whatever happened beside the calls that must not."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from openrouter_adapters import OpenRouterError

from .judging import Got, Left, complaint
from .plan import Call

SHOWN = 40
"""How many unexpected things are shown in full."""


class Ledger:
    """Counts outcomes; keeps no answer and no error, so that it does not grow.

    Attributes:
        begun: calls that began.
        outcomes: how many ended as "whole", as "left", and with each class of error.
        unexpected: how many outcomes and events must not be.
        broken_off: whether what happens from now on is no longer noted.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.outcomes: Counter[str] = Counter()
        self.unexpected = 0
        self.broken_off = False
        self._open: dict[int, tuple[Call, float]] = {}
        self._lock = threading.Lock()

    def begin(self, call: Call) -> None:
        with self._lock:
            self.begun += 1
            self._open[call.number] = (call, time.monotonic())

    def end(self, call: Call, outcome: Got | Left | BaseException) -> None:
        """Judge an outcome, and count it."""
        wrong = complaint(call, outcome)
        if wrong:
            self.note(f"{call}: {wrong}")
        name = "unexpected" if wrong else _named(outcome)
        with self._lock:
            del self._open[call.number]
            self.outcomes[name] += 1

    def note(self, what: str) -> None:
        """Something that must not be."""
        with self._lock:
            if self.broken_off:
                return
            self.unexpected += 1
            if self.unexpected <= SHOWN:
                print(f"UNEXPECTED {what}", file=sys.stderr, flush=True)

    def open(self, longer_than: float = 0.0) -> list[Call]:
        """The calls that have had no outcome for so many seconds."""
        now = time.monotonic()
        with self._lock:
            return [call for call, since in self._open.values() if now - since > longer_than]

    def errors(self) -> dict[str, int]:
        """The typed errors by class."""
        return {name: count for name, count in sorted(self.outcomes.items()) if name.endswith("Error")}


def _named(outcome: Got | Left | BaseException) -> str:
    if isinstance(outcome, OpenRouterError):
        return type(outcome).__name__
    return "left" if isinstance(outcome, Left) else "whole"


@contextmanager
def listening(ledger: Ledger) -> Iterator[None]:
    """Notes warnings, exceptions that nobody caught in threads, and those that cannot be raised."""
    unraisable, in_threads = sys.unraisablehook, threading.excepthook

    def warned(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        ledger.note(f"{category.__name__}: {message} ({filename}:{lineno})")

    sys.unraisablehook = lambda what: ledger.note(f"unraisable {what.exc_value!r} in {what.object!r}: {what.err_msg}")
    threading.excepthook = lambda what: ledger.note(f"in thread {what.thread}: {what.exc_value!r}")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = warned
        yield
    sys.unraisablehook, threading.excepthook = unraisable, in_threads


def listen_in(loop: asyncio.AbstractEventLoop, ledger: Ledger) -> None:
    """Note what an event loop complains about, such as an exception of a task that nobody fetched."""

    def complained(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        ledger.note(f"event loop: {context['message']}: {context.get('exception')!r} {context.get('task') or ''}")

    loop.set_exception_handler(complained)
