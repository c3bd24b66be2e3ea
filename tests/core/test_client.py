"""The client at the socket: retries, time limits, loops and threads, leaving early, secrets."""

from __future__ import annotations

import asyncio
import copy
import gc
import importlib.util
import pickle
import threading
import time
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from openrouter_adapters import (
    APIConnectionError,
    APITimeoutError,
    IncompleteStreamError,
    MalformedResponseError,
    OpenRouterError,
    ProviderError,
    RateLimitError,
    StallTimeoutError,
    StreamInterruptedError,
)
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.request import Request, build_request
from openrouter_adapters.gateway import LocalGateway

from .asking import KEY, MESSAGES, STREAMS, Ask, acomplete, astream, astreamed, complete, request, stream, streams, ways


@ways
def test_sound_comes_as_a_stream_whatever_was_asked(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    """OpenRouter gives audio in streams only, and refuses anything else."""
    spoken = {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}
    _, reply = ask(client, request(openrouter_gateway, model="openai/gpt-4o-audio-preview", **spoken))
    assert reply.audio is not None and reply.audio["data"] and reply.audio["transcript"] == "You said: hi"
    openrouter_gateway.fault("cut")
    with pytest.raises(OpenRouterError):
        ask(client, request(openrouter_gateway, model="openai/gpt-4o-audio-preview", **spoken))


@ways
def test_an_answer_is_the_same_every_way(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.reply("Hello there", reasoning="Hm", cost=0.25)
    text, reply = ask(client, request(openrouter_gateway))
    assert text == reply.text == "Hello there"
    assert reply.reasoning == "Hm"
    assert reply.usage is not None and reply.usage.metadata()["cost"] == 0.25
    sent = openrouter_gateway.requests[0]
    assert sent.body.get("stream", False) is (ask in STREAMS)


@ways
@pytest.mark.parametrize(("own", "shown"), [({}, "gen-header"), ({"id": "gen-body"}, "gen-body")])
def test_the_generation_id_may_be_in_a_header_alone(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, own: dict[str, str], shown: str
) -> None:
    """Without it nobody can ask what the answer cost."""
    said = {"index": 0, "finish_reason": "stop"}
    openrouter_gateway.reply(
        body={**own, "choices": [{**said, "message": {"content": "Hi"}}]},
        events=[{**own, "choices": [{**said, "delta": {"content": "Hi"}}]}, "[DONE]"],
        headers={"x-generation-id": "gen-header"},
    )
    text, reply = ask(client, request(openrouter_gateway))
    assert (text, reply.id) == ("Hi", shown)


@ways
@pytest.mark.parametrize(
    ("fault", "details", "error"),
    [
        ("error_200", {"code": 429, "message": "slow"}, RateLimitError),
        ("error_chunk_first", {"code": 429}, RateLimitError),
        ("html", {}, MalformedResponseError),
        ("null_choices", {}, OpenRouterError),
    ],
)
def test_a_failed_answer_is_never_a_success(
    client: Client,
    openrouter_gateway: LocalGateway,
    ask: Ask,
    fault: str,
    details: dict[str, Any],
    error: type[Exception],
) -> None:
    openrouter_gateway.fault(fault, **details)
    with pytest.raises(error) as caught:
        ask(client, request(openrouter_gateway))
    assert isinstance(caught.value, openai.OpenAIError)
    assert len(openrouter_gateway.requests) == 1


@streams
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("error_chunk", StreamInterruptedError),
        ("error_chunk_bare", StreamInterruptedError),
        ("error_chunk_with_usage", StreamInterruptedError),
        ("cut", IncompleteStreamError),
        ("truncated", IncompleteStreamError),
        ("malformed_chunk", MalformedResponseError),
    ],
)
def test_what_arrived_before_a_break_is_kept(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, fault: str, error: type[OpenRouterError]
) -> None:
    openrouter_gateway.reply("one two three four five")
    openrouter_gateway.fault(fault, after=2)
    with pytest.raises(error) as caught:
        ask(client, request(openrouter_gateway, max_retries=5))
    failed = caught.value
    assert failed.partial is not None and failed.partial.text
    assert failed.generation_id == failed.partial.id
    assert len(openrouter_gateway.requests) == 1, "nothing is retried once a piece was handed over"
    if fault == "error_chunk_with_usage":
        assert failed.partial.usage is not None and failed.partial.usage.cost.charged is not None


