"""`OpenRouterRerank` at the socket, and in query engines."""

from __future__ import annotations

import asyncio
import base64
import copy
import logging
import pickle
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from llama_index.core import Document, MockEmbedding, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.callbacks.schema import EventPayload
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageNode, MediaResource, MetadataMode, Node, NodeWithScore, QueryBundle, TextNode

from openrouter_adapters import MalformedResponseError, OpenRouterError, RateLimitError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter, OpenRouterRerank

from ..making import making
from .conftest import KEY

MODEL = "cohere/rerank-v3.5"
QUERY = "What is in France?"
TEXTS = ["Lima is in Peru.", "Paris is in France.", "Athens is old."]

Make = Callable[..., OpenRouterRerank]


@pytest.fixture
def make_reranker(gateway: LocalGateway) -> Iterator[Make]:
    """Makes rerankers that talk to the gateway, and closes them."""
    with making(OpenRouterRerank, gateway, model=MODEL, api_key=KEY) as make:
        yield make


@pytest.fixture
def reranker(make_reranker: Make) -> OpenRouterRerank:
    return make_reranker()


@pytest.fixture
def nodes() -> list[NodeWithScore]:
    made = [TextNode(text=text, id_=text[:4], metadata={"page": at}) for at, text in enumerate(TEXTS)]
    return [NodeWithScore(node=node, score=0.5 - at / 10) for at, node in enumerate(made)]


def postprocess(reranker: OpenRouterRerank, *args: Any, **given: Any) -> list[NodeWithScore]:
    return reranker.postprocess_nodes(*args, **given)


def apostprocess(reranker: OpenRouterRerank, *args: Any, **given: Any) -> list[NodeWithScore]:
    async def run() -> list[NodeWithScore]:
        async with reranker:
            return await reranker.apostprocess_nodes(*args, **given)

    return asyncio.run(run())


Run = Callable[..., list[NodeWithScore]]
ways = pytest.mark.parametrize("run", [postprocess, apostprocess])


# -------------------------------------------------------------------------------------------------------------- nodes


@ways
@pytest.mark.parametrize("asked", [{"query_str": QUERY}, {"query_bundle": QueryBundle(QUERY)}], ids=str)
def test_the_most_relevant_nodes_come_first_and_nothing_given_is_changed(
    make_reranker: Make, nodes: list[NodeWithScore], gateway: LocalGateway, run: Run, asked: dict[str, Any]
) -> None:
    before = copy.deepcopy(nodes)
    made = run(make_reranker(metadata_mode=MetadataMode.NONE), nodes, **asked)
    assert gateway.requests[0].body == {"model": MODEL, "query": QUERY, "documents": TEXTS}
    assert gateway.requests[0].path == "/api/v1/rerank"
    assert made[0].node is nodes[1].node
    scores = [node.score for node in made]
    assert scores == sorted(scores, reverse=True) and all(type(score) is float for score in scores)
    assert nodes == before
    assert not any(node is given for node in made for given in nodes)


@ways
def test_top_n(make_reranker: Make, nodes: list[NodeWithScore], gateway: LocalGateway, run: Run) -> None:
    assert len(run(make_reranker(top_n=2), nodes, query_str=QUERY)) == 2
    assert gateway.requests[-1].body["top_n"] == 2
    assert len(run(make_reranker(top_n=9), nodes, query_str=QUERY)) == 3
    assert len(run(make_reranker(), nodes, query_str=QUERY)) == 3
    assert "top_n" not in gateway.requests[-1].body


@ways
def test_a_server_that_ignores_top_n_and_order(
    make_reranker: Make, nodes: list[NodeWithScore], gateway: LocalGateway, run: Run
) -> None:
    results = [{"index": at, "relevance_score": at / 10} for at in range(3)]
    gateway.reply(path="/rerank", body={"results": results})
    assert [node.score for node in run(make_reranker(top_n=2), nodes, query_str=QUERY)] == [0.2, 0.1]


@ways
def test_no_nodes_are_no_request(
    reranker: OpenRouterRerank, gateway: LocalGateway, events: list[Any], run: Run
) -> None:
    assert run(reranker, [], query_str=QUERY) == []
    assert reranker.rerank(QUERY, []).results == []
    assert (gateway.requests, events) == ([], [])


