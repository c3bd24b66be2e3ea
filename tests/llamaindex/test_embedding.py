"""`OpenRouterEmbedding` at the socket, and in what LlamaIndex builds on it."""

from __future__ import annotations

import asyncio
import base64
import copy
import io
import json
import logging
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from llama_index.core import Document, MockEmbedding, Settings, VectorStoreIndex
from llama_index.core.base.llms.types import AudioBlock, DocumentBlock, ImageBlock, TextBlock, VideoBlock
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.callbacks.schema import EventPayload
from llama_index.core.embeddings import BaseEmbedding, MultiModalEmbedding, resolve_embed_model
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.node_parser import SemanticSplitterNodeParser
from llama_index.core.schema import ImageDocument, ImageNode, MediaResource, Node, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from openrouter_adapters import InvalidRequestError, MalformedResponseError, OpenRouterError, RateLimitError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouterEmbedding

from ..making import making
from .conftest import KEY, PNG, PNG_URL

MODEL = "openai/text-embedding-3-small"
SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt "

Make = Callable[..., OpenRouterEmbedding]


@pytest.fixture
def make_embedding(gateway: LocalGateway) -> Iterator[Make]:
    """Makes embedding models that talk to the gateway, and closes them."""
    with making(OpenRouterEmbedding, gateway, model=MODEL, api_key=KEY) as make:
        yield make


@pytest.fixture
def embedding(make_embedding: Make) -> OpenRouterEmbedding:
    return make_embedding()


def inputs(gateway: LocalGateway) -> list[Any]:
    """What each request asked to embed."""
    return [exchange.body["input"] for exchange in gateway.requests]


def run(embedding: OpenRouterEmbedding, method: str, *args: Any, **kwargs: Any) -> Any:
    """What a method gives, sync or, with an "a" before its name, async."""

    async def wait() -> Any:
        async with embedding:
            return await getattr(embedding, method)(*args, **kwargs)

    return asyncio.run(wait()) if method.startswith("a") else getattr(embedding, method)(*args, **kwargs)


# ------------------------------------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize("way", ["", "a"])
def test_what_is_sent(embedding: OpenRouterEmbedding, gateway: LocalGateway, way: str) -> None:
    run(embedding, f"{way}get_text_embedding", "a\nb")
    run(embedding, f"{way}get_query_embedding", "")
    run(embedding, f"{way}get_text_embedding_batch", ["a", "b"])
    common = {"model": MODEL, "encoding_format": "float"}
    assert [exchange.body for exchange in gateway.requests] == [
        {**common, "input": given} for given in (["a\nb"], [""], ["a", "b"])
    ]
    assert {exchange.path for exchange in gateway.requests} == {"/api/v1/embeddings"}


@pytest.mark.parametrize("way", ["", "a"])
def test_queries_and_documents_have_input_types_of_their_own(
    make_embedding: Make, gateway: LocalGateway, way: str
) -> None:
    made = make_embedding(query_input_type="search_query", document_input_type="search_document", dimensions=8)
    assert len(run(made, f"{way}get_query_embedding", "q")) == 8
    run(made, f"{way}get_text_embedding", "d")
    run(made, f"{way}get_text_embedding_batch", ["d"])
    run(made, f"{way}embed", ["q"], kind="query")
    run(made, f"{way}embed", ["d"])
    types = [exchange.body["input_type"] for exchange in gateway.requests]
    assert types == ["search_query", "search_document", "search_document", "search_query", "search_document"]
    assert {exchange.body["dimensions"] for exchange in gateway.requests} == {8}


def test_options_of_the_instance_and_of_the_call(make_embedding: Make, gateway: LocalGateway) -> None:
    made = make_embedding(provider={"order": ["azure"]}, extra_body={"new": 1}, app_title="Mine", user="u")
    given = {"provider": {"zdr": True}}
    made.embed(["d"], user=None, own=2, **given)
    assert gateway.requests[-1].body == {
        "model": MODEL,
        "encoding_format": "float",
        "input": ["d"],
        "provider": {"order": ["azure"], "zdr": True},
        "new": 1,
        "own": 2,
    }
    assert gateway.requests[-1].headers["x-openrouter-title"] == "Mine"
    assert given == {"provider": {"zdr": True}} and made.provider == {"order": ["azure"]}


def test_the_wire_gives_the_same_vectors_packed(make_embedding: Make, gateway: LocalGateway) -> None:
    texts = ["heavy rain", "tax law"]
    plain = make_embedding().get_text_embedding_batch(texts)
    packed = make_embedding(encoding_format="base64").get_text_embedding_batch(texts)
    assert gateway.requests[-1].body["encoding_format"] == "base64"
    assert [pytest.approx(vector, abs=1e-6) for vector in plain] == packed
    assert all(type(number) is float for number in packed[0])


