"""`track_costs`: every request counts once, in the scopes that it began in; budgets end what would exceed them."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal, localcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from openrouter_adapters import (
    BudgetExceededError,
    CallRecord,
    CostTracker,
    OpenRouterError,
    RateLimitError,
    track_costs,
)
from openrouter_adapters.core import costs as module
from openrouter_adapters.core.account import Account
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.tries import Tries
from openrouter_adapters.gateway import FAULTS, LocalGateway

from ..charged import charged
from ..raw import RawServer, http
from .asking import STREAMS, Ask, astream, complete, request, stream, streams, ways

CENT = Decimal("0.01")


@ways
def test_an_answer_counts_once(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.reply("Hello", cost=0.0123)
    with track_costs() as costs:
        _, reply = ask(client, request(openrouter_gateway))
    ask(client, request(openrouter_gateway))
    assert (costs.total, costs.calls, costs.unpriced_calls) == (Decimal("0.0123"), 1, 0)
    (record,) = costs.records
    assert (record.id, record.model, record.provider, record.requested_model) == (
        reply.id,
        reply.model,
        reply.provider,
        "openai/gpt-4o-mini",
    )
    assert (record.outcome, record.status_code, record.endpoint) == ("answered", None, "/chat/completions")
    assert reply.usage and costs.tokens.input == reply.usage.prompt_tokens and costs.tokens.output > 0
    assert record.seconds > 0 and record.time.tzinfo is not None


@ways
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_the_sum_is_what_was_charged(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, fault: str
) -> None:
    """And where it cannot be known, that is said."""
    openrouter_gateway.fault(fault)
    with track_costs() as costs, suppress(OpenRouterError):
        ask(client, request(openrouter_gateway, stall_timeout=0.2))
    costs.settle(timeout=0)
    assert costs.total == charged(openrouter_gateway) or [r.id for r in costs.records if r.unpriced] == [None]
    assert len(costs.records) == len([one for one in openrouter_gateway.requests if one.method == "POST"])


@ways
def test_a_refusal_costs_nothing_and_is_on_record(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.fault("upstream_rate_limit")
    with track_costs() as costs, pytest.raises(RateLimitError):
        ask(client, request(openrouter_gateway))
    assert (costs.total, costs.calls, costs.unpriced_calls) == (0, 0, 0)
    assert [(one.outcome, one.status_code, one.served) for one in costs.records] == [("RateLimitError", 429, False)]


@ways
def test_retries_count_each_by_itself(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    openrouter_gateway.fault("rate_limit")
    openrouter_gateway.fault("finish_error")  # which is charged
    with track_costs() as costs:
        ask(client, request(openrouter_gateway, max_retries=2))
    assert [record.outcome for record in costs.records] == ["RateLimitError", "ProviderError", "answered"]
    assert costs.total == charged(openrouter_gateway) and costs.calls == 2


def test_no_connection_is_no_call(client: Client, openrouter_gateway: LocalGateway) -> None:
    asked = replace(request(openrouter_gateway), base_url="http://127.0.0.1:9")
    with track_costs() as costs, pytest.raises(OpenRouterError):
        client.complete(asked)
    assert (costs.calls, [one.outcome for one in costs.records]) == (0, ["APIConnectionError"])


@ways
def test_a_request_of_unknown_fate_may_have_cost_something(client: Client, ask: Ask) -> None:
    with RawServer([b""]) as server, track_costs() as costs, pytest.raises(OpenRouterError):
        ask(client, request_to(server.address))
    assert (costs.calls, costs.unpriced_calls) == (1, 1)


async def test_over_aiohttp_too(client: Client) -> None:
    """Where a server that hangs up looks like one that cannot be reached."""
    with RawServer([b""]) as server, track_costs() as costs:
        asked = replace(request_to(server.address), http_async_client="aiohttp")
        for one in (asked, replace(asked, base_url="http://127.0.0.1:9")):
            with pytest.raises(OpenRouterError):
                await client.acomplete(one)
    assert [record.served for record in costs.records] == [True, False]
    await client.aclose()


def request_to(address: str) -> Any:
    return request(cast(LocalGateway, SimpleNamespace(base_url=address)))


@ways
@pytest.mark.parametrize(
    ("usage", "total", "unpriced"),
    [
        ({"cost": 0}, "0", 0),
        ({"prompt_tokens": 3}, "0", 1),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, "0.021", 0),
        ({"cost": 0.001, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.001}}, "0.001", 0),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, "0.001", 1),
    ],
    ids=["free", "unknown", "own-key", "no-own-key", "own-key-unknown"],
)
def test_what_the_wire_says_of_money(client: Client, usage: Any, total: str, unpriced: int, ask: Ask) -> None:
    answer = {"id": "gen-1", "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": usage}
    with RawServer([http("200 OK", json.dumps(answer).encode())]) as server, track_costs() as costs:
        ask(client, request_to(server.address))
    assert (costs.total, costs.unpriced_calls) == (Decimal(total), unpriced)


@ways
def test_sums_are_exact_however_the_caller_rounds(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    usage = {"cost": 0.0123456789, "is_byok": True, "cost_details": {"upstream_inference_cost": 1.0123456789}}
    openrouter_gateway.serve("a/b")
    openrouter_gateway.reply("Hi", usage=usage, times=None)
    with localcontext(prec=3), track_costs(budget=100, reserve=True, prices=PRICES) as costs:
        for _ in range(3):
            ask(client, request(openrouter_gateway, model="a/b", max_tokens=1234567))
        assert (costs.total, costs.remaining) == (Decimal("3.0740740734"), Decimal("96.9259259266"))


# ---- leaving


def leave(client: Client, gateway: LocalGateway) -> None:
    with client.stream(request(gateway)) as arriving:
        next(iter(arriving))


def aleave(client: Client, gateway: LocalGateway) -> None:
    async def ask() -> None:
        async with client.astream(request(gateway)) as arriving:
            async for _ in arriving:
                break

    asyncio.run(ask())


@pytest.mark.parametrize("leave", [leave, aleave])
def test_a_stream_left_early_is_unpriced_until_it_is_settled(
    client: Client, openrouter_gateway: LocalGateway, leave: Any
) -> None:
    openrouter_gateway.reply("A long answer in many pieces, of which only one is read", delay=0.01)
    with track_costs() as outer, track_costs() as costs:
        leave(client, openrouter_gateway)
    assert [record.outcome for record in costs.records] == ["left"]
    assert (costs.total, costs.calls, costs.unpriced_calls) == (0, 1, 1)
    assert costs.settle() == 0 and outer.unpriced_calls == 0
    assert outer.total == costs.total == charged(openrouter_gateway) > 0
    assert costs.records[0].settled and costs.by_provider["OpenAI"].tokens.output > 0


def test_a_call_that_is_cancelled(client: Client, openrouter_gateway: LocalGateway) -> None:
    """The server may go on with it: nobody knows what it costs."""

    async def ask() -> None:
        openrouter_gateway.fault("slow_start", seconds=5)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.acomplete(request(openrouter_gateway))
        await client.aclose()

    with track_costs() as costs:
        asyncio.run(ask())
    assert [(one.outcome, one.unpriced) for one in costs.records] == [("left", True)]
    assert costs.settle() == 0 and costs.total == charged(openrouter_gateway)


def test_a_stream_that_nobody_closes_counts_once_it_is_collected(
    client: Client, openrouter_gateway: LocalGateway
) -> None:
    with track_costs() as costs:
        arriving = client.stream(request(openrouter_gateway)).__enter__()
        next(iter(arriving))
        assert costs.records == ()
        del arriving
        gc.collect()
    assert [record.outcome for record in costs.records] == ["left"]


def test_what_cannot_be_sent_is_no_request(client: Client, openrouter_gateway: LocalGateway) -> None:
    with track_costs(budget=1, reserve=True, prices=PRICES) as costs:
        with pytest.raises((TypeError, ValueError)):
            client.complete(replace(request(openrouter_gateway), body={"model": "a/b", "max_tokens": 5, "x": object()}))
        assert costs.records == () and costs.remaining == 1


# ---- scopes


def test_scopes_nest_and_are_told_apart_by_their_tags(client: Client, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("Hi", cost=0.01, times=None)
    with track_costs(tags="all") as outer:
        complete(client, request(openrouter_gateway))
        for tenant in ("a", "b", "a"):
            with track_costs(tags={"tenant": tenant}) as inner:
                complete(client, replace(request(openrouter_gateway), tags=("own", "all")))
            assert (inner.total, inner.calls) == (CENT, 1)
    assert outer.total == 4 * CENT
    assert {tag: (sums.cost, sums.calls) for tag, sums in outer.by_tag.items()} == {
        "all": (4 * CENT, 4),
        "own": (3 * CENT, 3),
        "tenant:a": (2 * CENT, 2),
        "tenant:b": (CENT, 1),
    }


def test_concurrent_scopes_never_mix(client: Client, openrouter_gateway: LocalGateway) -> None:
    async def spend(times: int) -> CostTracker:
        async with track_costs() as costs:
            for _ in range(times):
                await client.acomplete(request(openrouter_gateway, model="openai/gpt-4o"))
                await asyncio.sleep(0)
        return costs

    async def main() -> list[CostTracker]:
        found = await asyncio.gather(*(spend(times) for times in range(6)))
        await client.aclose()
        return [*found]

    assert [costs.calls for costs in asyncio.run(main())] == [*range(6)]


def test_threads_take_part_by_a_copied_context(client: Client, openrouter_gateway: LocalGateway) -> None:
    def run(*calls: Any) -> None:
        threads = [
            threading.Thread(target=call, args=(complete, client, request(openrouter_gateway))) for call in calls
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with track_costs() as costs:
        run(*(contextvars.copy_context().run for _ in range(8)))
        run(lambda ask, *given: ask(*given))
    assert costs.calls == 8 and costs.total * 9 == charged(openrouter_gateway) * 8


def test_a_request_belongs_to_the_scopes_in_which_it_began(client: Client, openrouter_gateway: LocalGateway) -> None:
    with track_costs() as before, client.stream(request(openrouter_gateway)) as arriving:
        pieces = iter(arriving)
        next(pieces)
        with track_costs() as later:
            for _ in pieces:
                pass
    assert (before.calls, later.calls) == (1, 0)


def test_a_scope_left_in_another_context_or_order(client: Client, openrouter_gateway: LocalGateway) -> None:
    first, second = track_costs(), track_costs()
    first.__enter__()
    second.__enter__()
    contextvars.copy_context().run(second.__exit__, None, None, None)
    first.__exit__(None, None, None)
    complete(client, request(openrouter_gateway))
    assert (first.calls, second.calls) == (0, 1)
    second.__exit__(None, None, None)
    second.__exit__(None, None, None)
    complete(client, request(openrouter_gateway))
    assert second.calls == 1


def test_a_scope_entered_again_counts_on_and_never_twice(client: Client, openrouter_gateway: LocalGateway) -> None:
    costs = track_costs()
    with costs, costs:
        complete(client, request(openrouter_gateway))
    with costs:
        complete(client, request(openrouter_gateway))
    complete(client, request(openrouter_gateway))
    assert costs.calls == 2


def test_asking_about_models_costs_nothing(client: Client, openrouter_gateway: LocalGateway) -> None:
    with track_costs(budget=0) as costs:
        client.fetch(replace(request(openrouter_gateway), path="/models", method="get"), lambda body: body)
    assert costs.records == ()


# ---- budgets

PRICES = {"a/b": {"prompt": "0.000001", "completion": "0.00001"}}


@ways
def test_a_budget_stops_the_next_request(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.reply("Hi", cost=0.006, times=None)
    with track_costs(budget=0.01) as costs:
        ask(client, request(openrouter_gateway))
        ask(client, request(openrouter_gateway))
        with pytest.raises(BudgetExceededError) as caught:
            ask(client, request(openrouter_gateway))
    assert len(openrouter_gateway.requests) == 2 and costs.calls == 2
    error = caught.value
    assert (error.spent, error.limit, error.retryable) == (Decimal("0.012"), CENT, False)
    assert "$0.01 " in str(error) and "$0.012 " in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.spent, again.limit, str(again)) == (error.spent, error.limit, str(error))


def test_a_budget_that_is_reached_is_spent(client: Client, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("Hi", cost=0.01, times=None)
    with track_costs(budget="0.01") as costs:
        complete(client, request(openrouter_gateway))
        assert costs.remaining == 0
        with pytest.raises(BudgetExceededError):
            complete(client, request(openrouter_gateway))


def test_nothing_is_sent_without_a_budget(client: Client, openrouter_gateway: LocalGateway) -> None:
    with track_costs(budget=0), pytest.raises(BudgetExceededError):
        complete(client, request(openrouter_gateway))
    assert openrouter_gateway.requests == []


@ways
def test_a_retry_is_a_request_too(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    """What ended the first try is told."""
    openrouter_gateway.fault("finish_error", times=None)
    with track_costs(budget="0.000001"), pytest.raises(BudgetExceededError) as caught:
        ask(client, request(openrouter_gateway, max_retries=5))
    assert len(openrouter_gateway.requests) == 1
    assert [type(error).__name__ for error in caught.value.failed_tries] == ["ProviderError"]


@pytest.mark.parametrize(("outer", "inner"), [(0.005, 1), (1, 0.005)])
def test_the_tightest_of_nested_budgets_counts(
    client: Client, openrouter_gateway: LocalGateway, outer: float, inner: float
) -> None:
    openrouter_gateway.reply("Hi", cost=0.006, times=None)
    with track_costs(budget=outer), track_costs(budget=inner):
        complete(client, request(openrouter_gateway))
        with pytest.raises(BudgetExceededError) as caught:
            complete(client, request(openrouter_gateway))
    assert caught.value.limit == Decimal("0.005")


async def many(client: Client, gateway: LocalGateway, number: int, **options: Any) -> list[Any]:
    asked = request(gateway, model="a/b", **options)
    found = await asyncio.gather(*(client.acomplete(asked) for _ in range(number)), return_exceptions=True)
    await client.aclose()
    return [*found]


def test_many_at_once_exceed_it_by_no_more_than_what_is_under_way(
    client: Client, openrouter_gateway: LocalGateway
) -> None:
    openrouter_gateway.serve("a/b")
    openrouter_gateway.reply("Hi", cost=0.006, times=None)
    with track_costs(budget=0.01) as costs:
        asyncio.run(many(client, openrouter_gateway, 10))
        assert all(isinstance(one, BudgetExceededError) for one in asyncio.run(many(client, openrouter_gateway, 3)))
    assert costs.calls == 10 and len(openrouter_gateway.requests) == 10


def test_with_a_reservation_many_at_once_keep_to_it(client: Client, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.serve("a/b")
    openrouter_gateway.reply("Hi", cost=0.0009, times=None)
    with track_costs(budget=0.01, reserve=True, prices=PRICES) as costs:
        found = asyncio.run(many(client, openrouter_gateway, 50, max_tokens=100))
    refused = [one for one in found if isinstance(one, BudgetExceededError)]
    assert 0 < costs.total <= CENT and 0 < costs.calls == len(openrouter_gateway.requests) == 50 - len(refused) < 50
    assert all(0 < one.ceiling < Decimal("0.002") and one.reserved > 0 for one in refused)
    assert costs.remaining == CENT - costs.total, "what was set aside is given back"


def test_a_call_of_unknown_cost_keeps_what_was_set_aside(client: Client, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.serve("a/b")
    openrouter_gateway.reply("Many words, of which one is read", delay=0.01)
    with track_costs(budget=0.01, reserve=True, prices=PRICES) as costs:
        with client.stream(request(openrouter_gateway, model="a/b", max_tokens=100)) as arriving:
            next(iter(arriving))
        assert costs.remaining is not None and costs.remaining < Decimal("0.0091")
        assert costs.settle() == 0
        assert costs.remaining == CENT - charged(openrouter_gateway)


def test_a_reservation_that_one_scope_refuses_is_held_by_none(client: Client, openrouter_gateway: LocalGateway) -> None:
    given: dict[str, Any] = {"reserve": True, "prices": PRICES}
    with track_costs(1, **given) as outer, track_costs("0.0001", **given), pytest.raises(BudgetExceededError):
        complete(client, request(openrouter_gateway, model="a/b", max_tokens=100))
    assert outer.remaining == 1 and openrouter_gateway.requests == []


@pytest.mark.parametrize("budget", [-1, "much", float("nan"), True, [1]])
def test_a_budget_is_a_sum_of_money(budget: Any) -> None:
    with pytest.raises(ValueError, match="budget="):
        track_costs(budget=budget)


def test_a_reservation_is_of_a_budget() -> None:
    with pytest.raises(ValueError, match="budget"):
        track_costs(reserve=True)


@pytest.mark.parametrize("tags", [5, [1], [None]])
def test_tags_are_words(tags: Any) -> None:
    with pytest.raises(TypeError, match="tags="):
        track_costs(tags=tags)


class Lost:
    """A stream that is collected as garbage, wherever that happens."""

    def __init__(self, costs: CostTracker) -> None:
        self.costs, self.itself = costs, self

    def __del__(self) -> None:
        self.costs.close(CallRecord(cost=CENT), CENT, None)


def test_no_call_is_lost_by_one_that_ends_in_the_middle_of_another() -> None:
    costs, before = track_costs(budget=1000, reserve=True, prices=PRICES), gc.get_threshold()
    asked = Request({"model": "a/b", "max_tokens": 1})
    gc.set_threshold(5)
    try:
        for _ in range(3000):
            Lost(costs)
            costs.close(CallRecord(cost=CENT), costs.admit(asked), None)
            assert costs.total
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert (len(costs.records), costs.calls, costs.total) == (6000, 6000, 60)
    assert costs._held() == -30


def test_sums_go_to_another_process_and_keys_do_not(client: Client, openrouter_gateway: LocalGateway) -> None:
    with track_costs(budget=1) as costs:
        leave(client, openrouter_gateway)
    data = pickle.dumps(costs)
    assert b"very-secret" not in data
    again = pickle.loads(data)
    assert (again.records, again.budget, again.unsettled) == (costs.records, 1, [])
    again.add(CallRecord(cost=CENT))
    assert (again.calls, costs.calls) == (2, 1)


# ---- listeners


@pytest.fixture
def heard() -> Iterator[list[tuple[CallRecord, str]]]:
    told: list[tuple[CallRecord, str]] = []

    def listener(record: CallRecord) -> None:
        told.append((record, where.get()))

    module.listen(listener)
    yield told
    module.unlisten(listener)
    module.unlisten(listener)


where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")


@ways
def test_listeners_hear_of_every_call_before_its_answer(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, heard: list[Any]
) -> None:
    token = where.set("in the run")
    ask(client, request(openrouter_gateway))
    where.reset(token)
    openrouter_gateway.fault("invalid_request")
    with suppress(OpenRouterError):
        ask(client, request(openrouter_gateway))
    assert [(record.outcome, place) for record, place in heard] == [
        ("answered", "in the run"),
        ("InvalidRequestError", "nowhere"),
    ]


@pytest.mark.parametrize("ask", STREAMS)
def test_a_stream_is_told_of_before_its_last_piece_is_over(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, heard: list[Any]
) -> None:
    leave(client, openrouter_gateway)
    assert [record.outcome for record, _ in heard] == ["left"]
    ask(client, request(openrouter_gateway))
    assert len(heard) == 2


def test_what_is_settled_is_told_again(client: Client, openrouter_gateway: LocalGateway, heard: list[Any]) -> None:
    with track_costs() as costs:
        leave(client, openrouter_gateway)
        asyncio.run(costs.asettle())
        costs.settle()
    assert [(record.cost, record.settled) for record, _ in heard] == [
        (None, False),
        (charged(openrouter_gateway), True),
    ]


@ways
def test_a_listener_that_fails_takes_no_answer_with_it(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask
) -> None:
    def full(record: CallRecord) -> None:
        raise OSError("disk full")

    module.listen(full)
    try:
        with track_costs() as costs, pytest.warns(RuntimeWarning, match="disk full"):
            assert ask(client, request(openrouter_gateway))[0]
    finally:
        module.unlisten(full)
    assert costs.calls == 1


def test_a_listener_that_fails_keeps_no_other_from_hearing(client: Client, openrouter_gateway: LocalGateway) -> None:
    """Warnings are errors here."""

    def full(record: CallRecord) -> None:
        raise OSError("disk full")

    told: list[CallRecord] = []
    both = (full, told.append)
    for listener in both:
        module.listen(listener)
    try:
        with pytest.raises(RuntimeWarning, match="disk full"):
            client.complete(request(openrouter_gateway))
    finally:
        for listener in both:
            module.unlisten(listener)
    assert len(told) == 1


def test_who_begins_to_listen_later_hears_nothing_of_it(client: Client, openrouter_gateway: LocalGateway) -> None:
    async def ask() -> Any:
        arriving = client.astream(request(openrouter_gateway))
        async with arriving:
            async for _ in arriving:
                pass
        return arriving

    told: list[CallRecord] = []
    with track_costs():
        over = asyncio.run(ask())
    module.listen(told.append)
    del over
    gc.collect()
    module.unlisten(told.append)
    assert told == []


def test_a_call_whose_teller_is_interrupted_is_told_in_the_end(
    client: Client, openrouter_gateway: LocalGateway, heard: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(tries: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, track_costs() as costs:
        patched.setattr(Tries, "publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.complete(request(openrouter_gateway))
    gc.collect()
    assert costs.calls == len(heard) == 1


def test_a_call_whose_account_is_interrupted_counts_as_left(
    client: Client, openrouter_gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Account._record
    interruptions = iter([KeyboardInterrupt()])

    def interrupted(*given: Any) -> CallRecord:
        for interruption in interruptions:
            raise interruption
        return made(*given)

    monkeypatch.setattr(Account, "_record", interrupted)
    with track_costs(budget=1, reserve=True, prices=PRICES) as costs, pytest.raises(KeyboardInterrupt):
        openrouter_gateway.serve("a/b")
        client.complete(request(openrouter_gateway, model="a/b", max_tokens=50))
    assert [record.outcome for record in costs.records] == ["left"]
    assert costs.settle() == 0 and costs.remaining == 1 - charged(openrouter_gateway)


class OneByOne(ThreadPoolExecutor):
    """One thread; says when something waits for it."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self.asked = asyncio.Event()

    def submit(self, *given: Any, **named: Any) -> Any:
        self.asked.set()
        return super().submit(*given, **named)


