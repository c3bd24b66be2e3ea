"""`OpenRouterCostHandler`: what `ChatOpenRouter` costs, as LangChain's callbacks tell it.

A run that was answered tells its cost in ``response_metadata``; one that failed, on the error. An answer that a cache
gave says so (``from_cache``) and is not counted; neither is an answer of another vendor's model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from typing_extensions import override

from openrouter_adapters.core.failures import failed_record, record_of_error
from openrouter_adapters.core.records import LEFT, CallRecord, HeardCosts, tags_of
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.core.wire import dict_of, dicts_of
from openrouter_adapters.langchain.chunks import FROM_CACHE, PROVIDER
from openrouter_adapters.langchain.tags import given_tags

_MONEY = ("cost", "cost_details", "is_byok")

# LangChain does not tell the end of every run: so many are remembered, far more than can be under way.
_MOST_OPEN = 100_000


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that has begun: what is known of its request, and whether its model is one of OpenRouter's."""

    record: CallRecord
    ours: bool
    begun: float = field(default_factory=time.monotonic)

    def so_far(self) -> CallRecord:
        return replace(self.record, seconds=time.monotonic() - self.begun)


class OpenRouterCostHandler(BaseCallbackHandler, HeardCosts):
    """Adds up what the calls of `ChatOpenRouter` cost, as LangChain's callbacks tell it.

    Give it as ``config={"callbacks": [handler]}``, for a chain, a graph or an agent, or to a model
    (``ChatOpenRouter(callbacks=[handler])``); sync and async, streamed or not. Each call counts once: with several
    choices, with retries (a failed try is a record of its own), in agents, when the handler was given twice, and when a
    model of your own hands on what this one answered. An answer of LangChain's cache costs nothing and is no call.
    Answers of other vendors' models are left alone.

    Sums and records are those of `core.records.Costs`: ``total``, ``by_model``, ``by_provider``, ``by_tag`` (the tags
    of the run, without those that LangChain gives to the steps of chains), ``calls``, ``tokens``, ``unpriced_calls``,
    ``records``, which are kept until ``reset_counts()``. Money is `Decimal`, in USD. Safe to use from many threads.

    LangChain does not tell of everything that costs money: of a sync ``stream_events(version="v3")`` left early it
    tells nothing, and when one of several prompts of ``generate`` fails, nothing of those before it; embeddings and
    rerank have no callbacks. `openrouter_adapters.track_costs` sees all of these.

    Args:
        tags: words to sum by, of everything that this handler hears of; a mapping's are ``key:value``.

    Raises:
        TypeError: tags that are no words.

    Examples:
        >>> costs = OpenRouterCostHandler()  # doctest: +SKIP
        >>> agent.invoke(question, config={"callbacks": [costs], "tags": ["support"]})  # doctest: +SKIP
        >>> costs.total, costs.by_tag["support"].calls  # doctest: +SKIP
        (Decimal('0.00042'), 2)
    """

    run_inline = True  # it never waits: no thread is needed for it

    def __init__(self, tags: str | Iterable[str] | Mapping[str, object] | None = None) -> None:
        super().__init__()
        self.tags: tuple[str, ...] = tags_of(tags)
        self._open: dict[UUID, _Run] = {}

    @override
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note that a run has begun."""
        facts = metadata or {}
        words = tuple(dict.fromkeys((*self.tags, *given_tags(tags))))
        record = CallRecord(requested_model=facts.get("ls_model_name"), tags=words)
        with self._lock:
            self._open[run_id] = _Run(record, facts.get("ls_provider") == PROVIDER)
            if len(self._open) > _MOST_OPEN:
                del self._open[next(iter(self._open))]

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Count an answer, and the tries that failed before it."""
        run, message = self._ended(run_id), _message(response)
        if run is not None and message is not None:
            self.hear(_answered(run.so_far(), message.response_metadata))

    @override
    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Count what a failed call was charged, or may have been; also one whose answer was left on its way."""
        run = self._ended(run_id)
        if run is not None and run.ours:
            self.hear(_failed(run.so_far(), error, _message(kwargs.get("response"))))

    def _ended(self, run_id: UUID) -> _Run | None:
        """The run, once: a handler that was given twice is told twice."""
        with self._lock:
            return self._open.pop(run_id, None)


# ---------------------------------------------------------------------------------------------------- what runs tell


def _message(response: Any) -> AIMessage | None:
    """The message of the first choice, which speaks for the whole request."""
    first = response.generations[0][:1] if isinstance(response, LLMResult) and response.generations else ()
    message = first[0].message if first and isinstance(first[0], ChatGeneration) else None
    return message if isinstance(message, AIMessage) else None


def _answered(record: CallRecord, facts: Mapping[str, Any]) -> list[CallRecord]:
    """An answer and the tries before it, by its ``response_metadata``."""
    if facts.get("model_provider") != PROVIDER or facts.get(FROM_CACHE):
        return []
    before = [failed_record(record, told) for told in dicts_of(facts.get("failed_tries"))]
    return [*before, _served(record, facts)]


def _served(record: CallRecord, facts: Mapping[str, Any]) -> CallRecord:
    wire = {name: facts[name] for name in _MONEY if name in facts} | dict_of(facts.get("token_usage"))
    return replace(
        record.used(Usage.from_wire(wire)),
        requested_model=facts.get("requested_model") or record.requested_model,
        model=facts.get("model_name"),
        provider=facts.get("provider"),
        id=facts.get("id"),
    )


def _failed(record: CallRecord, error: BaseException, message: AIMessage | None) -> list[CallRecord]:
    """What ended a run without an answer, and the tries before it."""
    from openrouter_adapters.core.errors import BudgetExceededError, OpenRouterError

    if isinstance(error, OpenRouterError):
        sent = () if isinstance(error, BudgetExceededError) else (error,)
        return [record_of_error(record, one) for one in (*error.failed_tries, *sent)]
    # The caller left, or somebody's code failed. It may have done so before anything was sent.
    begun = isinstance(message, AIMessageChunk)
    if not begun and isinstance(error, Exception):
        return []
    return [replace(_served(record, message.response_metadata if message and begun else {}), outcome=LEFT)]


# ------------------------------------------------------------------------------------------------------------ scopes

# One variable for each depth of nesting: LangChain asks each of them for a handler whenever it starts a run.
_depths: list[ContextVar[OpenRouterCostHandler | None]] = []
_deepening = threading.Lock()


def _free_depth() -> ContextVar[OpenRouterCostHandler | None]:
    """The outermost depth at which no scope is open here."""
    from langchain_core.tracers.context import register_configure_hook  # loads LangSmith's client

    with _deepening:
        free = next((depth for depth in _depths if depth.get() is None), None)
        if free is None:
            free = ContextVar(f"openrouter_costs_{len(_depths)}", default=None)
            _depths.append(free)
            register_configure_hook(free, inheritable=True)
    return free


@contextmanager
def get_openrouter_costs(
    tags: str | Iterable[str] | Mapping[str, object] | None = None,
) -> Iterator[OpenRouterCostHandler]:
    """A handler that hears of every run that begins inside, in graphs, agents and the threads of ``batch`` too.

    Scopes nest, and two at once, in tasks or threads, never mix. A bare ``threading.Thread`` needs a copied context, as
    always.

    Args:
        tags: words to sum by, of everything inside; a mapping's are ``key:value``.

    Yields:
        The handler; its sums stay when the scope is left.

    Raises:
        TypeError: tags that are no words.

    Examples:
        >>> with get_openrouter_costs() as costs:  # doctest: +SKIP
        ...     agent.invoke(question)
        >>> costs.total  # doctest: +SKIP
        Decimal('0.00042')
    """
    handler = OpenRouterCostHandler(tags)
    depth = _free_depth()
    depth.set(handler)
    try:
        yield handler
    finally:
        # Not by a token: a fixture may be left in another context than it was entered in.
        if depth.get() is handler:
            depth.set(None)
