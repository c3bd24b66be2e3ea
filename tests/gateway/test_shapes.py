"""Requests that OpenRouter would refuse are refused (400), and what it accepts is accepted."""

from typing import Any

import pytest

from openrouter_adapters.gateway import LocalGateway

from .conftest import Client

MESSAGES = [{"role": "user", "content": "Hi"}]
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def said(**message: Any) -> dict[str, Any]:
    return {"messages": [*MESSAGES, message]}


def text(**message: Any) -> dict[str, Any]:
    return said(role="user", content=[{"type": "text", **message}])


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"max_tokens": "5"}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -3}, "Expected temperature to be at least 0, received -3"),
        ({"temperature": 5}, "Expected temperature to be at most 2, received 5"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 7}, "top_p"),
        ({"stop": 5}, "stop"),
        ({"stop": [*"abcdefghi"]}, "stop"),
        ({"stream": "false"}, "stream"),
        ({"model": 5}, "model"),
        ({"models": [1]}, "models.0"),
        ({"tools": ["x"]}, "tools.0"),
        ({"tools": [{"type": "function"}]}, "tools.0: function is missing"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": None}}, "tool_choice.function"),
        ({"plugins": ["web"]}, "plugins.0"),
        ({"modalities": ["smell"]}, "modalities.0"),
        ({"response_format": {"type": "bogus"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"provider": {"only": 5}}, "provider.only"),
        ({"provider": {"order": "openai"}}, "provider.order"),
        ({"provider": {"max_price": {"prompt": "cheap"}}}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": float("nan")}}}, "provider.max_price.prompt"),
        ({"reasoning": {"effort": "high"}, "reasoning_effort": "low"}, "reasoning_effort"),
        (said(role="wizard", content="Hi"), "messages.1.role"),
        (said(role="user", content=5), "messages.1.content"),
        (said(role="user", content=["x"]), "messages.1.content.0"),
        (said(role="user", content=[{"text": "x"}]), "messages.1.content.0.type"),
        (text(), "messages.1.content.0: text is missing"),
        (text(text=None), "messages.1.content.0: text is missing"),
        (text(text=5), "messages.1.content.0.text"),
        (said(role="assistant", tool_calls=[{"id": "x"}]), "messages.1.tool_calls.0.function"),
        (said(role="tool", content="x", tool_call_id=[]), "messages.1.tool_call_id"),
    ],
    ids=str,
)
def test_a_chat_that_makes_no_sense(client: Client, gateway: LocalGateway, body: dict[str, Any], place: str) -> None:
    gateway.fault("overloaded", match="nobody says this")  # it, too, looks at the words
    answer = client.post("/chat/completions", {"messages": MESSAGES, **body})
    assert answer.status == 400 and place in answer.body["error"]["message"]
    assert answer.body["error"]["metadata"] == {"provider_name": None}


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/embeddings", {"input": 5}, "input"),
        ("/embeddings", {"input": [{"content": [{"type": []}]}]}, "type"),
        ("/embeddings", {"input": "a", "model": 5}, "model"),
        ("/embeddings", {"input": "a", "provider": {"order": "openai"}}, "provider.order"),
        ("/rerank", {"query": "a", "documents": 5}, "documents"),
        ("/rerank", {"query": "a", "documents": "abc"}, "documents"),
        ("/rerank", {"query": "a", "documents": [5]}, "documents.0"),
        ("/rerank", {"query": "a", "documents": ["b"], "models": [5]}, "models.0"),
    ],
    ids=str,
)
def test_vectors_and_ranks_that_make_no_sense(client: Client, path: str, body: dict[str, Any], place: str) -> None:
    answer = client.post(path, {"model": "openai/text-embedding-3-small", **body})
    assert answer.status == 400 and place in answer.body["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        dict.fromkeys(("temperature", "stop", "provider", "tools", "tool_choice", "response_format", "reasoning")),
        {"temperature": 2, "top_p": 1, "min_p": 0, "top_k": 0, "frequency_penalty": -2, "repetition_penalty": 1.5},
        {"stop": [*"wxyz"], "logit_bias": {"50256": -100}, "seed": -1, "top_logprobs": 20, "logprobs": True},
        {"provider": {"sort": {"by": "price", "partition": "none"}, "max_price": {"prompt": "0.5", "completion": 9}}},
        {"provider": {"sort": "exacto", "data_collection": "deny", "zdr": False, "preferred_max_latency": {"p50": 1}}},
        {"tools": [{"type": "openrouter:datetime"}, {"type": "web_search"}], "tool_choice": {"type": "openrouter:x"}},
        {"response_format": {"type": "grammar", "grammar": "root ::= x"}},
        {"response_format": {"type": "text"}, "reasoning": {"effort": "high", "enabled": True}},
        {"reasoning": {"effort": None}, "reasoning_effort": "xhigh"},
        {"plugins": [{"id": "web", "max_results": 1}], "safe_prompt": True, "usage": {"include": True}, "n": 1},
        text(text="", image_url=None, cache_control={"type": "ephemeral"}),
        said(role="developer", content="x", configuration_update={"reasoning": {"effort": "low"}}),
        said(role="user", content=[{"type": "image_url", "image_url": {"url": "data:,", "detail": "original"}}]),
        said(role="user", content=[{"type": "input_video", "input_video": {"url": "data:,"}}]),
        said(role="assistant", content=None, tool_calls=[CALL], reasoning_details=[], refusal=None, images=[]),
    ],
    ids=str,
)
def test_what_openrouter_accepts(client: Client, body: dict[str, Any]) -> None:
    answer = client.post("/chat/completions", {"messages": MESSAGES, **body})
    assert answer.status == 200, answer.body