async def test_a_call_is_told_though_its_task_is_cancelled_before_a_thread_is_free(
    client: Client, openrouter_gateway: LocalGateway, heard: list[Any]
) -> None:
    await client.acomplete(request(openrouter_gateway))
    threads, free = OneByOne(), threading.Event()
    asyncio.get_running_loop().set_default_executor(threads)
    threads.submit(free.wait)
    threads.asked.clear()
    call = asyncio.create_task(client.acomplete(request(openrouter_gateway)))
    await threads.asked.wait()
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled() and len(heard) == 1
    free.set()
    await asyncio.to_thread(int)
    assert len(heard) == 2
    await client.aclose()


def test_a_call_is_told_though_no_thread_is_to_be_had(
    client: Client, openrouter_gateway: LocalGateway, heard: list[Any]
) -> None:
    """As at the end of a process."""

    async def ask() -> None:
        await client.acomplete(request(openrouter_gateway))
        await asyncio.get_running_loop().shutdown_default_executor()
        await client.acomplete(request(openrouter_gateway))
        await client.aclose()

    asyncio.run(ask())
    assert len(heard) == 2


@streams
def test_nobody_counts(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    """Then nothing is kept."""
    ask(client, request(openrouter_gateway))
    assert not module.is_counted() and ask in (stream, astream)