@ways
def test_trouble_before_the_first_piece_is_retried(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float]
) -> None:
    openrouter_gateway.fault("error_200", code=429, times=1)
    openrouter_gateway.fault("error_chunk_first", code=502, times=1)
    openrouter_gateway.reply("At last")
    assert ask(client, request(openrouter_gateway, max_retries=2))[0] == "At last"
    assert len(openrouter_gateway.requests) == 3 and len(at_once) == 2


@ways
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_at_most_so_many_requests_more_than_one(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, at_once: list[float], retries: int
) -> None:
    openrouter_gateway.fault("error_200", code=500, times=None)
    with pytest.raises(ProviderError):
        ask(client, request(openrouter_gateway, max_retries=retries))
    assert len(openrouter_gateway.requests) == retries + 1


@ways
def test_no_connection_is_a_connection_error(client: Client, ask: Ask) -> None:
    with LocalGateway() as gateway:
        asked = request(gateway)
    with pytest.raises(APIConnectionError, match=r"127\.0\.0\.1") as caught:
        ask(client, asked)
    assert isinstance(caught.value, openai.APIConnectionError) and caught.value.retryable


@ways
def test_silence_is_a_timeout(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.fault("silence")
    with pytest.raises(APITimeoutError) as caught:
        ask(client, request(openrouter_gateway, timeout=0.2))
    assert isinstance(caught.value, openai.APITimeoutError)


@ways
@pytest.mark.parametrize("fault", ["comments_forever", "silence"])
def test_keep_alives_do_not_count_as_data(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, fault: str
) -> None:
    openrouter_gateway.fault(fault)
    begun = time.monotonic()
    with pytest.raises(StallTimeoutError, match=r"0\.3 s|timed out|Timeout"):
        ask(client, request(openrouter_gateway, stall_timeout=0.3, timeout=30))
    assert time.monotonic() - begun < 2.5


@streams
def test_data_does_count(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.reply("slow but sure", delay=0.1)
    assert ask(client, request(openrouter_gateway, stall_timeout=1.5))[0] == "slow but sure"


@streams
def test_a_slow_reader_is_no_silence(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.reply("one two three four five six", delay=0.01)
    asked = request(openrouter_gateway, stall_timeout=0.3)
    if ask is stream:
        with client.stream(asked) as arriving:
            for place, _ in enumerate(arriving):
                time.sleep(0.5 if place == 1 else 0)
    else:

        async def slowly() -> Any:
            async with client.astream(asked) as arriving:
                place = 0
                async for _ in arriving:
                    await asyncio.sleep(0.5 if place == 1 else 0)
                    place += 1
            return arriving

        arriving = asyncio.run(slowly())
    assert arriving.reply().text == "one two three four five six"
    assert arriving.reply().usage is not None


@ways
@pytest.mark.parametrize("fault", ["hang_up", "unauthorized", "silence"])
def test_no_cause_holds_the_key(client: Client, openrouter_gateway: LocalGateway, ask: Ask, fault: str) -> None:
    openrouter_gateway.fault(fault)
    with pytest.raises(OpenRouterError) as caught:
        ask(client, request(openrouter_gateway, timeout=0.2))
    failed: BaseException | None = caught.value
    seen: list[BaseException] = []
    while failed is not None and failed not in seen:
        seen.append(failed)
        asked = vars(failed).get("request") or vars(failed).get("_request")
        assert KEY not in f"{failed} {failed!r} {vars(failed)} {getattr(asked, 'headers', '')!r}"
        assert KEY not in str(dict(asked.headers) if asked is not None else "")
        assert failed is caught.value or failed.__traceback__ is None
        failed = failed.__cause__ or failed.__context__
    assert (len(seen) > 1) is (fault != "unauthorized")  # a refusal is no exception of the network's


def test_an_exception_that_is_none_of_the_networks_comes_as_it_is(
    client: Client, openrouter_gateway: LocalGateway
) -> None:
    options = OpenRouterOptions(api_key=KEY, base_url=openrouter_gateway.base_url, extra_body={"x": {(1,): 2}})
    with pytest.raises(TypeError) as caught:
        client.complete(build_request(options, {}, MESSAGES))
    assert caught.value.__cause__ is not caught.value
    assert [entry for entry in caught.traceback if "json" in str(entry.path)], "where it came from is still to be seen"


@ways
def test_deep_nesting_is_a_malformed_answer(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    deep = "[" * 5000 + "]" * 5000
    openrouter_gateway.reply(body=deep, events=[f"data: {deep}"])
    with pytest.raises(MalformedResponseError):
        ask(client, request(openrouter_gateway))


@streams
def test_an_emoji_cut_in_two_is_one_again(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    head = '"choices":[{"index":0,"delta":{"role":"assistant","content":'
    events = [f'data: {{{head}"{text}"}}}}]}}' for text in ("a\\ud83d", "\\ude00b")]
    openrouter_gateway.reply(events=[*events, "data: [DONE]"])
    assert ask(client, request(openrouter_gateway))[0] == "a\U0001f600b"


def test_a_key_in_the_callers_own_headers_is_left_alone(client: Client, openrouter_gateway: LocalGateway) -> None:
    complete(client, request(openrouter_gateway, default_headers={"authorization": "Bearer of-a-proxy"}))
    assert openrouter_gateway.requests[0].key == "of-a-proxy"


def left_early(gateway: LocalGateway) -> bool:
    """Whether the gateway noticed, within a second, that the client was gone."""
    return gateway.requests[-1].wait(1.0) and gateway.requests[-1].client_left


def endless(gateway: LocalGateway) -> Request:
    gateway.fault("comments_forever", after=2)
    gateway.reply("one two three four five six")
    return request(gateway)


def test_leaving_a_stream_closes_the_connection(client: Client, openrouter_gateway: LocalGateway) -> None:
    with client.stream(endless(openrouter_gateway)) as arriving:
        next(iter(arriving))
    assert left_early(openrouter_gateway)


async def test_leaving_an_async_stream_closes_the_connection(client: Client, openrouter_gateway: LocalGateway) -> None:
    async with client.astream(endless(openrouter_gateway)) as arriving:
        async for _ in arriving:
            break
    assert await asyncio.to_thread(left_early, openrouter_gateway)
    await client.aclose()


async def test_cancelling_closes_the_connection(client: Client, openrouter_gateway: LocalGateway) -> None:
    task = asyncio.create_task(astreamed(client, endless(openrouter_gateway)))
    while not openrouter_gateway.requests:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(left_early, openrouter_gateway)
    await client.aclose()


@ways
def test_connections_are_used_again(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    if ask in (complete, stream):
        for _ in range(5):
            ask(client, request(openrouter_gateway))
    else:

        async def several() -> None:
            for _ in range(5):
                asked = request(openrouter_gateway)
                await (astreamed(client, asked) if ask is astream else client.acomplete(asked))

        asyncio.run(several())
    assert len({sent.port for sent in openrouter_gateway.requests}) == 1


def test_one_client_works_in_loop_after_loop(client: Client, openrouter_gateway: LocalGateway) -> None:
    for _ in range(4):
        assert acomplete(client, request(openrouter_gateway))[0]
        assert astream(client, request(openrouter_gateway))[0]
    gc.collect()


def test_one_client_works_in_many_threads_and_loops_at_once(client: Client, openrouter_gateway: LocalGateway) -> None:
    async def many() -> list[tuple[str, Reply]]:
        asks: list[Awaitable[tuple[str, Reply]]] = [astreamed(client, request(openrouter_gateway)) for _ in range(5)]
        return await asyncio.gather(*asks)

    with ThreadPoolExecutor(4) as pool:
        loops = [pool.submit(asyncio.run, many()) for _ in range(4)]
        calls = [pool.submit(complete, client, request(openrouter_gateway)) for _ in range(8)]
        assert all(text for future in loops for text, _ in future.result())
        assert all(future.result()[0] for future in calls)


def test_closing_one_client_does_not_break_another(openrouter_gateway: LocalGateway) -> None:
    one, other = Client(), Client()
    openrouter_gateway.reply("one two three four")
    with one.stream(request(openrouter_gateway)) as arriving:
        deltas = iter(arriving)
        next(deltas)
        complete(other, request(openrouter_gateway))
        other.close()
        assert [delta.text for delta in deltas]
    assert complete(other, request(openrouter_gateway))[0], "a closed client opens anew"
    one.close()
    other.close()


def test_a_client_can_be_copied_and_pickled(client: Client, openrouter_gateway: LocalGateway) -> None:
    complete(client, request(openrouter_gateway))
    for copied in (copy.deepcopy(client), pickle.loads(pickle.dumps(client))):
        assert complete(copied, request(openrouter_gateway))[0]
        copied.close()


@ways
def test_openai_variables_have_no_influence(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-leak")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-leak")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leak: leak\nAuthorization: Bearer leak")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    client.close()  # so that the SDK reads its environment now
    ask(client, request(openrouter_gateway))
    headers = openrouter_gateway.requests[0].headers
    assert not [name for name, value in headers.items() if "leak" in f"{name}{value}".lower()]
    assert not [name for name in headers if name.lower().startswith("openai-")]


@ways
def test_the_key_is_in_no_exception(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    openrouter_gateway.fault("error_200", code=401, message="no")
    with pytest.raises(OpenRouterError) as caught:
        ask(client, request(openrouter_gateway))
    failed: BaseException | None = caught.value
    while failed is not None:
        request_of = getattr(failed, "request", None)
        headers = dict(request_of.headers) if request_of is not None else {}
        assert KEY not in f"{failed} {failed!r} {vars(failed)} {headers}"
        failed = failed.__cause__ or failed.__context__
    assert KEY.encode() not in pickle.dumps(caught.value)


def test_an_http_client_of_the_callers_is_used_and_left_open(client: Client, openrouter_gateway: LocalGateway) -> None:
    with openai.DefaultHttpxClient(headers={"X-Mine": "yes"}) as own:
        complete(client, request(openrouter_gateway, http_client=own))
        stream(client, request(openrouter_gateway, http_client=own))
        client.close()
        assert not own.is_closed
    assert [sent.headers["x-mine"] for sent in openrouter_gateway.requests] == ["yes", "yes"]


async def test_an_async_http_client_of_the_callers_is_used_and_left_open(
    client: Client, openrouter_gateway: LocalGateway
) -> None:
    async with openai.DefaultAsyncHttpxClient(headers={"X-Mine": "yes"}) as own:
        await client.acomplete(request(openrouter_gateway, http_async_client=own))
        await client.aclose()
        assert not own.is_closed
    assert openrouter_gateway.requests[0].headers["x-mine"] == "yes"


NEEDED = ("aiohttp", "httpx_aiohttp") if openai.VERSION.startswith("2.") else ("aiohttp",)


@pytest.mark.skipif(not all(map(importlib.util.find_spec, NEEDED)), reason="needs the aiohttp extra")
def test_the_aiohttp_transport_is_used_when_asked_for(client: Client, openrouter_gateway: LocalGateway) -> None:
    asked = request(openrouter_gateway, http_async_client="aiohttp")
    openrouter_gateway.reply("Hello", times=None)
    assert asyncio.run(astreamed(client, asked))[0] == acomplete(client, asked)[0] == "Hello"


def test_many_clients_open_nothing_and_start_no_thread() -> None:
    before = threading.active_count()
    clients = [Client() for _ in range(1000)]
    assert threading.active_count() <= before and len(clients) == 1000


# ------------------------------------------------------------------------------------------- what cannot be written

UNWRITABLE: list[tuple[Any, type[Exception], str]] = [
    ("half \ud83d", ValueError, r"extra\.deep\[1\] has half a character at 5"),
    (float("nan"), ValueError, r"extra\.deep\[1\]=nan: JSON has no such number"),
    ({1, 2}, TypeError, r"extra\.deep\[1\] is a set, which JSON has no form for"),
    ({"half \ud83d": 1}, ValueError, r"a key of extra\.deep\[1\] has half a character at 5"),
]


@ways
@pytest.mark.parametrize(("value", "error", "said"), UNWRITABLE, ids=["text", "number", "object", "key"])
def test_what_no_json_can_carry_is_named(
    client: Client, openrouter_gateway: LocalGateway, ask: Ask, value: Any, error: type[Exception], said: str
) -> None:
    asked = request(openrouter_gateway, extra_body={"extra": {"deep": ["fine", value]}})
    with pytest.raises(error, match=said) as caught:
        ask(client, asked)
    assert type(caught.value) is error
    assert not openrouter_gateway.requests


@streams
def test_several_choices_are_no_stream(client: Client, openrouter_gateway: LocalGateway, ask: Ask) -> None:
    with pytest.raises(ValueError, match="n=2: a stream has one choice, ask without streaming"):
        ask(client, request(openrouter_gateway, extra_body={"n": 2}))
    assert ask(client, request(openrouter_gateway, extra_body={"n": 1}))[0]
    assert len(openrouter_gateway.requests) == 1