@ways
@pytest.mark.parametrize("asked", [{}, {"query_str": ""}, {"query_bundle": QueryBundle("")}], ids=str)
def test_without_a_query_nothing_is_sent(
    reranker: OpenRouterRerank, nodes: list[NodeWithScore], gateway: LocalGateway, run: Run, asked: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="the query is missing"):
        run(reranker, nodes, **asked)
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (None, "title: The capital\n\nParis"),
        (MetadataMode.EMBED, "title: The capital\n\nParis"),
        (MetadataMode.LLM, "secret: x\n\nParis"),
        ("none", "Paris"),
    ],
)
def test_metadata_that_counts(make_reranker: Make, gateway: LocalGateway, mode: Any, text: str) -> None:
    node = TextNode(
        text="Paris",
        metadata={"title": "The capital", "secret": "x"},
        excluded_embed_metadata_keys=["secret"],
        excluded_llm_metadata_keys=["title"],
    )
    reranker = make_reranker(metadata_mode=mode)
    reranker.postprocess_nodes([NodeWithScore(node=node)], query_str=QUERY)
    reranker.rerank(QUERY, [node], metadata_mode=MetadataMode.NONE)
    assert [exchange.body["documents"] for exchange in gateway.requests] == [[text], ["Paris"]]
    assert "metadata_mode" not in gateway.requests[-1].body


@ways
def test_the_retrievers_score_can_be_kept(make_reranker: Make, nodes: list[NodeWithScore], run: Run) -> None:
    made = run(make_reranker(keep_retrieval_score=True, top_n=1), nodes, query_str=QUERY)
    assert made[0].node.metadata == {"page": 1, "retrieval_score": 0.4}
    assert (made[0].node.node_id, made[0].node.get_content()) == ("Pari", "Paris is in France.")
    assert nodes[1].node.metadata == {"page": 1}


@ways
def test_neither_a_prompt_nor_another_reranker_sees_the_score_that_was_kept(
    make_reranker: Make, nodes: list[NodeWithScore], gateway: LocalGateway, run: Run
) -> None:
    before = nodes[1].node.get_content(MetadataMode.LLM)
    reranker = make_reranker(keep_retrieval_score=True, top_n=1)
    [made] = run(reranker, nodes, query_str=QUERY)
    assert made.node.get_content(MetadataMode.LLM) == before
    [again] = run(reranker, [made], query_str=QUERY)
    assert gateway.requests[-1].body["documents"] == [before]
    assert again.node.metadata["retrieval_score"] == made.score
    assert again.node.excluded_llm_metadata_keys == again.node.excluded_embed_metadata_keys == ["retrieval_score"]
    assert nodes[1].node.excluded_llm_metadata_keys == []


PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\x00" * 8).decode()


@pytest.mark.parametrize(
    ("node", "document"),
    [
        (ImageNode(text="a cat", image_url="https://x/y.png"), {"text": "a cat", "image": "https://x/y.png"}),
        (ImageNode(image=PIXEL), {"image": f"data:image/png;base64,{PIXEL}"}),
        (
            Node(text_resource=MediaResource(text="a cat"), image_resource=MediaResource(data=PIXEL.encode())),
            {"text": "a cat", "image": f"data:image/png;base64,{PIXEL}"},
        ),
        (ImageNode(text="no picture"), "no picture"),
        (Node(text_resource=MediaResource(text="a cat")), "a cat"),
    ],
    ids=["address", "inline", "multimodal", "image node without", "text only"],
)
def test_nodes_with_pictures(reranker: OpenRouterRerank, gateway: LocalGateway, node: Any, document: Any) -> None:
    reranker.postprocess_nodes([NodeWithScore(node=node)], query_str=QUERY)
    assert gateway.requests[-1].body["documents"] == [document]


@ways
def test_a_picture_that_cannot_be_read_leaves_its_text_with_one_warning(
    reranker: OpenRouterRerank, gateway: LocalGateway, run: Run
) -> None:
    gone = [ImageNode(text=text, image_path="/no/such/file.png", id_=text) for text in ("a cat", "a dog")]
    with pytest.warns(UserWarning, match=r"2 of the nodes are ranked by text alone: node a cat: .*file\.png") as warned:
        assert len(run(reranker, [NodeWithScore(node=node) for node in gone], query_str=QUERY)) == 2
    assert len(warned) == 1
    assert gateway.requests[-1].body["documents"] == ["a cat", "a dog"]


