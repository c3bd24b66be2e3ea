"""`Wanted` and `found`: which of the models are what somebody looks for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from openrouter_adapters.core.catalog import Model

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a model is wanted to be; what is left out does not matter.

    Attributes:
        words: each in its id or its name, in either case.
        max_prompt_price: USD per million tokens at most, of the prompt.
        max_completion_price: USD per million tokens at most, of the answer.
        min_context: tokens at least.
        reads: the inputs it takes, such as ``image``.
        makes: the outputs it gives.
        supports: the request options that some provider supports, such as ``tools``.
        free: whether it charges nothing.
    """

    words: tuple[str, ...] = ()
    max_prompt_price: Decimal | None = None
    max_completion_price: Decimal | None = None
    min_context: int | None = None
    reads: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    supports: tuple[str, ...] = ()
    free: bool = False

    def suits(self, model: Model) -> bool | None:
        """Whether a model is what is wanted; None: for all that is known of it."""
        verdicts = set(self._verdicts(model))
        return False if False in verdicts else None if None in verdicts else True

    def _verdicts(self, model: Model) -> Iterator[bool | None]:
        text = f"{model.id} {model.name or ''}".casefold()
        yield all(word.casefold() in text for word in self.words)
        yield _is_at_most(per_million(model, "prompt"), self.max_prompt_price)
        yield _is_at_most(per_million(model, "completion"), self.max_completion_price)
        yield _is_at_least(model.context_length, self.min_context)
        yield from map(model.reads, self.reads)
        yield from map(model.makes, self.makes)
        yield from map(model.supports, self.supports)
        yield not self.free or is_free(model)


def _is_at_most(price: Decimal | None, limit: Decimal | None) -> bool | None:
    return True if limit is None else None if price is None else price <= limit


def _is_at_least(tokens: int | None, limit: int | None) -> bool | None:
    return True if limit is None else None if tokens is None else tokens >= limit


def per_million(model: Model, unit: str) -> Decimal | None:
    """USD per million tokens; None when unknown, or when it varies.

    Args:
        model: the model.
        unit: what is charged for by the token: ``prompt``, ``completion``, ``input_cache_read`` ...
    """
    price = model.prices.get(unit)
    return None if price is None else price * _MILLION


def is_free(model: Model) -> bool | None:
    """Whether a request is charged nothing, as far as it searches no web; None when that is unknown."""
    if any(price for unit, price in model.prices.items() if unit != "web_search"):
        return False
    return True if {"prompt", "completion"} <= set(model.prices) else None


def _by_price(model: Model) -> tuple[Any, ...]:
    prices = per_million(model, "prompt"), per_million(model, "completion")
    known = [price for price in prices if price is not None]
    return (len(known) < len(prices), sum(known), model.id)


def _by_context(model: Model) -> tuple[Any, ...]:
    return (model.context_length is None, -(model.context_length or 0), model.id)


ORDERS: MappingProxyType[str, Callable[[Model], Any]] = MappingProxyType(
    {"price": _by_price, "context": _by_context, "name": lambda model: model.id}
)
"""What models can be sorted by. By price (of a token of the prompt and one of the answer) the cheapest is first, by
context the largest; what is unknown is last."""


def found(models: Iterable[Model], wanted: Wanted, order: str | None = None) -> tuple[list[Model], int]:
    """The models that are what is wanted.

    Args:
        models: where to look.
        wanted: what to look for.
        order: one of `ORDERS`; None leaves them as they are.

    Returns:
        The models, and how many others may do, too, of which not all is known.
    """
    verdicts = [(model, wanted.suits(model)) for model in models]
    suiting = [model for model, suits in verdicts if suits]
    return sorted(suiting, key=ORDERS[order]) if order else suiting, sum(suits is None for _, suits in verdicts)
