"""`fetch_cost`: what a request was charged, asked for afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from openrouter_adapters import AuthenticationError, NotFoundError, ProviderError, afetch_cost, fetch_cost, track_costs
from openrouter_adapters.core import generations
from openrouter_adapters.core.client import Client
from openrouter_adapters.gateway import LocalGateway

from .asking import complete, request


def afetch(*args: Any, **given: Any) -> Decimal | None:
    return asyncio.run(afetch_cost(*args, **given))


both = pytest.mark.parametrize("fetch", [fetch_cost, afetch])
Fetch = Callable[..., Decimal | None]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_FIRST_WAIT", 0.001)


@pytest.fixture
def where(openrouter_gateway: LocalGateway) -> dict[str, Any]:
    return {"api_key": "k", "base_url": openrouter_gateway.base_url}


def answered(gateway: LocalGateway, client: Client, **fields: Any) -> str:
    gateway.reply("Hi", **fields)
    id = complete(client, request(gateway))[1].id
    assert id
    return id


@both
def test_the_cost_of_an_answer(
    client: Client, openrouter_gateway: LocalGateway, where: dict[str, Any], fetch: Fetch
) -> None:
    id = answered(openrouter_gateway, client, cost=0.0123456789)
    assert fetch(id, **where) == Decimal("0.0123456789")
    asked = openrouter_gateway.requests[-1]
    assert (asked.method, asked.query) == ("GET", {"id": id})


@both
def test_an_own_key_has_a_bill_of_its_own(
    client: Client, openrouter_gateway: LocalGateway, where: dict[str, Any], fetch: Fetch
) -> None:
    usage = {"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}
    assert fetch(answered(openrouter_gateway, client, usage=usage), **where) == Decimal("0.021")


@both
def test_it_waits_until_the_cost_is_known(
    client: Client, openrouter_gateway: LocalGateway, where: dict[str, Any], fetch: Fetch
) -> None:
    id = answered(openrouter_gateway, client)
    openrouter_gateway.fault("not_found", path="/generation", times=3)
    assert fetch(id, **where)
    assert [one.status for one in openrouter_gateway.requests[1:]] == [404, 404, 404, 200]


@both
def test_and_not_for_ever(openrouter_gateway: LocalGateway, where: dict[str, Any], fetch: Fetch) -> None:
    with pytest.raises(NotFoundError):
        fetch("gen-none", timeout=0.05, **where)
    assert len(openrouter_gateway.requests) > 1


@both
def test_a_server_that_says_no(openrouter_gateway: LocalGateway, where: dict[str, Any], fetch: Fetch) -> None:
    openrouter_gateway.fault("unauthorized")
    with pytest.raises(AuthenticationError):
        fetch("gen-1", **where)
    openrouter_gateway.fault("error_200", times=None)
    with pytest.raises(ProviderError):
        fetch("gen-1", **where)


def test_what_is_missing_comes_from_the_environment(
    client: Client, openrouter_gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = answered(openrouter_gateway, client, cost=1)
    with pytest.raises(ValueError, match="OPENROUTER_API_KEY"):
        fetch_cost(id)
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_gateway.base_url)
    assert fetch_cost(id) == 1


@pytest.mark.parametrize("id", [None, "", 5])
def test_an_id_is_needed(id: Any) -> None:
    with pytest.raises(ValueError, match="generation_id="):
        fetch_cost(id, api_key="k")


@pytest.mark.parametrize("waits", [False, True])
def test_settling_asks_for_all_and_keeps_what_it_learnt(
    client: Client, openrouter_gateway: LocalGateway, waits: bool
) -> None:
    def settle(costs: Any, timeout: float) -> int:
        return asyncio.run(costs.asettle(timeout)) if waits else costs.settle(timeout)

    with track_costs() as costs:
        for _ in range(3):
            openrouter_gateway.reply("Hi", usage={"cost": None})
            complete(client, request(openrouter_gateway))
    ids = [record.id for record in costs.records]
    for number, id in enumerate(ids):
        openrouter_gateway._state.generations[str(id)] |= {"total_cost": number + 1, "model": "a/b"}
    del openrouter_gateway._state.generations[str(ids[1])]
    assert costs.unpriced_calls == 3
    assert settle(costs, 0.01) == 1 and costs.total == 4
    openrouter_gateway.fault("unauthorized", path="/generation")
    with pytest.raises(AuthenticationError):
        settle(costs, 0.01)
    assert costs.total == 4 and [record.priced for record in costs.records] == [True, False, True]
    assert [record.id for record in costs.records] == ids


@pytest.mark.parametrize("waits", [False, True])
def test_what_is_wrong_with_one_call_keeps_no_other_from_being_settled(
    client: Client, openrouter_gateway: LocalGateway, waits: bool
) -> None:
    openrouter_gateway.reply("Hi", usage={"cost": None}, times=3)
    with track_costs() as costs:
        for _ in range(3):
            complete(client, request(openrouter_gateway))
    for generation in openrouter_gateway._state.generations.values():
        generation["total_cost"] = 1
    openrouter_gateway.fault("unauthorized", path="/generation")
    with pytest.raises(AuthenticationError):
        asyncio.run(costs.asettle()) if waits else costs.settle()
    assert (costs.total, costs.unpriced_calls) == (2, 1)
    openrouter_gateway.fault("server_error", path="/generation")
    with pytest.raises(ProviderError):
        asyncio.run(costs.asettle()) if waits else costs.settle()
    assert costs.settle() == 0


def test_a_cost_that_openrouter_does_not_know_yet(
    client: Client, openrouter_gateway: LocalGateway, where: dict[str, Any]
) -> None:
    id = answered(openrouter_gateway, client)
    openrouter_gateway._state.generations[id]["total_cost"] = None
    assert fetch_cost(id, timeout=0.05, **where) is None