def test_names_of_others_are_taken(gateway: LocalGateway) -> None:
    with OpenRouterEmbedding(model_name=MODEL, api_key=KEY, api_base=gateway.base_url) as made:  # type: ignore[call-arg]
        assert made.get_text_embedding("a")
        made.embed(["a"], model_name="openai/text-embedding-3-large")
        assert gateway.requests[-1].body["model"] == "openai/text-embedding-3-large"


@pytest.mark.parametrize("way", ["", "a"])
def test_additional_kwargs_are_options_under_the_wires_names(
    make_embedding: Make, gateway: LocalGateway, way: str
) -> None:
    given = {"dimensions": 4, "provider": {"zdr": True}, "new": 1, "default_headers": {"X-Secret": "header-secret"}}
    before = copy.deepcopy(given)
    made = make_embedding(dimensions=8, provider={"order": ["azure"]}, additional_kwargs=given)
    run(made, f"{way}get_text_embedding_batch", ["a"])
    assert gateway.requests[-1].body == {
        "model": MODEL,
        "encoding_format": "float",
        "input": ["a"],
        "dimensions": 4,
        "provider": {"order": ["azure"], "zdr": True},
        "new": 1,
    }
    assert gateway.requests[-1].headers["x-secret"] == "header-secret"
    run(made, f"{way}embed", ["a"], additional_kwargs={"dimensions": 2})
    assert gateway.requests[-1].body["dimensions"] == 2
    assert given == before
    assert "header-secret" not in f"{made!r} {made.to_dict()}"
    assert OpenRouterEmbedding.from_dict(made.to_dict(), api_key=KEY).additional_kwargs == made.additional_kwargs


def test_model_name_is_always_the_model(make_embedding: Make, gateway: LocalGateway) -> None:
    made = make_embedding()
    assert made.model_name == made.to_payload()["model_name"] == MODEL
    other = made.model_copy(update={"model": "a/b"})
    assert other.model_name == "a/b"
    other.model_name = "openai/text-embedding-3-large"
    other.get_text_embedding("a")
    assert gateway.requests[-1].body["model"] == other.model == "openai/text-embedding-3-large"
    assert made.model == MODEL
    assert made.model_copy(update={"model_name": "a/b"}).model == "a/b"


def test_a_class_made_of_it_works_alike(gateway: LocalGateway) -> None:
    class Own(OpenRouterEmbedding):
        team: str = "a"

    with Own(model=MODEL, api_key=KEY, base_url=gateway.base_url) as made:
        assert made.to_payload()["model_name"] == MODEL
        assert Own.from_dict(made.to_dict(), api_key=KEY).to_dict() == made.to_dict()
        assert len(made.get_text_embedding_batch(["a", "b"])) == 2


# ------------------------------------------------------------------------------------------------------------ batches


@pytest.mark.parametrize("way", ["", "a"])
def test_vectors_come_in_the_order_of_the_texts(make_embedding: Make, gateway: LocalGateway, way: str) -> None:
    texts = [f"text number {number}" for number in range(7)]
    expected = [make_embedding().get_text_embedding(text) for text in texts]
    gateway.reset()
    gateway.fault("shuffled", times=None)
    made = make_embedding(embed_batch_size=3)
    assert run(made, f"{way}get_text_embedding_batch", texts) == expected
    assert sorted(map(len, inputs(gateway))) == [1, 3, 3]
    assert run(made, f"{way}embed", texts).vectors == expected
    gateway.reset()
    assert run(made, f"{way}embed", texts, embed_batch_size=7, num_workers=2).vectors == expected
    assert inputs(gateway) == [texts]
    run(made, f"{way}embed", ["a"], show_progress=True)
    own = {"embed_batch_size", "num_workers", "show_progress"}
    assert own & {key for exchange in gateway.requests for key in exchange.body} == set()


def test_a_batch_is_as_large_as_providers_take(embedding: OpenRouterEmbedding, gateway: LocalGateway) -> None:
    embedding.get_text_embedding_batch([str(number) for number in range(200)])
    assert [len(batch) for batch in inputs(gateway)] == [96, 96, 8]


@pytest.mark.parametrize("workers", [1, 2, 5, None])
@pytest.mark.parametrize("method", ["aget_text_embedding_batch", "aget_image_embedding_batch", "aembed"])
def test_no_more_requests_at_once_than_workers(
    make_embedding: Make, gateway: LocalGateway, method: str, workers: int | None
) -> None:
    gateway.reply(path="/embeddings", delay=0.05, times=None)
    run(
        make_embedding(embed_batch_size=1, num_workers=workers),
        method,
        [f"https://x/{number}.png" for number in range(5)],
    )
    assert len(gateway.requests) == 5
    connections = {exchange.port for exchange in gateway.requests}
    assert len(connections) <= (workers or 4)
    assert (len(connections) > 1) == (workers != 1)


