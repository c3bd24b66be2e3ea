"""The tries of one call: whether and when there is another one, and what the failed ones leave behind."""

from __future__ import annotations

import random
import sys
import time
from typing import TYPE_CHECKING, Any

from openrouter_adapters.core.wire import known

if TYPE_CHECKING:
    from openrouter_adapters.core.account import Account
    from openrouter_adapters.core.errors import OpenRouterError, Specialize
    from openrouter_adapters.core.request import Request

LONGEST_WAIT = 60.0
"""Seconds between two tries; a longer `Retry-After` is cut to this."""

LAST_START = 600.0
"""Seconds after its beginning in which a call may begin another try: so no call takes longer than this and one try."""


class Tries:
    """Counts the tries of one call.

    Attributes:
        request: what is asked, the same each time.
        failed: what ended each try so far, oldest first.
        account: the account of the try under way, if anybody counts what it costs.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.failed: list[OpenRouterError] = []
        self.account: Account | None = None
        self._last_start = time.monotonic() + LAST_START

    def begin(self, specialize: Specialize | None) -> None:
        """Another try begins, if the budgets allow it.

        Raises:
            BudgetExceededError, ValueError: as `core.account.Account`.
        """
        if "openrouter_adapters.core.costs" in sys.modules:  # or nobody counts
            from openrouter_adapters.core.account import open_account

            self.account = open_account(self.request, specialize)

    def cut_off(self, error: BaseException) -> None:
        """Something else than the request's own trouble ended the try."""
        if self.account:
            self.account.cut_off(error)

    def publish(self) -> None:
        """Tell of the last try what it cost, if it is over."""
        if self.account:
            self.account.publish()

    async def apublish(self) -> None:
        """As `publish`."""
        if self.account:
            await self.account.apublish()

    def wait_after(self, error: OpenRouterError) -> float | None:
        """Seconds to wait before the next try; None when there is to be none, and the error ends the call.

        Args:
            error: what ended the last try. It is told of the tries before it, and kept.
        """
        self.tell(error)
        wait = wait_before_retry(error, len(self.failed), self.request.max_retries)
        if wait is None or time.monotonic() + wait > self._last_start:
            return None
        # Its frames hold the whole try, which is over, and its request the whole prompt.
        error.response = error.request = None
        self.failed.append(error.with_traceback(None))
        return wait

    def tell(self, error: OpenRouterError) -> None:
        """Tell an error of the tries before it, and the account of the error."""
        error.failed_tries = tuple(self.failed)
        if self.account:
            self.account.failed(error)

    def facts(self) -> list[dict[str, Any]]:
        """What is shown of the failed tries beside an answer that came in the end."""
        return [failure(error) for error in self.failed]


def wait_before_retry(error: OpenRouterError, retries: int, max_retries: int) -> float | None:
    """Seconds to wait before the next try; None when there is to be none.

    Args:
        error: what ended the last try.
        retries: how many tries were repeats already.
        max_retries: how many may be.
    """
    if retries >= max_retries or not error.retryable:
        return None
    if error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    return float(min(0.5 * 2**retries, 8.0) * random.uniform(0.75, 1.0))


def failure(error: OpenRouterError) -> dict[str, Any]:
    """A failed try in short: ``error`` (its class), ``status_code``, ``provider``, ``model``, ``id``, and its cost.

    What the server said that the failed try was charged is ``cost`` (float, USD) and, with the tokens, ``token_usage``
    (the wire's ``usage``). ``may_be_charged`` (True) says that it may have been, whatever was said. What is unknown is
    absent.
    """
    usage = error.partial.usage if error.partial else None
    return known(
        error=type(error).__name__,
        status_code=error.status_code,
        provider=error.provider,
        model=error.model,
        id=error.generation_id,
        cost=usage.metadata().get("cost") if usage else None,
        token_usage=dict(usage.wire) or None if usage else None,
        may_be_charged=error.may_be_charged or None,
    )
