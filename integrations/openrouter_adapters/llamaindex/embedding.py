"""`OpenRouterEmbedding`: OpenRouter's embedding models in LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from llama_index.core.embeddings.multi_modal_base import MultiModalEmbedding
from pydantic import BaseModel, Field, StrictInt, StrictStr, model_validator
from typing_extensions import override

from openrouter_adapters.core import embeddings as core
from openrouter_adapters.core.arguments import check_positive
from openrouter_adapters.core.embeddings import Embedded, EmbeddingOptions, Kind, Vector
from openrouter_adapters.core.request import Request
from openrouter_adapters.llamaindex.batches import Batches, in_batches, noted
from openrouter_adapters.llamaindex.embedding_events import told_images, told_texts
from openrouter_adapters.llamaindex.ending import ToldFetches
from openrouter_adapters.llamaindex.inputs import (
    Embeddable,
    Image,
    checked_images,
    checked_texts,
    listed,
    whole_image,
    wire_input,
)
from openrouter_adapters.llamaindex.shorthand import AdditionalKwargs, spelled_out
from openrouter_adapters.llamaindex.tags import tagged

WORKERS = 4
"""Requests at once, where nothing else is said."""

_OURS = ("embed_batch_size", "num_workers", "show_progress")
"""Options of a call that are not the wire's; a call with usage and cost has no progress bar."""

_MODEL = ("model", "model_name")
_SHOWN = ("dimensions", "input_type", "query_input_type", "document_input_type", "provider")