@pytest.mark.parametrize("way", ["", "a"])
def test_nothing_is_no_request(embedding: OpenRouterEmbedding, gateway: LocalGateway, way: str) -> None:
    assert run(embedding, f"{way}get_text_embedding_batch", []) == []
    nothing = run(embedding, f"{way}embed", [])
    assert (nothing.vectors, nothing.cost) == ([], None)
    assert gateway.requests == []


@pytest.mark.parametrize("way", ["", "a"])
def test_what_it_took(embedding: OpenRouterEmbedding, gateway: LocalGateway, way: str) -> None:
    gateway.reply(path="/embeddings", cost=0.1, times=None)
    made = run(embedding, f"{way}embed", ["a", "b", "c"], embed_batch_size=2)
    assert (made.cost, made.model, made.provider) == (Decimal("0.2"), "text-embedding-3-small", "OpenAI")
    assert made.usage is not None and made.usage.prompt_tokens == 3
    query = run(embedding, f"{way}embed", ["a"], kind="query")
    assert query.metadata()["id"] == query.id


# ------------------------------------------------------------------------------------------------------------- images


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(PNG)
    return path


def image_input(url: str) -> dict[str, Any]:
    return {"content": [{"type": "image_url", "image_url": {"url": url}}]}


IMAGES: dict[str, Callable[[Path], Any]] = {
    "path": str,
    "Path": lambda path: path,
    "bytes": lambda path: PNG,
    "BytesIO": lambda path: io.BytesIO(PNG),
    "data": lambda path: PNG_URL,
    "block": lambda path: ImageBlock(path=path),
    "node": lambda path: ImageNode(image=base64.b64encode(PNG).decode()),
    "node of a path": lambda path: ImageNode(image_path=str(path)),
    "multimodal node": lambda path: Node(image_resource=MediaResource(data=PNG)),
}


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("way", ["", "a"])
def test_an_image_is_sent_inline(
    embedding: OpenRouterEmbedding, gateway: LocalGateway, picture: Path, kind: str, way: str
) -> None:
    image = IMAGES[kind](picture)
    assert len(run(embedding, f"{way}get_image_embedding", image)) == 256
    assert inputs(gateway) == [[image_input(PNG_URL)]]
    assert not isinstance(image, io.BytesIO) or image.tell() == 0


@pytest.mark.parametrize(
    "image", ["https://x/y.png", ImageNode(image_url="https://x/y.png"), ImageBlock(url="https://x/y.png")]
)
def test_an_address_is_sent_as_it_is(embedding: OpenRouterEmbedding, gateway: LocalGateway, image: Any) -> None:
    embedding.get_image_embedding(image)
    assert inputs(gateway) == [[image_input("https://x/y.png")]]


@pytest.mark.parametrize("way", ["", "a"])
def test_many_images_are_one_request(embedding: OpenRouterEmbedding, gateway: LocalGateway, way: str) -> None:
    given: Any = ["https://x/1.png", "https://x/2.png"]
    one, other = run(embedding, f"{way}get_image_embedding_batch", given)
    assert one != other
    assert inputs(gateway) == [[image_input(url) for url in given]]


