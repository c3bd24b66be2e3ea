"""`OpenRouterEmbedding` with many texts and pictures: batch by batch, at the socket."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import ImageBlock
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler, TokenCountingHandler
from llama_index.core.callbacks.schema import EventPayload
from llama_index.core.schema import ImageDocument, ImageNode
from llama_index.core.storage.kvstore import SimpleKVStore

from openrouter_adapters import OpenRouterError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouterEmbedding

from .conftest import KEY, PNG

MODEL = "openai/text-embedding-3-small"
LETTERS = list("abcdefgh")
KINDS = ["text", "image"]
ways = pytest.mark.parametrize("way", ["", "a"])


@pytest.fixture
def options(gateway: LocalGateway) -> dict[str, Any]:
    return {
        "model": MODEL,
        "api_key": KEY,
        "base_url": gateway.base_url,
        "max_retries": 0,
        "dimensions": 4,
        "embed_batch_size": 2,
        "num_workers": 1,
    }


Make = Callable[..., OpenRouterEmbedding]


@pytest.fixture
def make(options: dict[str, Any]) -> Iterator[Make]:
    """Makes embedding models that talk to the gateway, and closes them."""
    made: list[OpenRouterEmbedding] = []

    def make(cls: type[OpenRouterEmbedding] = OpenRouterEmbedding, **given: Any) -> OpenRouterEmbedding:
        made.append(cls(**{**options, **given}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def run(model: OpenRouterEmbedding, method: str, *args: Any, **kwargs: Any) -> Any:
    """What a method gives, sync or, with an "a" before its name, async."""

    async def wait() -> Any:
        async with model:
            return await getattr(model, method)(*args, **kwargs)

    return asyncio.run(wait()) if method.startswith("a") else getattr(model, method)(*args, **kwargs)


def inputs(gateway: LocalGateway) -> list[Any]:
    return [exchange.body["input"] for exchange in gateway.requests]


def charged(error: OpenRouterError) -> Decimal | None:
    assert error.partial is not None and error.partial.usage is not None
    return error.partial.usage.cost.charged


def places(error: OpenRouterError) -> list[bool]:
    """At which inputs there are vectors."""
    assert error.vectors is not None
    return [vector is not None for vector in error.vectors]


# -------------------------------------------------------------------------------------------------------------- inputs


@ways
def test_parameters_have_llamaindexs_names_and_places(make: Make, way: str) -> None:
    model = make()
    named = run(model, f"{way}get_text_embedding_batch", texts=["a", "b", "c"], show_progress=False, anything="else")
    assert named == run(model, f"{way}get_text_embedding_batch", ["a", "b", "c"], False)
    addresses = ["https://x/1.png", "https://x/2.png"]
    pictures = run(model, f"{way}get_image_embedding_batch", img_file_paths=addresses, show_progress=False)
    assert pictures == run(model, f"{way}get_image_embedding_batch", addresses, False)


@ways
def test_any_iterable_of_texts_will_do(make: Make, gateway: LocalGateway, way: str) -> None:
    assert len(run(make(), f"{way}get_text_embedding_batch", (letter for letter in "abc"))) == 3
    assert inputs(gateway) == [["a", "b"], ["c"]]


@ways
@pytest.mark.parametrize(
    ("method", "given", "error", "said"),
    [
        ("get_text_embedding_batch", [*"abcd", None], TypeError, "text 4 must be a str, not None"),
        ("get_text_embedding_batch", [*"abcd", "\ud800"], ValueError, "text 4 has half a character"),
        ("get_text_embedding_batch", "abc", TypeError, "texts must be a list .* not 'abc'"),
        ("get_text_embedding_batch", 5, TypeError, "texts must be a list .* not 5"),
        ("get_image_embedding_batch", ["https://x/1.png"] * 3 + ["no.png"], ValueError, "image 3: .*no file 'no.png'"),
        ("get_image_embedding_batch", ["https://x/1.png"] * 3 + [None], TypeError, "image 3: an image to embed"),
        ("get_image_embedding_batch", "no.png", TypeError, "img_file_paths must be a list .* not 'no.png'"),
        ("get_image_embedding_batch", ImageBlock(url="https://x/1.png"), TypeError, "img_file_paths must be a list"),
    ],
)
def test_one_bad_input_late_in_the_list_costs_nothing_and_is_named_by_its_place(
    make: Make, gateway: LocalGateway, way: str, method: str, given: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run(make(), way + method, given)
    assert gateway.requests == []


def test_base64_that_is_given_as_a_path_is_a_short_error(make: Make, gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match="data: address") as caught:
        make().get_image_embedding(base64.b64encode(PNG * 100).decode())
    assert len(str(caught.value)) < 200
    assert gateway.requests == []


def test_an_address_may_be_in_capitals(make: Make, gateway: LocalGateway) -> None:
    make().get_image_embedding("HTTPS://x/1.png")
    assert gateway.requests[-1].body["input"][0]["content"][0]["image_url"]["url"] == "HTTPS://x/1.png"


# ---------------------------------------------------------------------------------------------------------- subclasses


class Halving(OpenRouterEmbedding):
    """Halves a batch that is too large."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        try:
            return super()._get_text_embeddings(texts)
        except OpenRouterError:
            if len(texts) == 1:
                raise
            half = len(texts) // 2
            return self._get_text_embeddings(texts[:half]) + self._get_text_embeddings(texts[half:])

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        try:
            return await super()._aget_text_embeddings(texts)
        except OpenRouterError:
            if len(texts) == 1:
                raise
            half = len(texts) // 2
            return await self._aget_text_embeddings(texts[:half]) + await self._aget_text_embeddings(texts[half:])


