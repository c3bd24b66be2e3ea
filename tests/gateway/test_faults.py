"""Every fault, by name, as a client meets it."""

import json
from http.client import BadStatusLine, IncompleteRead
from typing import Any

import pytest

from openrouter_adapters.gateway import FAULTS, Live, LocalGateway, Reply
from openrouter_adapters.gateway.refusals import REFUSALS

from .conftest import Client

STATUSES = {
    "invalid_request": 400,
    "upstream_400": 400,
    "unknown_model": 400,
    "context_length": 400,
    "unauthorized": 401,
    "insufficient_credits": 402,
    "cannot_afford": 402,
    "key_limit": 402,
    "in_flight_budget": 402,
    "moderation": 403,
    "guardrail": 403,
    "permission_denied": 403,
    "no_endpoints": 404,
    "no_endpoints_prose": 404,
    "privacy_restricted": 404,
    "constraint_filtered": 404,
    "region_restricted": 403,
    "guardrail_budget": 403,
    "not_found": 404,
    "request_timeout": 408,
    "payload_too_large": 413,
    "unprocessable": 422,
    "rate_limit": 429,
    "upstream_rate_limit": 429,
    "capacity_exhausted": 429,
    "server_error": 500,
    "upstream_502": 502,
    "unavailable": 503,
    "gateway_timeout": 504,
    "edge_timeout": 524,
    "overloaded": 529,
}


def texts(chunks: list[Any]) -> list[str]:
    return [choice["delta"]["content"] for chunk in chunks for choice in chunk.get("choices") or ()]


def reasons(chunks: list[Any]) -> list[str | None]:
    return [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]


def test_each_refusal_is_in_the_table() -> None:
    assert STATUSES.keys() == REFUSALS.keys()


def test_each_fault_says_in_a_line_what_it_does() -> None:
    assert all(doc and "\n" not in doc for doc in FAULTS.values())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", STATUSES)