@pytest.mark.parametrize(
    ("image", "error", "said"),
    [
        (5, TypeError, "must be a path, an address, bytes"),
        ("no/such/file.png", Exception, "no/such/file.png"),
        (ImageNode(text="a"), ValueError, "has no image"),
        (b"nonsense", ValueError, "media type cannot be told"),
    ],
)
def test_what_is_no_image_is_refused(
    embedding: OpenRouterEmbedding, gateway: LocalGateway, image: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        embedding.get_image_embedding(image)
    assert gateway.requests == []


TEXT_PART = {"type": "text", "text": "a cat"}


@pytest.mark.parametrize(
    ("item", "wire"),
    [
        (TextNode(text="a cat", metadata={"by": "me"}), [{"type": "text", "text": "by: me\n\na cat"}]),
        (TextBlock(text="a cat"), [TEXT_PART]),
        (["a cat", ImageBlock(url="https://x/y.png")], [TEXT_PART, image_input("https://x/y.png")["content"][0]]),
        (ImageNode(text="a cat", image_url="https://x/y.png"), [TEXT_PART, *image_input("https://x/y.png")["content"]]),
        ({"content": [TEXT_PART]}, [TEXT_PART]),
        (TEXT_PART, [TEXT_PART]),
        (
            {"content": [{"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}, "a cat"]},
            [{"type": "input_video", "input_video": {"data": "https://x/y.mp4"}}, TEXT_PART],
        ),
        (
            [AudioBlock(audio=SOUND, format="wav")],
            [
                {
                    "type": "input_audio",
                    "input_audio": {"data": base64.b64encode(SOUND).decode(), "format": "wav"},
                }
            ],
        ),
        (
            [VideoBlock(url="https://x/y.mp4"), DocumentBlock(url="https://x/y.pdf")],
            [
                {"type": "input_video", "input_video": {"data": "https://x/y.mp4"}},
                {"type": "input_file", "input_file": {"data": "https://x/y.pdf"}},
            ],
        ),
    ],
    ids=[
        "node",
        "text",
        "text and picture",
        "node with picture",
        "the wire's",
        "a part",
        "parts",
        "sound",
        "film and document",
    ],
)
def test_blocks_and_nodes(
    embedding: OpenRouterEmbedding, gateway: LocalGateway, item: Any, wire: list[dict[str, Any]]
) -> None:
    before = copy.deepcopy(item)
    assert len(embedding.embed([item, ImageBlock(url="https://x/y.png")]).vectors) == 2
    assert inputs(gateway)[0][0] == {"content": wire}
    assert item == before


def test_nodes_go_with_texts_and_tokens_alone(embedding: OpenRouterEmbedding, gateway: LocalGateway) -> None:
    embedding.embed([TextNode(text="a cat"), Document(text="a dog"), "a bird"])
    embedding.embed([[1, 2, 3], [4]])
    assert inputs(gateway) == [["a cat", "a dog", "a bird"], [[1, 2, 3], [4]]]


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda made: made.get_text_embedding(None), TypeError, "text 0 must be a str, not None"),
        (lambda made: made.get_query_embedding([1, 2]), TypeError, "text 0 must be a str"),
        (lambda made: made.get_text_embedding_batch(["a", 5]), TypeError, "text 1 must be a str, not 5"),
        (lambda made: asyncio.run(made.aget_text_embedding_batch(["a", 5])), TypeError, "text 1 must be a str"),
        (lambda made: made.get_text_embedding("a\ud800"), ValueError, "half a character"),
        (lambda made: made.embed("one text"), TypeError, "must be a list with one item for each vector"),
        (lambda made: made.embed(TextNode(text="a")), TypeError, "must be a list with one item for each vector"),
        (lambda made: made.embed(5), TypeError, "must be a list with one item for each vector, not 5"),
        (lambda made: made.embed([None]), TypeError, "item 0 to embed must be text"),
        (lambda made: made.embed([[None]]), TypeError, "a part to embed must be text"),
        (lambda made: made.embed(["a"], embed_batch_size=0), ValueError, "embed_batch_size=0 must be"),
        (lambda made: asyncio.run(made.aembed(["a"], num_workers=0)), ValueError, "num_workers=0 must be"),
        (lambda made: made.embed(["a"], dimensions="x"), ValueError, "dimensions='x' must be"),
        (lambda made: made.embed(["a"], kind="text"), ValueError, 'kind=\'text\' must be "query" or "document"'),
        (lambda made: made.embed(["a"], model=None), ValueError, "model is missing"),
    ],
)
def test_mistakes_are_named_before_anything_is_sent(
    embedding: OpenRouterEmbedding,
    gateway: LocalGateway,
    ask: Callable[[OpenRouterEmbedding], Any],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        ask(embedding)
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"dimension": 3}, TypeError, "OpenRouterEmbedding got an unknown argument 'dimension': did you mean 'dimensi"),
        ({"model": None}, ValueError, r"^OpenRouterEmbedding: model is missing: give model=\.\.\.$"),
        ({"model_name": "a/b"}, TypeError, "'model' and 'model_name' are the same argument"),
        ({"embed_batch_size": 0}, ValueError, "embed_batch_size=0 .*greater than 0"),
        ({"embed_batch_size": 2049}, ValueError, "embed_batch_size=2049"),
        ({"num_workers": 0}, ValueError, "num_workers=0 .*greater than 0"),
        ({"api_key": ""}, ValueError, "OPENROUTER_API_KEY"),
        ({"mode": "text_search"}, TypeError, "'mode': vectors have no modes; query_input_type"),
        ({"reuse_client": True}, TypeError, "connections are always shared, leave it out"),
        ({"additional_kwargs": {"dimensions": "x"}}, ValueError, "dimensions='x'"),
        ({"embeddings_cache": {}}, TypeError, "BaseKVStore"),
    ],
)
def test_mistakes_in_the_constructor_are_named(
    make_embedding: Make, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        make_embedding(default_headers={"X-Secret": "header-secret"}, **options)


def test_errors_are_cores_and_openais_too(embedding: OpenRouterEmbedding, gateway: LocalGateway) -> None:
    gateway.fault("upstream_rate_limit", path="/embeddings")
    with pytest.raises(RateLimitError) as caught:
        embedding.get_query_embedding("a")
    assert isinstance(caught.value, openai.RateLimitError)
    assert (caught.value.provider, caught.value.retryable) == ("Google", True)
    gateway.fault("missing_item", path="/embeddings")
    with pytest.raises(MalformedResponseError, match="1 vectors for 2 inputs"):
        embedding.get_text_embedding_batch(["a", "b"])
    with pytest.raises(InvalidRequestError, match="nobody/nothing"):
        embedding.embed(["a"], model="nobody/nothing")


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("method", ["get_text_embedding_batch", "aget_text_embedding_batch", "embed", "aembed"])
def test_a_failed_batch_tells_what_the_others_brought_and_took(
    make_embedding: Make, gateway: LocalGateway, method: str, cached: bool
) -> None:
    cache = SimpleKVStore() if cached else None
    made = make_embedding(embed_batch_size=2, num_workers=1, embeddings_cache=cache)
    expected = made.embed(["a", "b"]).vectors
    gateway.reset()
    gateway.fault("invalid_request", match=lambda body: body["input"] == ["c", "d"], path="/embeddings")
    gateway.reply(path="/embeddings", cost=0.25, times=None)
    with pytest.raises(OpenRouterError) as caught:
        run(made, method, list("abcdefgh"))
    assert caught.value.vectors == [*expected, *[None] * 6]
    assert caught.value.partial is not None and caught.value.partial.usage is not None
    assert caught.value.partial.usage.cost.charged == Decimal("0.25")
    assert inputs(gateway) == [["a", "b"], ["c", "d"]]  # and no more was sent


def test_batches_under_way_when_one_fails_are_waited_for(make_embedding: Make, gateway: LocalGateway) -> None:
    made = make_embedding(embed_batch_size=1, num_workers=3)
    gateway.fault("invalid_request", match=lambda body: body["input"] == ["b"], path="/embeddings")
    gateway.fault("invalid_request", match=lambda body: body["input"] == ["c"], path="/embeddings")
    gateway.reply(path="/embeddings", match=lambda body: body["input"] == ["a"], cost=0.25, delay=0.1)

    async def ask() -> OpenRouterError:
        async with made:
            with pytest.raises(OpenRouterError) as caught:
                await made.aget_text_embedding_batch(list("abcdef"))
        return caught.value

    error = asyncio.run(ask())
    assert error.vectors is not None and error.vectors[0] and error.vectors[1:] == [None] * 5
    assert error.partial is not None and error.partial.usage is not None
    assert error.partial.usage.cost.charged == Decimal("0.25")
    assert sorted(inputs(gateway)) == [["a"], ["b"], ["c"]]
    assert any("failed too" in note for note in error.__notes__)


@pytest.mark.parametrize("show_progress", [False, True])
def test_a_failure_among_many_batches_leaves_nothing_behind(
    make_embedding: Make, gateway: LocalGateway, caplog: pytest.LogCaptureFixture, show_progress: bool
) -> None:
    """No request that nobody waits for, and no complaint of asyncio's."""
    made = make_embedding(embed_batch_size=1)
    gateway.fault("invalid_request", path="/embeddings")
    gateway.reply(path="/embeddings", cost=0.25, delay=0.05, times=None)

    async def ask() -> OpenRouterError:
        async with made:
            with pytest.raises(OpenRouterError) as caught:
                await made.aget_text_embedding_batch([str(number) for number in range(60)], show_progress=show_progress)
            assert asyncio.all_tasks() == {asyncio.current_task()}
        return caught.value

    error = asyncio.run(ask())
    assert len(gateway.requests) == 4
    assert error.vectors is not None and len([vector for vector in error.vectors if vector]) == 3
    assert error.partial is not None and error.partial.usage is not None
    assert error.partial.usage.cost.charged == Decimal("0.75")
    assert not caplog.records


@pytest.mark.parametrize("way", ["", "a"])
def test_a_failed_batch_of_images_tells_too(make_embedding: Make, gateway: LocalGateway, way: str) -> None:
    made = make_embedding(embed_batch_size=1, num_workers=1)
    images = [io.BytesIO(PNG), "https://x/2.png", "https://x/3.png"]
    gateway.reply(path="/embeddings", cost=0.25)
    gateway.fault("invalid_request", match=lambda body: "2.png" in str(body), path="/embeddings")
    with pytest.raises(OpenRouterError) as caught:
        run(made, f"{way}get_image_embedding_batch", images)
    assert caught.value.vectors is not None and caught.value.vectors[0] and caught.value.vectors[1:] == [None] * 2
    assert caught.value.partial is not None and caught.value.partial.usage is not None
    assert caught.value.partial.usage.cost.charged == Decimal("0.25")
    assert len(gateway.requests) == 2


@pytest.mark.parametrize("way", ["", "a"])
def test_a_batch_is_retried_when_the_server_says(make_embedding: Make, gateway: LocalGateway, way: str) -> None:
    gateway.fault("rate_limit", retry_after=0)
    made = make_embedding(max_retries=1, embed_batch_size=1, num_workers=1)
    assert len(run(made, f"{way}get_text_embedding_batch", ["a", "b"])) == 2
    assert inputs(gateway) == [["a"], ["a"], ["b"]]


# ------------------------------------------------------------------------------------------- what LlamaIndex is told


METHODS = [
    ("get_query_embedding", "a", 1),
    ("get_text_embedding", "a", 1),
    ("get_text_embedding_batch", ["a", "b", "c"], 2),
]


@pytest.mark.parametrize(("method", "given", "times"), METHODS)
@pytest.mark.parametrize("way", ["", "a"])
def test_events_spans_and_callbacks_are_those_of_every_embedding(
    make_embedding: Make,
    events: list[Any],
    spans: SimpleSpanHandler,
    way: str,
    method: str,
    given: Any,
    times: int,
) -> None:
    """As many, and of the same names, as LlamaIndex's own mock gives."""

    def told(embedding: BaseEmbedding) -> tuple[list[str], list[str], int]:
        debug = LlamaDebugHandler(print_trace_on_end=False)
        embedding.callback_manager = CallbackManager([debug])
        events.clear()
        spans.completed_spans.clear()
        result: Any = getattr(embedding, way + method)(given)
        vectors = asyncio.run(_awaited(result)) if way else result
        assert vectors
        names = [type(event).__name__ for event in events]
        public = [span.id_.split("-")[0].split(".")[-1] for span in spans.completed_spans]
        return (
            names,
            [name for name in public if not name.startswith("_")],
            len(debug.get_event_pairs(CBEventType.EMBEDDING)),
        )

    made = make_embedding(embed_batch_size=2)
    ours = told(made)
    assert ours == told(MockEmbedding(embed_dim=2, embed_batch_size=2, num_workers=made.num_workers))
    assert (ours[0].count("EmbeddingStartEvent"), ours[0].count("EmbeddingEndEvent"), ours[2]) == (times,) * 3
    asyncio.run(made.aclose())


async def _awaited(result: Any) -> Any:
    return await result


def test_what_events_show(make_embedding: Make, events: list[Any]) -> None:
    made = make_embedding(dimensions=4, provider={"order": ["azure"]}, default_headers={"X-Secret": "header-secret"})
    vector = made.get_text_embedding("a")
    start, end = events
    assert (start.model_dict["class_name"], start.model_dict["model_name"]) == ("OpenRouterEmbedding", MODEL)
    assert (start.model_dict["dimensions"], start.model_dict["provider"]) == (4, {"order": ["azure"]})
    assert (end.chunks, end.embeddings) == (["a"], [vector])
    shown = json.dumps([event.model_dump(mode="json") for event in events])
    assert "the-secret" not in shown and "header-secret" not in shown


def test_images_are_told_to_callbacks(make_embedding: Make) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    made = make_embedding(callback_manager=CallbackManager([debug]))
    made.get_image_embedding("https://x/y.png")
    [(start, end)] = debug.get_event_pairs(CBEventType.EMBEDDING)
    assert start.payload and start.payload[EventPayload.SERIALIZED]["model_name"] == MODEL
    assert end.payload and end.payload[EventPayload.CHUNKS] == ["https://x/y.png"]


class Limiter:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1


@pytest.mark.parametrize("way", ["", "a"])
@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("get_query_embedding", "a"),
        ("get_text_embedding", "a"),
        ("get_text_embedding_batch", ["a", "b", "c"]),
        ("get_image_embedding", "https://x/y.png"),
        ("embed", ["a", "b", "c"]),
    ],
)
def test_a_rate_limiter_is_asked_once_for_each_request(
    make_embedding: Make, gateway: LocalGateway, way: str, method: str, given: Any
) -> None:
    limiter = Limiter()
    run(make_embedding(rate_limiter=limiter, embed_batch_size=2), way + method, given)
    assert limiter.asked == len(gateway.requests) > 0


