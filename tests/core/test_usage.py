"""Money is exact, zero is a price, unknown is unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core.usage import Cost, Usage, summed
from openrouter_adapters.core.wire import int_of, money_of


@pytest.mark.parametrize(
    ("usage", "charged", "total"),
    [
        ({"cost": 0.001}, "0.001", "0.001"),
        ({"cost": 0}, "0", "0"),
        ({}, None, None),
        ({"cost": None}, None, None),
        # Not an own key: the upstream's price is not added.
        ({"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.5}}, "0.5", "0.5"),
        # An own key: OpenRouter takes a fee, or nothing, and the provider bills the rest.
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}}, "0", "0.25"),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.25}}, "0.01", "0.26"),
        ({"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, "0.01", None),
    ],
)
def test_what_is_charged_and_what_is_paid_in_all(usage: dict[str, Any], charged: str | None, total: str | None) -> None:
    cost = Cost.from_wire(usage)
    assert cost.charged == (None if charged is None else Decimal(charged))
    assert cost.total == (None if total is None else Decimal(total))


def test_metadata_leaves_out_what_is_unknown_and_keeps_zero() -> None:
    assert Usage(cost=Cost()).metadata() == {}
    free = Usage.from_wire({"cost": 0, "is_byok": False, "cost_details": None})
    assert free is not None and free.metadata() == {"cost": 0.0, "is_byok": False, "total_cost": 0.0}


def test_every_count_is_read() -> None:
    usage = Usage.from_wire(
        {
            "prompt_tokens": 10.0,
            "completion_tokens": 4,
            "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2, "audio_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 4, "audio_tokens": None},
            "server_tool_use_details": {"web_search_requests": 1},
        }
    )
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10, 4, 14)
    assert (usage.cached_tokens, usage.cache_write_tokens, usage.audio_input_tokens) == (3, 2, 1)
    assert (usage.reasoning_tokens, usage.audio_output_tokens) == (4, None)
    assert usage.metadata()["server_tool_use"] == {"web_search_requests": 1}


@given(st.one_of(st.none(), st.text(), st.integers(), st.lists(st.integers()), st.dictionaries(st.text(), st.text())))
def test_any_value_is_read_without_an_exception(value: Any) -> None:
    Usage.from_wire(value)
    int_of(value)
    money_of(value)


@given(st.decimals(min_value=0, max_value=10, allow_nan=False, places=9))
def test_a_price_written_in_json_is_exact(amount: Decimal) -> None:
    assert money_of(str(amount)) == amount
    assert money_of(float(amount)) == Decimal(str(float(amount)))


def test_odd_numbers_are_unknown_or_read() -> None:
    huge = 10**5000
    assert [int_of(value) for value in ("+-12", "1" * 5000, float("inf"), True, "x", None)] == [None] * 6
    assert [int_of(value) for value in ("12", 12.0, "-3", huge)] == [12, 12, -3, huge]
    assert money_of(huge) is None


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "free", [], {}])
def test_what_is_no_money_is_unknown(value: Any) -> None:
    assert money_of(value) is None


def usage(**wire: Any) -> Usage:
    made = Usage.from_wire(wire)
    assert made is not None
    return made


def test_a_sum_is_of_what_is_reported_and_unknown_is_not_zero() -> None:
    assert summed([]) is None and summed([None, None]) is None
    one = usage(cost=0.1, prompt_tokens=3, anything="else")
    assert summed([None, one]) is one
    both = summed([one, usage(cost=0.2, prompt_tokens=4, completion_tokens=0), None])
    assert both is not None
    assert (both.prompt_tokens, both.completion_tokens, both.cached_tokens) == (7, 0, None)
    assert (both.cost.charged, both.cost.total, both.cost.is_byok) == (Decimal("0.3"), Decimal("0.3"), None)
    free = summed([usage(cost=0), usage(cost=0)])
    unknown = summed([usage(prompt_tokens=1), usage(prompt_tokens=1)])
    assert free is not None and free.cost.charged == 0
    assert unknown is not None and unknown.cost.charged is None


def test_a_sum_adds_the_bills_of_own_keys_only() -> None:
    details = {"upstream_inference_cost": 0.25, "note": "x"}
    own, other = (
        usage(cost=0.01, is_byok=True, cost_details=details),
        usage(cost=0.5, is_byok=False, cost_details=details),
    )
    both = summed([own, other])
    assert both is not None
    assert both.cost.total == Decimal("0.76")
    assert both.cost.details == {"upstream_inference_cost": 0.5}
    assert both.metadata() == {"cost": 0.51, "is_byok": True, "total_cost": 0.76, "cost_details": both.cost.details}


@given(st.lists(st.decimals(0, 100, places=8), min_size=2, max_size=6))
def test_a_sum_of_money_is_exact(amounts: list[Decimal]) -> None:
    total = summed([usage(cost=str(amount)) for amount in amounts])
    assert total is not None and total.cost.charged == sum(amounts)
