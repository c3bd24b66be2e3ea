"""Embeddings: what goes out, how an answer is read, and what several batches give and take together."""

from __future__ import annotations

import asyncio
import base64
import copy
import pickle
import struct
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters import MalformedResponseError, OpenRouterError, ProviderError, RateLimitError
from openrouter_adapters.core import embeddings
from openrouter_adapters.core.answer import Unreadable
from openrouter_adapters.core.client import Client
from openrouter_adapters.core.embeddings import (
    Embedded,
    EmbeddingOptions,
    Input,
    Kind,
    embedding_part,
    embedding_requests,
    read_vector,
    read_vectors,
)
from openrouter_adapters.core.request import Request
from openrouter_adapters.gateway import LocalGateway

KEY = "sk-or-very-secret"
MODEL = "openai/text-embedding-3-small"


def options(**given: Any) -> EmbeddingOptions:
    return EmbeddingOptions(**{"api_key": KEY, "model": MODEL, **given})


def requests(
    inputs: Sequence[Input],
    instance: dict[str, Any] | None = None,
    kind: Kind = "document",
    size: int = 96,
    **call: Any,
) -> list[Request]:
    return embedding_requests(options(**(instance or {})), call, inputs, kind, size)


def body(instance: dict[str, Any] | None = None, kind: Kind = "document", **call: Any) -> dict[str, Any]:
    return requests(["x"], instance, kind, **call)[0].body


# ---- what goes out


def test_only_what_was_asked_is_sent_and_always_as_floats() -> None:
    (request,) = requests(["a", "b"])
    assert request.body == {"model": MODEL, "encoding_format": "float", "input": ["a", "b"]}
    assert (request.path, request.headers) == ("/embeddings", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dimensions", 256),
        ("encoding_format", "base64"),
        ("input_type", "query"),
        ("provider", {"order": ["azure"], "zdr": True}),
        ("user", "u"),
        ("session_id", "s"),
        ("trace", {"trace_id": "t"}),
    ],
)
@pytest.mark.parametrize("where", ["instance", "call"])
def test_every_option_reaches_the_body_and_none_clears_it(name: str, value: Any, where: str) -> None:
    plain = {"model": MODEL, "encoding_format": "float", "input": ["x"]}
    assert (body({name: value}) if where == "instance" else body(**{name: value})) == {**plain, name: value}
    assert body({name: value}, **{name: None}) == plain


def test_the_layers_of_a_body() -> None:
    instance = {"provider": {"order": ["a"], "zdr": True}, "dimensions": 8, "extra_body": {"x": 1}}
    made = body(instance, provider={"order": ["b"], "zdr": None}, dimensions=9, extra_body={"y": 2}, brand_new=3)
    assert made["provider"] == {"order": ["b"]}
    assert (made["dimensions"], made["x"], made["y"], made["brand_new"]) == (9, 1, 2, 3)
    assert body({"extra_body": {"input": ["no"], "encoding_format": None}})["input"] == ["x"]
    assert body({"extra_body": {"encoding_format": "base64"}})["encoding_format"] == "base64"


@pytest.mark.parametrize(
    ("instance", "call", "query", "document"),
    [
        ({}, {}, None, None),
        ({"input_type": "both"}, {}, "both", "both"),
        ({"query_input_type": "q", "document_input_type": "d"}, {}, "q", "d"),
        ({"input_type": "both", "query_input_type": "q"}, {}, "q", "both"),
        ({"query_input_type": "q"}, {"input_type": "now"}, "now", "now"),
        ({"query_input_type": "q"}, {"document_input_type": "d"}, "q", "d"),
        ({"query_input_type": "q", "document_input_type": "d"}, {"query_input_type": None}, None, "d"),
        ({"query_input_type": "q"}, {"input_type": None}, None, None),
    ],
)
def test_queries_and_documents_have_input_types_of_their_own(
    instance: dict[str, Any], call: dict[str, Any], query: str | None, document: str | None
) -> None:
    made = {kind: body(instance, kind, **call) for kind in ("query", "document")}
    assert [made[kind].get("input_type") for kind in made] == [query, document]
    assert not {"query_input_type", "document_input_type"} & {*made["query"], *made["document"]}


