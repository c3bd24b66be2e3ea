"""`OpenRouterRerank`: OpenRouter's rerank models in LlamaIndex."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import BaseNode, MetadataMode, NodeWithScore, QueryBundle
from llama_index_instrumentation import get_dispatcher  # comes with llama-index-core
from pydantic import Field, StrictBool, StrictStr
from typing_extensions import override

from openrouter_adapters.core import rerank as core
from openrouter_adapters.core.request import Request, checked_call
from openrouter_adapters.core.rerank import Rank, Ranked, RerankOptions
from openrouter_adapters.core.wire import known
from openrouter_adapters.llamaindex.ending import ToldFetches
from openrouter_adapters.llamaindex.inputs import Rankable, ranked_documents
from openrouter_adapters.llamaindex.model import LlamaIndexModel
from openrouter_adapters.llamaindex.tags import tagged

_OF_NODES = ("metadata_mode", "rank_images")
"""Options of a call that say what of a node is ranked."""

_OURS = (*_OF_NODES, "keep_retrieval_score", "show_progress")
"""Options of a call that are not the wire's; bare scores have no node to keep one in."""

_SCORE = "retrieval_score"

_dispatcher = get_dispatcher(__name__)


class OpenRouterRerank(LlamaIndexModel, RerankOptions, BaseNodePostprocessor):
    """Rerank models behind OpenRouter: nodes in the order of their relevance to a query.

    ::

        reranker = OpenRouterRerank(model="cohere/rerank-v3.5", top_n=3)
        engine = index.as_query_engine(similarity_top_k=10, node_postprocessors=[reranker])
        reranker.rerank("query", ["one text", "another"]).cost

    ``postprocess_nodes`` and its async twin give new `NodeWithScore` objects, the most relevant first; the nodes and
    scores that were given stay as they were. ``rerank`` and ``arerank`` give the bare scores with what they took:
    ``usage``, ``cost`` (USD, `Decimal`), ``model``, ``provider`` and ``id``.

    A node with a picture is sent with it, which only some models can rank; ``rank_images=False`` sends texts only. One
    whose picture cannot be read is ranked by its text, with a warning.

    Args:
        model: ``author/name``; reranking has no default model.
        top_n: keep this many nodes; None: all.
        metadata_mode: which of a node's metadata counts beside its text.
        keep_retrieval_score: whether the retriever's score stays, as ``retrieval_score`` in the metadata.
        rank_images: whether a node's picture is sent beside its text.
        provider: routing: ``order``, ``only``, ``ignore``, ``zdr`` ...

    Raises:
        TypeError: an argument that nobody knows; the nearest known one is named.
        ValueError: no model, no API key, or a value that cannot be right.
    """

    model: StrictStr = Field(description="Slug `author/name[:variant]`; reranking has no default model.")
    metadata_mode: MetadataMode = Field(
        default=MetadataMode.EMBED, description="Which of a node's metadata counts beside its text."
    )
    keep_retrieval_score: StrictBool = Field(
        default=False, description="Keep the retriever's score, as `retrieval_score` in the metadata."
    )
    rank_images: StrictBool = Field(
        default=True, description="Send a node's picture beside its text; False: rank by text alone."
    )

    @classmethod
    @override
    def class_name(cls) -> str:
        """The tag in serialized settings and in traces."""
        return "OpenRouterRerank"

    def _request(
        self, query: str | QueryBundle, documents: Iterable[Rankable], call: Mapping[str, Any]
    ) -> Request | None:
        if not (given := core.listed(documents, BaseNode, NodeWithScore)):
            return None
        options = {name: value for name, value in self.own_names(call).items() if name not in _OURS}
        own = checked_call(known(**{name: call.get(name) for name in _OF_NODES}), OpenRouterRerank)
        mode, images = (own.get(name, getattr(self, name)) for name in _OF_NODES)
        text = query.query_str if isinstance(query, QueryBundle) else query
        return tagged(core.rerank_request(self, options, text, ranked_documents(given, mode, images)))

    def _told(self) -> ToldFetches:
        return ToldFetches(self._client, self.callback_manager)

    # ---- with what it took

    def rerank(self, query: str | QueryBundle, documents: Iterable[Rankable], **options: Any) -> Ranked:
        """The scores of documents, with usage and cost. LlamaIndex's events have no part in it.

        Args:
            query: what they are to be relevant to.
            documents: texts, nodes with or without a score, or objects with ``text`` or ``image``.
            **options: options of this call, ``top_n``, ``metadata_mode`` and ``rank_images`` among them; they win over
                the instance's, None clears one. A name that is no option goes into the body as it is.

        Returns:
            ``results``, the most relevant first, each with the ``index`` of its document and its ``relevance_score``;
            and ``usage``, ``cost``, ``model``, ``provider``, ``id``. Without documents nothing is sent.

        Raises:
            OpenRouterError: the request failed, or its answer did.
            TypeError: query or documents are none; nothing was sent.
            ValueError: no model, or an option that cannot be right; nothing was sent.
        """
        return core.rerank(self._told(), self._request(query, documents, options))

    async def arerank(self, query: str | QueryBundle, documents: Iterable[Rankable], **options: Any) -> Ranked:
        """As `rerank`."""
        return await core.arerank(self._told(), self._request(query, documents, options))

    # ---- LlamaIndex's

    @override
    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _query(query_bundle)
        if not nodes:
            return []
        with self._reranking(query, nodes) as done:
            return done(self.rerank(query, nodes))

    @_dispatcher.span
    @override
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        query = _query(query_bundle)
        if not nodes:
            return []
        with self._reranking(query, nodes) as done:
            return done(await self.arerank(query, nodes))

    @contextmanager
    def _reranking(
        self, query: QueryBundle, nodes: list[NodeWithScore]
    ) -> Generator[Callable[[Ranked], list[NodeWithScore]]]:
        """Tells LlamaIndex of a reranking; what it gives makes the nodes of it, and tells of its end."""
        _check_nodes(nodes)
        top_n = self.top_n or len(nodes)
        _dispatcher.event(ReRankStartEvent(query=query, nodes=nodes, top_n=top_n, model_name=self.model))
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query.query_str,
            EventPayload.TOP_K: top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:

            def done(ranked: Ranked) -> list[NodeWithScore]:
                made = [self._scored(nodes[rank.index], rank) for rank in ranked.results]
                event.on_end({EventPayload.NODES: made, EventPayload.ADDITIONAL_KWARGS: _facts(ranked)})
                _dispatcher.event(ReRankEndEvent(nodes=made))
                return made

            yield done

    def _scored(self, found: NodeWithScore, rank: Rank) -> NodeWithScore:
        """A node with its new score; what the retriever gave is left as it was."""
        node = found.node
        if self.keep_retrieval_score:
            node = _with_score(node, found.score)
        return found.model_copy(update={"node": node, "score": rank.relevance_score})


def _with_score(node: BaseNode, score: float | None) -> BaseNode:
    """A copy that keeps the retriever's score; neither a prompt nor another embedding or ranking is to see it."""
    excluded = ("excluded_llm_metadata_keys", "excluded_embed_metadata_keys")
    hidden = {name: list(dict.fromkeys([*getattr(node, name), _SCORE])) for name in excluded}
    return node.model_copy(update={"metadata": {**node.metadata, _SCORE: score}, **hidden})


def _query(query_bundle: QueryBundle | None) -> QueryBundle:
    if query_bundle is None or not query_bundle.query_str:
        raise ValueError("the query is missing: what nodes are to be relevant to, as query_bundle or query_str")
    return query_bundle


def _check_nodes(nodes: Sequence[Any]) -> None:
    for at, node in enumerate(nodes):
        if not isinstance(node, NodeWithScore):
            raise TypeError(f"node {at} must be a NodeWithScore, not {node!r:.80}; rerank() takes texts and nodes")


def _facts(ranked: Ranked) -> dict[str, Any]:
    """What LlamaIndex's events have no place of their own for."""
    return {**known(model=ranked.model, usage=ranked.usage.wire if ranked.usage else None), **ranked.metadata()}
