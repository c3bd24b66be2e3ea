"""`track_costs`: what everything in a scope costs, whichever framework asked for it, and budgets that end it.

Each request belongs to the scopes that are open where it begins. A scope is kept in a context variable: it follows
tasks, the frameworks' thread pools and whatever else copies the context; a bare ``threading.Thread`` does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from typing_extensions import override

from openrouter_adapters.core.ceiling import Prices, ceiling, checked_prices
from openrouter_adapters.core.records import NOTHING, CallRecord, Costs, tags_of
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.wire import EXACT, money_of

if TYPE_CHECKING:
    from openrouter_adapters.core.errors import Specialize

Listener: TypeAlias = Callable[[CallRecord], None]

_scopes: ContextVar[tuple[CostTracker, ...]] = ContextVar("_scopes", default=())
_listeners: tuple[Listener, ...] = ()
_listening = threading.Lock()


def track_costs(
    budget: Decimal | float | str | None = None,
    tags: str | Iterable[str] | Mapping[str, object] | None = None,
    *,
    reserve: bool = False,
    prices: Mapping[str, Mapping[str, Decimal | float | str]] | None = None,
) -> CostTracker:
    """Add up what everything inside costs, under a budget if wanted; for ``with`` and ``async with``.

    Whatever leaves the clients counts: chat, structured output, agents, embeddings, rerank, retries, failed streams, in
    both frameworks; a framework's cache hit does not. Only what OpenRouter reports is counted, nothing is estimated.
    Scopes nest, and two at once never mix.

    Args:
        budget: USD; a request that would begin after so much is spent raises a BudgetExceededError, and is not sent.
            Requests that are under way then are not called back: without ``reserve`` they may exceed it.
        tags: words to sum by (`CostTracker.by_tag`), of everything inside; a mapping's are ``key:value``.
        reserve: set aside what a request may cost at most before it is sent, so that many at once keep to the budget: a
            request whose ceiling does not fit into what is left raises the BudgetExceededError. The ceiling comes from
            its ``max_tokens``, or else the model's own limit, its size, and prices: those given here, or else
            ``provider["max_price"]``, or else the catalogue's. Fees of searches, files and tools are not in it.
        prices: USD per token by model, as the wire's ``pricing`` has it:
            ``{"openai/gpt-5-mini": {"prompt": "0.00000025", "completion": "0.000002"}}``.

    Raises:
        ValueError: a budget that is no sum of money, or ``reserve`` without a budget. With ``reserve``, a request
            without a known ceiling raises it too, before anything is sent.
        TypeError: tags that are no words.
    """
    return CostTracker(budget, tags, reserve=reserve, prices=prices)


class CostTracker(Costs):
    """What everything in a scope costs; made by `track_costs`. Sums and records stay when the scope is left.

    A request that is under way when the scope is left still counts. One object can be entered again: it counts on.
    """

    def __init__(
        self,
        budget: Decimal | float | str | None = None,
        tags: str | Iterable[str] | Mapping[str, object] | None = None,
        *,
        reserve: bool = False,
        prices: Mapping[str, Mapping[str, Decimal | float | str]] | None = None,
    ) -> None:
        super().__init__()
        self.budget: Decimal | None = _checked_budget(budget)
        self.tags: tuple[str, ...] = tags_of(tags)
        if reserve and self.budget is None:
            raise ValueError("reserve=True sets aside a part of a budget: give one, such as budget=0.50")
        self._prices: Prices | None = checked_prices(prices) if reserve or prices else None
        self._reserves = reserve
        # What is set aside for requests under way and calls without a cost, and given back: only appended, as records.
        self._moves: list[Decimal] = []
        self._moved = (NOTHING, 0)  # the sum of so many
        self._unsettled: list[Unsettled] = []

    @override
    def __getstate__(self) -> dict[str, Any]:
        """What is not settled stays behind: it has keys."""
        return {**super().__getstate__(), "_unsettled": [], "_moves": [], "_moved": (NOTHING, 0)}

    # ---- the scope

    def __enter__(self) -> Self:
        _scopes.set((*_scopes.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # By name, not by a token: a fixture or a generator may be left in another context than it was entered in.
        scopes = [*_scopes.get()]
        if self in scopes:
            del scopes[len(scopes) - 1 - scopes[::-1].index(self)]
            _scopes.set(tuple(scopes))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    # ---- the budget

    @property
    def remaining(self) -> Decimal | None:
        """USD left of the budget, without what is set aside, never below zero; None without a budget."""
        if self.budget is None:
            return None
        with self._lock:
            return max(self._left(self.budget), NOTHING)

    def _left(self, budget: Decimal) -> Decimal:
        return EXACT.subtract(EXACT.subtract(budget, self.total), self._held())

    def _held(self) -> Decimal:
        """USD that are set aside; the lock is held."""
        held, count = self._moved
        while count < len(self._moves):
            held, count = EXACT.add(held, self._moves[count]) or NOTHING, count + 1  # not 0E-9, which would show
        self._moved = held, count
        return held

    def admit(self, request: Request, specialize: Specialize | None = None) -> Decimal:
        """Let a request begin.

        Args:
            request: what is to be sent.
            specialize: gives a framework's own subclass of an error class.

        Returns:
            USD of the budget that are set aside for it.

        Raises:
            BudgetExceededError: the budget is spent, or does not hold what the request may cost.
            ValueError: with ``reserve``: what it may cost cannot be told.
        """
        if self.budget is None:
            return NOTHING
        wanted = ceiling(request, self._prices or {}) if self._reserves else NOTHING
        with self._lock:
            left = self._left(self.budget)
            if wanted > left or (left <= 0 and not self._reserves):
                raise self._refusal(wanted, specialize)
            if wanted:
                self._moves.append(wanted)
        return wanted

    def _refusal(self, wanted: Decimal, specialize: Specialize | None) -> Exception:
        from openrouter_adapters.core.errors import BudgetExceededError

        cls: Any = specialize(BudgetExceededError) if specialize else BudgetExceededError
        refusal: Exception = cls(self.total, self.budget, reserved=self._held(), ceiling=wanted)
        return refusal

    def release(self, held: Decimal) -> None:
        """Give back what was set aside."""
        if held:
            self._moves.append(held.copy_negate())

    # ---- what became of a request

    def close(self, record: CallRecord, held: Decimal, unsettled: Unsettled | None) -> None:
        """Count a request that is over; what was set aside for one whose cost is unknown stays aside."""
        with self._lock:
            self.add(record)
            if unsettled is not None:
                self._unsettled.append(unsettled)
            if not record.unpriced:
                self.release(held)

    def learn(self, unsettled: Unsettled, known: CallRecord, held: Decimal) -> None:
        """Count the cost of a call that was without one."""
        with self._lock:
            self._unsettled.remove(unsettled)
            self.replace(unsettled.record, known)
            self.release(held)

    def settle(self, timeout: float = 10.0) -> int:
        """Ask OpenRouter what the calls without a cost were charged, and count that.

        Args:
            timeout: seconds to wait for all of them: OpenRouter knows a cost only a while after the call.

        Returns:
            How many calls are still without a cost: those without a generation id, and those that it does not know.

        Raises:
            OpenRouterError: it could not be asked for all of them; what was settled stays settled.
        """
        from openrouter_adapters.core.generations import settle

        settle(self.unsettled, timeout)
        return self.unpriced_calls

    async def asettle(self, timeout: float = 10.0) -> int:
        """As `settle`."""
        from openrouter_adapters.core.generations import asettle

        await asettle(self.unsettled, timeout)
        return self.unpriced_calls

    @property
    def unsettled(self) -> list[Unsettled]:
        """The calls without a cost that OpenRouter can be asked for."""
        with self._lock:
            return list(self._unsettled)


class Unsettled:
    """A call without a cost, which may become known.

    Attributes:
        record: what is known of it.
        question: the request that asks for the rest.
        known: whether it is settled.
    """

    def __init__(self, record: CallRecord, question: Request, scopes: Iterable[tuple[CostTracker, Decimal]]) -> None:
        self.record = record
        self.question = question
        self._scopes = tuple(scopes)
        self.known: bool = False
        self._learning = threading.Lock()

    def learn(self, known: CallRecord) -> bool:
        """Tell all scopes that it is in; False, when they know already."""
        with self._learning:
            first, self.known = not self.known, True
        for scope, held in self._scopes if first else ():
            scope.learn(self, known, held)
        return first


def is_counted() -> bool:
    """Whether anybody wants to know what a request costs that begins here."""
    return bool(_scopes.get() or _listeners)


def admit(request: Request, specialize: Specialize | None) -> list[tuple[CostTracker, Decimal]]:
    """Let a request begin, in all scopes or in none.

    Returns:
        The scopes that it is in, with what each sets aside for it.

    Raises:
        BudgetExceededError, ValueError: as `CostTracker.admit`.
    """
    scopes = dict.fromkeys(_scopes.get())
    held: list[tuple[CostTracker, Decimal]] = []
    try:
        for scope in scopes:
            held.append((scope, scope.admit(request, specialize)))
    except BaseException:
        for scope, amount in held:
            scope.release(amount)
        raise
    return held


def _checked_budget(budget: Any) -> Decimal | None:
    amount = money_of(budget)
    if budget is not None and (amount is None or amount < 0):
        raise ValueError(f"budget={budget!r}: give a sum in USD, such as 0.50, or None for no limit")
    return amount


# ---- who else hears of every call


def listeners() -> tuple[Listener, ...]:
    """Who hears of every call."""
    return _listeners


def listen(listener: Listener) -> None:
    """From now on tell of every request of this process that ended, whatever scope it is in.

    Args:
        listener: called once for each, before its answer is returned, in a copy of the context in which the request
            began; in a worker thread when that was async. When it raises, a warning is given, and the answer returned.
    """
    global _listeners
    with _listening:
        _listeners = (*_listeners, listener)


def unlisten(listener: Listener) -> None:
    """Tell no more; nothing, if it was not told."""
    global _listeners
    with _listening:
        _listeners = tuple(one for one in _listeners if one != listener)
