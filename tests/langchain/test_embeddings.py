"""`OpenRouterEmbeddings` at the socket, and LangChain's own suites."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import openai
import pytest
from langchain_core import exceptions as langchain
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from openrouter_adapters import MalformedResponseError, OpenRouterError, RateLimitError
from openrouter_adapters.core import tries as tries_module
from openrouter_adapters.core.tries import wait_before_retry
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import OpenRouterEmbeddings

from ..making import making

MODEL = "openai/text-embedding-3-small"
KEY = "sk-or-very-secret"

Make = Callable[..., OpenRouterEmbeddings]


@pytest.fixture
def make_embeddings(openrouter_gateway: LocalGateway) -> Iterator[Make]:
    """Makes embeddings that talk to the gateway, and closes them."""
    with making(OpenRouterEmbeddings, openrouter_gateway, model=MODEL, api_key=KEY) as make:
        yield make


@pytest.fixture
def embeddings(make_embeddings: Make) -> OpenRouterEmbeddings:
    return make_embeddings()


class TestUnit(EmbeddingsUnitTests):
    """LangChain's unit tests."""

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OpenRouterEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "api_key": KEY}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        env = {"OPENROUTER_API_KEY": KEY, "OPENROUTER_API_BASE": "https://eu.openrouter.ai/api/v1"}
        return env, {"model": MODEL}, {"api_key": KEY, "base_url": "https://eu.openrouter.ai/api/v1"}


class TestIntegration(EmbeddingsIntegrationTests):
    """LangChain's integration tests, against the gateway."""

    @pytest.fixture(autouse=True)
    def _reach_the_gateway(self, openrouter_gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENROUTER_BASE_URL", openrouter_gateway.base_url)
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)

    @pytest.fixture
    def model(self) -> Iterator[Embeddings]:
        with OpenRouterEmbeddings(model=MODEL) as made:
            yield made

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OpenRouterEmbeddings


def test_what_is_sent(embeddings: OpenRouterEmbeddings, sent: Callable[[], dict[str, Any]]) -> None:
    embeddings.embed_documents(["a", ""])
    assert sent() == {"model": MODEL, "encoding_format": "float", "input": ["a", ""]}
    embeddings.embed_query("q")
    assert sent() == {"model": MODEL, "encoding_format": "float", "input": ["q"]}


def test_options_of_the_instance_and_of_the_call(
    make_embeddings: Make, sent: Callable[[], dict[str, Any]], openrouter_gateway: LocalGateway
) -> None:
    made = make_embeddings(
        dimensions=8,
        query_input_type="search_query",
        document_input_type="search_document",
        openrouter_provider={"order": ["azure"]},
        model_kwargs={"new": 1},
        app_title="Mine",
        user="u",
    )
    assert len(made.embed_query("q")) == 8
    common = {"model": MODEL, "provider": {"order": ["azure"]}, "new": 1, "user": "u", "encoding_format": "float"}
    assert sent() == {**common, "dimensions": 8, "input_type": "search_query", "input": ["q"]}
    assert openrouter_gateway.requests[-1].headers["x-openrouter-title"] == "Mine"
    assert openrouter_gateway.requests[-1].provider == "Azure"
    (vector,) = made.embed_documents(["d"], dimensions=None, openrouter_provider={"zdr": True}, user=None)
    assert len(vector) == 256
    routing = {"order": ["azure"], "zdr": True}
    expected = {**common, "provider": routing, "input_type": "search_document", "input": ["d"]}
    assert sent() == {name: value for name, value in expected.items() if name != "user"}


def test_the_wire_gives_the_same_vectors_packed(embeddings: OpenRouterEmbeddings, sent: Callable[[], Any]) -> None:
    plain = embeddings.embed_documents(["heavy rain", "tax law"])
    packed = embeddings.embed_documents(["heavy rain", "tax law"], encoding_format="base64")
    assert sent()["encoding_format"] == "base64"
    assert [pytest.approx(vector, abs=1e-6) for vector in plain] == packed
    assert all(type(number) is float for number in packed[0])