class OpenRouterEmbedding(AdditionalKwargs, EmbeddingOptions, MultiModalEmbedding):
    """Embedding models behind OpenRouter, for indices, retrievers, pipelines and splitters.

    ::

        embed_model = OpenRouterEmbedding(model="openai/text-embedding-3-small")
        index = VectorStoreIndex.from_documents(documents, embed_model=embed_model)
        embed_model.embed(["one text", "another"]).cost

    LlamaIndex's methods give bare vectors, in the order of the inputs. ``embed`` and ``aembed`` give the same vectors
    with what they took: ``usage``, ``cost`` (USD, `Decimal`), ``model``, ``provider`` and ``id``.

    There are no fallback models: vectors of two models cannot be compared. Providers of one model fall back as
    ``provider`` allows. Texts are sent as they are. Images are sent inline, addresses as addresses.

    Callback manager, rate limiter, embeddings cache and http clients belong to a process: copies share them, pickles
    and serialized settings leave them behind. Serialized settings have no key and no headers either; a pickle takes its
    key along only if it was given as an argument.

    Args:
        model: ``author/name``; ``model_name`` is another name for it.
        dimensions: length of the vectors, where a model can choose.
        query_input_type: sent as ``input_type`` with queries, for models that embed queries unlike documents.
        document_input_type: the same for documents; ``input_type`` is for both.
        provider: routing: ``order``, ``only``, ``ignore``, ``zdr`` ...
        embed_batch_size: inputs per request.
        num_workers: requests at once, in the async methods; None: 4.
        embeddings_cache: a key-value store. LlamaIndex's key is the text and nothing else: give each model, and each
            ``dimensions``, a store of its own.
        rate_limiter: asked before each request; for what the cache has there is none.
        additional_kwargs: more options for every call, under the wire's names, as `OpenAIEmbedding` has it.

    Raises:
        TypeError: an argument that nobody knows; the nearest known one is named.
        ValueError: no model, no API key, or a value that cannot be right.
    """

    option_aliases: ClassVar[Mapping[str, str]] = {**AdditionalKwargs.option_aliases, "model_name": "model"}
    of_this_process: ClassVar[tuple[str, ...]] = (*AdditionalKwargs.of_this_process, "embeddings_cache")

    model: StrictStr = Field(description="Slug `author/name[:variant]`; embeddings have no default model.")
    # What LlamaIndex and its tracers read. A field of theirs, so no property can take its place.
    model_name: str = Field(default="", exclude=True, repr=False, description="The same as `model`.")
    embed_batch_size: StrictInt = Field(
        default=96, gt=0, le=2048, description="Inputs per request; some providers take no more than about a hundred."
    )
    num_workers: StrictInt | None = Field(
        default=None, gt=0, description=f"Requests at once, in the async methods; None: {WORKERS}."
    )
    embeddings_cache: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="A key-value store of LlamaIndex's; its key is the text alone, so give each model one of its own.",
    )

    @model_validator(mode="after")
    def _name_model(self) -> Self:
        self.model_name = self.model
        return self

    if not TYPE_CHECKING:  # type checkers would take any name for an attribute

        @override
        def __setattr__(self, name: str, value: Any) -> None:
            """``model`` and ``model_name`` are always the same."""
            for one in _MODEL if name in _MODEL else (name,):
                super().__setattr__(one, value)

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other options, by any of their names."""
        named = self.own_names(update or {})
        both = dict.fromkeys(_MODEL, named["model"]) if "model" in named else {}
        return super().model_copy(update={**named, **both}, deep=deep)

    @classmethod
    @override
    def class_name(cls) -> str:
        """The tag in serialized settings and in traces."""
        return "OpenRouterEmbedding"

    @override
    def to_payload(self) -> dict[str, Any]:
        """What traces show of this model: its name and the options that shape a vector; no key, no headers."""
        return {**super().to_payload(), **self.shown(*_SHOWN)}

    def _requests(self, inputs: Iterable[Embeddable], kind: Kind, call: Mapping[str, Any]) -> list[Request]:
        # One text where a list should be is refused by core, and not taken for a list of letters.
        one = isinstance(inputs, str | bytes | Mapping | BaseModel) or not isinstance(inputs, Iterable)
        given: Any = inputs if one else [wire_input(item) for item in inputs]
        named = {name: value for name, value in self.own_names(call).items() if name not in _OURS}
        options = spelled_out(named, self.set_options())
        return [tagged(one) for one in core.embedding_requests(self, options, given, kind, self._batch_size(call))]

    def _told(self) -> ToldFetches:
        return ToldFetches(self._client, self.callback_manager)

    def _batch_size(self, call: Mapping[str, Any]) -> int:
        return _whole("embed_batch_size", call, self.embed_batch_size)

    def _workers(self, call: Mapping[str, Any]) -> int:
        return _whole("num_workers", call, WORKERS if self.num_workers is None else self.num_workers)

    # ---- with what it took

    def embed(self, inputs: Iterable[Embeddable], *, kind: Kind = "document", **options: Any) -> Embedded:
        """Vectors, with usage and cost. LlamaIndex's cache and events have no part in it.

        Args:
            inputs: what to embed: texts, content blocks, lists of blocks, nodes.
            kind: "document" or "query": which of the input types is sent, where they are set.
            **options: options of this call, ``embed_batch_size`` among them; they win over the instance's, None clears
                one. A name that is no option goes into the body as it is.

        Returns:
            ``vectors``, one for each input and in their order; ``usage``, ``cost``, ``model``, ``provider`` and ``id``.

        Raises:
            OpenRouterError: a request failed, or its answer did. What other batches brought and took is in its
                ``vectors`` and ``partial.usage``.
            TypeError: something that cannot be embedded; nothing was sent.
            ValueError: no model, or an option that cannot be right; nothing was sent.
        """
        return self._fetch(self._requests(inputs, kind, options), limited=True)

    async def aembed(self, inputs: Iterable[Embeddable], *, kind: Kind = "document", **options: Any) -> Embedded:
        """As `embed`, ``num_workers`` requests at once."""
        return await self._afetch(self._requests(inputs, kind, options), self._workers(options), limited=True)

    def _fetch(self, requests: Sequence[Request], limited: bool) -> Embedded:
        wait = self.rate_limiter.acquire if limited and self.rate_limiter is not None else None
        with noted() as note:
            answer = core.embed(self._told(), requests, wait)
            note(answer)
        return answer

    async def _afetch(self, requests: Sequence[Request], workers: int, limited: bool) -> Embedded:
        wait = self.rate_limiter.async_acquire if limited and self.rate_limiter is not None else None
        with noted() as note:
            answer = await core.aembed(self._told(), requests, workers, wait)
            note(answer)
        return answer

    # ---- LlamaIndex's: texts. For a single one it has asked the rate limiter before it calls these; in a batch they do

    def _embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        return self._fetch(self._requests(checked_texts(texts), kind, {}), in_batches())

    async def _aembed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        return await self._afetch(self._requests(checked_texts(texts), kind, {}), 1, in_batches())

    @override
    def _get_query_embedding(self, query: str) -> Vector:
        return self._embed([query], "query").vectors[0]

    @override
    async def _aget_query_embedding(self, query: str) -> Vector:
        return (await self._aembed([query], "query")).vectors[0]

    @override
    def _get_text_embedding(self, text: str) -> Vector:
        return self._embed([text], "document").vectors[0]

    @override
    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aembed([text], "document")).vectors[0]

    @override
    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._embed(texts, "document").vectors

    @override
    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return (await self._aembed(texts, "document")).vectors

    def _text_batches(self, texts: Iterable[str], show_progress: bool) -> Batches[str]:
        given = checked_texts(listed("texts", texts))
        return Batches(given, self._batch_size({}), partial(told_texts, self), show_progress)

    @override
    def get_text_embedding_batch(
        self, texts: Iterable[str], show_progress: bool = False, **kwargs: Any
    ) -> list[Vector]:
        """The vectors of texts, in their order.

        Every text is checked before anything is sent. When a batch fails, no more are sent.

        Args:
            texts: what to embed.
            show_progress: whether there is a progress bar, which counts batches.
            **kwargs: not used, as in LlamaIndex; options of a call are for `embed`.

        Raises:
            OpenRouterError: as `embed`.
            TypeError: a text that is none, named by its place in the list; nothing was sent.
            ValueError: half a character; nothing was sent.
        """
        batches = self._text_batches(texts, show_progress)
        cached = self.embeddings_cache is not None
        return batches.run(self._get_text_embeddings_cached if cached else self._get_text_embeddings)

    @override
    async def aget_text_embedding_batch(
        self, texts: Iterable[str], show_progress: bool = False, **kwargs: Any
    ) -> list[Vector]:
        """As `get_text_embedding_batch`, ``num_workers`` batches at once; those under way at a failure are awaited."""
        batches = self._text_batches(texts, show_progress)
        cached = self.embeddings_cache is not None
        embed = self._aget_text_embeddings_cached if cached else self._aget_text_embeddings
        return await batches.arun(embed, self._workers({}))

    # ---- images

    @override
    def _get_image_embedding(self, img_file_path: Image) -> Vector:
        return self._get_image_embeddings([img_file_path])[0]

    @override
    async def _aget_image_embedding(self, img_file_path: Image) -> Vector:
        return (await self._aget_image_embeddings([img_file_path]))[0]

    @override
    def _get_image_embeddings(self, img_file_paths: Sequence[Image]) -> list[Vector]:
        return self.embed(map(whole_image, img_file_paths)).vectors

    @override
    async def _aget_image_embeddings(self, img_file_paths: Sequence[Image]) -> list[Vector]:
        return (await self.aembed(map(whole_image, img_file_paths))).vectors

    @override
    def get_image_embedding(self, img_file_path: Image) -> Vector:
        """The vector of a picture.

        Args:
            img_file_path: its path or address, its bytes, an open file, an image block or an image node.

        Raises:
            OpenRouterError: as `embed`.
            TypeError: it is no picture; nothing was sent.
            ValueError: it cannot be read; nothing was sent.
        """
        with told_images(self, [img_file_path]) as done:
            vector = self._get_image_embedding(img_file_path)
            done([vector])
        return vector

    @override
    async def aget_image_embedding(self, img_file_path: Image) -> Vector:
        """As `get_image_embedding`."""
        with told_images(self, [img_file_path]) as done:
            vector = await self._aget_image_embedding(img_file_path)
            done([vector])
        return vector

    def _image_batches(self, images: Iterable[Image], show_progress: bool) -> Batches[Image]:
        given = checked_images(listed("img_file_paths", images))
        return Batches(given, self._batch_size({}), partial(told_images, self), show_progress)

    @override
    def get_image_embedding_batch(self, img_file_paths: Iterable[Image], show_progress: bool = False) -> list[Vector]:
        """The vectors of pictures, in their order; all that `get_text_embedding_batch` says of texts.

        Args:
            img_file_paths: the pictures, each as for `get_image_embedding`.
            show_progress: whether there is a progress bar, which counts batches.
        """
        return self._image_batches(img_file_paths, show_progress).run(self._get_image_embeddings)

    @override
    async def aget_image_embedding_batch(
        self, img_file_paths: Iterable[Image], show_progress: bool = False
    ) -> list[Vector]:
        """As `get_image_embedding_batch`, ``num_workers`` batches at once; those under way at a failure are awaited."""
        batches = self._image_batches(img_file_paths, show_progress)
        return await batches.arun(self._aget_image_embeddings, self._workers({}))


def _whole(name: str, call: Mapping[str, Any], own: int) -> int:
    """An option that is not the wire's: the call's, or else the instance's.

    Raises:
        ValueError: it is no whole number greater than 0.
    """
    value: int = own if call.get(name) is None else call[name]
    check_positive(name, value)
    return value