def test_once_there_are_parts_every_text_is_a_part() -> None:
    image = {"content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}
    (request,) = requests(["a", image])
    assert request.body["input"] == [{"content": [{"type": "text", "text": "a"}]}, image]
    (tokens,) = requests([[1, 2], (3,)])
    assert tokens.body["input"] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("part", "made"),
    [
        ({"type": "text", "text": "a"}, {"type": "text", "text": "a"}),
        (
            {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}},
            {"type": "input_video", "input_video": {"data": "data:video/mp4;base64,AA=="}},
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
            {"type": "input_file", "input_file": {"data": "data:application/pdf;base64,AA=="}},
        ),
        ({"type": "file", "file": {"file_id": "f"}}, {"type": "file", "file": {"file_id": "f"}}),
        ({"type": "new"}, {"type": "new"}),
    ],
)
def test_parts_have_other_names_than_in_chat(part: dict[str, Any], made: dict[str, Any]) -> None:
    assert embedding_part(part) == made


@pytest.mark.parametrize(
    ("inputs", "error", "said"),
    [
        ("one text", TypeError, "must be a list with one item for each vector, not 'one text'"),
        ({"content": []}, TypeError, "must be a list"),
        (iter(["a"]), TypeError, "must be a list"),
        (["a", None], TypeError, "item 1 to embed must be text, parts or token numbers, not None"),
        ([b"a"], TypeError, "item 0 to embed must be text"),
        ([[]], TypeError, r"item 0 to embed must be text, parts or token numbers, not \[\]"),
        ([["a"]], TypeError, "item 0 to embed must be text"),
        ([[1], {"content": []}], TypeError, "item 0 to embed is token numbers"),
        ([[1, 2], "a"], TypeError, "texts and token numbers do not go into one request: embed them apart"),
        (["fine", "half \ud83d"], ValueError, r"item 1 to embed has half a character at 5 \('\\ud83d'\)"),
    ],
)
def test_what_cannot_be_embedded_is_refused(inputs: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        requests(inputs)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ({"dimensions": "many"}, "this call: dimensions='many' must be a whole number"),
        ({"dimensions": 0}, "dimensions=0 .*greater than 0"),
        ({"model": None}, "model is missing: embeddings have no default model"),
        ({"size": 0}, "chunk_size=0 must be a whole number greater than 0"),
        ({"size": "2"}, "chunk_size='2' must be"),
    ],
)
def test_options_that_cannot_be_right_are_refused(call: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        requests(["x"], **call)


def test_constructor_mistakes_are_named() -> None:
    with pytest.raises(TypeError, match="'dimension': did you mean 'dimensions'"):
        options(dimension=3)
    with pytest.raises(TypeError, match="'check_embedding_ctx_length': texts are sent as they are, leave it out"):
        options(check_embedding_ctx_length=False)
    with pytest.raises(ValueError, match="dimensions='x' must be a whole number"):
        options(dimensions="x")
    with pytest.warns(UserWarning, match="unknown key 'ordr'"):
        options(provider={"ordr": ["a"]})


@given(texts=st.lists(st.text(max_size=3), max_size=30), size=st.integers(1, 12))
def test_batches_are_the_inputs_in_order_and_none_is_too_large(texts: list[str], size: int) -> None:
    before = list(texts)
    batches = [request.body["input"] for request in requests(texts, size=size)]
    assert [text for batch in batches for text in batch] == texts == before
    assert all(1 <= len(batch) <= size for batch in batches)
    assert len(batches) == -(-len(texts) // size)


# ---- what comes back


def data(*vectors: Any, **more: Any) -> dict[str, Any]:
    return {"data": [{"embedding": vector, "index": at, **more} for at, vector in enumerate(vectors)]}


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_vectors_come_in_the_order_of_the_inputs() -> None:
    shuffled = {"data": [{"embedding": [2.0], "index": 1}, {"embedding": [1], "index": 0.0}]}
    vectors = read_vectors(shuffled, 2)
    assert vectors == [[1.0], [2.0]]
    assert all(type(number) is float for vector in vectors for number in vector)
    assert read_vectors({"data": [{"embedding": [1.0]}, {"embedding": [2.0], "index": None}]}, 2) == [[1.0], [2.0]]


def test_base64_is_read_whether_asked_for_or_not() -> None:
    assert read_vectors(data(packed(0.5, -2.0), [1.5, 0]), 2) == [[0.5, -2.0], [1.5, 0.0]]


def test_large_numbers_are_numbers() -> None:
    assert read_vector([1e308, 1e308]) == [1e308, 1e308]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "no list of vectors"),
        ({"data": None}, "no list of vectors"),
        ({"data": ["x", "y"]}, "no list of vectors"),
        (data([1.0]), "the answer has 1 vectors for 2 inputs"),
        (data([1.0], [1.0], [1.0]), "the answer has 3 vectors for 2 inputs"),
        (data([1.0], [1.0], index=0), "indexes of the vectors do not match"),
        ({"data": [{"embedding": [1.0], "index": 1}, {"embedding": [2.0], "index": 2}]}, "indexes"),
        ({"data": [{"embedding": [1.0], "index": 0}, {"embedding": [2.0]}]}, "indexes"),
        ({"data": [{"embedding": [1.0], "index": "0"}, {"embedding": [2.0], "index": "1"}]}, "indexes"),
        ({"data": [{"embedding": [1.0], "index": False}, {"embedding": [2.0], "index": True}]}, "indexes"),
        ({"data": [{"embedding": [1.0], "index": 10**5000}, {"embedding": [2.0], "index": 1}]}, "indexes"),
        (data([1.0], [1.0, 2.0]), "not of one length"),
        (data([1.0], []), "vector 1 is empty"),
        (data([1.0], ""), "vector 1 is empty"),
        (data([1.0], None), "vector 1 cannot be read: it is no list of numbers"),
        (data([1.0], ["1.0"]), "no list of numbers"),
        (data([1.0], [True]), "no list of numbers"),
        (data([1.0], [[1.0]]), "no list of numbers"),
        (data([1.0], [None]), "no list of numbers"),
        (data([1.0], [10**400]), "vector 1 cannot be read"),
        (data([1.0], [float("nan")]), "vector 1 has a number that is none"),
        (data([1.0], [float("inf")]), "vector 1 has a number that is none"),
        (data([1.0], packed(float("nan"))), "vector 1 has a number that is none"),
        (data([1.0], "no base64!"), "it is no base64"),
        (data([1.0], "é"), "it is no base64|cannot be read"),
        (data([1.0], base64.b64encode(b"abc").decode()), "no base64 of 32-bit floats"),
    ],
)
def test_an_answer_that_does_not_match_the_inputs_is_none(answer: dict[str, Any], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_vectors(answer, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries({}, optional={"embedding": JSON | st.lists(st.floats() | st.integers()), "index": JSON})


@given(answer=st.fixed_dictionaries({}, optional={"data": JSON | st.lists(ITEMS | JSON, max_size=4)}) | st.just({}))
def test_any_answer_is_read_or_refused(answer: dict[str, Any]) -> None:
    before = copy.deepcopy(answer)
    for count in (1, 2):
        try:
            vectors = read_vectors(answer, count)
        except Unreadable:
            continue
        assert len(vectors) == count
        assert all(vector and all(type(number) is float for number in vector) for vector in vectors)
    assert repr(answer) == repr(before)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), st.randoms())