def test_a_picture_that_cannot_be_read_and_has_no_text_is_an_error(
    reranker: OpenRouterRerank, gateway: LocalGateway
) -> None:
    with pytest.raises(ValueError, match=r"/no/such/file\.png"):
        reranker.rerank(QUERY, ["a", ImageNode(image_path="/no/such/file.png")])
    assert gateway.requests == []


def test_pictures_can_be_left_out(make_reranker: Make, gateway: LocalGateway) -> None:
    picture = ImageNode(text="a cat", image_url="https://x/y.png")
    make_reranker(rank_images=False).postprocess_nodes([NodeWithScore(node=picture)], query_str=QUERY)
    make_reranker().rerank(QUERY, [picture], rank_images=False)
    make_reranker(rank_images=False).rerank(QUERY, [picture], rank_images=True)
    with_picture = {"text": "a cat", "image": "https://x/y.png"}
    assert [exchange.body["documents"] for exchange in gateway.requests] == [["a cat"], ["a cat"], [with_picture]]


# -------------------------------------------------------------------------------------------------- with what it took


def test_scores_and_what_they_took(reranker: OpenRouterRerank, nodes: list[NodeWithScore]) -> None:
    things: list[Any] = ["Lima is in Peru.", nodes[1], {"text": "What is it?", "image": "https://x/y.png"}]
    made = reranker.rerank(QUERY, things, top_n=2)
    assert [rank.index for rank in made.results] == [1, 2]
    assert made.results[0].relevance_score > made.results[1].relevance_score
    assert (made.cost, made.model, made.provider) == (Decimal("0.001"), "rerank-v3.5", "Cohere")
    assert made.usage is not None and made.usage.wire["search_units"] == 1

    async def again() -> Any:
        async with reranker:
            return await reranker.arerank(QueryBundle(QUERY), iter(things), top_n=2)

    assert asyncio.run(again()).results == made.results


def test_options_of_the_instance_and_of_the_call(make_reranker: Make, gateway: LocalGateway) -> None:
    reranker = make_reranker(provider={"only": ["cohere"]}, user="u", extra_body={"new": 1}, app_title="Mine", top_n=1)
    reranker.rerank(QUERY, ["a", "b"], session_id="s", user=None, top_n=None)
    assert gateway.requests[-1].body == {
        "model": MODEL,
        "query": QUERY,
        "documents": ["a", "b"],
        "provider": {"only": ["cohere"]},
        "new": 1,
        "session_id": "s",
    }
    assert gateway.requests[-1].headers["x-openrouter-title"] == "Mine"


