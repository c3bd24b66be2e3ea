"""Recorded traffic through both adapters: what they show is what was on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import openrouter_adapters
from openrouter_adapters import OpenRouterError

from .adapters import WAYS, Way, fields
from .reader import Facts, as_stream, chunks, facts, folded, known, unfolded
from .server import EVENTS, Answer, ReplayServer

ERRORS = {400: "InvalidRequestError", 401: "AuthenticationError", 429: "RateLimitError"}
STREAMED = [way for way in WAYS if way.streams]


@dataclass(frozen=True, eq=False)
class Recording:
    """One recorded exchange of ``/chat/completions``.

    Attributes:
        name: the capture, and the place of the exchange in it.
        model: the model asked for.
        answer: the bytes that came.
        body: the JSON body; for a stream the one that the same answer has unstreamed.
        streamed: whether it is a stream.
        error: the error object, where the answer is one or ends in one.
    """

    name: str
    model: str
    answer: Answer
    body: Any
    streamed: bool
    error: Any


def recordings(captures: list[dict[str, Any]]) -> Iterator[Recording]:
    for capture in captures:
        for place, exchange in enumerate(capture["interactions"]):
            if exchange["request"]["path"].startswith("/api/v1/chat/completions"):
                yield recording(f"{capture['name']}[{place}]", exchange["request"]["body"], exchange["response"])


def recording(name: str, request: Any, response: Any) -> Recording:
    model, data, stream = (request or {}).get("model") or "a/b", wire(response), "sse" in response
    pieces = chunks(data.decode()) if stream else []
    body = folded(pieces) if stream else response.get("body")
    error = next((piece["error"] for piece in [*pieces, body] if piece.get("error")), None)
    return Recording(name, model, Answer(data, response["status"], response["headers"]), body, stream, error)


def wire(response: Any) -> bytes:
    """The bytes of a recorded answer."""
    if "sse" in response:
        end = "" if response.get("sse_unterminated") else "\n\n"
        return ("\n\n".join(response["sse"]) + end).encode()
    text = response["body_text"] if "body_text" in response else json.dumps(response["body"], ensure_ascii=False)
    return (response.get("body_prefix", "") + text).encode()


@pytest.fixture(scope="session")
def recorded(captures: list[dict[str, Any]]) -> list[Recording]:
    return list(recordings(captures))


@pytest.fixture(scope="session")
def answered(recorded: list[Recording]) -> list[Recording]:
    return [each for each in recorded if not each.error]


Replay = Callable[[Way, Recording], Any]


@pytest.fixture(scope="session")
def replay(server: ReplayServer, runner: asyncio.Runner) -> Replay:
    """Asks for a recording, once for all tests; asked the way it was not recorded, for its counterpart."""

    @cache
    def asked(way: Way, each: Recording) -> Any:
        answer = each.answer if way.streams == each.streamed else counterpart(each)
        return way.ask(runner, server.put(answer), model=each.model)

    return asked


def counterpart(each: Recording) -> Answer:
    """The same answer, unstreamed if it was streamed and the other way round."""
    if each.streamed:
        return Answer(json.dumps(each.body).encode())
    return Answer(as_stream(unfolded(each.body)), headers={"content-type": EVENTS})


def all_same(pairs: Iterable[tuple[str, Any, Any]]) -> int:
    """Fail where two dicts differ, telling where; how many pairs there were."""
    seen, different = 0, []
    for name, one, other in pairs:
        seen += 1
        keys = [key for key in one | other if one.get(key) != other.get(key)]
        different += [f"{name}: {key}: {one.get(key)!s:.300} is not {other.get(key)!s:.300}" for key in keys]
    if different:
        pytest.fail("\n".join([f"{len(different)} differ", *different[:10]]), pytrace=False)
    return seen


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_facts_are_those_of_the_wire(way: Way, answered: list[Recording], replay: Replay) -> None:
    assert all_same((each.name, facts(each.body), way.shown(replay(way, each))) for each in answered) > 220


def test_the_recordings_have_something_to_show(answered: list[Recording]) -> None:
    seen = {name for each in answered for name in facts(each.body)}
    assert seen >= {"opaque", "calls", "annotations", "logprobs", "refusal", "server_tool_use", "cost", "reasoning"}
    assert sum(each.streamed for each in answered) > 50


# ------------------------------------------------------------------------------------------------- one way or another


@pytest.mark.parametrize("way", [way for way in STREAMED if not way.waits], ids=str)
def test_streamed_or_not_the_answer_is_the_same(way: Way, answered: list[Recording], replay: Replay) -> None:
    whole = replace(way, streams=False)
    told = ("raw", "delta")  # by which LlamaIndex tells how an answer came
    all_same((each.name, fields(replay(way, each), *told), fields(replay(whole, each), *told)) for each in answered)


@pytest.mark.parametrize("way", [way for way in WAYS if way.waits], ids=str)
def test_sync_or_async_the_answer_is_the_same(way: Way, answered: list[Recording], replay: Replay) -> None:
    sync, recorded_so = replace(way, waits=False), [each for each in answered if each.streamed == way.streams]
    all_same((each.name, fields(replay(way, each)), fields(replay(sync, each))) for each in recorded_so)


def test_the_raw_body_is_the_one_that_came(answered: list[Recording], replay: Replay) -> None:
    whole = Way("llamaindex", streams=False, waits=False)
    all_same((each.name, each.body, replay(whole, each).raw) for each in answered)


@pytest.mark.parametrize("streams", [False, True])
def test_the_raw_usage_is_the_one_that_came(streams: bool, answered: list[Recording], replay: Replay) -> None:
    way = Way("llamaindex", streams, waits=False)
    all_same((each.name, each.body["usage"], replay(way, each).raw.usage) for each in answered)


# ------------------------------------------------------------------------------------------------------------- errors


def error_facts(error: OpenRouterError) -> Facts:
    return {
        "status_code": error.status_code,
        "code": error.code,
        "message": error.message,
        "upstream": error.upstream,
        "provider": error.provider,
    }


def wire_error_facts(each: Recording) -> Facts:
    metadata = each.error.get("metadata") or {}
    return {
        "status_code": each.error["code"],
        "code": each.error["code"],
        "message": each.error["message"],
        "upstream": metadata.get("raw"),
        "provider": metadata.get("provider_name") or (each.body or {}).get("provider"),
    }


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_errors_say_what_the_wire_says(
    way: Way, recorded: list[Recording], server: ReplayServer, runner: asyncio.Runner
) -> None:
    failed = [each for each in recorded if each.error and (way.streams or not each.streamed)]
    assert len(failed) >= 14
    for each in failed:
        error = way.outcome(runner, server.put(each.answer), model=each.model)
        assert isinstance(error, OpenRouterError), each.name
        assert error_facts(error) == wire_error_facts(each), each.name
        assert isinstance(error, getattr(openrouter_adapters, error_class(each))), each.name


def error_class(each: Recording) -> str:
    if each.streamed:
        return "StreamInterruptedError"
    return "ContextOverflowError" if "maximum context length" in each.error["message"] else ERRORS[each.error["code"]]


@pytest.mark.parametrize("way", STREAMED, ids=str)
def test_an_interrupted_stream_tells_what_had_arrived(
    way: Way, recorded: list[Recording], server: ReplayServer, runner: asyncio.Runner
) -> None:
    for each in [each for each in recorded if each.error and each.streamed]:
        error = way.outcome(runner, server.put(each.answer), model=each.model)
        assert partial_facts(error.partial).items() <= facts(each.body).items()


def partial_facts(partial: Any) -> Facts:
    """What an error says of the answer that it broke off."""
    whole = {name: getattr(partial, name) for name in ("text", "reasoning", "id", "model", "provider", "finish_reason")}
    spent = {"total_tokens": partial.usage.total_tokens, "cost": float(partial.usage.cost.charged)}
    return known({**whole, **spent, "reasoning_details": partial.reasoning_details})


# -------------------------------------------------------------------------------------------------------- and back


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_an_answer_goes_back_as_it_came(
    way: Way, answered: list[Recording], replay: Replay, server: ReplayServer, runner: asyncio.Runner
) -> None:
    """The next request repeats text, reasoning details and tool calls as the wire had them, to the byte."""
    short = min((each for each in answered if each.streamed == way.streams), key=lambda each: len(each.answer.body))
    address = server.put(short.answer)

    def compared() -> Iterator[tuple[str, Facts, Facts]]:
        for each in [each for each in answered if worth_repeating(each)]:
            way.ask(runner, address, before=replay(way, each))
            sent = server.asked(address)[-1]["messages"][1]
            yield each.name, repeated(each.body["choices"][0]["message"]), repeated(sent)

    assert all_same(compared()) > 60


def worth_repeating(each: Recording) -> bool:
    """Whether there are details or tool calls, none of them cut off: what becomes of those is up to the framework."""
    calls = facts(each.body).get("calls", [])
    whole = all(isinstance(arguments, dict) for _, _, arguments in calls)
    return whole and bool(calls or facts(each.body).get("reasoning_details"))


def repeated(message: Any) -> Facts:
    calls = [(call["id"], call["function"]) for call in message.get("tool_calls") or []]
    return known({"content": message.get("content"), "details": message.get("reasoning_details"), "calls": calls})


def test_the_pages_name_every_key_that_comes_in_langchain(answered: list[Recording], replay: Replay) -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    page = "".join((docs / name).read_text(encoding="utf-8") for name in ("answers.md", "langchain.md"))
    way = next(way for way in WAYS if str(way).startswith("langchain"))
    messages = [replay(way, each) for each in answered]
    parts = [part for m in messages for part in (m.response_metadata, m.additional_kwargs, m.usage_metadata or {})]
    given = {key for part in parts for key in part}
    assert len(given) > 20
    assert sorted(key for key in given if f"`{key}`" not in page) == []
