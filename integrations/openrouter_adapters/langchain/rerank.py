"""`OpenRouterRerank`: OpenRouter's rerank models in LangChain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import Field, StrictStr
from typing_extensions import override

from openrouter_adapters.core import rerank as core
from openrouter_adapters.core.request import Request, checked_call
from openrouter_adapters.core.rerank import Rank, Ranked, RerankOptions
from openrouter_adapters.langchain.model import LangChainModel

Rankable = str | Document | Mapping[str, Any]
"""One thing to rank: text, a document, or the wire's ``{"text": ..., "image": ...}``."""


class OpenRouterRerank(LangChainModel, RerankOptions, BaseDocumentCompressor):
    """Rerank models behind OpenRouter: documents in the order of their relevance to a query.

    ``compress_documents`` and its async twin give copies of the documents, the most relevant first, each with its
    ``relevance_score`` in the metadata; what was given is left as it was. ``rerank`` and ``arerank`` give the bare
    scores with what they took: ``usage``, ``cost`` (USD, `Decimal`), ``model``, ``provider`` and ``id``.

    All options can be given here or per call (``reranker.compress_documents(documents, query, top_n=3)``); the call
    wins, None clears. A name at call time that is no option goes into the body as it is.

    Args:
        model: ``author/name``; reranking has no default model.
        top_n: keep this many documents; None: all.
        rank_fields: keys of the metadata that count beside the text.
        provider: routing: ``order``, ``only``, ``ignore``, ``zdr`` ...

    Raises:
        ValueError: no API key, or a value of a wrong type.
        TypeError: an argument that nobody knows.

    Examples:
        >>> reranker = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=3)  # doctest: +SKIP
        >>> reranker.compress_documents(documents, "query")[0].metadata["relevance_score"]  # doctest: +SKIP
        0.93
    """

    rank_fields: list[StrictStr] | None = Field(
        default=None, description="Keys of a document's metadata that go before its text, as lines `key: value`."
    )

    def _request(self, query: str, documents: Sequence[Rankable], call: Mapping[str, Any]) -> Request | None:
        if not (given := core.listed(documents, Document)):
            return None
        options = self.own_names(call)
        own = checked_call({"rank_fields": options.pop("rank_fields", self.rank_fields)}, OpenRouterRerank)
        texts = [ranked_text(document, own["rank_fields"] or ()) for document in given]
        return core.rerank_request(self, options, query, texts)

    # ---- with what it took

    def rerank(self, query: str, documents: Sequence[Rankable], **options: Any) -> Ranked:
        """The scores of documents, with usage and cost.

        Args:
            query: what they are to be relevant to.
            documents: texts, documents, or objects with ``text`` or ``image``.
            **options: options of this call, ``top_n`` among them; they win over the instance's, None clears one.

        Returns:
            ``results``, the most relevant first, each with the ``index`` of its document and its ``relevance_score``;
            and ``usage``, ``cost``, ``model``, ``provider``, ``id``. Without documents nothing is sent.

        Raises:
            OpenRouterError: the request failed, or its answer did.
            TypeError: query or documents are none; nothing was sent.
            ValueError: no model, or an option that cannot be right; nothing was sent.
        """
        return core.rerank(self._client, self._request(query, documents, options))

    async def arerank(self, query: str, documents: Sequence[Rankable], **options: Any) -> Ranked:
        """As `rerank`."""
        return await core.arerank(self._client, self._request(query, documents, options))

    # ---- LangChain's

    @override
    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None, **options: Any
    ) -> list[Document]:
        """Copies of the documents, the most relevant first, each with ``relevance_score`` in its metadata.

        Args:
            documents: what a retriever found; not changed.
            query: what they are to be relevant to.
            callbacks: not used: reranking is no run of its own.
            **options: options of this call, as for `rerank`, whose errors are raised too.
        """
        given = core.listed(documents, Document)
        return scored(given, self.rerank(query, given, **options).results)

    @override
    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None, **options: Any
    ) -> list[Document]:
        """As `compress_documents`."""
        given = core.listed(documents, Document)
        return scored(given, (await self.arerank(query, given, **options)).results)


def ranked_text(document: Rankable, fields: Sequence[str]) -> core.Text:
    """What of a document is ranked: some of its metadata, line by line, and its text."""
    if not isinstance(document, Document):
        return document
    found = {key: document.metadata.get(key) for key in fields}
    lines = [f"{key}: {value}" for key, value in found.items() if value is not None]
    return "\n".join([*lines, document.page_content])


def scored(documents: Sequence[Document], ranks: Sequence[Rank]) -> list[Document]:
    """Copies of the ranked documents, with their scores."""
    return [
        documents[rank.index].model_copy(
            update={"metadata": {**documents[rank.index].metadata, "relevance_score": rank.relevance_score}}
        )
        for rank in ranks
    ]
