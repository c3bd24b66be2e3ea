"""Alarms for sync reads: a blocked read cannot look at the clock itself.

One daemon thread serves the whole process. It starts with the first alarm, sleeps until the next deadline, and ends
when no alarm is left.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType


class Alarm:
    """Calls ``action`` once, unless it is put off or left in time.

    ``with Alarm(5.0, action) as alarm:`` sets it; ``alarm.reset()`` puts it off by another five seconds.
    """

    __slots__ = ("_action", "deadline", "rang", "seconds")

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self.seconds = seconds
        self._action = action
        self.rang = False
        self.reset()

    def reset(self) -> None:
        """Start counting again. Cheap: the thread is not told, it looks again at the old deadline."""
        self.deadline = time.monotonic() + self.seconds

    def ring(self) -> None:
        """Called by the thread when time is up."""
        self.rang = True
        self._action()

    def __enter__(self) -> Alarm:
        self.reset()
        _watchdog.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _watchdog.remove(self)


class _Watchdog:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._alarms: set[Alarm] = set()
        self._running = False

    def add(self, alarm: Alarm) -> None:
        with self._changed:
            self._alarms.add(alarm)
            if self._running:
                self._changed.notify()
            else:
                self._running = True
                threading.Thread(target=self._run, name="openrouter-adapters-watchdog", daemon=True).start()

    def remove(self, alarm: Alarm) -> None:
        with self._changed:
            self._alarms.discard(alarm)

    def _run(self) -> None:
        while True:
            for alarm in self._due():
                alarm.ring()
            with self._changed:
                if not self._alarms and not self._changed.wait(timeout=1.0) and not self._alarms:
                    self._running = False
                    return

    def _due(self) -> list[Alarm]:
        """Wait for the next deadline; the alarms whose time is up."""
        with self._changed:
            if self._alarms:
                self._changed.wait(timeout=max(0.0, min(a.deadline for a in self._alarms) - time.monotonic()))
            due = [alarm for alarm in self._alarms if alarm.deadline <= time.monotonic()]
            self._alarms.difference_update(due)
            return due


_watchdog = _Watchdog()


def _after_fork() -> None:
    """A forked child has no thread of its parent's."""
    global _watchdog
    _watchdog = _Watchdog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
