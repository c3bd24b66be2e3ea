"""Alarms for sync reads: a blocked read cannot look at the clock itself.

One daemon thread serves the whole process. It starts with the first alarm, sleeps until the next deadline, and ends
when no alarm is left.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType


class Alarm:
    """Calls ``action`` when a block takes too long: ``with Alarm(5.0, hang_up): read()``.

    Once the block is left, the action is not called any more, not even by a hair. It must be quick, and may be called
    from another thread.
    """

    __slots__ = ("action", "deadline", "seconds")

    def __init__(self, seconds: float, action: Callable[[], None]) -> None:
        self.seconds: float = seconds
        self.action: Callable[[], None] = action
        self.deadline: float = 0.0

    def __enter__(self) -> Alarm:
        self.deadline = time.monotonic() + self.seconds
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
        with self._changed:
            while self._alarms or self._changed.wait(timeout=1.0) or self._alarms:
                self._ring_due()
            self._running = False

    def _ring_due(self) -> None:
        """Wait for the next deadline, and ring under the lock: an alarm that is removed meanwhile stays silent."""
        if self._alarms:
            self._changed.wait(timeout=max(0.0, min(a.deadline for a in self._alarms) - time.monotonic()))
        for alarm in [alarm for alarm in self._alarms if alarm.deadline <= time.monotonic()]:
            self._alarms.discard(alarm)
            with suppress(Exception):  # whoever reads learns of it; the others' alarms must ring
                alarm.action()


_watchdog = _Watchdog()


def _after_fork() -> None:
    """A forked child has no thread of its parent's."""
    global _watchdog
    _watchdog = _Watchdog()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
