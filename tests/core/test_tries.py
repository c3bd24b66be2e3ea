"""The tries of one call: how many, when, and what the failed ones leave behind."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from openrouter_adapters import InvalidRequestError, OpenRouterError, ProviderError, RateLimitError
from openrouter_adapters.core import errors, tries
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.embeddings import EmbeddingOptions, embed, embedding_requests
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.tries import LONGEST_WAIT, Tries, wait_before_retry
from openrouter_adapters.core.usage import Usage
from openrouter_adapters.gateway import LocalGateway

from .asking import Ask, acomplete, request, stream, streams, ways

USAGE = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12, "cost": 0.25}


def paid_failure(gateway: LocalGateway) -> None:
    """A try that fails and has been charged for: nothing of the answer is handed over, usage is."""
    error = {"code": 502, "message": "Upstream went away"}
    failed = {"id": "gen-paid", "provider": "OpenAI", "error": error, "usage": USAGE}
    gateway.reply(body=failed, events=[{**failed, "choices": []}])


# ------------------------------------------------------------------------------------------- what the failed ones cost


@ways
def test_an_answer_tells_of_the_tries_before_it(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    openrouter_gateway.fault("upstream_502")
    paid_failure(openrouter_gateway)
    openrouter_gateway.reply("At last", cost=0.5)
    text, reply = ask(client, request(openrouter_gateway, max_retries=2))
    first, second = reply.failed_tries
    assert (text, reply.metadata()["cost"]) == ("At last", 0.5)
    told = {"error": "ProviderError", "status_code": 502, "provider": "OpenAI", "model": "openai/gpt-4o-mini"}
    paid = {"id": "gen-paid", "cost": 0.25, "token_usage": USAGE, "may_be_charged": True}
    assert (first, second) == (told, {**told, **paid})
    assert reply.metadata()["failed_tries"] == [first, second]


@ways
def test_an_error_tells_of_the_tries_before_it(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    openrouter_gateway.fault("rate_limit")
    paid_failure(openrouter_gateway)
    openrouter_gateway.reply(body={"error": {"code": 400, "message": "no"}}, status=400)
    with pytest.raises(InvalidRequestError, match=r"Tried 3 times\.") as caught:
        ask(client, request(openrouter_gateway, max_retries=5))
    limited, paid = caught.value.failed_tries
    assert isinstance(paid, ProviderError) and isinstance(limited, RateLimitError)
    assert paid.partial is not None and paid.partial.usage is not None
    assert paid.partial.usage.metadata()["cost"] == 0.25
    assert (limited.failed_tries, paid.failed_tries) == ((), (limited,))


@streams
def test_a_stream_that_breaks_off_tells_of_the_tries_before_it(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    openrouter_gateway.fault("overloaded")
    openrouter_gateway.fault("cut", after=2)
    openrouter_gateway.reply("one two three")
    with pytest.raises(OpenRouterError) as caught:
        ask(client, request(openrouter_gateway, max_retries=5))
    assert caught.value.partial is not None and caught.value.partial.text == "one two"
    assert [failed.status_code for failed in caught.value.failed_tries] == [529]


@ways
def test_nothing_is_said_where_nothing_failed(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    _, reply = ask(client, request(openrouter_gateway))
    assert "failed_tries" not in reply.metadata()
    openrouter_gateway.fault("unauthorized")
    with pytest.raises(OpenRouterError) as caught:
        ask(client, request(openrouter_gateway))
    assert caught.value.failed_tries == () and "Tried" not in str(caught.value)


def one_by_one(gateway: LocalGateway, inputs: list[str]) -> list[Request]:
    options = EmbeddingOptions(model="openai/text-embedding-3-small", api_key="k", base_url=gateway.base_url)
    return embedding_requests(options, {}, inputs, "document", 1)


def test_embeddings_tell_too(client: Client, openrouter_gateway: LocalGateway, at_once: list[float]) -> None:
    openrouter_gateway.fault("upstream_502", times=2)
    answer = embed(client, one_by_one(openrouter_gateway, ["a", "b"]))
    assert [failed["status_code"] for failed in answer.failed_tries] == [502, 502]
    assert answer.metadata()["failed_tries"] == answer.failed_tries


def test_what_failed_tries_of_a_batch_took_is_counted(
    client: Client, openrouter_gateway: LocalGateway, at_once: list[float]
) -> None:
    """The first vector is paid, the second is paid and unreadable, then refused."""
    paid = {"error": {"code": 502, "message": "broke off"}, "usage": {"prompt_tokens": 1, "cost": 0.25}}
    openrouter_gateway.reply(path="/embeddings", cost=0.5)
    openrouter_gateway.reply(path="/embeddings", body=paid)
    openrouter_gateway.reply(path="/embeddings", body={"error": {"code": 400, "message": "no"}}, status=400)
    with pytest.raises(InvalidRequestError) as caught:
        embed(client, one_by_one(openrouter_gateway, ["a", "b"]))
    assert caught.value.partial is not None and caught.value.partial.usage is not None
    assert caught.value.partial.usage.metadata()["cost"] == 0.75


@ways
def test_usage_beside_an_error_is_kept(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3, "cost": 0.125}
    failed = {"id": "gen-7", "error": {"code": 502, "message": "no"}, "usage": usage}
    openrouter_gateway.reply(body=failed, events=[failed])
    with pytest.raises(ProviderError) as caught:
        ask(client, request(openrouter_gateway))
    assert caught.value.partial is not None and caught.value.partial.usage == Usage.from_wire(usage)
    assert caught.value.generation_id == "gen-7"


def test_a_failed_try_lets_go_of_its_frames() -> None:
    class Held:
        pass

    def fail(holding: Held) -> None:
        raise ProviderError("x")

    held = Held()
    gone = weakref.ref(held)
    counted = Tries(Request({}, max_retries=1))
    try:
        fail(held)
    except ProviderError as error:
        assert counted.wait_after(error) is not None
    del held
    gc.collect()
    assert gone() is None and len(counted.failed) == 1


# ------------------------------------------------------------------------------------------------- when, and when not


def test_waiting_is_bounded_and_only_for_what_may_pass() -> None:
    slow = errors.RateLimitError("x", retry_after=3600)
    assert wait_before_retry(slow, 0, 2) == LONGEST_WAIT
    assert wait_before_retry(slow, 2, 2) is None
    assert wait_before_retry(errors.AuthenticationError("x"), 0, 2) is None
    waits = [wait_before_retry(errors.ProviderError("x"), retries, 99) for retries in range(12)]
    assert all(wait is not None and 0 < wait <= 8 for wait in waits)
    assert len({wait_before_retry(errors.ProviderError("x"), 1, 2) for _ in range(20)}) > 1, "they are spread"


@ways
def test_what_the_server_asks_for_is_waited(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    then = datetime.now(UTC) + timedelta(seconds=20)
    openrouter_gateway.fault("rate_limit", retry_after=7)
    openrouter_gateway.fault("unavailable", retry_after=format_datetime(then, usegmt=True))
    openrouter_gateway.fault("in_flight_budget", retry_after=3600)
    ask(client, request(openrouter_gateway, max_retries=3))
    seven, date, longest = at_once
    assert (seven, longest) == (7, LONGEST_WAIT) and 5 < date <= 20


@ways
def test_what_an_error_in_an_answer_or_a_stream_asks_for_is_waited(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    limit = "Rate limit exceeded: free-models-per-min."
    failed = {"error": {"code": 429, "message": limit, "metadata": {"headers": {"Retry-After": "7"}}}}
    openrouter_gateway.reply(body=failed, events=[failed])
    ask(client, request(openrouter_gateway, max_retries=1))
    assert at_once == [7]


def test_a_wait_is_really_waited(client: Client, openrouter_gateway: LocalGateway) -> None:
    for ask in (acomplete, stream):
        openrouter_gateway.fault("rate_limit", retry_after=0.2)
        begun = time.monotonic()
        ask(client, request(openrouter_gateway, max_retries=1))
        assert time.monotonic() - begun >= 0.2


@ways
def test_no_try_is_begun_too_late(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many retries there may be, a call ends."""
    ask(client, request(openrouter_gateway))  # the first call of a process loads what it needs, and takes longer
    openrouter_gateway.reset()
    monkeypatch.setattr(tries, "LAST_START", 0.1)
    openrouter_gateway.fault("rate_limit", times=None, retry_after=0.03)
    with pytest.raises(RateLimitError) as caught:
        ask(client, request(openrouter_gateway, max_retries=1000))
    assert 1 < len(openrouter_gateway.requests) <= 5
    assert len(caught.value.failed_tries) == len(openrouter_gateway.requests) - 1