def test_error_statuses(name: str, stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault(name)
    answer = client.chat(stream=stream)
    assert answer.status == answer.body["error"]["code"] == STATUSES[name]
    assert answer.body["error"]["message"]
    assert client.chat().status == 200, "the fault is over"


def test_retry_after(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("rate_limit")
    own = client.chat()
    assert (own.headers["retry-after"], own.headers["x-ratelimit-remaining"]) == ("1", "0")
    gateway.fault("upstream_rate_limit", retry_after=7)
    theirs = client.chat()
    assert theirs.headers["retry-after"] == "7"
    assert "x-ratelimit-limit" not in theirs.headers
    gateway.fault("unavailable", retry_after=None)
    assert "retry-after" not in client.chat().headers


def test_details_are_put_in_place(gateway: LocalGateway, client: Client) -> None:
    gateway.fault(
        "upstream_502",
        message="Oh",
        code="odd",
        metadata={"raw": "text"},
        headers={"x-a": "b"},
        availability={"code": "c"},
    )
    answer = client.chat()
    error = answer.body["error"]
    assert (error["message"], error["code"], error["availability"]) == ("Oh", "odd", {"code": "c"})
    assert (error["metadata"]["raw"], error["metadata"]["provider_name"]) == ("text", "OpenAI")
    assert answer.headers["x-a"] == "b"


def test_raw_is_json_in_a_string(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("overloaded")
    assert json.loads(client.chat().body["error"]["metadata"]["raw"])["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_under_status_200(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("error_200", code=429, message="Slow down", metadata={"raw": "x"})
    answer = client.chat(stream=stream)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body["error"] == {"code": 429, "message": "Slow down", "metadata": {"raw": "x"}}


def test_json_for_a_stream(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("json_for_stream", times=2)
    whole = client.chat("Hi", stream=True).body
    assert whole["choices"][0]["message"]["content"] == "You said: Hi"
    assert whole["usage"]["cost"] > 0
    assert client.message("Hi")["content"] == "You said: Hi"


def test_json_for_a_stream_is_the_whole_answer(gateway: LocalGateway, client: Client) -> None:
    said: dict[str, Any] = {"reasoning": "Hm.", "tool_calls": [{"id": "a", "name": "f", "arguments": {"a": 1}}]}
    gateway.reply("Hi", times=2, **said)
    gateway.fault("json_for_stream", match=lambda body: body["stream"])
    odd, plain = (client.chat(model="openai/gpt-5.2", stream=stream).body for stream in (True, False))
    assert (odd["choices"], odd["usage"]) == (plain["choices"], plain["usage"])
    assert odd["choices"][0]["finish_reason"] == "tool_calls"
    assert gateway.requests[0].model == odd["model"]


def test_json_for_a_stream_that_is_still_being_made() -> None:
    with LocalGateway(respond=lambda _: Live(lambda say: Reply("Hi"))) as gateway, Client(gateway) as client:
        gateway.fault("json_for_stream")
        assert client.message(stream=True)["content"] == "Hi"
        assert client.chat(stream=True).events[-1] == "data: [DONE]"


@pytest.mark.parametrize(("name", "choices"), [("null_choices", None), ("empty_choices", [])])
def test_no_choices(name: str, choices: Any, gateway: LocalGateway, client: Client) -> None:
    gateway.fault(name, times=2)
    assert client.chat().body["choices"] == choices
    assert {str(chunk["choices"]) for chunk in client.chat(stream=True).chunks} == {str(choices)}


def test_an_error_in_the_choice(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("choice_error", code=502, message="Broke", times=2)
    choice = client.chat("Hi").body["choices"][0]
    assert (choice["finish_reason"], choice["error"]) == ("error", {"code": 502, "message": "Broke"})
    assert choice["message"]["content"] == "You said: Hi"
    assert client.chat(stream=True).chunks[-1]["choices"][0]["error"]["message"] == "Broke"


def test_finished_by_an_error(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("finish_error", times=2)
    choice = client.chat().body["choices"][0]
    assert (choice["finish_reason"], choice["native_finish_reason"]) == ("error", "MALFORMED_FUNCTION_CALL")
    assert choice["message"]["content"] is None
    chunks = client.chat(stream=True).chunks
    assert (set(texts(chunks)), set(reasons(chunks))) == ({""}, {"error"})


@pytest.mark.parametrize("stream", [False, True])
def test_html(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("html", status=502)
    answer = client.chat(stream=stream)
    assert (answer.status, answer.headers["content-type"][:9]) == (502, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("stream", [False, True])
def test_empty(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("empty_body")
    answer = client.chat(stream=stream)
    assert (answer.status, answer.text) == (200, "")


def test_the_documented_error_chunk(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("error_chunk", after=2, code=429, message="Too fast")
    answer = client.chat("one two three", stream=True)
    assert texts(answer.chunks) == ["You", " said", ""]
    last = answer.chunks[-1]
    assert last["error"] == {
        "code": 429,
        "message": "Too fast",
        "metadata": {"error_type": "provider_unavailable"},
    }
    assert (last["choices"][0]["finish_reason"], answer.events[-1]) == ("error", "data: [DONE]")


def test_the_bare_error_chunk(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("error_chunk_bare")
    assert client.chat(stream=True).chunks[-1] == {"error": {"code": "server_error", "message": "Upstream error"}}


def test_the_error_chunk_with_usage(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("error_chunk_with_usage")
    *_, finish, last = client.chat(stream=True).chunks
    assert reasons([finish, last]) == ["length", None]
    assert (last["error"]["code"], last["usage"]["cost"] > 0) == (400, True)


def test_the_error_chunk_before_any_text(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("error_chunk_first")
    (chunk,) = client.chat(stream=True).chunks
    assert chunk["error"]["code"] == 502


@pytest.mark.parametrize("name", ["error_chunk", "error_chunk_bare", "error_chunk_with_usage", "error_chunk_first"])
def test_without_a_stream_the_error_is_the_body(name: str, gateway: LocalGateway, client: Client) -> None:
    gateway.fault(name, code=503)
    answer = client.chat()
    assert (answer.status, answer.body["error"]["code"], "choices" in answer.body) == (200, 503, False)


@pytest.mark.parametrize("stream", [False, True])
def test_cut(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("cut")
    with pytest.raises(IncompleteRead):
        client.chat(stream=stream)
    assert not gateway.requests[0].client_left


def test_truncated(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("truncated", after=3, times=2)
    answer = client.chat("Hi", stream=True)
    assert texts(answer.chunks) == ["You", " said", ":"]
    assert reasons(answer.chunks) == [None] * 3
    assert "[DONE]" not in answer.text
    with pytest.raises(json.JSONDecodeError):
        assert client.chat().body


def test_more_chunks_than_there_are(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("truncated", after=99)
    assert "".join(texts(client.chat("Hi", stream=True).chunks)) == "You said: Hi"


def test_no_done(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("no_done")
    answer = client.chat(stream=True)
    assert reasons(answer.chunks)[-2:] == ["stop", "stop"]
    assert "[DONE]" not in answer.text


def test_no_finish(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("no_finish", times=2)
    answer = client.chat(stream=True)
    assert (set(reasons(answer.chunks)), answer.events[-1]) == ({None}, "data: [DONE]")
    assert client.chat().body["choices"][0]["finish_reason"] is None


def test_malformed_chunk(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("malformed_chunk", times=2)
    with pytest.raises(json.JSONDecodeError):
        assert client.chat(stream=True).chunks
    with pytest.raises(json.JSONDecodeError):
        assert client.chat().body


def stream_request() -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Hi"}], "stream": True}


@pytest.mark.parametrize("stream", [False, True])
def test_silence(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("silence", after=2)
    response = client.begin("POST", "/chat/completions", {**stream_request(), "stream": stream})
    assert response.read(20)
    response.close()
    client.__exit__()
    assert gateway.requests[0].wait()
    assert gateway.requests[0].client_left
    assert gateway.requests[0].chunks_sent == (2 if stream else 0)


def test_silence_that_ends(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("silence", seconds=0.001)
    assert texts(client.chat("Hi", stream=True).chunks) == ["You"]


@pytest.mark.parametrize(("stream", "keep_alive"), [(True, b": OPENROUTER PROCESSING\n"), (False, b"         \n")])
def test_comments_forever(stream: bool, keep_alive: bytes, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("comments_forever", every=0.001)
    response = client.begin("POST", "/chat/completions", {**stream_request(), "stream": stream})
    lines = [response.readline() for _ in range(30)]
    assert lines.count(keep_alive) > 10
    client.__exit__()
    response.close()
    assert gateway.requests[0].wait()
    assert gateway.requests[0].client_left


def test_slow_start(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("slow_start", seconds=0.001)
    assert client.chat(stream=True).events[-1] == "data: [DONE]"


def test_which_requests_go_wrong(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("server_error", match="bad", times=None)
    gateway.fault("overloaded", path="/embeddings")
    assert [client.chat(text).status for text in ("good", "bad", "good", "bad")] == [200, 500, 200, 500]
    body = {"model": "openai/text-embedding-3-small", "input": "x"}
    assert [client.post("/embeddings", body).status for _ in range(2)] == [529, 200]


def test_a_header_asks_for_a_fault(client: Client) -> None:
    body = stream_request()
    assert client.post("/chat/completions", body, X_Gateway_Fault="overloaded").status == 529
    answer = client.post("/chat/completions", body, X_Gateway_Fault="overlaoded")
    assert (answer.status, "overloaded" in answer.body["error"]["message"]) == (400, True)


def test_a_header_has_room_for_details(client: Client) -> None:
    asked = 'error_chunk; after=2; code=429; message=Too fast; metadata={"raw": "slow"};'
    last = client.post("/chat/completions", stream_request(), X_Gateway_Fault=asked).chunks[-1]
    assert last["error"] == {"code": 429, "message": "Too fast", "metadata": {"raw": "slow"}}
    for wrong, said in (("cut; after", "after=1"), ("cut; afte=1", "no fault has the detail afte")):
        refused = client.post("/chat/completions", stream_request(), X_Gateway_Fault=wrong)
        assert (refused.status, said in refused.body["error"]["message"]) == (400, True)


@pytest.mark.parametrize("stream", [False, True])
def test_a_chunk_torn_in_two(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("cut_in_chunk", after=2)
    with pytest.raises(IncompleteRead) as caught:
        client.chat("Hi", stream=stream)
    whole, _, torn = caught.value.partial.rpartition(b"\n\n")
    assert torn and (b" said" in whole) is stream
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn.removeprefix(b"data: "))


def test_no_http_at_all(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("garbage")
    with pytest.raises(BadStatusLine):
        client.chat()
    assert client.chat().status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_with_nothing_in_it(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("empty_answer")
    answer = client.chat(stream=stream)
    said = texts(answer.chunks) if stream else [answer.body["choices"][0]["message"]["content"]]
    ends = reasons(answer.chunks) if stream else [answer.body["choices"][0]["finish_reason"]]
    assert ({*said}, {*ends}) == ({""}, {"stop"})


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_after_keep_alives(stream: bool, gateway: LocalGateway, client: Client) -> None:
    gateway.fault("late_error", code=429)
    answer = client.chat(stream=stream)
    assert (answer.status, answer.text.startswith(": OPEN" if stream else "\n  ")) == (200, True)
    (body,) = answer.chunks if stream else [answer.body]
    assert body["error"]["code"] == 429


@pytest.mark.parametrize("name", ["overloaded", "error_200", "html", "error_chunk_first", "null_choices"])
def test_a_fault_that_hides_the_answer_keeps_the_script(name: str, gateway: LocalGateway, client: Client) -> None:
    gateway.reply("At last")
    gateway.fault(name)
    client.chat(stream=True)
    assert client.message()["content"] == "At last"


def test_a_fault_that_nobody_knows(gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match="overloaded"):
        gateway.fault("overload")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ("silence", "comments_forever")])
def test_no_fault_breaks_the_gateway(name: str, stream: bool, gateway: LocalGateway, client: Client) -> None:
    details = {"seconds": 0.001} if name == "slow_start" else {}
    gateway.reply(events=["data: [DONE]"], tool_calls=[("f", {})])
    gateway.fault(name, **details)
    try:
        answer = client.chat(stream=stream)
    except (IncompleteRead, ConnectionError):
        assert name in ("cut", "cut_in_chunk", "hang_up")
    except BadStatusLine:
        assert name == "garbage"
    else:
        assert "The local gateway failed" not in answer.text
    assert client.chat().status == 200


def test_hanging_up(gateway: LocalGateway, client: Client) -> None:
    gateway.fault("hang_up")
    with pytest.raises(ConnectionError):
        client.chat()
    (request,) = gateway.requests
    assert request.wait()
    assert (request.chunks_sent, request.client_left) == (0, False)


def test_a_detail_that_nobody_knows(gateway: LocalGateway) -> None:
    with pytest.raises(TypeError, match="retry_afer"):
        gateway.fault("overloaded", retry_afer=1)


def test_vectors_and_ranks_that_do_not_match(gateway: LocalGateway, client: Client) -> None:
    vectors = ("/embeddings", {"model": "openai/text-embedding-3-small", "input": ["a", "b"]})
    ranks = ("/rerank", {"model": "cohere/rerank-v3.5", "query": "a", "documents": ["a", "b"]})
    for name in ("shuffled", "shuffled", "missing_item", "missing_item", "empty_vector"):
        gateway.fault(name)
    assert [item["index"] for item in client.post(*vectors).body["data"]] == [1, 0]
    assert [item["index"] for item in client.post(*ranks).body["results"]] == [1, 0]
    assert len(client.post(*vectors).body["data"]) == len(client.post(*ranks).body["results"]) == 1
    assert [bool(item["embedding"]) for item in client.post(*vectors).body["data"]] == [False, True]
    gateway.fault("shuffled")
    assert client.message()["content"], "a chat has neither"


@pytest.mark.parametrize(
    "wrong",
    [
        "cut; after=two",
        "cut; after=-1",
        "moderation; metadata=x",
        "rate_limit; headers=x",
        'rate_limit; headers={"x": 1}',
        "no_endpoints; availability=x",
        "slow_start; seconds=abc",
        "comments_forever; every=null",
        "html; status=abc",
        "html; status=0",
    ],
)
def test_a_detail_of_the_wrong_kind(wrong: str, gateway: LocalGateway, client: Client) -> None:
    name, detail = wrong.split("; ")
    answer = client.post("/chat/completions", stream_request(), X_Gateway_Fault=wrong)
    assert (answer.status, detail.partition("=")[0] in answer.body["error"]["message"]) == (400, True)
    assert gateway.requests[0].wait() and gateway.requests[0].status == 400
    with pytest.raises(TypeError, match="after"):
        gateway.fault(name, after="two")