@pytest.mark.parametrize("way", ["", "a"])
def test_what_the_cache_has_is_not_asked_again(make_embedding: Make, gateway: LocalGateway, way: str) -> None:
    made = make_embedding(embeddings_cache=SimpleKVStore())
    first = run(made, f"{way}get_text_embedding_batch", ["a", "b"])
    assert run(made, f"{way}get_text_embedding_batch", ["b", "c", "a"])[::2] == first[::-1]
    assert run(made, f"{way}get_text_embedding", "c") == run(made, f"{way}get_query_embedding", "c")
    assert inputs(gateway) == [["a", "b"], ["c"]]


# ------------------------------------------------------------------------------------ stored, copied, shown to others


def test_the_key_is_shown_nowhere(make_embedding: Make, gateway: LocalGateway, spans: SimpleSpanHandler) -> None:
    made = make_embedding(default_headers={"X-Secret": "header-secret"})
    made.embed(["a"], api_key="sk-of-this-call-the-secret")
    assert gateway.requests[-1].key == "sk-of-this-call-the-secret"
    made.get_text_embedding("a")
    shown = f"{made!r} {made} {made.to_dict()} {made.to_json()} {made.to_payload()} {spans.completed_spans}"
    gateway.fault("unauthorized")
    with pytest.raises(OpenRouterError) as caught:
        made.get_text_embedding("a")
    shown += f"{caught.value!r} {caught.value} {vars(caught.value)}"
    assert "the-secret" not in shown and "header-secret" not in shown


