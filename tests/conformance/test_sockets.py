"""What no well-behaved server sends: torn, mistyped, endless, misframed. The outcome is an answer or one error."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

import openrouter_adapters
from openrouter_adapters import APIConnectionError, APITimeoutError, OpenRouterError, StallTimeoutError
from openrouter_adapters.langchain import OpenRouterEmbeddings

from ..raw import RawServer, Step, http, repeated, took
from .adapters import KEY, WAYS, Way
from .server import EVENTS

LIMITED = b'{"error": {"code": 429, "message": "Slow down"}}'
UNKNOWN = b'{"error": {"code": 401, "message": "User not found."}}'
WHOLE = {"id": "gen-1", "model": "a/b", "choices": [{"index": 0, "finish_reason": "stop"}]}
BODY = json.dumps({**WHOLE, "choices": [{**WHOLE["choices"][0], "message": {"content": "Hello"}}]}).encode()  # type: ignore[index]
STREAM = b"".join(
    b"data: %b\n\n" % json.dumps({**WHOLE, "choices": [choice]}).encode()
    for choice in ({"delta": {"content": "Hel"}}, {"delta": {"content": "lo"}, "finish_reason": "stop"})
)
DONE = b"data: [DONE]\n\n"
GENERATION = "x-generation-id: gen-h"
TRANSPORTS = [*((way, None) for way in WAYS), *((way, "aiohttp") for way in WAYS if way.waits)]
anyhow = pytest.mark.parametrize("way", WAYS, ids=str)
streams = pytest.mark.parametrize("way", [way for way in WAYS if way.streams], ids=str)
transports = pytest.mark.parametrize(
    ("way", "transport"), TRANSPORTS, ids=[f"{way}{transport or ''}" for way, transport in TRANSPORTS]
)


def outcome(way: Way, server: RawServer, runner: asyncio.Runner, transport: str | None = None, **options: Any) -> Any:
    return way.outcome(runner, server.address, http_async_client=transport, **options)


def text(way: Way, answer: Any) -> str:
    assert not isinstance(answer, OpenRouterError), answer
    said = way.shown(answer).get("text", "")
    assert isinstance(said, str)
    return said


# ------------------------------------------------------------------------------------------------------- refusals

TORN = {
    "in the middle": http("401 X", UNKNOWN, "application/json", "length", GENERATION)[:-9],
    "of a chunk": http("401 X", UNKNOWN, "application/json", "chunked", GENERATION)[:-20],
    "no gzip": http("401 X", UNKNOWN, "application/json", "length", GENERATION, "content-encoding: gzip"),
}


@transports
@pytest.mark.parametrize("sent", TORN.values(), ids=TORN)
def test_a_status_stands_whatever_becomes_of_its_body(
    way: Way, transport: str | None, sent: bytes, runner: asyncio.Runner
) -> None:
    with RawServer([sent]) as server:
        error = outcome(way, server, runner, transport, max_retries=2)
        assert type(error).__name__ == "AuthenticationError" and error.status_code == 401
        assert error.generation_id == "gen-h"
        assert len(server.requests) == 1, "it is final"


CHARSETS = ["utf-16", "idna", "undefined", "hex", "rot13", "punycode", "no-such-thing"]


@transports
@pytest.mark.parametrize("charset", CHARSETS)
def test_no_charset_matters(way: Way, transport: str | None, charset: str, runner: asyncio.Runner) -> None:
    with RawServer([http("429 X", LIMITED, f"application/json; charset={charset}")]) as server:
        error = outcome(way, server, runner, transport)
        assert (type(error).__name__, error.message) == ("RateLimitError", "Slow down")


@pytest.mark.parametrize("charset", ["utf-16", "hex"])
def test_nor_for_embeddings(charset: str) -> None:
    with RawServer([http("429 X", b"\xff\xfe no JSON", f"text/plain; charset={charset}")]) as server:
        model = OpenRouterEmbeddings(model="a/b", base_url=server.address, api_key=KEY, max_retries=0)
        with pytest.raises(openrouter_adapters.RateLimitError):
            model.embed(["a"])


@anyhow
def test_a_refusal_that_only_keeps_alive_does_not_hold_up(way: Way, runner: asyncio.Runner) -> None:
    head = http("503 X", b"", "application/json", "open")
    with RawServer([head, *repeated(b" \n", 0.05, 5)]) as server:
        begun = time.monotonic()
        error = outcome(way, server, runner, stall_timeout=0.3)
        assert error.status_code == 503 and took(begun) < 2


@transports
def test_a_silent_refusal_does_not_hold_up(way: Way, transport: str | None, runner: asyncio.Runner) -> None:
    with RawServer([http("403 X", b"", "application/json", "open"), 5.0]) as server:
        begun = time.monotonic()
        error = outcome(way, server, runner, transport, timeout=1.0)
        assert type(error).__name__ == "PermissionDeniedError" and took(begun) < 4


@anyhow
def test_of_an_endless_refusal_only_the_beginning_is_read(way: Way, runner: asyncio.Runner) -> None:
    with RawServer([http("500 X", b"", "text/plain", "open"), *repeated(b"x" * 65_536, 0.0001, 0.2)]) as server:
        error = outcome(way, server, runner)
        assert type(error).__name__ == "ProviderError" and len(error.message) < 300_000 and len(str(error)) < 3000


@anyhow
@pytest.mark.parametrize("cut", [False, True])
def test_of_json_nothing_is_lost(way: Way, cut: bool, runner: asyncio.Runner) -> None:
    """Parsed files come with a refusal, to be reused; what stands before them counts even when they are cut off."""
    files = [{"type": "file", "file": {"content": [{"type": "text", "text": "x" * 300_000}]}}]
    metadata = {"limit_source": "openrouter_in_flight_budget", "file_annotations": files}
    body = json.dumps({"error": {"code": 402, "message": "Too much at once", "metadata": metadata}}).encode()
    with RawServer([http("402 X", body)[: -100 if cut else None]]) as server:
        error = outcome(way, server, runner)
        assert (error.code, error.message, error.retryable) == (402, "Too much at once", True)
        assert cut or error.body["metadata"]["file_annotations"] == files


@anyhow
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": "so"}', "so"),
        (b'{"error": null, "message": "so"}', "so"),
        (b'{"errors": [{"message": "so"}]}', "so"),
        (b'[{"error": {"message": "so"}}]', "so"),
        (b'{"error": {"error": {"message": "so"}}}', "so"),
        (b'{"error": {"message": {"detail": "so"}}}', "so"),
        (b'"so"', "so"),
        (b"so", "so"),
        (b"s\x1b[31mo", "s\x1b[31mo"),
        (b"{}", "no reason was given"),
        (b"", "no reason was given"),
        (b"<html><body><script>x()</script><p>so</p></body></html>", "an HTML page: so"),
    ],
)
def test_the_words_are_found(way: Way, body: bytes, said: str, runner: asyncio.Runner) -> None:
    with RawServer([http("502 X", body)]) as server:
        error = outcome(way, server, runner)
        assert (type(error).__name__, error.message) == ("ProviderError", said)
        assert "\x1b" not in str(error)


@anyhow
def test_what_is_long_is_said_in_short(way: Way, runner: asyncio.Runner) -> None:
    long = "x" * 1_000_000
    body = {"error": {"code": 502, "message": long, "metadata": {"raw": long}}}
    with RawServer([http("200 OK", json.dumps(body).encode())]) as server:
        error = outcome(way, server, runner)
        assert error.message == error.upstream == long, "nothing is lost"
        assert len(str(error)) + len(repr(error)) < 10_000 and "1,000,000 characters" in str(error)


@anyhow
@pytest.mark.parametrize("status", [300, 304, 307, 399, 418, 451, 499, 520, 599])
def test_any_status_is_an_error_of_its_own(way: Way, status: int, runner: asyncio.Runner) -> None:
    with RawServer([http(f"{status} X", b"" if status == 304 else b"{}")]) as server:
        error = outcome(way, server, runner)
        assert error.status_code == status and error.retryable is (status >= 500)
        assert type(error).__name__ == ("ProviderError" if status >= 500 else "InvalidRequestError")


# ------------------------------------------------------------------------------------------- bodies and content types


@streams
@pytest.mark.parametrize("kind", [None, EVENTS, "text/plain", "application/json"])
@pytest.mark.parametrize("before", [b"", b"\n         \n", b"\xef\xbb\xbf"], ids=["", "blank", "BOM"])
def test_a_body_in_place_of_a_stream(way: Way, kind: str | None, before: bytes, runner: asyncio.Runner) -> None:
    with RawServer([http("200 OK", before + UNKNOWN, kind)], [http("200 OK", before + BODY, kind)]) as server:
        refused = outcome(way, server, runner, max_retries=2)
        assert type(refused).__name__ == "AuthenticationError" and len(server.requests) == 1
        assert text(way, outcome(way, server, runner)) == "Hello"


@anyhow
@pytest.mark.parametrize(
    "kind", [None, "Text/Event-Stream", "text/plain", "application/json", "application/octet-stream"]
)
@pytest.mark.parametrize("before", [b"", b": OPENROUTER PROCESSING\n\n", b"\n\xef\xbb\xbf", b"event: message\n"])
def test_a_stream_that_does_not_say_so(way: Way, kind: str | None, before: bytes, runner: asyncio.Runner) -> None:
    """And one that nobody asked for."""
    with RawServer([http("200 OK", before + STREAM + DONE, kind, "chunked")]) as server:
        assert text(way, outcome(way, server, runner)) == "Hello"


@anyhow
@pytest.mark.parametrize("kind", ["text/plain", "application/json", EVENTS])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
@pytest.mark.parametrize("sent", [STREAM + DONE, BODY], ids=["stream", "body"])
def test_the_first_bytes_may_come_one_by_one(
    way: Way, kind: str, before: bytes, sent: bytes, runner: asyncio.Runner
) -> None:
    head, whole = http("200 OK", b"", kind, "open"), before + sent
    pieces: list[Step] = [part for at in range(8) for part in (whole[at : at + 1], 0.003)]
    with RawServer([head, *pieces, whole[8:]]) as server:
        assert text(way, outcome(way, server, runner)) == "Hello"


@anyhow
def test_a_body_may_come_in_pieces_that_look_like_comments(way: Way, runner: asyncio.Runner) -> None:
    at = BODY.index(b": ")
    head = http("200 OK", b"", "application/json", "open")
    with RawServer([head, BODY[:at], 0.6, BODY[at : at + 9], 0.6, BODY[at + 9 :]]) as server:
        assert text(way, outcome(way, server, runner, stall_timeout=1.0)) == "Hello"


@anyhow
@pytest.mark.parametrize("pieces", [[b"\n: OPENROUTER PROCESSING\n"], [b": OPENROUTER", b" PROCESSING\n\n"]])
@pytest.mark.parametrize("status", ["200 OK", "429 X"])
def test_comments_keep_alive_wherever_they_are_cut(
    way: Way, pieces: list[bytes], status: str, runner: asyncio.Runner
) -> None:
    kept = [part for _ in range(100) for piece in pieces for part in (piece, 0.05)]
    with RawServer([http(status, b"", "application/json", "open"), *kept]) as server:
        begun = time.monotonic()
        error = outcome(way, server, runner, stall_timeout=0.3)
        assert isinstance(error, StallTimeoutError) or error.status_code == 429
        assert took(begun) < 4


@anyhow
def test_a_stall_in_a_body_without_an_end_is_a_stall(way: Way, runner: asyncio.Runner) -> None:
    """Broken off, such a body looks complete."""
    head = http("200 OK", b"", "application/json", "open")
    for begun in (b"", BODY[:20], BODY):
        with RawServer([head + begun, *repeated(b" ", 0.05, 5)]) as server:
            error = outcome(way, server, runner, stall_timeout=0.3)
            assert isinstance(error, StallTimeoutError) and error.retryable


@transports
def test_a_broken_chunk_size_does_not_hold_up(way: Way, transport: str | None, runner: asyncio.Runner) -> None:
    head = http("200 OK", b"", EVENTS if way.streams else "application/json", "open", "transfer-encoding: chunked")
    with RawServer([head, 0.1, b"zz\r\n{}\r\n", 5.0]) as server:
        begun = time.monotonic()
        error = outcome(way, server, runner, transport, timeout=0.5)
        assert isinstance(error, APIConnectionError) and took(begun) < 3


@transports
def test_a_refused_connection_is_no_timeout(way: Way, transport: str | None, runner: asyncio.Runner) -> None:
    with RawServer() as server:
        pass
    error = outcome(way, server, runner, transport)
    assert isinstance(error, APIConnectionError) and not isinstance(error, APITimeoutError) and error.retryable


@transports
def test_a_hang_up_is_no_timeout(way: Way, transport: str | None, runner: asyncio.Runner) -> None:
    with RawServer() as server:
        error = outcome(way, server, runner, transport)
        assert isinstance(error, APIConnectionError) and not isinstance(error, APITimeoutError)


@transports
def test_silence_before_the_headers_is_a_timeout(way: Way, transport: str | None, runner: asyncio.Runner) -> None:
    with RawServer([5.0]) as server:
        assert type(outcome(way, server, runner, transport, timeout=0.3)).__name__ == "APITimeoutError"
        assert isinstance(outcome(way, server, runner, transport, stall_timeout=0.3), StallTimeoutError)


@transports
@pytest.mark.parametrize("elsewhere", ["http://127.0.0.1:70000/x", f"http://{'a' * 300}.example/"])
def test_a_redirect_to_nowhere_is_a_connection_error(
    way: Way, transport: str | None, elsewhere: str, runner: asyncio.Runner
) -> None:
    with RawServer([http("307 X", b"", None, "length", f"location: {elsewhere}")]) as server:
        assert isinstance(outcome(way, server, runner, transport), APIConnectionError)


# -------------------------------------------------------------------------------------------------- calls, and the rest


@streams
@pytest.mark.parametrize("end", [b"", b'data: {"error": {"code": 502, "message": "gone"}}\n\n'], ids=["cut", "error"])
def test_a_call_that_broke_off_before_its_arguments_is_not_whole(way: Way, end: bytes, runner: asyncio.Runner) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "wipe", "arguments": ""}}
    begun = json.dumps({**WHOLE, "choices": [{"delta": {"tool_calls": [call]}}]}).encode()
    with RawServer([http("200 OK", b"data: %b\n\n" % begun + end, EVENTS)]) as server:
        error = outcome(way, server, runner)
        [kept] = error.partial.tool_calls
        assert (kept.name, kept.args) == ("wipe", None)


@anyhow
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("retry-after: inf", None),
        ("retry-after: 1e400", None),
        ("retry-after: nan", None),
        ("retry-after: -1", None),
        ("retry-after: 2.5", 2.5),
        ("retry-after-ms: 250", 0.25),
        ("x-ratelimit-reset: 1", 1),
        ("x-ratelimit-reset: 1000000000", None),
        ("x-ratelimit-reset: 1000000000000", None),
    ],
)
def test_what_the_wait_may_be(way: Way, header: str, seconds: float | None, runner: asyncio.Runner) -> None:
    with RawServer([http("429 X", LIMITED, "application/json", "length", header)]) as server:
        assert outcome(way, server, runner).retry_after == seconds


@anyhow
@pytest.mark.parametrize("ahead", [lambda now: now + 30, lambda now: (now + 30) * 1000], ids=["s", "ms"])
def test_a_reset_is_a_moment_in_either_unit(way: Way, ahead: Any, runner: asyncio.Runner) -> None:
    with RawServer(
        [http("429 X", LIMITED, "application/json", "length", f"x-ratelimit-reset: {ahead(time.time())}")]
    ) as s:
        assert 25 < outcome(way, s, runner).retry_after <= 30
