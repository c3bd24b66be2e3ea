"""`OpenRouterEmbedding`: OpenRouter's embedding models in LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from llama_index.core.embeddings.multi_modal_base import MultiModalEmbedding
from pydantic import Field, StrictInt, StrictStr, model_validator
from typing_extensions import override

from openrouter_adapters.core import embeddings as core
from openrouter_adapters.core.arguments import check_positive
from openrouter_adapters.core.embeddings import Embedded, Kind, Vector
from openrouter_adapters.core.options import EmbeddingOptions
from openrouter_adapters.core.request import Request
from openrouter_adapters.core.wire import known
from openrouter_adapters.llamaindex.batches import WORKERS, abatch, batch, keeps_batches
from openrouter_adapters.llamaindex.inputs import Embeddable, Image, image_address, image_input, wire_input
from openrouter_adapters.llamaindex.model import LlamaIndexModel

_OURS = ("embed_batch_size", "num_workers")
"""Options that are not the wire's."""

_MODEL = ("model", "model_name")
_TOLD = ("dimensions", "input_type", "query_input_type", "document_input_type", "provider", "base_url")


@keeps_batches
class OpenRouterEmbedding(LlamaIndexModel, EmbeddingOptions, MultiModalEmbedding):
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
        rate_limiter: asked before each request.

    Raises:
        TypeError: an argument that nobody knows; the nearest known one is named.
        ValueError: no model, no API key, or a value that cannot be right.
    """

    option_aliases: ClassVar[Mapping[str, str]] = {**LlamaIndexModel.option_aliases, "model_name": "model"}
    of_this_process: ClassVar[tuple[str, ...]] = (*LlamaIndexModel.of_this_process, "embeddings_cache")

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
        return {**super().to_payload(), **known(**{name: getattr(self, name) for name in _TOLD})}

    def _requests(self, inputs: Iterable[Embeddable], kind: Kind, call: Mapping[str, Any]) -> list[Request]:
        # One text where a list should be is refused by core, and not taken for a list of letters.
        one = isinstance(inputs, str | bytes | Mapping) or not isinstance(inputs, Iterable)
        given: Any = inputs if one else [wire_input(item) for item in inputs]
        options = {name: value for name, value in self.own_names(call).items() if name not in _OURS}
        return core.embedding_requests(self, options, given, kind, self._own("embed_batch_size", call))

    def _own(self, name: str, call: Mapping[str, Any]) -> int:
        """An option that is not the wire's: the call's, or else the instance's."""
        value: int = (getattr(self, name) or WORKERS) if call.get(name) is None else call[name]
        check_positive(name, value)
        return value

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
        wait = self.rate_limiter.acquire if self.rate_limiter else None
        return core.embed(self._client, self._requests(inputs, kind, options), wait)

    async def aembed(self, inputs: Iterable[Embeddable], *, kind: Kind = "document", **options: Any) -> Embedded:
        """As `embed`, ``num_workers`` requests at once."""
        requests, workers = self._requests(inputs, kind, options), self._own("num_workers", options)
        wait = self.rate_limiter.async_acquire if self.rate_limiter else None
        return await core.aembed(self._client, requests, workers, wait)

    # ---- LlamaIndex's: it has asked its cache and the rate limiter before it calls these

    def _embed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        return core.embed(self._client, self._requests(_checked(texts), kind, {}))

    async def _aembed(self, texts: Sequence[str], kind: Kind) -> Embedded:
        return await core.aembed(self._client, self._requests(_checked(texts), kind, {}), 1)

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
        return batch(texts, lambda: self._embed(texts, "document"))

    @override
    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await abatch(texts, lambda: self._aembed(texts, "document"))

    # ---- images: LlamaIndex does not ask the rate limiter for them

    @override
    def _get_image_embedding(self, img_file_path: Image) -> Vector:
        return self._get_image_embeddings([img_file_path])[0]

    @override
    async def _aget_image_embedding(self, img_file_path: Image) -> Vector:
        return (await self._aget_image_embeddings([img_file_path]))[0]

    @override
    def _get_image_embeddings(self, img_file_paths: Sequence[Image]) -> list[Vector]:
        return batch(img_file_paths, lambda: self.embed(map(_image, img_file_paths)))

    @override
    async def _aget_image_embeddings(self, img_file_paths: Sequence[Image]) -> list[Vector]:
        return await abatch(img_file_paths, lambda: self.aembed(map(_image, img_file_paths)))


def _image(image: Image) -> dict[str, Any]:
    return image_input(image_address(image))


def _checked(texts: Sequence[str]) -> Sequence[str]:
    """The texts, all of them text: LlamaIndex fails on anything else, but only once it is paid.

    Raises:
        TypeError: one is none.
    """
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {at} must be a str, not {text!r:.80}; embed() takes blocks, nodes and token numbers")
    return texts
