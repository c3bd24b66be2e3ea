"""What a process holds: sockets, threads, memory. Linux tells; elsewhere sockets and memory are 0."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_DESCRIPTORS, _PAGES = Path("/proc/self/fd"), Path("/proc/self/statm")


class Memory(NamedTuple):
    """Resident memory in MiB, and how many objects the garbage collector knows."""

    resident: float
    objects: int


def memory() -> Memory:
    """What is in use, once everything that is not was given back: a hundred threads leave holes."""
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(_PAGES.read_text().split()[1]) if _PAGES.exists() else 0
    return Memory(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(gc.get_objects()))


def sockets() -> int:
    return sum(_target(path).startswith("socket:") for path in _DESCRIPTORS.glob("*"))


def _target(descriptor: Path) -> str:
    with suppress(OSError):  # it was closed meanwhile
        return str(descriptor.readlink())
    return ""


def threads() -> int:
    return threading.active_count()


def settled(count: Callable[[], int], goal: int, seconds: float) -> int:
    """A count, once it is down to a goal or the time is up."""
    until = time.monotonic() + seconds
    while count() > goal and time.monotonic() < until:
        time.sleep(0.05)
    return count()
