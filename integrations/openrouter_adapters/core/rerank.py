"""Reranking: what goes to ``/rerank``, and what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import Field, StrictInt

from openrouter_adapters.core.answer import Answer, Fetches, Unreadable, place_of
from openrouter_adapters.core.options import EndpointOptions
from openrouter_adapters.core.request import RERANK, Request, checked_call, layered
from openrouter_adapters.core.sendable import check_text
from openrouter_adapters.core.wire import dict_of

D = TypeVar("D")

Text = str | Mapping[str, Any]
"""What is ranked: a text, or ``{"text": ..., "image": ...}``."""


class RerankOptions(EndpointOptions):
    """The options of reranking.

    https://openrouter.ai/docs/api-reference/rerank
    """

    top_n: StrictInt | None = Field(default=None, gt=0, description="Keep this many documents; None: all.")


RerankOptions.option_names = tuple(RerankOptions.model_fields)


@dataclass(frozen=True, slots=True)
class Rank:
    """How relevant one document is.

    Attributes:
        index: which document: its place among those that were given.
        relevance_score: the higher the better; what it can be is the model's own.
    """

    index: int
    relevance_score: float


class Ranked(Answer[list[Rank]]):
    """Documents by relevance, and what that took: `Answer` says what else is known.

    Attributes:
        results: the most relevant first.
    """

    __slots__ = ()

    @property
    def results(self) -> list[Rank]:
        """The most relevant first."""
        return self.content


def rerank_request(options: RerankOptions, call: Mapping[str, Any], query: str, documents: Sequence[Text]) -> Request:
    """The request that ranks documents.

    Args:
        options: the model object.
        call: per-call options by name; unknown names go into the body as they are; None clears.
        query: what they are to be relevant to.
        documents: at least one.

    Raises:
        TypeError: query or documents are none.
        ValueError: no document, no model, half a character, or a known option of a wrong type.
    """
    if not isinstance(query, str):
        raise TypeError(f"query must be text, not {query!r:.80}")
    if not documents:
        raise ValueError("documents is empty: give at least one document")
    check_text("query", query)
    for at, document in enumerate(documents):
        _check_document(at, document)
    content = {"query": query, "documents": list(documents)}
    request = layered(options.set_options(), checked_call(call, RerankOptions), content, RERANK)
    if not request.body.get("model"):
        raise ValueError("model is missing: reranking has no default model, give model='author/name'")
    return request


def _check_document(at: int, document: Any) -> None:
    text = (document.get("text") or "") if isinstance(document, Mapping) else document
    if not isinstance(text, str):
        raise TypeError(f"document {at} must be text, or an object with text or image, not {document!r:.80}")
    check_text(f"document {at}", text)


def listed(documents: Iterable[D], *one: type) -> list[D]:
    """The documents as a list.

    Args:
        documents: what is ranked.
        one: a framework's own classes of a single document.

    Raises:
        TypeError: they are one document, or none at all.
    """
    if isinstance(documents, (str, bytes, Mapping, *one)) or not isinstance(documents, Iterable):
        raise TypeError(f"documents must be a list, not {type(documents).__name__}: it is (query, documents)")
    return list(documents)


def read_ranks(body: Mapping[str, Any], count: int, top_n: int | None = None) -> list[Rank]:
    """The ranks of an answer, the most relevant first.

    Args:
        body: the JSON body.
        count: how many documents there were.
        top_n: how many were asked for; None: all.

    Raises:
        Unreadable: some are missing, or they cannot be matched with the documents.
    """
    items = body.get("results")
    if not isinstance(items, list) or not items:
        raise Unreadable("the answer has no results")
    ranks = [_rank(item, count) for item in items]
    if len({rank.index for rank in ranks}) < len(ranks):
        raise Unreadable("a document stands twice in the results")
    if len(ranks) < (expected := count if top_n is None else min(top_n, count)):
        raise Unreadable(f"the answer ranks {len(ranks)} of {count} documents, {expected} were asked for")
    return sorted(ranks, key=lambda rank: -rank.relevance_score)[:top_n]


def _rank(item: Any, count: int) -> Rank:
    index, score = place_of(dict_of(item).get("index")), _score(dict_of(item).get("relevance_score"))
    if index is None or not 0 <= index < count:
        raise Unreadable(f"a result is for none of the {count} documents")
    if score is None:
        raise Unreadable(f"the score of document {index} is no number")
    return Rank(index, score)


def _score(value: Any) -> float | None:
    """A number that documents can be ordered by."""
    with suppress(OverflowError):  # a whole number beyond every float
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    return None


def _reader(request: Request) -> Callable[[Mapping[str, Any]], list[Rank]]:
    top_n = request.body.get("top_n")
    return partial(read_ranks, count=len(request.body["documents"]), top_n=top_n if isinstance(top_n, int) else None)


def rerank(client: Fetches, request: Request | None) -> Ranked:
    """Send the request.

    Args:
        client: sends it.
        request: what to rank; None: nothing, and nothing is sent.

    Raises:
        OpenRouterError: it failed, or its answer did.
    """
    if request is None:
        return Ranked([])
    answer = client.fetch(request, _reader(request))
    return Ranked.of([answer], answer.content)


async def arerank(client: Fetches, request: Request | None) -> Ranked:
    """As `rerank`."""
    if request is None:
        return Ranked([])
    answer = await client.afetch(request, _reader(request))
    return Ranked.of([answer], answer.content)
