"""`OpenRouterEmbeddings`: OpenRouter's embedding models in LangChain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.embeddings import Embeddings
from pydantic import Field, StrictInt
from typing_extensions import override

from openrouter_adapters.core import embeddings as core
from openrouter_adapters.core.embeddings import Embedded, EmbeddingOptions, Kind, Vector
from openrouter_adapters.core.request import Request
from openrouter_adapters.langchain.model import LangChainModel
from openrouter_adapters.langchain.parts import wire_part

Embeddable = str | Mapping[str, Any] | Sequence[Any]
"""One thing to embed: text; a content block (``{"type": "image", ...}``), or a list of blocks, LangChain's or the
wire's; the wire's ``{"content": [...]}``; or the numbers of tokens."""

_OURS = ("chunk_size", "max_concurrency")
"""Options that are not the wire's."""


class OpenRouterEmbeddings(LangChainModel, EmbeddingOptions, Embeddings):
    """Embedding models behind OpenRouter, for vector stores and retrievers.

    ``embed_documents``, ``embed_query`` and their async twins give bare vectors, as LangChain wants them. ``embed`` and
    ``aembed`` give the same vectors with what they took: ``usage``, ``cost`` (USD, `Decimal`), ``model``, ``provider``
    and ``id``.

    All options can be given here or per call (``embeddings.embed_documents(texts, dimensions=256)``); the call wins,
    None clears. A name at call time that is no option goes into the body as it is. There are no fallback models:
    vectors of two models cannot be compared. Providers of one model fall back as `provider` allows.

    Args:
        model: ``author/name``; embeddings have no default model.
        dimensions: length of the vectors, where a model can choose.
        query_input_type: sent as ``input_type`` with queries, for models that embed queries unlike documents.
        document_input_type: the same for documents; ``input_type`` is for both.
        provider: routing: ``order``, ``only``, ``ignore``, ``zdr`` ...
        chunk_size: inputs per request.
        max_concurrency: requests at once, in the async methods.

    Raises:
        ValueError: no API key, or a value of a wrong type.
        TypeError: an argument that nobody knows.

    Examples:
        >>> embeddings = OpenRouterEmbeddings(model="openai/text-embedding-3-small")  # doctest: +SKIP
        >>> embeddings.embed(["one text", "another"]).cost  # doctest: +SKIP
        Decimal('8E-8')
    """

    chunk_size: StrictInt = Field(
        default=96, gt=0, description="Inputs per request; some providers take no more than about a hundred."
    )
    max_concurrency: StrictInt = Field(default=4, gt=0, description="Requests at once, in the async methods.")

    def _requests(self, inputs: Iterable[Embeddable], kind: Kind, call: Mapping[str, Any]) -> list[Request]:
        # One text where a list should be is refused by core, and not taken for a list of letters.
        one = isinstance(inputs, str | bytes | Mapping) or not isinstance(inputs, Iterable)
        given: Any = inputs if one else [core.wire_input(item, wire_part) for item in inputs]
        options = {name: value for name, value in self.own_names(call).items() if name not in _OURS}
        return core.embedding_requests(self, options, given, kind, self._own("chunk_size", call))

    def _own(self, name: str, call: Mapping[str, Any]) -> Any:
        """An option that is not the wire's: the call's, or else the instance's."""
        return getattr(self, name) if call.get(name) is None else call[name]

    # ---- with what it took

    def embed(self, inputs: Iterable[Embeddable], *, kind: Kind = "document", **options: Any) -> Embedded:
        """Vectors, with usage and cost.

        Args:
            inputs: what to embed: texts, content blocks, lists of blocks.
            kind: "document" or "query": which of the input types is sent, where they are set.
            **options: options of this call, ``chunk_size`` among them; they win over the instance's, None clears one.

        Returns:
            ``vectors``, one for each input and in their order; ``usage``, ``cost``, ``model``, ``provider`` and ``id``.

        Raises:
            OpenRouterError: a request failed, or its answer did. What other batches brought and took is in its
                ``vectors`` and ``partial.usage``.
            TypeError: something that cannot be embedded; nothing was sent.
            ValueError: no model, or an option that cannot be right; nothing was sent.
        """
        return core.embed(self._client, self._requests(inputs, kind, options))

    async def aembed(self, inputs: Iterable[Embeddable], *, kind: Kind = "document", **options: Any) -> Embedded:
        """As `embed`, ``max_concurrency`` requests at once."""
        requests = self._requests(inputs, kind, options)
        return await core.aembed(self._client, requests, self._own("max_concurrency", options))

    # ---- LangChain's

    @override
    def embed_documents(
        self, texts: Iterable[Embeddable], chunk_size: int | None = None, **options: Any
    ) -> list[Vector]:
        """The vectors of documents, in their order. Arguments and errors are those of `embed`."""
        return self.embed(texts, chunk_size=chunk_size, **options).vectors

    @override
    def embed_query(self, text: Embeddable, **options: Any) -> Vector:
        """The vector of a query. Arguments and errors are those of `embed`."""
        return self.embed([text], kind="query", **options).vectors[0]

    @override
    async def aembed_documents(
        self, texts: Iterable[Embeddable], chunk_size: int | None = None, **options: Any
    ) -> list[Vector]:
        """As `embed_documents`, ``max_concurrency`` requests at once."""
        return (await self.aembed(texts, chunk_size=chunk_size, **options)).vectors

    @override
    async def aembed_query(self, text: Embeddable, **options: Any) -> Vector:
        """As `embed_query`."""
        return (await self.aembed([text], kind="query", **options)).vectors[0]
