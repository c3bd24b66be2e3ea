"""`OpenRouterRerank` at the socket."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest
from langchain_core import exceptions as langchain
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from openrouter_adapters import MalformedResponseError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import OpenRouterEmbeddings, OpenRouterRerank

from ..making import making

MODEL = "cohere/rerank-v3.5"
KEY = "sk-or-very-secret"
QUERY = "What is in France?"

Make = Callable[..., OpenRouterRerank]
Compress = Callable[..., list[Document]]


@pytest.fixture
def make_reranker(openrouter_gateway: LocalGateway) -> Iterator[Make]:
    """Makes rerankers that talk to the gateway, and closes them."""
    with making(OpenRouterRerank, openrouter_gateway, model=MODEL, api_key=KEY) as make:
        yield make


@pytest.fixture
def reranker(make_reranker: Make) -> OpenRouterRerank:
    return make_reranker()


@pytest.fixture
def documents() -> list[Document]:
    return [
        Document("Lima is in Peru.", metadata={"source": {"page": 1}}),
        Document("Paris is in France.", id="paris", metadata={"source": {"page": 2}, "title": "The capital"}),
        Document("Athens is old."),
    ]


def compress(reranker: OpenRouterRerank, *args: Any, **options: Any) -> list[Document]:
    return reranker.compress_documents(*args, **options)


def acompress(reranker: OpenRouterRerank, *args: Any, **options: Any) -> list[Document]:
    async def run() -> list[Document]:
        async with reranker:
            return await reranker.acompress_documents(*args, **options)

    return asyncio.run(run())


ways = pytest.mark.parametrize("run", [compress, acompress])


@ways
def test_the_most_relevant_documents_come_first_and_nothing_given_is_changed(
    reranker: OpenRouterRerank, documents: list[Document], openrouter_gateway: LocalGateway, run: Compress
) -> None:
    before = copy.deepcopy(documents)
    made = run(reranker, documents, QUERY)
    texts = [document.page_content for document in documents]
    assert openrouter_gateway.requests[0].body == {"model": MODEL, "query": QUERY, "documents": texts}
    assert made[0].page_content == "Paris is in France." and made[0].id == "paris"
    scores = [document.metadata["relevance_score"] for document in made]
    assert scores == sorted(scores, reverse=True) and all(type(score) is float for score in scores)
    assert made[0].metadata == {"source": {"page": 2}, "title": "The capital", "relevance_score": scores[0]}
    assert documents == before
    assert not any(document is given for document in made for given in documents)


@ways
def test_top_n(make_reranker: Make, documents: list[Document], sent: Callable[[], Any], run: Compress) -> None:
    reranker = make_reranker(top_n=2)
    assert len(run(reranker, documents, QUERY)) == 2
    assert sent()["top_n"] == 2
    assert len(run(reranker, documents, QUERY, top_n=1)) == 1
    assert len(run(reranker, documents, QUERY, top_n=None)) == 3
    assert "top_n" not in sent()


@ways
def test_a_server_that_ignores_top_n_gives_no_more_than_asked(
    reranker: OpenRouterRerank, documents: list[Document], openrouter_gateway: LocalGateway, run: Compress
) -> None:
    results = [{"index": at, "relevance_score": at / 10} for at in range(3)]
    openrouter_gateway.reply(path="/rerank", body={"results": results})
    made = run(reranker, documents, QUERY, top_n=2)
    assert [document.metadata["relevance_score"] for document in made] == [0.2, 0.1]


@ways
def test_no_documents_are_no_request(
    reranker: OpenRouterRerank, openrouter_gateway: LocalGateway, run: Compress
) -> None:
    assert run(reranker, [], QUERY) == []
    assert reranker.rerank(QUERY, []).results == []
    assert openrouter_gateway.requests == []


@ways
def test_the_order_of_the_answer_does_not_matter(
    reranker: OpenRouterRerank, documents: list[Document], openrouter_gateway: LocalGateway, run: Compress
) -> None:
    expected = run(reranker, documents, QUERY)
    openrouter_gateway.fault("shuffled")
    assert run(reranker, documents, QUERY) == expected


def test_metadata_that_counts(
    make_reranker: Make, documents: list[Document], sent: Callable[[], dict[str, Any]]
) -> None:
    reranker = make_reranker(rank_fields=["title", "author"])
    reranker.compress_documents(documents, QUERY)
    assert sent()["documents"][:2] == ["Lima is in Peru.", "title: The capital\nParis is in France."]
    reranker.compress_documents(documents, QUERY, rank_fields=None)
    assert sent()["documents"][1] == "Paris is in France."
    assert "rank_fields" not in sent()
    with pytest.raises(ValueError, match="rank_fields='title' must be a list"):
        reranker.compress_documents(documents, QUERY, rank_fields="title")


def test_scores_and_what_they_took(reranker: OpenRouterRerank, documents: list[Document]) -> None:
    things = ["Lima is in Peru.", documents[1], {"text": "What is it?", "image": "https://x/y.png"}]
    made = reranker.rerank(QUERY, things, top_n=2)
    assert [rank.index for rank in made.results] == [1, 2]
    assert made.results[0].relevance_score > made.results[1].relevance_score
    assert (made.cost, made.model, made.provider) == (Decimal("0.001"), "rerank-v3.5", "Cohere")
    assert made.id is not None and made.id.startswith("gen-rerank-")
    assert made.usage is not None and made.usage.wire["search_units"] == 1
    assert made.metadata()["cost"] == 0.001

    async def again() -> Any:
        async with reranker:
            return await reranker.arerank(QUERY, things, top_n=2)

    assert asyncio.run(again()).results == made.results


def test_options_of_the_instance_and_of_the_call(
    make_reranker: Make, documents: list[Document], sent: Callable[[], dict[str, Any]]
) -> None:
    reranker = make_reranker(openrouter_provider={"only": ["cohere"]}, user="u", model_kwargs={"new": 1})
    reranker.compress_documents(documents, QUERY, session_id="s", user=None)
    shown = {name: value for name, value in sent().items() if name not in ("documents", "query")}
    assert shown == {"model": MODEL, "provider": {"only": ["cohere"]}, "new": 1, "session_id": "s"}


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda made, docs: made.rerank(docs, QUERY), TypeError, r"documents must be a list, not str: .*\(query, doc"),
        (lambda made, docs: made.rerank(docs, docs), TypeError, "query must be text"),
        (lambda made, docs: made.rerank(QUERY, [None]), TypeError, "document 0 must be text"),
        (lambda made, docs: made.rerank(QUERY, None), TypeError, "documents must be a list, not NoneType"),
        (lambda made, docs: made.compress_documents(docs, QUERY, top_n=0), ValueError, "top_n=0"),
        (lambda made, docs: made.compress_documents(docs, QUERY, model=None), ValueError, "model is missing"),
    ],
)
def test_mistakes_are_named_before_anything_is_sent(
    reranker: OpenRouterRerank,
    documents: list[Document],
    openrouter_gateway: LocalGateway,
    ask: Callable[..., Any],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        ask(reranker, documents)
    assert openrouter_gateway.requests == []


@ways
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"results": []}, "no results"),
        ({"results": [{"index": 3, "relevance_score": 1}], "usage": {"cost": 0.5}}, "none of the 3 documents"),
        ({"results": [{"index": 0, "relevance_score": 1}] * 2}, "stands twice"),
        ([], "no JSON object"),
    ],
)
def test_no_malformed_answer_looks_like_ranks(
    reranker: OpenRouterRerank,
    documents: list[Document],
    openrouter_gateway: LocalGateway,
    run: Compress,
    body: Any,
    said: str,
) -> None:
    openrouter_gateway.reply(path="/rerank", body=body)
    with pytest.raises(langchain.ModelAPIError, match=said) as caught:
        run(reranker, documents, QUERY)
    assert isinstance(caught.value, MalformedResponseError)
    if isinstance(body, dict) and "usage" in body:
        partial = caught.value.partial
        assert partial is not None and partial.usage is not None and partial.usage.cost.charged == Decimal("0.5")


def test_errors_and_retries(make_reranker: Make, documents: list[Document], openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.fault("rate_limit", retry_after=0)
    assert len(make_reranker(max_retries=1).compress_documents(documents, QUERY)) == 3
    openrouter_gateway.fault("error_200", code=429)
    with pytest.raises(langchain.ModelRateLimitError) as caught:
        make_reranker().compress_documents(documents, QUERY)
    assert isinstance(caught.value, openai.RateLimitError)
    openrouter_gateway.fault("unauthorized")
    with pytest.raises(langchain.ModelAuthenticationError) as refused:
        make_reranker().compress_documents(documents, QUERY)
    assert KEY not in f"{refused.value!r} {vars(refused.value)} {refused.value.request.headers!r}"


def test_in_a_chain_with_a_retriever(
    reranker: OpenRouterRerank, documents: list[Document], openrouter_gateway: LocalGateway
) -> None:
    embeddings = OpenRouterEmbeddings(
        model="openai/text-embedding-3-small", api_key=KEY, base_url=openrouter_gateway.base_url
    )
    with embeddings:
        store = InMemoryVectorStore(embeddings)
        store.add_documents(documents)

        def best(found: dict[str, Any]) -> list[Document]:
            return reranker.compress_documents(found["documents"], found["query"], top_n=1)

        gathered = {"documents": store.as_retriever(), "query": RunnablePassthrough()}
        chain = gathered | RunnableLambda(best)
        assert [document.page_content for document in chain.invoke(QUERY)] == ["Paris is in France."]
    assert isinstance(reranker, BaseDocumentCompressor)


def test_positional_callbacks_are_taken(reranker: OpenRouterRerank, documents: list[Document]) -> None:
    assert len(reranker.compress_documents(documents, QUERY, None)) == 3
    assert len(acompress(reranker, documents, QUERY, callbacks=[])) == 3


def test_copies_pickles_and_the_key(make_reranker: Make, documents: list[Document]) -> None:
    reranker = make_reranker(top_n=1, rank_fields=["title"])
    assert KEY not in f"{reranker!r} {reranker} {reranker.model_dump()} {reranker.model_dump_json()}"
    for again in (copy.copy(reranker), copy.deepcopy(reranker), pickle.loads(pickle.dumps(reranker))):
        with again:
            assert again.compress_documents(documents, QUERY) == reranker.compress_documents(documents, QUERY)
            assert again.rank_fields == ["title"]


def test_mistakes_in_the_constructor_are_named(make_reranker: Make) -> None:
    with pytest.raises(TypeError, match="OpenRouterRerank got an unknown argument 'topn': did you mean 'top_n'"):
        make_reranker(topn=3)
    with pytest.raises(ValueError, match=r"OpenRouterRerank: top_n=0 .*greater than 0"):
        make_reranker(top_n=0)


def test_the_recording_comes_through_whole(
    reranker: OpenRouterRerank, openrouter_gateway: LocalGateway, captures: list[dict[str, Any]]
) -> None:
    exchanges = [one for capture in captures for one in capture["interactions"]]
    (exchange,) = [one for one in exchanges if one["request"]["path"].endswith("/rerank")]
    asked, answer = exchange["request"]["body"], exchange["response"]["body"]
    openrouter_gateway.reply(path="/rerank", body=answer)
    made = reranker.compress_documents(
        [Document(text) for text in asked["documents"]], asked["query"], top_n=asked["top_n"]
    )
    assert openrouter_gateway.requests[-1].body == asked
    scores = [(result["document"]["text"], result["relevance_score"]) for result in answer["results"]]
    assert [(document.page_content, document.metadata["relevance_score"]) for document in made] == scores