def test_stored_settings_make_the_same_model(make_embedding: Make) -> None:
    made = make_embedding(provider={"order": ["azure"]}, dimensions=4, embed_batch_size=5, query_input_type="q")
    for again in (
        OpenRouterEmbedding.from_dict(made.to_dict(), api_key="other"),
        OpenRouterEmbedding.from_json(made.to_json(), api_key="other"),
    ):
        assert again.to_dict() == made.to_dict()
        assert again.model_name == MODEL


def test_stored_settings_may_name_the_model_twice(make_embedding: Make) -> None:
    stored = {**make_embedding().to_dict(), "model_name": MODEL, "api_key": KEY}
    assert OpenRouterEmbedding.from_dict(stored).model_name == MODEL


def test_no_password_of_an_address_is_shown_or_written_down(make_embedding: Make) -> None:
    made = make_embedding(base_url="https://me:the-secret@example.com/v1")
    assert made.to_payload()["base_url"] == made.to_dict()["base_url"] == "https://example.com/v1"
    assert "the-secret" not in f"{made!r} {made} {made.to_json()}"
    assert made.base_url == made.model_copy().base_url == "https://me:the-secret@example.com/v1"


def test_copies_share_what_belongs_to_the_process(make_embedding: Make, gateway: LocalGateway) -> None:
    cache, limiter = SimpleKVStore(), Limiter()
    made = make_embedding(dimensions=4, embeddings_cache=cache, rate_limiter=limiter, provider={"order": ["azure"]})
    expected = made.get_text_embedding("a")
    for again in (copy.copy(made), copy.deepcopy(made), made.model_copy()):
        with again:
            assert (again.embeddings_cache, again.rate_limiter) == (cache, limiter)
            assert again.callback_manager is made.callback_manager
            assert again.embed(["a"]).vectors == [expected]
            assert gateway.requests[-1].key == KEY
    assert copy.deepcopy(made).provider is not made.provider