def test_what_was_packed_and_shuffled_is_the_same(numbers: list[float], random: Any) -> None:
    assert read_vector(packed(*numbers)) == numbers == read_vector(list(numbers))
    items = [{"embedding": [number], "index": at} for at, number in enumerate(numbers)]
    random.shuffle(items)
    assert read_vectors({"data": items}, len(items)) == [[number] for number in numbers]


def test_the_recordings_are_read(captures: list[dict[str, Any]]) -> None:
    seen = 0
    for exchange in (one for capture in captures for one in capture["interactions"]):
        if not exchange["request"]["path"].endswith("/embeddings"):
            continue
        asked, answer = exchange["request"]["body"]["input"], exchange["response"]["body"]
        count = 1 if isinstance(asked, str) else len(asked)
        assert read_vectors(answer, count) == [item["embedding"] for item in answer["data"]]
        facts = Embedded.from_body(answer, [])
        assert (facts.model, facts.provider, facts.id) == ("text-embedding-3-small", "OpenAI", answer["id"])
        assert facts.cost == Decimal(str(answer["usage"]["cost"]))
        assert facts.usage is not None and facts.usage.prompt_tokens == answer["usage"]["prompt_tokens"]
        seen += 1
    assert seen == 3


# ---- many inputs, at the socket


Run = Callable[[Client, list[Request]], Embedded]


def embed(client: Client, asked: list[Request]) -> Embedded:
    return embeddings.embed(client, asked)


