"""The search in the catalogue: what is wanted, what is not, and what nobody can tell."""

from decimal import Decimal
from typing import Any

import pytest

from openrouter_adapters.core import catalog
from openrouter_adapters.core.catalog import Model
from openrouter_adapters.core.search import ORDERS, Wanted, found, is_free, per_million


def model(id: str, prompt: str | None = "0.000001", completion: str | None = "0.000002", **facts: Any) -> Model:
    prices = {"prompt": prompt, "completion": completion}
    known = {unit: Decimal(price) for unit, price in prices.items() if price is not None}
    return Model(id, prices=known, **{"context_length": 128_000, **facts})


def ids(models: list[Model], **wanted: Any) -> list[str]:
    return [one.id for one in found(models, Wanted(**wanted))[0]]


def test_words_are_looked_for_in_id_and_name_in_either_case() -> None:
    models = [model("openai/gpt-5-mini", name="GPT-5 Mini"), model("x/haiku", name="Claude Haiku"), model("x/nameless")]
    assert ids(models) == ["openai/gpt-5-mini", "x/haiku", "x/nameless"]
    assert ids(models, words=("MINI", "openai")) == ["openai/gpt-5-mini"]
    assert ids(models, words=("claude",)) == ["x/haiku"]
    assert ids(models, words=("claude", "gpt")) == []


def test_prices_are_compared_to_the_last_digit() -> None:
    dear = "0.0000010000000000000000001"
    models = [model("just/so"), model("too/dear", prompt=dear), model("long/answers", completion="0.000003")]
    assert ids(models, max_prompt_price=Decimal(1)) == ["just/so", "long/answers"]
    assert ids(models, max_completion_price=Decimal(2)) == ["just/so", "too/dear"]
    assert per_million(models[1], "prompt") == Decimal("1.0000000000000000001")


def test_what_is_unknown_is_counted_apart_and_neither_free_nor_too_dear() -> None:
    models = [model("a/free", "0", "0"), model("a/unknown", None, None), model("a/half", completion=None)]
    for wanted in (Wanted(free=True), Wanted(max_completion_price=Decimal(0))):
        suiting, unknown = found(models, wanted)
        assert [one.id for one in suiting] == ["a/free"]
        assert unknown == (1 if wanted.free else 2)
    assert found(models, Wanted(words=("free",), free=True))[1] == 0, "what is known to be wrong is not unknown"


def test_a_model_that_charges_by_the_piece_is_not_free() -> None:
    free = {"prompt": Decimal(0), "completion": Decimal(0)}
    assert is_free(Model("a/b", prices=free)) is True
    assert is_free(Model("a/b", prices={**free, "image": Decimal("0.04")})) is False
    assert is_free(Model("a/b", prices={**free, "web_search": Decimal("0.01")})) is True
    assert is_free(Model("a/b", prices={"prompt": Decimal(0)})) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"min_context": 128_000}, (["able"], 1)),
        ({"min_context": 128_001}, ([], 1)),
        ({"reads": ("image", "text")}, (["able"], 1)),
        ({"makes": ("image",)}, ([], 1)),
        ({"supports": ("tools", "reasoning")}, (["able"], 1)),
        ({"supports": ("structured_outputs",)}, ([], 1)),
    ],
)
def test_window_and_abilities(wanted: dict[str, Any], expected: tuple[list[str], int]) -> None:
    able = model(
        "able",
        input_modalities=("text", "image"),
        output_modalities=("text",),
        supported_parameters=("tools", "reasoning"),
    )
    suiting, unknown = found([able, Model("unknown")], Wanted(**wanted))
    assert ([one.id for one in suiting], unknown) == expected


def test_the_cheapest_or_the_largest_is_first_and_the_unknown_last() -> None:
    models = [
        model("b/dear", "0.00001"),
        model("c/unknown", None, context_length=None),
        model("a/free", "0", "0", context_length=8_000),
        model("d/half-known", "0", None, context_length=1_000_000),
    ]
    by = {order: [one.id for one in found(models, Wanted(), order)[0]] for order in ORDERS}
    assert by["price"] == ["a/free", "b/dear", "d/half-known", "c/unknown"]
    assert by["context"] == ["d/half-known", "b/dear", "a/free", "c/unknown"]
    assert by["name"] == ["a/free", "b/dear", "c/unknown", "d/half-known"]


def test_the_bundled_models_are_listed_once_each_with_what_is_known() -> None:
    models = catalog.bundled()
    assert len({one.id for one in models}) == len(models) > 300
    priced = [one for one in models if one.prices]
    assert priced and all(catalog.find(one.id) == one for one in priced)
