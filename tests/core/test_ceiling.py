"""What a request may cost at most."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from openrouter_adapters import track_costs
from openrouter_adapters.core import catalog
from openrouter_adapters.core.ceiling import ceiling, checked_prices
from openrouter_adapters.core.request import EMBEDDINGS, RERANK, Request

PRICES = checked_prices({"a/b": {"prompt": 0.001, "completion": "0.01"}, "a/dear": {"prompt": 1, "completion": 2}})
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(autouse=True)
def own_catalogue(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(catalog, "_models", {})
    pricing = {"prompt": "0.002", "completion": "0.02", "request": "0.5"}
    limits = {"context_length": 1000, "top_provider": {"max_completion_tokens": 50}}
    catalog.load([{"id": "a/listed", "pricing": pricing, **limits}, {"id": "a/free", **FREE}, {"id": "a/auto", **AUTO}])
    yield


FREE: dict[str, Any] = {"pricing": {"prompt": "0", "completion": "0"}, "context_length": 1000}
AUTO: dict[str, Any] = {"pricing": {"prompt": "-1", "completion": "-1"}, "context_length": 1000}


def of(path: str = "/chat/completions", **body: Any) -> Decimal:
    return ceiling(Request({"model": "a/b", "messages": HELLO, **body}, path=path), PRICES)


def size(**body: Any) -> int:
    """Tokens that the prompt may have, as the ceiling of free output tells."""
    return int(of(max_tokens=0, **body) / Decimal("0.001"))


def test_output_is_bounded_by_max_tokens() -> None:
    assert of(max_tokens=101) - of(max_tokens=1) == Decimal("0.01") * 100 + Decimal("0.001") * 2
    assert of(max_completion_tokens=10) > of(max_tokens=0)
    assert of(max_tokens=100, n=3) - of(max_tokens=100) > 2
    assert of(max_tokens=1, max_completion_tokens=100) > 1


def test_what_is_no_limit_bounds_nothing() -> None:
    assert of(max_tokens=100, n=-3) > 1
    assert of(model="a/listed", max_tokens=-1) > Decimal("0.02") * 50
    with pytest.raises(ValueError, match="give max_tokens"):
        of(max_tokens=-1)


def test_input_is_bounded_by_its_bytes() -> None:
    assert 5 < size() < 100
    assert size(messages=[{"role": "user", "content": "é" * 100}]) >= 200
    assert size(tools=[{"type": "function", "function": {"name": "x" * 500}}]) >= 500


def test_the_catalogue_knows_prices_and_limits() -> None:
    listed = of(model="a/listed")
    assert of(model="a/listed", max_tokens=50) - listed < Decimal("0.1"), "the model's own limit"
    assert listed > Decimal("0.02") * 50 + Decimal("0.5")
    huge = of(model="a/listed", messages=[{"role": "user", "content": "x" * 100_000}])
    assert huge == Decimal("0.002") * 1000 + Decimal("0.02") * 50 + Decimal("0.5"), "no more than the window"
    assert of(model="a/free") == 0


def test_of_attachments_nothing_is_known_but_the_window() -> None:
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}]
    assert of(model="a/listed", messages=picture) > Decimal("0.002") * 1000
    with pytest.raises(ValueError, match=r"attachments.*a/b"):
        of(messages=picture, max_tokens=5)


def test_the_dearest_of_the_models_counts() -> None:
    assert of(models=["a/dear"], max_tokens=5) > 2 * 5


def test_what_providers_may_ask_bounds_it() -> None:
    allowed = {"max_price": {"prompt": 1, "completion": 2, "request": 0.25}}
    asked = of(model="a/unknown", provider=allowed, max_tokens=1_000_000)
    assert Decimal("2.25") < asked < Decimal("2.2502")
    with pytest.raises(ValueError, match="price"):
        of(model="a/unknown", provider={"max_price": {"prompt": 1}}, max_tokens=5)


def test_other_endpoints_have_no_output() -> None:
    text = "x" * 100
    assert Decimal("0.1") < of(EMBEDDINGS, input=[text]) < Decimal("0.3")
    assert of(RERANK, query="q", documents=[text]) > Decimal("0.1")
    assert of(EMBEDDINGS, model="a/listed", input=["x" * 900] * 3) > Decimal("0.002") * 2700, "each has a window"
    picture = {"content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]}
    assert of(EMBEDDINGS, model="a/listed", input=[picture] * 3) >= Decimal("0.002") * 3000


@pytest.mark.parametrize("model", ["a/unknown", "a/auto"])
def test_an_unknown_price_is_told_with_its_remedy(model: str) -> None:
    with pytest.raises(ValueError, match=rf"'{model}'.*prompt and completion.*prices=.*refresh_catalog"):
        of(model=model, max_tokens=5)


def test_an_answer_of_unknown_length_is_told() -> None:
    with pytest.raises(ValueError, match="give max_tokens"):
        of()


def test_a_request_without_a_model() -> None:
    with pytest.raises(ValueError, match="model"):
        of(model=None)


@pytest.mark.parametrize("prices", ["a/b", {"a/b": 5}, {"a/b": {}}, {"a/b": {"prompt": -1}}, {"a/b": {"prompt": "x"}}])
def test_prices_are_sums_by_model(prices: Any) -> None:
    with pytest.raises(ValueError, match=r"prices.*openai/gpt-5-mini"):
        track_costs(1, reserve=True, prices=prices)