def aembed(client: Client, asked: list[Request], limit: int = 2) -> Embedded:
    async def run() -> Embedded:
        try:
            return await embeddings.aembed(client, asked, limit)
        finally:
            await client.aclose()

    return asyncio.run(run())


ways = pytest.mark.parametrize("run", [embed, aembed])


@pytest.fixture
def client() -> Iterator[Client]:
    made = Client()
    yield made
    made.close()


@pytest.fixture
def asked(openrouter_gateway: LocalGateway) -> Callable[..., list[Request]]:
    """Requests to the gateway."""

    def make(inputs: Sequence[Input], size: int = 2, **call: Any) -> list[Request]:
        instance = {"base_url": openrouter_gateway.base_url, "max_retries": 0}
        return requests(inputs, instance, size=size, dimensions=4, **call)

    return make


@ways
def test_batches_give_all_vectors_in_order_and_the_sum_of_costs(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    texts = [f"text {number}" for number in range(7)]
    single = [embed(client, asked([text])).vectors[0] for text in texts]
    openrouter_gateway.reset()
    openrouter_gateway.fault("shuffled", times=None)
    for cost in (0.1, 0.2, 0.3, 0.4):
        openrouter_gateway.reply(path="/embeddings", cost=cost)
    made = run(client, asked(texts))
    assert made.vectors == single
    assert sorted(len(exchange.body["input"]) for exchange in openrouter_gateway.requests) == [1, 2, 2, 2]
    assert made.cost == Decimal("1.0")
    assert made.usage is not None and made.usage.prompt_tokens == made.usage.total_tokens == 14
    assert (made.model, made.provider, made.id) == ("text-embedding-3-small", "OpenAI", None)
    assert made.metadata()["cost"] == 1.0


@ways
def test_one_request_says_everything(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    openrouter_gateway.reply(path="/embeddings", cost=0, omit=["provider"])
    made = run(client, asked(["a"]))
    assert made.id is not None and made.id.startswith("gen-emb-")
    assert (made.cost, made.provider) == (Decimal(0), None)
    assert "provider" not in made.metadata()


@ways
def test_facts_that_differ_or_are_missing_are_not_made_up(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    openrouter_gateway.reply(path="/embeddings", provider="Azure", omit=["usage"])
    made = run(client, asked(["a", "b", "c"]))
    assert made.provider is None
    openrouter_gateway.reply(path="/embeddings", omit=["usage", "id"], times=2)
    unpriced = run(client, asked(["a", "b", "c"]))
    assert (unpriced.usage, unpriced.cost) == (None, None)
    assert run(client, asked(["a"])).usage is not None


@ways
def test_the_id_is_in_a_header_too(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    openrouter_gateway.reply(path="/embeddings", omit=["id"])
    made = run(client, asked(["a"]))
    assert made.id is not None and made.id.startswith("gen-emb-")


@ways
def test_nothing_to_embed_is_no_request(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    made = run(client, asked([]))
    assert (made.vectors, made.usage, made.metadata()) == ([], None, {})
    assert openrouter_gateway.requests == []


@ways
@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("missing_item", MalformedResponseError, "1 vectors for 2 inputs"),
        ("empty_vector", MalformedResponseError, "vector 0 is empty"),
        ("html", MalformedResponseError, "no JSON"),
        ("error_200", ProviderError, "Upstream error"),
        ("upstream_rate_limit", RateLimitError, "rate-limited upstream"),
    ],
)
def test_no_failure_looks_like_vectors(
    client: Client,
    openrouter_gateway: LocalGateway,
    asked: Callable[..., list[Request]],
    run: Run,
    fault: str,
    error: type[OpenRouterError],
    said: str,
) -> None:
    openrouter_gateway.fault(fault, path="/embeddings")
    with pytest.raises(error, match=said) as caught:
        run(client, asked(["a", "b"]))
    assert KEY not in f"{caught.value!r} {vars(caught.value)}"
    assert caught.value.vectors is None
    assert caught.value.model == (MODEL if "item" not in fault and "vector" not in fault else "text-embedding-3-small")


@ways
def test_a_malformed_answer_was_paid_all_the_same(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    openrouter_gateway.fault("missing_item")
    openrouter_gateway.reply(path="/embeddings", cost=0.25)
    with pytest.raises(MalformedResponseError) as caught:
        run(client, asked(["a", "b"]))
    partial = caught.value.partial
    assert partial is not None and partial.usage is not None and partial.usage.cost.charged == Decimal("0.25")
    assert caught.value.provider == "OpenAI" and caught.value.generation_id is not None


@ways
def test_a_failed_batch_loses_neither_the_others_nor_what_they_cost(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    openrouter_gateway.reply(path="/embeddings", cost=0.5, times=None)
    openrouter_gateway.fault("upstream_502", match=lambda body: "c" in body["input"], times=None)
    good = run(client, asked(["a", "b"])).vectors
    with pytest.raises(ProviderError) as caught:
        run(client, asked(["a", "b", "c", "d"]))
    assert caught.value.vectors == [*good, None, None]
    partial = caught.value.partial
    assert partial is not None and partial.usage is not None and partial.usage.cost.charged == Decimal("0.5")
    assert partial.provider == "OpenAI"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.vectors, again.partial) == (caught.value.vectors, partial)


@ways
def test_a_malformed_batch_adds_to_what_the_others_cost(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]], run: Run
) -> None:
    openrouter_gateway.reply(path="/embeddings", cost=0.5, times=None)
    openrouter_gateway.fault("empty_vector", match=lambda body: "c" in body["input"])
    with pytest.raises(MalformedResponseError) as caught:
        run(client, asked(["a", "b", "c", "d"]))
    partial = caught.value.partial
    assert partial is not None and partial.usage is not None and partial.usage.cost.charged == Decimal(1)


def test_after_a_failure_nothing_more_is_sent_and_what_is_under_way_is_waited_for(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]]
) -> None:
    openrouter_gateway.fault("upstream_502", match=lambda body: body["input"] == ["b"])
    openrouter_gateway.reply(path="/embeddings", delay=0.2, cost=1, times=None)
    with pytest.raises(ProviderError) as caught:
        aembed(client, asked(list("abcdef"), size=1), 2)
    assert [exchange.body["input"] for exchange in openrouter_gateway.requests] in ([["a"], ["b"]], [["b"], ["a"]])
    assert caught.value.vectors is not None
    assert [vector is None for vector in caught.value.vectors] == [False, True, True, True, True, True]


