"""Reranking: what goes out, and how an answer is read."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_adapters.core.answer import Unreadable
from openrouter_adapters.core.rerank import Rank, Ranked, RerankOptions, read_ranks, rerank_request

MODEL = "cohere/rerank-v3.5"


def body(instance: dict[str, Any] | None = None, documents: Any = ("a", "b"), query: Any = "q", **call: Any) -> Any:
    options = RerankOptions(**{"api_key": "k", "model": MODEL, **(instance or {})})
    return rerank_request(options, call, query, documents).body


def test_only_what_was_asked_is_sent() -> None:
    assert body() == {"model": MODEL, "query": "q", "documents": ["a", "b"]}
    request = rerank_request(RerankOptions(api_key="k", model=MODEL), {}, "q", ["a"])
    assert (request.path, request.method, request.headers) == ("/rerank", "post", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("top_n", 2),
        ("provider", {"only": ["cohere"]}),
        ("user", "u"),
        ("session_id", "s"),
        ("trace", {"trace_id": "t"}),
        ("extra_body", {"max_tokens_per_doc": 9}),
    ],
)
@pytest.mark.parametrize("where", ["instance", "call"])
def test_every_option_reaches_the_body_and_none_clears_it(name: str, value: Any, where: str) -> None:
    made = body({name: value}) if where == "instance" else body(**{name: value})
    assert made == {**body(), **(value if name == "extra_body" else {name: value})}
    assert body({name: value}, **{name: None}) == body()


def test_objects_are_sent_as_they_are() -> None:
    documents = [{"text": "a", "image": "https://x/y.png"}, {"image": "https://x/z.png"}, "b"]
    before = copy.deepcopy(documents)
    assert body(documents=documents)["documents"] == documents == before


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"query": ["a"]}, TypeError, r"query must be text, not \['a'\]"),
        ({"documents": []}, ValueError, "documents is empty"),
        ({"documents": ["a", None]}, TypeError, "document 1 must be text, or an object with text or image, not None"),
        ({"documents": [{"text": 5}]}, TypeError, "document 0 must be text"),
        ({"documents": ["\udc00"]}, ValueError, "document 0 has half a character"),
        ({"query": "\ud800"}, ValueError, "query has half a character"),
        ({"top_n": 0}, ValueError, "top_n=0 .*greater than 0"),
        ({"top_n": "2"}, ValueError, "top_n='2' must be a whole number"),
        ({"model": None}, ValueError, "model is missing: reranking has no default model"),
    ],
)
def test_what_cannot_be_ranked_is_refused(given: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        body(**given)


def results(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"results": [{"index": index, "relevance_score": score} for index, score in pairs]}


def test_the_most_relevant_comes_first_and_no_more_than_asked() -> None:
    answer = results((0, 0.25), (2, 1), (1, -0.5))
    assert read_ranks(answer, 3) == [Rank(2, 1.0), Rank(0, 0.25), Rank(1, -0.5)]
    assert type(read_ranks(answer, 3)[0].relevance_score) is float
    assert repr(read_ranks(results((1.0, 0.5), (0.0, 0.25)), 2)) == repr([Rank(1, 0.5), Rank(0, 0.25)])
    assert read_ranks(answer, 3, top_n=2) == [Rank(2, 1.0), Rank(0, 0.25)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "no results"),
        ({"results": []}, "no results"),
        ({"results": {"0": 1}}, "no results"),
        ({"results": [None]}, "a result is for none of the 2 documents"),
        (results((2, 0.5)), "a result is for none of the 2 documents"),
        (results((-1, 0.5)), "a result is for none of the 2 documents"),
        (results((10**5000, 0.5)), "a result is for none of the 2 documents"),
        (results((True, 0.5)), "a result is for none of the 2 documents"),
        (results((0.5, 0.5)), "a result is for none of the 2 documents"),
        (results((float("nan"), 0.5)), "a result is for none of the 2 documents"),
        (results((float("inf"), 0.5)), "a result is for none of the 2 documents"),
        (results(("0", 0.5)), "a result is for none of the 2 documents"),
        (results((0, 0.5), (0, 0.4)), "a document stands twice"),
        (results((0, 0.5)), "ranks 1 of 2 documents, 2 were asked for"),
        (results((0, None)), "the score of document 0 is no number"),
        (results((0, "0.5")), "the score of document 0 is no number"),
        (results((0, True)), "the score of document 0 is no number"),
        (results((0, float("nan"))), "the score of document 0 is no number"),
        (results((0, 10**400)), "the score of document 0 is no number"),
    ],
)
def test_an_answer_that_does_not_match_the_documents_is_none(answer: dict[str, Any], said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_ranks(answer, 2)


@pytest.mark.parametrize("top_n", [2, 5])
def test_an_answer_with_fewer_ranks_than_asked_for_is_none(top_n: int) -> None:
    with pytest.raises(Unreadable, match=f"ranks 1 of 3 documents, {min(top_n, 3)} were asked for"):
        read_ranks(results((0, 0.5)), 3, top_n=top_n)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries({}, optional={"index": JSON | st.integers(0, 3), "relevance_score": JSON})


@given(answer=st.fixed_dictionaries({}, optional={"results": JSON | st.lists(ITEMS | JSON, max_size=4)}))
def test_any_answer_is_read_or_refused(answer: dict[str, Any]) -> None:
    try:
        ranks = read_ranks(answer, 3)
    except Unreadable:
        return
    scores = [rank.relevance_score for rank in ranks]
    assert scores == sorted(scores, reverse=True)
    assert {rank.index for rank in ranks} == {0, 1, 2}


def test_the_recording_is_read(captures: list[dict[str, Any]]) -> None:
    recorded = [
        one
        for capture in captures
        for one in capture["interactions"]
        if one["request"]["path"].endswith("/rerank") and one["response"]["status"] == 200
    ]
    (exchange,) = recorded
    asked, answer = exchange["request"]["body"], exchange["response"]["body"]
    assert body(documents=asked["documents"], query=asked["query"], top_n=asked["top_n"]) == asked
    assert read_ranks(answer, 3, 2) == [Rank(1, 0.06657539), Rank(0, 0.015062517)]
    facts = Ranked.from_body(answer, [])
    assert (facts.model, facts.provider, facts.cost) == ("rerank-v3.5", "Cohere", Decimal("0.001"))
    assert facts.usage is not None and facts.usage.wire["search_units"] == 1