def test_a_wait_that_would_be_too_long_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "LAST_START", 30.0)
    counted = Tries(Request({}, max_retries=9))
    assert counted.wait_after(errors.RateLimitError("x", retry_after=10)) == 10
    assert counted.wait_after(errors.RateLimitError("x", retry_after=40)) is None


async def test_waiting_can_be_cancelled(client: Client, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.fault("rate_limit", times=None, retry_after=30)
    for streamed in (False, True):
        asked = request(openrouter_gateway, max_retries=5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await (client.astream(asked).__aenter__() if streamed else client.acomplete(asked))
    assert len(openrouter_gateway.requests) == 2
    await client.aclose()


@ways
@pytest.mark.parametrize(
    "fault",
    ["invalid_request", "unauthorized", "insufficient_credits", "guardrail", "no_endpoints", "payload_too_large"],
)
def test_what_will_not_pass_is_asked_once(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, fault: str
) -> None:
    openrouter_gateway.fault(fault, times=None)
    with pytest.raises(OpenRouterError):
        ask(client, request(openrouter_gateway, max_retries=5))
    assert len(openrouter_gateway.requests) == 1


def test_failures_in_short_are_absent_where_unknown() -> None:
    assert tries.failure(errors.APIConnectionError("gone")) == {
        "error": "APIConnectionError",
        "may_be_charged": True,
    }
    free = errors.ProviderError("x", partial=Reply(usage=Usage.from_wire({"cost": 0})))
    assert tries.failure(free) == {
        "error": "ProviderError",
        "cost": 0.0,
        "token_usage": {"cost": 0},
        "may_be_charged": True,
    }
    assert tries.failure(errors.RateLimitError("x")) == {"error": "RateLimitError"}