def test_of_several_failures_none_is_forgotten(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]]
) -> None:
    openrouter_gateway.reply(path="/embeddings", delay=0.1, cost=1, times=None)
    openrouter_gateway.fault("missing_item", match=lambda body: body["input"] == ["b"])
    openrouter_gateway.fault("empty_vector", match=lambda body: body["input"] == ["c"])
    with pytest.raises(MalformedResponseError) as caught:
        aembed(client, asked(list("abc"), size=1), 3)
    partial = caught.value.partial
    assert partial is not None and partial.usage is not None and partial.usage.cost.charged == 3
    assert len(caught.value.__notes__) == 1 and "MalformedResponseError" in caught.value.__notes__[0]


@pytest.mark.parametrize(("limit", "at_once"), [(1, {1}), (2, {2}), (6, {3, 4, 5, 6})])
def test_async_batches_run_side_by_side_and_no_more_than_allowed(
    client: Client,
    openrouter_gateway: LocalGateway,
    asked: Callable[..., list[Request]],
    limit: int,
    at_once: set[int],
) -> None:
    openrouter_gateway.reply(path="/embeddings", delay=0.15, times=None)
    aembed(client, asked(list("abcdef"), size=1), limit)
    connections = {exchange.port for exchange in openrouter_gateway.requests}
    assert len(connections) in at_once, "a connection that is free serves the next request"


def test_cancelling_cancels_every_batch(
    client: Client, openrouter_gateway: LocalGateway, asked: Callable[..., list[Request]]
) -> None:
    openrouter_gateway.reply(path="/embeddings", delay=30, times=None)

    async def run() -> None:
        task = asyncio.create_task(embeddings.aembed(client, asked(list("abcd"), size=1), 3))
        while len(openrouter_gateway.requests) < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        try:
            await task
        finally:
            await client.aclose()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert [exchange.wait() and exchange.client_left for exchange in openrouter_gateway.requests] == [True] * 3


def test_a_limit_below_one_is_refused(client: Client, asked: Callable[..., list[Request]]) -> None:
    with pytest.raises(ValueError, match="max_concurrency=0 must be a whole number greater than 0"):
        aembed(client, asked(["a"]), 0)