def test_a_pickled_model_works(make_embedding: Make, caplog: pytest.LogCaptureFixture) -> None:
    made = make_embedding(dimensions=4, embeddings_cache=SimpleKVStore(), default_headers={"X-Own": "1"})
    expected = made.get_text_embedding("a")
    with caplog.at_level(logging.WARNING):
        again = pickle.loads(pickle.dumps(made))
    assert not caplog.records
    with again:
        assert again.get_text_embedding("a") == expected
        assert (again.embeddings_cache, again.model_name) == (None, MODEL)
    assert made.embeddings_cache is not None


def test_a_key_of_the_environment_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    stored = pickle.dumps(OpenRouterEmbedding(model=MODEL))
    assert KEY.encode() not in stored
    monkeypatch.setenv("OPENROUTER_API_KEY", "from-there")
    key = pickle.loads(stored).api_key
    assert key.get_secret_value() == "from-there"


def test_threads_and_event_loops(embedding: OpenRouterEmbedding) -> None:
    expected = embedding.get_query_embedding("a")
    assert [run(embedding, "aget_query_embedding", "a") for _ in range(3)] == [expected] * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(embedding.get_query_embedding, ["a"] * 8)) == [expected] * 8
        assert list(pool.map(lambda _: run(embedding, "aget_query_embedding", "a"), range(4))) == [expected] * 4


