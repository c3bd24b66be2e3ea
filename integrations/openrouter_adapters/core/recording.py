"""What hears of every call of this process from a `start` to a `stop`: the ledger, and tracing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from types import TracebackType
from typing import TypeVar

from openrouter_adapters.core import costs
from openrouter_adapters.core.records import CallRecord

R = TypeVar("R", bound="Recording")

# By what they write to: of several that write to the same, the first alone does, so that no call is there twice.
_running: dict[Hashable, list[Recording]] = {}


class Recording(ABC):
    """Hears of every call of this process while it runs. A context manager: it runs inside.

    Args:
        sink: what it writes to; of all that run with an equal one, one writes.
    """

    def __init__(self, sink: Hashable) -> None:
        self._sink = sink

    @abstractmethod
    def append(self, record: CallRecord) -> None:
        """Write down one call."""

    def start(self) -> None:
        """From now on, every call of this process is written down; nothing, if that is so already."""
        others = _running.setdefault(self._sink, [])
        if self not in others:
            others.append(self)
            costs.listen(self._hear)

    def stop(self) -> None:
        """Write down no more calls; nothing, if it was not started."""
        others = _running.get(self._sink, [])
        if self in others:
            others.remove(self)
            costs.unlisten(self._hear)

    def _hear(self, record: CallRecord) -> None:
        if _running[self._sink][:1] == [self]:
            self.append(record)

    def __enter__(self: R) -> R:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