def test_options_of_ours_are_not_sent(reranker: OpenRouterRerank, gateway: LocalGateway) -> None:
    reranker.rerank(QUERY, ["a"], keep_retrieval_score=True, metadata_mode="none", show_progress=True, rank_images=True)
    assert gateway.requests[-1].body == {"model": MODEL, "query": QUERY, "documents": ["a"]}


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (
            lambda made, nodes: made.rerank(nodes, QUERY),
            TypeError,
            r"documents must be a list, not str: .*\(query, doc",
        ),
        (lambda made, nodes: made.rerank(QUERY, nodes[0]), TypeError, "documents must be a list, not NodeWithScore"),
        (lambda made, nodes: made.rerank(nodes, nodes), TypeError, "query must be text"),
        (lambda made, nodes: made.rerank(QUERY, [None]), TypeError, "document 0 must be text"),
        (lambda made, nodes: made.rerank(QUERY, None), TypeError, "documents must be a list, not NoneType"),
        (lambda made, nodes: made.rerank(QUERY, nodes, top_n=0), ValueError, "top_n=0"),
        (lambda made, nodes: made.rerank(QUERY, nodes, model=None), ValueError, "model is missing"),
        (lambda made, nodes: made.rerank(QUERY, nodes, metadata_mode="x"), ValueError, "metadata_mode='x'"),
        (lambda made, nodes: made.postprocess_nodes(["a"], query_str=QUERY), TypeError, "node 0 must be a NodeWithSc"),
    ],
)
def test_mistakes_are_named_before_anything_is_sent(
    reranker: OpenRouterRerank,
    nodes: list[NodeWithScore],
    gateway: LocalGateway,
    ask: Callable[..., Any],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        ask(reranker, nodes)
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"topn": 3}, TypeError, "OpenRouterRerank got an unknown argument 'topn': did you mean 'top_n'"),
        ({"top_n": 0}, ValueError, "OpenRouterRerank: top_n=0 .*greater than 0"),
        ({"model": None}, ValueError, "OpenRouterRerank: model is missing"),
        ({"metadata_mode": "x"}, ValueError, "metadata_mode='x'"),
    ],
)
def test_mistakes_in_the_constructor_are_named(
    make_reranker: Make, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        make_reranker(**options)


@ways
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"results": []}, "no results"),
        ({"results": [{"index": 3, "relevance_score": 1}], "usage": {"cost": 0.5}}, "none of the 3 documents"),
        ({"results": [{"index": 0, "relevance_score": 1}] * 2}, "stands twice"),
        ({"results": [{"index": 0, "relevance_score": 1}], "usage": {"cost": 0.5}}, "ranks 1 of 3 documents"),
        ([], "no JSON object"),
    ],
)
def test_no_malformed_answer_looks_like_ranks(
    reranker: OpenRouterRerank, nodes: list[NodeWithScore], gateway: LocalGateway, run: Run, body: Any, said: str
) -> None:
    gateway.reply(path="/rerank", body=body)
    with pytest.raises(MalformedResponseError, match=said) as caught:
        run(reranker, nodes, query_str=QUERY)
    if isinstance(body, dict) and "usage" in body:
        partial = caught.value.partial
        assert partial is not None and partial.usage is not None and partial.usage.cost.charged == Decimal("0.5")


@ways
def test_errors_and_retries(make_reranker: Make, nodes: list[NodeWithScore], gateway: LocalGateway, run: Run) -> None:
    gateway.fault("rate_limit", retry_after=0)
    assert len(run(make_reranker(max_retries=1), nodes, query_str=QUERY)) == 3
    gateway.fault("error_200", code=429)
    with pytest.raises(RateLimitError) as caught:
        run(make_reranker(), nodes, query_str=QUERY)
    assert isinstance(caught.value, openai.RateLimitError)


# ------------------------------------------------------------------------------------------- what LlamaIndex is told


@ways
@pytest.mark.parametrize("top_n", [2, None])
def test_one_pair_of_events_and_one_span(
    make_reranker: Make,
    nodes: list[NodeWithScore],
    events: list[Any],
    spans: SimpleSpanHandler,
    run: Run,
    top_n: int | None,
) -> None:
    made = run(make_reranker(top_n=top_n), nodes, query_str=QUERY)
    start, end = events
    assert (type(start).__name__, type(end).__name__) == ("ReRankStartEvent", "ReRankEndEvent")
    assert (start.query.query_str, start.nodes, start.top_n, start.model_name) == (QUERY, nodes, top_n or 3, MODEL)
    assert end.nodes == made
    [span] = spans.completed_spans
    assert span.id_.startswith(f"OpenRouterRerank._{'a' * (run is apostprocess)}postprocess_nodes")
    assert start.span_id == end.span_id == span.id_


@ways
def test_callbacks_are_told_with_usage_and_cost(make_reranker: Make, nodes: list[NodeWithScore], run: Run) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    reranker = make_reranker(top_n=2, callback_manager=CallbackManager([debug]))
    made = run(reranker, nodes, query_str=QUERY)
    [(start, end)] = debug.get_event_pairs(CBEventType.RERANKING)
    assert start.payload == {
        EventPayload.NODES: nodes,
        EventPayload.MODEL_NAME: MODEL,
        EventPayload.QUERY_STR: QUERY,
        EventPayload.TOP_K: 2,
    }
    assert end.payload is not None and end.payload[EventPayload.NODES] == made
    facts = end.payload[EventPayload.ADDITIONAL_KWARGS]
    assert (facts["model"], facts["provider"], facts["cost"]) == ("rerank-v3.5", "Cohere", 0.001)
    assert facts["usage"]["search_units"] == 1


