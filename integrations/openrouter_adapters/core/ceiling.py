"""What a request may cost at most: by its size, its ``max_tokens``, and prices. No I/O.

A token is at least one byte of text, so the bytes of what is sent are a bound that needs no tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Any, TypeAlias

from openrouter_adapters.core import catalog
from openrouter_adapters.core.catalog import Model
from openrouter_adapters.core.records import NOTHING
from openrouter_adapters.core.request import CHAT, Request
from openrouter_adapters.core.wire import EXACT, dict_of, dicts_of, int_of, money_of

Pricing: TypeAlias = Mapping[str, Decimal]
"""USD per token (``request``: per request) under the wire's names: ``prompt``, ``completion``, ``request`` ..."""

Prices: TypeAlias = Mapping[str, Pricing]
"""Pricing by model."""

_NEEDED = ("prompt", "completion")
_INPUT_PRICES = ("prompt", "image", "audio", "input_audio", "input_cache_write", "input_cache_write_1h")
_OUTPUT_PRICES = ("completion", "internal_reasoning", "image_output", "audio_output")
_INPUTS = ("input", "documents")
# The parts of a message that are text; any other may be of any size once it is read.
_TEXTS = ("text", "input_text", "refusal")


def checked_prices(prices: Any) -> Prices:
    """Prices as given, exact.

    Raises:
        ValueError: they are no mapping of models to sums of money.
    """
    if not isinstance(prices, Mapping | None):
        raise ValueError(f"prices={prices!r}: give USD per token by model, {_EXAMPLE}")
    return {model: _checked_pricing(model, pricing) for model, pricing in (prices or {}).items()}


_EXAMPLE = 'such as {"openai/gpt-5-mini": {"prompt": "0.00000025", "completion": "0.000002"}}'


def _checked_pricing(model: str, pricing: Any) -> Pricing:
    found = {name: money_of(price) for name, price in dict_of(pricing).items()}
    if not found or any(price is None or price < 0 for price in found.values()):
        raise ValueError(f"prices[{model!r}]={pricing!r}: give USD per token, {_EXAMPLE}")
    return {name: price for name, price in found.items() if price is not None}


def ceiling(request: Request, prices: Prices) -> Decimal:
    """USD that a request may cost at most: that of the dearest of the models that it names.

    Fees of searches, files and tools are not in it.

    Args:
        request: what is to be sent.
        prices: given prices, which count before ``provider["max_price"]`` and the catalogue.

    Raises:
        ValueError: a price, or how long the answer may be, is unknown.
    """
    if not request.asked:
        raise ValueError("reserve=True needs to know the model: the request names none")
    with localcontext(EXACT):
        return max(_ceiling_of(name, request, prices) for name in request.asked)


def _ceiling_of(name: str, request: Request, prices: Prices) -> Decimal:
    model = catalog.find(name)
    pricing = prices.get(name) or _max_price(request.body) or (model.prices if model else {})
    if missing := [unit for unit in _needed(request) if unit not in pricing]:
        raise ValueError(
            f"reserve=True needs the price of {name!r}, whose {' and '.join(missing)} price is unknown: give "
            'track_costs(prices=...) or provider={"max_price": ...}, or call refresh_catalog()'
        )
    tokens = _input_tokens(request, model, name) * _dearest(pricing, _INPUT_PRICES)
    tokens += _output_tokens(request, model, name) * _dearest(pricing, _OUTPUT_PRICES)
    return tokens + pricing.get("request", NOTHING)


def _needed(request: Request) -> tuple[str, ...]:
    return _NEEDED if request.path == CHAT else _NEEDED[:1]


def _dearest(pricing: Pricing, units: tuple[str, ...]) -> Decimal:
    return max((pricing[unit] for unit in units if unit in pricing), default=NOTHING)


def _max_price(body: Mapping[str, Any]) -> Pricing:
    """What the caller allows providers to ask, which the wire has in USD per million tokens; empty when not said."""
    allowed = dict_of(dict_of(body.get("provider")).get("max_price"))
    found = {unit: price for unit, value in allowed.items() if (price := money_of(value)) is not None}
    per_token = {unit: price if unit == "request" else price / 1_000_000 for unit, price in found.items()}
    return per_token if set(_NEEDED) <= set(per_token) else {}


def _input_tokens(request: Request, model: Model | None, name: str) -> int:
    body, window = request.body, model.context_length if model else None
    inputs = 1 if request.path == CHAT else sum(len(of) for key in _INPUTS if isinstance(of := body.get(key), list))
    most = None if window is None else window * inputs
    if not _only_text(body):
        if most is None:
            raise ValueError(f"reserve=True cannot tell what attachments are for {name!r}, whose window is unknown")
        return most
    size = len(json.dumps(dict(body), ensure_ascii=False, default=str).encode("utf-8", "replace"))
    return size if request.path != CHAT or most is None else min(size, most)


def _only_text(body: Mapping[str, Any]) -> bool:
    return not body.get("plugins") and all(part.get("type") in _TEXTS for part in _parts(body))


def _parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for place in (*dicts_of(body.get("messages")), *dicts_of(body.get("input"))):
        content = place.get("content")
        yield from dicts_of(content) if isinstance(content, list) else ()


def _output_tokens(request: Request, model: Model | None, name: str) -> int:
    if request.path != CHAT:
        return 0
    body = request.body
    asked = [int_of(body.get(key)) for key in ("max_tokens", "max_completion_tokens")]
    # Where a number below zero is not refused, it means that there is no limit.
    given = max((limit for limit in asked if limit is not None and limit >= 0), default=None)
    known = [given, model.max_completion_tokens if model else None, model.context_length if model else None]
    longest = next((limit for limit in known if limit is not None), None)
    if longest is None:
        raise ValueError(f"reserve=True needs to know how long an answer of {name!r} may be: give max_tokens")
    return longest * max(int_of(body.get("n")) or 1, 1)
