"""Makes an answer in a thread of its own, and has its steps ready for the event loop."""

import asyncio
import threading
from contextlib import suppress
from typing import TypeAlias

from .problems import Problem, Refused
from .wire import Make, Step

__all__ = ["Making"]

_Made: TypeAlias = Step | Problem | None
"""A step; what went wrong; or None at the end."""


class Making:
    """An answer in the making. Only the event loop it began in may ask it for steps."""

    def __init__(self, make: Make) -> None:
        """Begin."""
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._made: asyncio.Queue[_Made] = asyncio.Queue()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._upcoming: asyncio.Task[_Made] | None = None
        self._wanted = True
        threading.Thread(target=self._run, name="openrouter-gateway-answer", daemon=True).start()

    def upcoming(self) -> "asyncio.Task[_Made]":
        """What comes next, done once it is there."""
        if self._upcoming is None:
            self._upcoming = self._loop.create_task(self._made.get())
        return self._upcoming

    def take(self) -> _Made:
        """What has come, so that another may."""
        made = self.upcoming().result()
        self._upcoming = None
        return made

    async def leave(self) -> None:
        """Want no more; returns when nothing is made any more."""
        self._wanted = False
        if self._upcoming:
            self._upcoming.cancel()
        await self._ended

    def _run(self) -> None:
        try:
            last = [*self._make(self._emit)]
        except Refused as refused:
            last = []
            self._tell(refused.problem)
        except Exception as error:
            last = []
            self._tell(Problem(500, f"The local gateway failed: {error!r}", user_id=None))
        for step in last:
            self._tell(step)
        self._tell(None)
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _emit(self, step: Step) -> bool:
        """Hand a step over; an empty one only asks whether that is wanted."""
        if step != b"":
            self._tell(step)
        return self._wanted

    def _tell(self, made: _Made) -> None:
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._made.put_nowait, made)
