"""The state of a key: read tolerantly, money exact, and the key itself comes back from nowhere."""

from decimal import Decimal
from typing import Any

import pytest

from openrouter_adapters import OpenRouterError
from openrouter_adapters.core.key import KeyStatus, Limit, fetch_key
from openrouter_adapters.gateway import LocalGateway

KEY = "sk-or-v1-0123456789"
WIRE: dict[str, Any] = {
    "label": "sk-or-v1-012...789",
    "limit": 25,
    "limit_remaining": 24.6999999,
    "limit_reset": "monthly",
    "include_byok_in_limit": False,
    "usage": 0.3000001,
    "usage_daily": 1e-7,
    "usage_weekly": 0.1,
    "usage_monthly": 0.3000001,
    "byok_usage": 2,
    "is_free_tier": False,
    "expires_at": "2027-12-31T23:59:59Z",
    "budgets": [{"scope": "workspace", "limit_usd": 100, "spend_usd": 60.5, "remaining_usd": 39.5}],
    "free_model_daily_requests": {"limit": 1000, "used": 3, "remaining": 997},
}


def test_every_fact_is_read_and_money_is_exact() -> None:
    status = KeyStatus.from_wire(WIRE)
    assert status.label == "sk-or-v1-012...789" and status.expires_at == "2027-12-31T23:59:59Z"
    own = Limit(limit=Decimal(25), remaining=Decimal("24.6999999"), reset="monthly", include_byok=False)
    assert status.limit == own
    assert (status.usage.ever, status.usage.daily) == (Decimal("0.3000001"), Decimal("1E-7"))
    assert status.byok_usage.ever == 2 and status.byok_usage.weekly is None
    assert [(one.scope, one.remaining) for one in status.budgets] == [("workspace", Decimal("39.5"))]
    assert status.free_requests == {"limit": 1000, "used": 3, "remaining": 997}
    assert status.is_free_tier is False and status.is_management_key is None


def test_the_effective_budget_stands_where_no_others_are_told() -> None:
    status = KeyStatus.from_wire({"budgets": [], "effective_budget": {"scope": "key", "limit_usd": 1}})
    assert [one.scope for one in status.budgets] == ["key"]


def test_nonsense_is_unknown() -> None:
    status = KeyStatus.from_wire({name: ["?"] for name in WIRE})
    assert status == KeyStatus(data=status.data)


def test_the_key_is_asked_with_and_never_comes_back(openrouter_gateway: LocalGateway) -> None:
    echoing = {"label": f"my {KEY}", "limit": 1, "notes": [{KEY: f"Bearer {KEY}"}]}
    openrouter_gateway.reply(path="/key", body={"data": echoing})
    status = fetch_key(api_key=KEY, base_url=openrouter_gateway.base_url)
    assert openrouter_gateway.requests[0].key == KEY
    assert status.label == "my ***" and KEY not in repr(status) + repr(status.data)


def test_the_environments_key_and_address_are_used(
    openrouter_gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_gateway.base_url)
    assert fetch_key().limit.limit is None
    assert openrouter_gateway.requests[0].key == KEY


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": [1]}])
def test_an_answer_without_a_key_is_no_answer(body: dict[str, Any], openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(path="/key", body=body)
    with pytest.raises(OpenRouterError, match="says nothing of a key"):
        fetch_key(api_key=KEY, base_url=openrouter_gateway.base_url)
