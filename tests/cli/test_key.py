"""`openrouter-adapters key`: what a key may spend and has spent; the key itself is shown nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openrouter_adapters.gateway import LocalGateway

from .running import run

KEY = "sk-or-v1-0123456789"
WHOLE: dict[str, Any] = {
    "label": "sk-or-v1-012...789",
    "limit": 25,
    "limit_remaining": 24.6999999,
    "limit_reset": "monthly",
    "include_byok_in_limit": True,
    "usage": 0.3000001,
    "usage_daily": 1e-7,
    "usage_weekly": 0.1,
    "usage_monthly": 0.3000001,
    "byok_usage": 2,
    "is_free_tier": True,
    "is_management_key": True,
    "expires_at": "2027-12-31T23:59:59Z",
    "budgets": [
        {"scope": "workspace", "limit_usd": 100, "spend_usd": 60.5, "remaining_usd": 39.5, "resets_at": "2026-12-01"},
        {"limit_usd": None},
    ],
    "free_model_daily_requests": {"limit": 1000, "used": 3, "remaining": 997},
}


def told(gateway: LocalGateway, data: dict[str, Any], *options: str, **more: Any) -> Any:
    gateway.reply(path="/key", body={"data": data})
    return run("key", "--base-url", gateway.base_url, *options, **{"OPENROUTER_API_KEY": KEY, **more})


def test_all_that_is_known_is_told(openrouter_gateway: LocalGateway) -> None:
    result = told(openrouter_gateway, WHOLE)
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "label                        sk-or-v1-012...789",
        "limit                        $25.00 monthly, $24.6999999 left, own provider keys counted",
        "used                         $0.3000001 in all, $0.0000001 today, $0.10 this week, $0.3000001 this month",
        "used with own provider keys  $2.00 in all",
        "budget (workspace)           $100.00, $60.50 spent, $39.50 left, begins anew 2026-12-01",
        "budget                       no limit",
        "free requests                1,000 a day, 3 used, 997 left",
        "expires                      2027-12-31T23:59:59Z",
        "kind                         free tier: no credits were ever bought",
        "kind                         management key: it manages keys, and answers no prompts",
    ]
    assert openrouter_gateway.requests[0].key == KEY and result.stderr == ""


def test_a_key_without_limits(openrouter_gateway: LocalGateway) -> None:
    result = run("key", "--base-url", openrouter_gateway.base_url, "--api-key", KEY)
    assert [line.split(maxsplit=1)[1].strip() for line in result.stdout.splitlines()] == [
        "sk-or-v1-loc...cal",
        "none",
        "$0.00 in all, $0.00 today, $0.00 this week, $0.00 this month",
        "never",
    ]


def test_a_server_that_tells_nothing(openrouter_gateway: LocalGateway) -> None:
    lines = told(openrouter_gateway, {}).stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["label", "none"],
        ["limit", "none"],
        ["used", "not", "told"],
        ["expires", "never"],
    ]


def test_json_has_all_that_is_known_and_money_as_text(openrouter_gateway: LocalGateway) -> None:
    status = json.loads(told(openrouter_gateway, WHOLE, "--json").stdout)
    limit = {"scope": None, "limit": "25", "spent": None, "remaining": "24.6999999", "reset": "monthly"}
    assert status["limit"] == {**limit, "resets_at": None, "include_byok": True}
    assert status["usage"] == {"ever": "0.3000001", "daily": "0.0000001", "weekly": "0.1", "monthly": "0.3000001"}
    assert [budget["remaining"] for budget in status["budgets"]] == ["39.5", None]
    assert (status["label"], status["expires_at"]) == (WHOLE["label"], WHOLE["expires_at"])
    assert (status["free_requests"], "data" in status) == (WHOLE["free_model_daily_requests"], False)


def test_a_narrow_terminal_wraps(openrouter_gateway: LocalGateway) -> None:
    shown = told(openrouter_gateway, WHOLE, columns=80).stdout
    assert max(map(len, shown.splitlines())) <= 80 and "$0.0000001 today" in shown


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_label_that_is_the_key_is_not_shown(options: tuple[str, ...], openrouter_gateway: LocalGateway) -> None:
    result = told(openrouter_gateway, {"label": f"\x1b[2J{KEY}", "limit_reset": KEY, "limit": 1}, *options)
    assert KEY not in result.output and "***" in result.stdout and "\x1b" not in result.stdout


@pytest.mark.parametrize("given", [{}, {"OPENROUTER_API_KEY": " "}])
def test_without_a_key_nobody_is_asked(given: dict[str, str], openrouter_gateway: LocalGateway) -> None:
    result = run("key", "--base-url", openrouter_gateway.base_url, code=2, **given)
    assert result.stdout == "" and result.stderr.count("\n") == 1 and "OPENROUTER_API_KEY" in result.stderr
    assert openrouter_gateway.requests == []


def test_a_wrong_key_is_one_line_without_the_key(openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(path="/key", status=401, body={"error": {"code": 401, "message": f"No user has {KEY}"}})
    result = run("key", "--base-url", openrouter_gateway.base_url, "--api-key", KEY, code=1)
    assert result.stdout == "" and result.stderr.count("\n") == 1
    assert "401: No user has ***" in result.stderr and KEY not in result.stderr


def test_a_server_that_knows_no_keys_is_one_line(openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(path="/key", body={"object": "list"})
    result = run("key", "--base-url", openrouter_gateway.base_url, "--api-key", KEY, code=1)
    assert result.stderr.count("\n") == 1 and "says nothing of a key" in result.stderr