@ways
def test_on_an_error_the_callback_event_ends_too(
    make_reranker: Make, nodes: list[NodeWithScore], gateway: LocalGateway, events: list[Any], run: Run
) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    gateway.fault("unauthorized")
    with pytest.raises(OpenRouterError) as caught:
        run(make_reranker(callback_manager=CallbackManager([debug])), nodes, query_str=QUERY)
    [(_, end)] = debug.get_event_pairs(CBEventType.RERANKING)
    assert end.payload == {EventPayload.EXCEPTION: caught.value}
    assert "ReRankEndEvent" not in [type(event).__name__ for event in events]


# ------------------------------------------------------------------------------------ stored, copied, shown to others


def test_the_key_is_shown_nowhere(
    make_reranker: Make, nodes: list[NodeWithScore], gateway: LocalGateway, events: list[Any], spans: SimpleSpanHandler
) -> None:
    reranker = make_reranker(default_headers={"X-Secret": "header-secret"})
    reranker.rerank(QUERY, ["a"], api_key="sk-of-this-call-the-secret")
    assert gateway.requests[-1].key == "sk-of-this-call-the-secret"
    reranker.postprocess_nodes(nodes, query_str=QUERY)
    shown = f"{reranker!r} {reranker} {reranker.to_dict()} {reranker.to_json()} {events} {spans.completed_spans}"
    gateway.fault("unauthorized")
    with pytest.raises(OpenRouterError) as caught:
        reranker.postprocess_nodes(nodes, query_str=QUERY)
    shown += f"{caught.value!r} {vars(caught.value)}"
    assert "the-secret" not in shown and "header-secret" not in shown


def test_stored_copied_and_pickled(
    make_reranker: Make, nodes: list[NodeWithScore], caplog: pytest.LogCaptureFixture
) -> None:
    reranker = make_reranker(top_n=1, metadata_mode=MetadataMode.NONE, keep_retrieval_score=True)
    expected = reranker.postprocess_nodes(nodes, query_str=QUERY)
    with caplog.at_level(logging.WARNING):
        pickled = pickle.loads(pickle.dumps(reranker))
    assert not caplog.records
    read = OpenRouterRerank.from_json(reranker.to_json(), api_key=KEY)
    for again in (copy.copy(reranker), copy.deepcopy(reranker), reranker.model_copy(), pickled, read):
        with again:
            assert again.postprocess_nodes(nodes, query_str=QUERY) == expected
            assert again.to_dict() == reranker.to_dict()


# ------------------------------------------------------------------------------------------------- in a query engine


@ways
def test_in_a_query_engine(
    make_reranker: Make, make: Callable[..., OpenRouter], gateway: LocalGateway, events: list[Any], run: Run
) -> None:
    index = VectorStoreIndex.from_documents([Document(text=text) for text in TEXTS], embed_model=MockEmbedding(4))
    reranker, llm = make_reranker(top_n=1), make()
    engine = index.as_query_engine(similarity_top_k=3, node_postprocessors=[reranker], llm=llm)
    assert isinstance(reranker, BaseNodePostprocessor)

    async def ask() -> Any:
        async with reranker, llm:
            return await engine.aquery(QUERY)

    response = engine.query(QUERY) if run is postprocess else asyncio.run(ask())
    assert [node.get_content() for node in response.source_nodes] == ["Paris is in France."]
    assert [exchange.path for exchange in gateway.requests] == ["/api/v1/rerank", "/api/v1/chat/completions"]
    assert "Paris" in str(gateway.requests[-1].body) and "Lima" not in str(gateway.requests[-1].body)
    assert [type(event).__name__ for event in events].count("ReRankEndEvent") == 1


def test_the_recording_comes_through_whole(
    make_reranker: Make, gateway: LocalGateway, captures: list[dict[str, Any]]
) -> None:
    exchanges = [one for capture in captures for one in capture["interactions"]]
    (exchange,) = [one for one in exchanges if one["request"]["path"].endswith("/rerank")]
    asked, answer = exchange["request"]["body"], exchange["response"]["body"]
    gateway.reply(path="/rerank", body=answer)
    reranker = make_reranker(model=asked["model"], top_n=asked["top_n"])
    given = [NodeWithScore(node=TextNode(text=text)) for text in asked["documents"]]
    made = reranker.postprocess_nodes(given, query_str=asked["query"])
    assert gateway.requests[-1].body == asked
    scores = [(result["document"]["text"], result["relevance_score"]) for result in answer["results"]]
    assert [(node.get_content(), node.score) for node in made] == scores
