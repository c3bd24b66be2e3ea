"""One at a time, and nothing open across a fork: what SQLite needs of a process.

A child that inherits an open database takes its locks for its own, which they are not, and what it writes can be lost.
So everything is closed before a fork, and each process opens it again when it next writes.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Openable(Protocol):
    """What has connections open."""

    def let_go(self) -> None:
        """Close the connections that nobody uses: the process is about to fork."""

    def forget(self) -> None:
        """Use no connection of the parent's: this process is the child."""


# Of the same thread's too: a stream that is collected as garbage ends, and is written down, wherever that happens.
_gate = threading.RLock()
_openable: weakref.WeakSet[Openable] = weakref.WeakSet()


def gate() -> threading.RLock:
    """The lock that whoever uses SQLite holds. One for all, for two could be wanted in either order."""
    return _gate


def closing_before_forks(openable: Openable) -> None:
    """Have it closed before each fork, for as long as it is there."""
    _openable.add(openable)


def _before() -> None:
    _gate.acquire()
    for openable in list(_openable):
        openable.let_go()


def _in_parent() -> None:
    _gate.release()


def _in_child() -> None:
    global _gate
    _gate = threading.RLock()
    for openable in list(_openable):
        openable.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
