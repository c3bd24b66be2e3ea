"""Answers that are made while they are sent, by whatever makes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from openrouter_adapters.gateway import Live, LocalGateway, Reply
from openrouter_adapters.gateway.problems import Problem, Refused
from openrouter_adapters.gateway.reply import Say

from .conftest import Answer, Client

BODY = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}


def serving(make: Callable[[Say], Reply]) -> LocalGateway:
    return LocalGateway(respond=lambda _: Live(make))


def counting(say: Say) -> Reply:
    for word in ("One", " two", " three"):
        say("text", word)
    say("call", "add")
    say("arguments", '{"a"')
    say("arguments", ": 2}")
    return Reply("One two three", tool_calls=[("add", {"a": 2})], usage={"prompt_tokens": 7, "completion_tokens": 5})


def refusing(say: Say) -> Reply:
    raise Refused(Problem(418, "No coffee"))


def failing(say: Say) -> Reply:
    say("text", "One")
    raise ZeroDivisionError("late")


def test_pieces_and_the_whole_say_the_same() -> None:
    with serving(counting) as gateway, Client(gateway) as client:
        whole = client.chat().body
        streamed = client.chat(stream=True).chunks
    deltas = [choice["delta"] for chunk in streamed for choice in chunk["choices"]]
    assert [delta["content"] for delta in deltas if delta.get("content")] == ["One", " two", " three"]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"a": 2}'
    assert calls[0]["function"]["name"] == "add" and calls[0]["id"].startswith("call_")
    assert whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"a": 2}'
    assert streamed[-1]["usage"] == whole["usage"]
    assert whole["usage"]["total_tokens"] == 12
    assert streamed[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_before_the_first_piece_has_its_status(stream: bool) -> None:
    with serving(refusing) as gateway, Client(gateway) as client:
        answer = client.chat(stream=stream)
        assert (answer.status, answer.body["error"]["message"]) == (418, "No coffee")
        assert gateway.requests[0].status == 418
        gateway.fault("cut", after=3)
        assert client.chat(stream=stream).status == 418


def test_what_fails_after_the_first_piece_is_told_in_the_stream() -> None:
    with serving(failing) as gateway, Client(gateway) as client:
        streamed = client.chat(stream=True)
        assert streamed.status == 200 and streamed.events[-1] == "data: [DONE]"
        assert "ZeroDivisionError('late')" in streamed.chunks[-1]["error"]["message"]
        assert client.chat().status == 500


def test_a_client_hears_that_an_answer_is_still_being_made() -> None:
    """And then it is too late to refuse with a status."""

    def slow(say: Say) -> Reply:
        time.sleep(1.3)
        return refusing(say)

    with serving(slow) as gateway, Client(gateway) as client:
        streamed = client.chat(stream=True)
    assert streamed.status == 200
    assert streamed.events[0] == ": OPENROUTER PROCESSING"
    assert streamed.chunks[-1]["error"]["message"] == "No coffee"


@pytest.mark.parametrize("ended_by", ["the client", "reset", "stop"])
def test_making_ends_when_nobody_listens(ended_by: str) -> None:
    ended = threading.Event()

    def endless(say: Say) -> Reply:
        while say("text", "on "):
            time.sleep(0.001)
        ended.set()
        return Reply("on")

    gateway = serving(endless).start()
    with Client(gateway) as client:
        response = client.begin("POST", "/chat/completions", BODY)
        [response.readline() for _ in range(6)]
        if ended_by == "the client":
            response.close()
            client.__exit__()
        elif ended_by == "reset":
            gateway.reset()
        else:
            gateway.stop()
        assert ended.wait(5)
    gateway.stop()


@pytest.mark.parametrize("ended_by", ["the client", "reset", "stop"])
@pytest.mark.parametrize("stream", [False, True])
def test_making_what_is_to_go_wrong_ends_too_when_nobody_listens(ended_by: str, stream: bool) -> None:
    """All of it is made before anything is sent."""
    begun, ended = threading.Event(), threading.Event()

    def endless(say: Say) -> Reply:
        begun.set()
        while say("text", "on "):
            time.sleep(0.001)
        ended.set()
        return Reply("on")

    gateway = serving(endless).start()
    gateway.fault("cut", after=3)
    with Client(gateway) as client:
        client.send("POST", "/chat/completions", {**BODY, "stream": stream})
        assert begun.wait(5)
        (asked,) = gateway.requests
        if ended_by == "the client":
            client.__exit__()
        elif ended_by == "reset":
            gateway.reset()
        else:
            gateway.stop()
        assert ended.wait(5) and asked.wait()
    assert asked.client_left == (ended_by == "the client")
    gateway.stop()


@pytest.mark.parametrize("stream", [False, True])
def test_what_fails_is_told_where_it_was_to_go_wrong_in_another_way(stream: bool) -> None:
    with serving(failing) as gateway, Client(gateway) as client:
        gateway.fault("cut", after=3)
        answer = client.chat(stream=stream)
        (asked,) = gateway.requests
        assert asked.wait() and (answer.status, asked.status) == (500, 500)
        assert "ZeroDivisionError('late')" in answer.body["error"]["message"]


def test_parts_of_a_prompt_are_parts_of_what_the_model_counts() -> None:
    marked = {"type": "text", "text": "Always answer in rhymes. " * 20, "cache_control": {"type": "ephemeral"}}
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    asked = {"messages": [{"role": "user", "content": [marked, sound]}], "model": "google/gemini-2.5-flash"}
    with serving(counting) as gateway, Client(gateway) as client:
        answers = [client.post("/chat/completions", {**asked, "stream": stream}) for stream in (False, True, True)]
    told = [answers[0].body["usage"], *(answer.chunks[-1]["usage"] for answer in answers[1:])]
    parts = [usage["prompt_tokens_details"] for usage in told]
    assert [usage["prompt_tokens"] for usage in told] == [7, 7, 7]
    assert 0 < parts[0]["cache_write_tokens"] == parts[1]["cached_tokens"] < 7 > parts[0]["audio_tokens"] > 0


def test_a_slow_provider_s_answer_comes_late() -> None:
    with serving(counting) as gateway, Client(gateway) as client:
        gateway.slow("openai", seconds=0.2)
        began = time.monotonic()
        assert Answer(client.begin("POST", "/chat/completions", BODY)).chunks
        assert time.monotonic() - began > 0.2
