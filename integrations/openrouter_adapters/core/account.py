"""`Account`: what becomes of one request that is sent, told once to everybody who counts.

It is opened before the request is sent, which may be refused for want of money, and closed by the first that knows the
end: an answer, an error, or a caller who leaves.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import warnings
from contextvars import Context, copy_context
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from openrouter_adapters.core import costs
from openrouter_adapters.core.records import LEFT, CallRecord
from openrouter_adapters.core.request import CHAT, EMBEDDINGS, RERANK, Request, about_generation
from openrouter_adapters.core.wire import known

if TYPE_CHECKING:
    from openrouter_adapters.core.answer import Answer
    from openrouter_adapters.core.errors import OpenRouterError, Specialize
    from openrouter_adapters.core.reply import Reply

_COSTLY = (CHAT, EMBEDDINGS, RERANK)


class Account:
    """One request's account; every method after the first that closes it does nothing.

    Attributes:
        is_open: whether the end is unknown yet.

    Args:
        request: what is sent.
        specialize: gives a framework's own subclass of an error class.

    Raises:
        BudgetExceededError: a budget is spent.
        ValueError: a budget reserves, and what the request may cost cannot be told.
    """

    def __init__(self, request: Request, specialize: Specialize | None) -> None:
        self.is_open: bool = False
        self._sent = False
        self._heard: CallRecord | None = None  # closed, but not yet told to the listeners
        self._scopes = costs.admit(request, specialize)
        self.is_open = True
        self._request = request
        self._context = copy_context()
        self._process = os.getpid()  # a forked child has a copy, and the parent tells
        self._time, self._begun = datetime.now(UTC), time.monotonic()
        self._id: str | None = None

    def opened(self, generation_id: str | None) -> None:
        """A response has begun."""
        self._sent, self._id = True, generation_id

    def answered(self, answer: Reply | Answer[Any]) -> None:
        """It was answered."""
        self._close(answer)

    def left(self, answer: Reply | None = None) -> None:
        """The caller left the answer on its way."""
        self._close(answer, outcome=LEFT)

    def failed(self, error: OpenRouterError) -> None:
        """It failed; what it was charged may be known all the same."""
        self._id = self._id or error.generation_id
        outcome = {"outcome": type(error).__name__, "status_code": error.status_code, "provider": error.provider}
        self._close(error.partial, served=error.may_be_charged, **outcome)

    def cut_off(self, error: BaseException) -> None:
        """Something else than the request's own trouble ended it: before it was sent, or nobody knows."""
        if self._sent or not isinstance(error, Exception):
            self.left()
        else:
            self._void()

    def _void(self) -> None:
        """Nothing was sent."""
        if self.is_open:
            self.is_open = False
            for scope, held in self._scopes:
                scope.release(held)

    def _close(self, answer: Reply | Answer[Any] | None, **facts: Any) -> None:
        if not self.is_open:
            return
        record = self._record(answer, facts)
        unsettled = None
        if record.unpriced and record.id is not None:
            unsettled = costs.Unsettled(record, about_generation(self._request, record.id), self._scopes)
        # No sooner: who is interrupted before (Ctrl-C) closes it as left.
        self.is_open, self._heard = False, record
        for scope, held in self._scopes:
            scope.close(record, held, unsettled)

    def _record(self, answer: Reply | Answer[Any] | None, facts: dict[str, Any]) -> CallRecord:
        told = known(model=answer.model, provider=answer.provider, id=answer.id) if answer else {}
        tags = (*(tag for scope, _ in self._scopes for tag in scope.tags), *self._request.tags)
        record = CallRecord(
            time=self._time,
            seconds=time.monotonic() - self._begun,
            endpoint=self._request.path,
            requested_model=next(iter(self._request.asked), None),
            tags=tuple(dict.fromkeys(tags)),
            **{"id": self._id, **facts, **told},
        )
        return record.used(answer.usage if answer else None)

    def publish(self) -> None:
        """Tell the listeners, once it is closed. Called where it may take a moment, before the answer is returned."""
        record, self._heard = self._heard, None
        if record is not None and self._process == os.getpid():
            tell(record, self._context)

    async def apublish(self) -> None:
        """As `publish`; what listeners do does not hold up the event loop."""
        if self._heard is None or not costs.listeners():
            self._heard = None
            return
        try:
            told = asyncio.get_running_loop().run_in_executor(None, self.publish)
        except RuntimeError:  # the process ends, or the loop has: no thread is to be had
            self.publish()
        else:
            await asyncio.shield(told)  # a task that is cancelled while it waits for its turn was charged all the same

    def __del__(self) -> None:
        """A stream may be lost with its event loop, and nobody told; or whoever was to tell was interrupted."""
        if sys.is_finalizing():
            return
        if self._sent:
            self.left()
        else:
            self._void()
        self.publish()


def open_account(request: Request, specialize: Specialize | None) -> Account | None:
    """An account for a request that may cost something; None when nobody counts.

    Raises:
        BudgetExceededError, ValueError: as `Account`.
    """
    return Account(request, specialize) if request.path in _COSTLY and costs.is_counted() else None


def tell(record: CallRecord, context: Context) -> None:
    """Tell the listeners of a call. One that fails must not take the answer with it, which is paid."""
    failures: list[str] = []
    for listener in costs.listeners():
        try:
            context.copy().run(listener, record)
        except Exception as error:
            failures.append(f"{listener!r} did not take note of a call: {error!r}")
    for failure in failures:  # once all have heard: who turns warnings into errors hears of the first alone
        warnings.warn(failure, RuntimeWarning, stacklevel=2)
