"""`Usage` and `Cost`: what an answer took and what it was charged.

Money is `Decimal` inside, in USD. Unknown (None) is not zero: a free answer costs ``Decimal(0)``, one whose cost was
not reported costs None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from functools import reduce
from operator import add
from typing import Any, TypeVar

from openrouter_adapters.core.wire import EXACT, bool_of, dict_of, int_of, known, money_of

N = TypeVar("N", int, Decimal)

_COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer was charged (``usage.cost`` and its neighbours on the wire).

    Attributes:
        charged: USD taken from the OpenRouter account (``usage.cost``); None when not reported.
        upstream: USD that the provider bills (``cost_details.upstream_inference_cost``); None when not reported.
        is_byok: whether the caller's own provider key was used; None when not reported.
        details: ``cost_details`` as on the wire.
    """

    charged: Decimal | None = None
    upstream: Decimal | None = None
    is_byok: bool | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> Decimal | None:
        """What the caller pays in all, in USD: with an own key (BYOK) the provider's bill comes on top.

        The pieces of ``cost_details`` are never added up: searches, tools and parsing are only in ``charged``.
        """
        if not self.is_byok:
            return self.charged
        return None if self.upstream is None else EXACT.add(self.charged or Decimal(0), self.upstream)

    @classmethod
    def from_wire(cls, usage: Mapping[str, Any]) -> Cost:
        """Read the cost out of a wire ``usage`` object."""
        details = dict_of(usage.get("cost_details"))
        return cls(
            charged=money_of(usage.get("cost")),
            upstream=money_of(details.get("upstream_inference_cost")),
            is_byok=bool_of(usage.get("is_byok")),
            details=details,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts and cost of one answer, as OpenRouter reports them (native tokenizer counts).

    ``prompt_tokens`` includes cached and cache-write tokens. A count that was not reported is None.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None
    cost: Cost = field(default_factory=Cost)
    server_tool_use: Mapping[str, Any] = field(default_factory=dict)
    wire: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, usage: Any) -> Usage | None:
        """Read a wire ``usage`` object; None when there is none."""
        if not isinstance(usage, Mapping) or not usage:
            return None
        prompt = dict_of(usage.get("prompt_tokens_details"))
        completion = dict_of(usage.get("completion_tokens_details"))
        prompt_tokens, completion_tokens = int_of(usage.get("prompt_tokens")), int_of(usage.get("completion_tokens"))
        return cls(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=_total(int_of(usage.get("total_tokens")), prompt_tokens, completion_tokens),
            cached_tokens=int_of(prompt.get("cached_tokens")),
            cache_write_tokens=int_of(prompt.get("cache_write_tokens")),
            reasoning_tokens=int_of(completion.get("reasoning_tokens")),
            audio_input_tokens=int_of(prompt.get("audio_tokens")),
            audio_output_tokens=int_of(completion.get("audio_tokens")),
            cost=Cost.from_wire(usage),
            # The wire says server_tool_use_details; some documentation pages say server_tool_use.
            server_tool_use=dict_of(usage.get("server_tool_use_details")) or dict_of(usage.get("server_tool_use")),
            wire=dict_of(usage),
        )

    def metadata(self) -> dict[str, Any]:
        """Cost and tool counts under the names both adapters show them by; absent when unknown."""
        cost = self.cost
        return known(
            cost=_as_float(cost.charged),
            cost_details=dict(cost.details) or None,
            is_byok=cost.is_byok,
            total_cost=_as_float(cost.total),
            server_tool_use=dict(self.server_tool_use) or None,
        )


def summed(usages: Iterable[Usage | None]) -> Usage | None:
    """What several answers took together: each count and sum over those that report it, None where none does."""
    found = [usage for usage in usages if usage is not None]
    if len(found) < 2:
        return found[0] if found else None
    counts: dict[str, Any] = {name: _sum(getattr(usage, name) for usage in found) for name in _COUNTS}
    return Usage(**counts, cost=_summed_cost([usage.cost for usage in found]))


def _summed_cost(costs: Sequence[Cost]) -> Cost:
    own_key = [cost for cost in costs if cost.is_byok]  # the other bills of providers are in what was charged
    said = [cost.is_byok for cost in costs if cost.is_byok is not None]
    details = {key for cost in costs for key in cost.details}
    return Cost(
        charged=_sum(cost.charged for cost in costs),
        upstream=_sum(cost.upstream for cost in own_key or costs),
        is_byok=any(said) if said else None,
        details=known(
            **{key: _as_float(_sum(money_of(cost.details.get(key)) for cost in costs)) for key in sorted(details)}
        ),
    )


def _sum(amounts: Iterable[N | None]) -> N | None:
    """The sum of what is known; None when nothing is."""
    reported = [amount for amount in amounts if amount is not None]
    with localcontext(EXACT):
        return reduce(add, reported) if reported else None


def _total(total: int | None, prompt: int | None, completion: int | None) -> int | None:
    if total is not None or prompt is None or completion is None:
        return total
    return prompt + completion


def _as_float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
