"""Embeddings and reranking: what is refused, and what is answered."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from . import tokens, vectors
from .market import Endpoint
from .problems import Problem, invalid
from .reply import Body
from .shapes import EMBEDDINGS, RERANK, refuse
from .usage import costs, number

__all__ = ["Head", "embeddings", "refuse_embeddings", "refuse_rerank", "rerank"]

_SEARCH_PRICE = Decimal("0.001")
_TOKENS = {
    "text": "text_tokens",
    "image_url": "image_tokens",
    "input_audio": "audio_tokens",
    "input_video": "video_tokens",
    "input_file": "file_tokens",
}
"""The kinds of parts that can be embedded, and where ``usage`` counts them."""
_PER_ATTACHMENT = 85


@dataclass(frozen=True)
class Head:
    """Who answers a request for vectors or ranks, and at which price."""

    id: str
    model: str
    provider: str
    endpoint: Endpoint


def refuse_embeddings(body: Any) -> Problem | None:
    """What OpenRouter finds wrong with a request for vectors before it looks for an endpoint."""
    given = body.get("input") if isinstance(body, dict) else None
    if not given:
        return invalid('Input required: specify "input"')
    kinds = {type(item) for item in given} if isinstance(given, list) else {type(given)}
    if kinds not in ({str}, {int}, {list}, {dict}):
        return invalid("Invalid input: input must be all text, all tokens, or all content")
    if wrong := refuse(EMBEDDINGS, body):
        return wrong
    if kinds == {dict} and any(part.get("type") not in _TOKENS for item in given for part in _parts(item)):
        return invalid(f"Invalid input: a content part must be one of {', '.join(_TOKENS)}")
    if body.get("encoding_format", "float") not in ("float", "base64"):
        return invalid('Invalid option: expected one of "float"|"base64" at encoding_format')
    return _refuse_count(body, "dimensions")


def refuse_rerank(body: Any) -> Problem | None:
    """What OpenRouter finds wrong with a request for ranks before it looks for an endpoint."""
    if not isinstance(body, dict) or not isinstance(body.get("query"), str) or not body.get("documents"):
        return invalid('Input required: specify "query" and "documents"')
    return _refuse_count(body, "top_n") or refuse(RERANK, body)


def _refuse_count(body: Body, name: str) -> Problem | None:
    value = body.get(name, 1)
    fine = type(value) is int and value > 0
    return None if fine else invalid(f"Invalid input: expected {name} to be a positive integer, received {value}")


def embeddings(body: Body, head: Head) -> Body:
    """The answer to ``/embeddings``."""
    items = _items(body["input"])
    encode: Callable[[Sequence[float]], Any] = vectors.packed if body.get("encoding_format") == "base64" else list
    made = [vectors.embed(_text(item), body.get("dimensions") or vectors.DIMENSIONS) for item in items]
    return {
        "object": "list",
        "data": [{"object": "embedding", "embedding": encode(v), "index": at} for at, v in enumerate(made)],
        "model": head.model,
        "provider": head.provider,
        "id": head.id,
        "usage": _usage(items, head.endpoint),
    }


def _usage(items: list[Any], endpoint: Endpoint) -> Body:
    """Tokens and cost; how many of which kind is only said where there are kinds."""
    counted = [(part["type"], _count(part)) for item in items for part in _parts(item)]
    plain = sum(tokens.count(_text(item)) for item in items if not isinstance(item, dict))
    prompt = plain + sum(count for _, count in counted)
    details = {name: sum(count for kind, count in counted if kind == type_) for type_, name in _TOKENS.items()}
    mixed = {"prompt_tokens_details": details} if counted else {}
    return {"prompt_tokens": prompt, "total_tokens": prompt, **costs(prompt, 0, endpoint), "is_byok": False, **mixed}


def _count(part: Body) -> int:
    return tokens.count(part.get("text")) if part["type"] == "text" else _PER_ATTACHMENT


def _items(given: Any) -> list[Any]:
    """What to embed, one for each vector."""
    one = isinstance(given, str) or all(isinstance(item, int) for item in given)
    return [given] if one else list(given)


def _parts(item: Any) -> list[Body]:
    content = item.get("content") if isinstance(item, dict) else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text(item: Any) -> str:
    """The text that stands for an item; token arrays and attachments count as their JSON."""
    if isinstance(item, dict):
        return " ".join(part.get("text") or json.dumps(part) for part in _parts(item))
    return str(item)


def rerank(body: Body, head: Head) -> Body:
    """The answer to ``/rerank``."""
    documents = [document if isinstance(document, dict) else {"text": document} for document in body["documents"]]
    scores = [vectors.relevance(body["query"], str(document.get("text", ""))) for document in documents]
    ranked = sorted(range(len(documents)), key=lambda at: -scores[at])[: body.get("top_n")]
    results = [{"index": at, "relevance_score": scores[at], "document": documents[at]} for at in ranked]
    usage = {"search_units": 1, "cost": number(_SEARCH_PRICE)}
    return {"id": head.id, "model": head.model, "provider": head.provider, "results": results, "usage": usage}