async def test_async_gives_the_same(embeddings: OpenRouterEmbeddings, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.fault("shuffled", times=None)
    texts = ["a", "b", "c", "d", "e"]
    async with embeddings:
        assert await embeddings.aembed_documents(texts, chunk_size=2) == embeddings.embed_documents(texts)
        assert await embeddings.aembed_query("a") == embeddings.embed_query("a")
        assert (await embeddings.aembed(texts)).vectors == embeddings.embed(texts).vectors


def test_batches(make_embeddings: Make, openrouter_gateway: LocalGateway) -> None:
    made = make_embeddings(chunk_size=3)

    def sizes(**options: Any) -> list[int]:
        openrouter_gateway.reset()
        made.embed_documents([str(number) for number in range(7)], **options)
        return [len(exchange.body["input"]) for exchange in openrouter_gateway.requests]

    assert (sizes(), sizes(chunk_size=7), sizes(chunk_size=6)) == ([3, 3, 1], [7], [6, 1])
    assert not any("chunk_size" in exchange.body for exchange in openrouter_gateway.requests)


def test_no_more_requests_at_once_than_allowed(make_embeddings: Make, openrouter_gateway: LocalGateway) -> None:
    made = make_embeddings(chunk_size=1, max_concurrency=1)

    async def connections(**options: Any) -> int:
        openrouter_gateway.reset()
        openrouter_gateway.reply(path="/embeddings", delay=0.1, times=None)
        async with made:
            await made.aembed_documents(["a", "b", "c"], **options)
        assert not any("max_concurrency" in exchange.body for exchange in openrouter_gateway.requests)
        return len({exchange.port for exchange in openrouter_gateway.requests})

    assert asyncio.run(connections()) == 1
    assert asyncio.run(connections(max_concurrency=3)) > 1


def test_what_it_took(embeddings: OpenRouterEmbeddings, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply(path="/embeddings", cost=0.1, times=None)
    made = embeddings.embed(["a", "b", "c"], chunk_size=2)
    assert made.vectors == embeddings.embed_documents(["a", "b", "c"])
    assert (made.cost, made.model, made.provider) == (Decimal("0.2"), "text-embedding-3-small", "OpenAI")
    assert made.usage is not None and made.usage.prompt_tokens == 3
    query = embeddings.embed(["a"], kind="query")
    assert (query.cost, query.metadata()["id"]) == (Decimal("0.1"), query.id)


def test_nothing_is_no_request(embeddings: OpenRouterEmbeddings, openrouter_gateway: LocalGateway) -> None:
    assert embeddings.embed_documents([]) == asyncio.run(embeddings.aembed_documents([])) == []
    assert openrouter_gateway.requests == []


IMAGE = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}


@pytest.mark.parametrize(
    ("item", "wire"),
    [
        ({"type": "image", "url": "https://x/y.png"}, [IMAGE]),
        (
            {"type": "image", "base64": "AA==", "mime_type": "image/png"},
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
        ),
        ([{"type": "text", "text": "a cat"}, IMAGE], [{"type": "text", "text": "a cat"}, IMAGE]),
        (["a cat", {"type": "image", "url": "https://x/y.png"}], [{"type": "text", "text": "a cat"}, IMAGE]),
        ({"content": [{"type": "image", "url": "https://x/y.png"}]}, [IMAGE]),
        (
            {"type": "audio", "base64": "AA==", "mime_type": "audio/mpeg"},
            [{"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}],
        ),
        (
            {"type": "video", "base64": "AA==", "mime_type": "video/mp4"},
            [{"type": "input_video", "input_video": {"data": "data:video/mp4;base64,AA=="}}],
        ),
        (
            {"type": "file", "base64": "AA==", "mime_type": "application/pdf"},
            [{"type": "input_file", "input_file": {"data": "data:application/pdf;base64,AA=="}}],
        ),
    ],
)
def test_images_sound_and_files(
    embeddings: OpenRouterEmbeddings, sent: Callable[[], dict[str, Any]], item: Any, wire: list[dict[str, Any]]
) -> None:
    before = copy.deepcopy(item)
    one, other = embeddings.embed_documents([item, "plain"])
    assert sent()["input"] == [{"content": wire}, {"content": [{"type": "text", "text": "plain"}]}]
    assert one != other
    assert embeddings.embed_query(item) == one
    assert item == before


def test_tokens_are_sent_as_they_are(embeddings: OpenRouterEmbeddings, sent: Callable[[], dict[str, Any]]) -> None:
    assert len(embeddings.embed_documents([[1, 2, 3], [4]])) == 2
    assert sent()["input"] == [[1, 2, 3], [4]]


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda made: made.embed_documents("one text"), TypeError, "must be a list with one item for each vector"),
        (lambda made: made.embed_documents([None]), TypeError, "item 0 to embed must be text"),
        (lambda made: made.embed_documents(5), TypeError, "must be a list with one item for each vector, not 5"),
        (lambda made: made.embed_query(None), TypeError, "item 0 to embed must be text"),
        (lambda made: made.embed_query({"type": "image"}), ValueError, "image block without data"),
        (lambda made: made.embed_documents(["a"], chunk_size=0), ValueError, "chunk_size=0 must be"),
        (lambda made: made.embed_documents(["a"], dimensions="x"), ValueError, "dimensions='x' must be"),
        (lambda made: made.embed(["a"], kind="text"), ValueError, "kind='text' must be"),
        (lambda made: made.embed_documents(["a"], model=None), ValueError, "model is missing"),
    ],
)
def test_mistakes_are_named_before_anything_is_sent(
    embeddings: OpenRouterEmbeddings,
    openrouter_gateway: LocalGateway,
    ask: Callable[[OpenRouterEmbeddings], Any],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        ask(embeddings)
    assert openrouter_gateway.requests == []


def test_mistakes_in_the_constructor_are_named(make_embeddings: Make) -> None:
    with pytest.raises(TypeError, match="OpenRouterEmbeddings got an unknown argument 'chunksize': did you mean"):
        make_embeddings(chunksize=3)
    with pytest.raises(ValueError, match=r"OpenRouterEmbeddings: chunk_size=0 .*greater than 0"):
        make_embeddings(chunk_size=0)
    with pytest.raises(ValueError, match="api_key is missing"):
        OpenRouterEmbeddings(model=MODEL)


def test_errors_are_langchains_and_openais_too(
    embeddings: OpenRouterEmbeddings, openrouter_gateway: LocalGateway
) -> None:
    openrouter_gateway.fault("upstream_rate_limit", path="/embeddings")
    with pytest.raises(langchain.ModelRateLimitError) as caught:
        embeddings.embed_query("a")
    assert isinstance(caught.value, openai.RateLimitError) and isinstance(caught.value, RateLimitError)
    assert (caught.value.provider, caught.value.retryable, caught.value.is_retryable) == ("Google", True, True)
    openrouter_gateway.fault("missing_item", path="/embeddings")
    with pytest.raises(langchain.ModelAPIError, match="1 vectors for 2 inputs") as malformed:
        embeddings.embed_documents(["a", "b"])
    assert isinstance(malformed.value, MalformedResponseError)
    with pytest.raises(langchain.ModelInvalidRequestError, match="nobody/nothing"):
        embeddings.embed_query("a", model="nobody/nothing")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Retries without the waiting; what would have been waited."""
    waited: list[float | None] = []

    def at_once(error: OpenRouterError, tries: int, max_retries: int) -> float | None:
        waited.append(wait_before_retry(error, tries, max_retries))
        return None if waited[-1] is None else 0

    monkeypatch.setattr(tries_module, "wait_before_retry", at_once)
    return waited


@pytest.mark.parametrize(
    ("fault", "details"),
    [("rate_limit", {"retry_after": 7}), ("error_200", {"code": 429, "metadata": {"retry_after_seconds": 7}})],
)
def test_every_batch_is_retried_when_the_server_says(
    make_embeddings: Make,
    openrouter_gateway: LocalGateway,
    waits: list[float | None],
    fault: str,
    details: dict[str, Any],
) -> None:
    made = make_embeddings(max_retries=1, chunk_size=1)
    openrouter_gateway.fault(fault, times=2, **details)
    assert len(made.embed_documents(["a", "b"], max_retries=2)) == 2
    assert waits == [7, 7]
    openrouter_gateway.fault(fault, match=lambda body: body["input"] == ["b"], times=2, **details)

    async def ask() -> None:
        async with made:
            await made.aembed_documents(["a", "b"])

    with pytest.raises(RateLimitError):
        asyncio.run(ask())
    assert waits == [7, 7, 7, None]


def test_works_in_a_vector_store(embeddings: OpenRouterEmbeddings) -> None:
    store = InMemoryVectorStore(embeddings)
    store.add_texts(["heavy rain and storm", "tax law", "a cat on a mat"])
    assert store.similarity_search("law of taxes", k=1)[0].page_content == "tax law"

    async def search() -> str:
        async with embeddings:
            await store.aadd_texts(["storm in the north"])
            return (await store.asimilarity_search("north", k=1))[0].page_content

    assert asyncio.run(search()) == "storm in the north"
    retriever = store.as_retriever(search_kwargs={"k": 1})
    assert retriever.invoke("cat")[0].page_content == "a cat on a mat"


def test_vectors_survive_json_as_a_cache_stores_them(embeddings: OpenRouterEmbeddings) -> None:
    vectors = embeddings.embed_documents(["a", "b"])
    assert json.loads(json.dumps(vectors)) == vectors


def test_threads_and_event_loops_in_turn(embeddings: OpenRouterEmbeddings) -> None:
    expected = embeddings.embed_query("a")

    async def ask() -> list[float]:
        async with embeddings:
            return await embeddings.aembed_query("a")

    assert [asyncio.run(ask()) for _ in range(3)] == [expected] * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(embeddings.embed_query, ["a"] * 8)) == [expected] * 8


def test_copies_and_pickles(make_embeddings: Make) -> None:
    made = make_embeddings(dimensions=4, default_headers={"X-Secret": "header-secret"}, chunk_size=5)
    for again in (copy.copy(made), copy.deepcopy(made), pickle.loads(pickle.dumps(made)), made.model_copy()):
        with again:
            assert again.embed_query("a") == made.embed_query("a")
            assert (again.chunk_size, again.dimensions) == (5, 4)


def test_a_key_of_the_environment_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    assert KEY.encode() not in pickle.dumps(OpenRouterEmbeddings(model=MODEL))
    assert KEY.encode() in pickle.dumps(OpenRouterEmbeddings(model=MODEL, api_key="other" + KEY))


def test_the_key_is_shown_nowhere(make_embeddings: Make, openrouter_gateway: LocalGateway) -> None:
    made = make_embeddings(default_headers={"X-Secret": "header-secret"})
    shown = f"{made!r} {made} {made.model_dump()} {made.model_dump_json()}"
    openrouter_gateway.fault("unauthorized")
    with pytest.raises(langchain.ModelAuthenticationError) as caught:
        made.embed_query("a")
    shown += f"{caught.value!r} {caught.value} {vars(caught.value)} {caught.value.request.headers!r}"
    assert KEY not in shown and "header-secret" not in f"{made!r} {made.model_dump()}"


def test_closed_embeddings_open_anew(embeddings: OpenRouterEmbeddings) -> None:
    with embeddings:
        first = embeddings.embed_query("a")
    assert embeddings.embed_query("a") == first


def test_the_recordings_come_through_whole(
    embeddings: OpenRouterEmbeddings, openrouter_gateway: LocalGateway, captures: list[dict[str, Any]]
) -> None:
    exchanges = [one for capture in captures for one in capture["interactions"]]
    recorded = [one for one in exchanges if one["request"]["path"].endswith("/embeddings")]
    assert len(recorded) == 3
    for exchange in recorded:
        asked, answer = exchange["request"]["body"], exchange["response"]["body"]
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        openrouter_gateway.reply(path="/embeddings", body=answer, times=2)
        made = embeddings.embed(texts, input_type=asked.get("input_type"))
        assert openrouter_gateway.requests[-1].body == {**asked, "input": texts, "encoding_format": "float"}
        assert made.vectors == [item["embedding"] for item in answer["data"]]
        assert (made.id, made.model, made.provider) == (answer["id"], answer["model"], answer["provider"])
        assert made.cost == Decimal(str(answer["usage"]["cost"]))
        assert embeddings.embed_documents(texts) == made.vectors