class Prefixing(OpenRouterEmbedding):
    """Puts a prefix before each text."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return super()._get_text_embeddings([f"passage: {text}" for text in texts])

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await super()._aget_text_embeddings([f"passage: {text}" for text in texts])


class Nested(OpenRouterEmbedding):
    """Asks another model, in batches of one, where its own fails."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        try:
            return super()._get_text_embeddings(texts)
        except OpenRouterError:
            return self._other().get_text_embedding_batch(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        try:
            return await super()._aget_text_embeddings(texts)
        except OpenRouterError:
            return await self._other().aget_text_embedding_batch(texts)

    def _other(self) -> OpenRouterEmbedding:
        other = OpenRouterEmbedding(
            model=self.model, api_key=KEY, base_url=self.base_url, dimensions=4, max_retries=0, embed_batch_size=1
        )
        other._client = self._client
        return other


class Short(OpenRouterEmbedding):
    """Loses a vector."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return super()._get_text_embeddings(texts)[1:]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return (await super()._aget_text_embeddings(texts))[1:]


@ways
@pytest.mark.parametrize("workers", [1, None])
def test_a_subclass_that_halves_a_batch_gets_all_vectors(
    make: Make, gateway: LocalGateway, way: str, workers: int | None
) -> None:
    expected = make().get_text_embedding_batch(LETTERS)
    gateway.fault("payload_too_large", match=lambda body: len(body["input"]) > 2, times=None)
    model = make(Halving, embed_batch_size=8, num_workers=workers)
    assert run(model, f"{way}get_text_embedding_batch", LETTERS) == expected


@ways
def test_a_subclass_that_adds_prefixes_keeps_the_places_of_vectors(make: Make, gateway: LocalGateway, way: str) -> None:
    first = make().embed(["passage: a", "passage: b"]).vectors
    gateway.fault("invalid_request", match=lambda body: "passage: c" in body["input"])
    with pytest.raises(OpenRouterError) as caught:
        run(make(Prefixing), f"{way}get_text_embedding_batch", list("abcd"))
    assert caught.value.vectors == [*first, None, None]


@ways
def test_what_was_paid_before_a_batch_was_halved_or_lost_is_in_the_error(
    make: Make, gateway: LocalGateway, way: str
) -> None:
    """A malformed answer, and the first half: both are paid, though the batch has no vectors."""
    gateway.reply(path="/embeddings", cost=0.25, times=None)
    gateway.fault("missing_item", match=lambda body: len(body["input"]) == 4, times=None)
    gateway.fault("invalid_request", match=lambda body: body["input"] == ["d"], times=None)
    gateway.fault("payload_too_large", match=lambda body: body["input"] == ["c", "d"], times=None)
    with pytest.raises(OpenRouterError) as caught:
        run(make(Halving, embed_batch_size=4), f"{way}get_text_embedding_batch", list("abcd"))
    assert inputs(gateway) == [list("abcd"), ["a", "b"], ["c", "d"], ["c"], ["d"]]
    assert (charged(caught.value), places(caught.value)) == (Decimal("0.75"), [False] * 4)


@ways
def test_what_a_call_within_a_batch_took_belongs_to_the_outer_call(make: Make, gateway: LocalGateway, way: str) -> None:
    gateway.reply(path="/embeddings", cost=0.25, times=None)
    gateway.fault("payload_too_large", match=lambda body: len(body["input"]) > 1, times=None)
    gateway.fault("invalid_request", match=lambda body: body["input"] == ["c"], times=None)
    with pytest.raises(OpenRouterError) as caught:
        run(make(Nested), f"{way}get_text_embedding_batch", list("abc"))
    assert (charged(caught.value), places(caught.value)) == (Decimal("0.5"), [True, True, False])


@ways
def test_vectors_that_cannot_be_matched_with_their_texts_are_refused(make: Make, way: str) -> None:
    with pytest.raises(ValueError, match="a batch of 2 was embedded with 1 vectors"):
        run(make(Short), f"{way}get_text_embedding_batch", ["a", "b"])


# ------------------------------------------------------------------------------------------------------------ failures


class Limiter:
    """Counts how often it was asked; fails at one of them."""

    def __init__(self, fails_at: int = 0) -> None:
        self.asked, self.fails_at = 0, fails_at

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1
        if self.asked == self.fails_at:
            raise RuntimeError("the limiter is down")

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.acquire()


class Cache(SimpleKVStore):
    """Cannot be written to."""

    def put(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the cache is down")

    async def aput(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the cache is down")


@ways
@pytest.mark.parametrize("cached", [False, True])
def test_the_limiter_is_asked_for_what_is_sent_and_for_nothing_else(
    make: Make, gateway: LocalGateway, way: str, cached: bool
) -> None:
    limiter = Limiter()
    model = make(rate_limiter=limiter, embeddings_cache=SimpleKVStore() if cached else None, embed_batch_size=1)
    for _ in range(2):
        run(model, f"{way}get_text_embedding_batch", ["a", "b"])
    assert limiter.asked == len(gateway.requests) == (2 if cached else 4)


def test_each_piece_of_a_halved_batch_waits_for_the_limiter(make: Make, gateway: LocalGateway) -> None:
    limiter = Limiter()
    gateway.fault("payload_too_large", match=lambda body: len(body["input"]) > 1)
    make(Halving, rate_limiter=limiter).get_text_embedding_batch(["a", "b"])
    assert limiter.asked == len(gateway.requests) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [(lambda: {"rate_limiter": Limiter(fails_at=2)}, "limiter"), (lambda: {"embeddings_cache": Cache()}, "cache")],
    ids=["limiter", "cache"],
)
@pytest.mark.parametrize("show_progress", [False, True])
def test_whatever_fails_in_a_batch_no_more_is_sent(
    make: Make, gateway: LocalGateway, given: Callable[[], dict[str, Any]], said: str, show_progress: bool
) -> None:
    async def ask() -> None:
        async with make(**given()) as model:
            with pytest.raises(RuntimeError, match=f"the {said} is down"):
                await model.aget_text_embedding_batch(LETTERS, show_progress=show_progress)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(ask())
    gc.collect()  # of what nobody awaited or retrieved, Python would complain here
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("show_progress", [False, True])
def test_a_call_that_is_cancelled_leaves_nothing_behind(
    make: Make, gateway: LocalGateway, caplog: pytest.LogCaptureFixture, show_progress: bool
) -> None:
    gateway.reply(path="/embeddings", delay=30, times=None)
    debug = LlamaDebugHandler(print_trace_on_end=False)

    async def ask() -> None:
        async with make(num_workers=3, callback_manager=CallbackManager([debug])) as model:
            task = asyncio.create_task(model.aget_text_embedding_batch(LETTERS, show_progress=show_progress))
            while len(gateway.requests) < 3:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(ask())
    gc.collect()
    assert len(gateway.requests) == len(debug.get_event_pairs(CBEventType.EMBEDDING)) == 3
    assert not caplog.records


class Giving(OpenRouterEmbedding):
    """Gives up by itself."""

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        raise asyncio.CancelledError


def test_a_batch_that_cancels_itself_is_no_lack_of_vectors(make: Make, gateway: LocalGateway) -> None:
    with pytest.raises(asyncio.CancelledError):
        run(make(Giving), "aget_text_embedding_batch", LETTERS)
    assert gateway.requests == []


@ways
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_batch_that_fails_leaves_a_place_for_each_input(
    make: Make, gateway: LocalGateway, way: str, kind: str
) -> None:
    gateway.fault("invalid_request")
    with pytest.raises(OpenRouterError) as caught:
        run(make(), f"{way}get_{kind}_embedding_batch", [f"https://x/{letter}.png" for letter in "abc"])
    assert (places(caught.value), caught.value.partial) == ([False] * 3, None)


# ---------------------------------------------------------------------------------------------- what LlamaIndex is told


@ways
@pytest.mark.parametrize("kind", KINDS)
def test_the_callbacks_event_of_a_failed_batch_ends_with_the_exception(
    make: Make, gateway: LocalGateway, events: list[Any], way: str, kind: str
) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    gateway.fault("invalid_request", match=lambda body: "b.png" in str(body))
    model = make(callback_manager=CallbackManager([debug]), embed_batch_size=1)
    with pytest.raises(OpenRouterError) as caught:
        run(model, f"{way}get_{kind}_embedding_batch", [f"https://x/{letter}.png" for letter in "abc"])
    (_, first), (_, second) = debug.get_event_pairs(CBEventType.EMBEDDING)
    assert first.payload and first.payload[EventPayload.CHUNKS] == ["https://x/a.png"]
    assert second.payload == {EventPayload.EXCEPTION: caught.value}
    names = [type(event).__name__ for event in events if "Embedding" in type(event).__name__]
    told = ["EmbeddingStartEvent", "EmbeddingEndEvent", "EmbeddingStartEvent"]
    assert names == (told if kind == "text" else [])


PICTURES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "path": (str, "picture.png"),
    "Path": (lambda path: path, "picture.png"),
    "bytes": (lambda path: PNG, "<image>"),
    "BytesIO": (lambda path: io.BytesIO(PNG), "<image>"),
    "data": (lambda path: f"data:image/png;base64,{base64.b64encode(PNG).decode()}", "<image>"),
    "block": (lambda path: ImageBlock(image=PNG), "<image>"),
    "block of a path": (lambda path: ImageBlock(path=path), "picture.png"),
    "node": (lambda path: ImageNode(image_path=str(path)), "picture.png"),
    "document": (lambda path: ImageDocument(image=base64.b64encode(PNG).decode()), "<image>"),
}


@ways
@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("kind", PICTURES)
def test_a_handler_that_counts_tokens_takes_any_picture(
    make: Make, gateway: LocalGateway, tmp_path: Path, way: str, many: bool, kind: str
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(PNG)
    picture, label = PICTURES[kind]
    debug, counter = LlamaDebugHandler(print_trace_on_end=False), TokenCountingHandler()
    model = make(callback_manager=CallbackManager([debug, counter]))
    given = picture(path)
    run(model, f"{way}get_image_embedding{'_batch' * many}", [given] if many else given)
    [(_, end)] = debug.get_event_pairs(CBEventType.EMBEDDING)
    assert end.payload is not None
    [chunk] = end.payload[EventPayload.CHUNKS]
    assert type(chunk) is str and chunk.endswith(label)
    assert counter.total_embedding_token_count > 0
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("way", ["", "a"])
def test_a_progress_bar_counts_batches(make: Make, capsys: pytest.CaptureFixture[str], way: str) -> None:
    run(make(), f"{way}get_text_embedding_batch", list("abc"), show_progress=True)
    shown = capsys.readouterr().err
    assert "Generating embeddings" in shown and "2/2" in shown