# ------------------------------------------------------------------------------------------------------ in LlamaIndex


TEXTS = ["heavy rain and storm in the north", "tax law", "a cat on a mat"]


@pytest.fixture
def documents() -> list[Document]:
    return [Document(text=text) for text in TEXTS]


def test_it_is_what_llamaindex_takes(embedding: OpenRouterEmbedding, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(embedding, BaseEmbedding) and isinstance(embedding, MultiModalEmbedding)
    assert resolve_embed_model(embedding) is embedding
    monkeypatch.setattr(Settings, "_embed_model", None)
    Settings.embed_model = embedding
    assert Settings.embed_model is embedding


async def test_in_an_index(embedding: OpenRouterEmbedding, documents: list[Document], gateway: LocalGateway) -> None:
    index = VectorStoreIndex.from_documents(documents, embed_model=embedding)
    assert inputs(gateway) == [TEXTS]
    retriever = index.as_retriever(similarity_top_k=1)
    assert retriever.retrieve("law of taxes")[0].get_content() == "tax law"
    async with embedding:
        assert (await retriever.aretrieve("a cat?"))[0].get_content() == "a cat on a mat"


def test_in_an_index_made_async(embedding: OpenRouterEmbedding, documents: list[Document]) -> None:
    async def ask() -> str:
        async with embedding:
            index = VectorStoreIndex([], embed_model=embedding, use_async=True)
            await index.ainsert(documents[1])
            return (await index.as_retriever().aretrieve("law"))[0].get_content()

    assert asyncio.run(ask()) == "tax law"


def test_in_a_pipeline_whose_cache_knows_the_options(
    make_embedding: Make, documents: list[Document], gateway: LocalGateway
) -> None:
    cache = IngestionCache()

    def vectors(**options: Any) -> list[int]:
        pipeline = IngestionPipeline(transformations=[make_embedding(**options)], cache=cache)
        return [len(node.embedding or []) for node in pipeline.run(documents=documents)]

    assert (vectors(), vectors(), vectors(dimensions=8)) == ([256] * 3, [256] * 3, [8] * 3)
    assert len(gateway.requests) == 2


def test_what_the_environment_says_is_not_in_a_pipelines_cache(
    make_embedding: Make, documents: list[Document], gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = IngestionCache()
    for session in ("yesterday", "today"):
        monkeypatch.setenv("OPENROUTER_SESSION_ID", session)
        made = make_embedding()
        IngestionPipeline(transformations=[made], cache=cache).run(documents=documents)
        assert (made.session_id, made.to_dict()["session_id"]) == (session, None)
    assert len(gateway.requests) == 1


async def test_in_a_pipeline_run_async(embedding: OpenRouterEmbedding, documents: list[Document]) -> None:
    async with embedding:
        nodes = await IngestionPipeline(transformations=[embedding]).arun(documents=documents)
    assert [len(node.embedding or []) for node in nodes] == [256] * 3


def test_in_a_semantic_splitter(embedding: OpenRouterEmbedding, gateway: LocalGateway) -> None:
    splitter = SemanticSplitterNodeParser.from_defaults(
        embed_model=embedding, breakpoint_percentile_threshold=50, sentence_splitter=lambda text: text.split(".")
    )
    nodes = splitter.get_nodes_from_documents([Document(text="Rain falls.Rain stops.Taxes rise.Taxes fall")])
    assert len(nodes) > 1
    assert gateway.requests


def test_an_image_document(embedding: OpenRouterEmbedding, gateway: LocalGateway) -> None:
    embedding.get_image_embedding(ImageDocument(image=base64.b64encode(PNG).decode()))  # type: ignore[arg-type]
    assert inputs(gateway) == [[image_input(PNG_URL)]]


def test_the_recordings_come_through_whole(
    embedding: OpenRouterEmbedding, gateway: LocalGateway, captures: list[dict[str, Any]]
) -> None:
    exchanges = [one for capture in captures for one in capture["interactions"]]
    recorded = [one for one in exchanges if one["request"]["path"].endswith("/embeddings")]
    assert len(recorded) == 3
    for exchange in recorded:
        asked, answer = exchange["request"]["body"], exchange["response"]["body"]
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        gateway.reply(path="/embeddings", body=answer, times=2)
        made = embedding.embed(texts, input_type=asked.get("input_type"))
        assert made.vectors == [item["embedding"] for item in answer["data"]]
        assert (made.id, made.provider) == (answer["id"], answer["provider"])
        assert made.cost == Decimal(str(answer["usage"]["cost"]))
        assert embedding.get_text_embedding_batch(texts) == made.vectors
