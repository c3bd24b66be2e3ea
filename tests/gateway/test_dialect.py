"""The gateway speaks as OpenRouter does: its keys and types are compared with recorded traffic."""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any, TypeAlias

import pytest

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.gateway.refusals import REFUSALS

from .conftest import Client

Shape: TypeAlias = dict[str, set[str]]
"""For each path, such as ``choices[].message.content``, the types that were seen there."""

# What is documented, and what no recording holds.
DOCUMENTED: Shape = {
    "choices[].message.images": {"list"},
    "choices[].message.images[]": {"dict"},
    "choices[].message.images[].type": {"str"},
    "choices[].message.images[].image_url": {"dict"},
    "choices[].message.images[].image_url.url": {"str"},
    "choices[].message.images[].index": {"number"},
    "choices[].delta.images": {"list"},
    "choices[].delta.images[]": {"dict"},
    "choices[].delta.images[].type": {"str"},
    "choices[].delta.images[].image_url": {"dict"},
    "choices[].delta.images[].image_url.url": {"str"},
    "choices[].delta.images[].index": {"number"},
    "choices[].delta.audio": {"dict"},
    "choices[].delta.audio.id": {"str"},
    "choices[].delta.audio.data": {"str"},
    "choices[].delta.audio.transcript": {"str"},
    "choices[].delta.audio.expires_at": {"number"},
}
ERRORS_DOCUMENTED: Shape = {
    "error.code": {"str"},
    "error.metadata": {"dict"},
    "error.metadata.error_type": {"str"},
    "error.metadata.reason": {"str"},
    "error.metadata.limit_source": {"str"},
    "error.metadata.scope": {"str"},
    "error.metadata.limit_usd": {"number"},
    "error.metadata.spend_usd": {"number"},
    "error.metadata.resets_at": {"str"},
    "error.metadata.reasons": {"list"},
    "error.metadata.reasons[]": {"str"},
    "error.metadata.patterns": {"list"},
    "error.metadata.patterns[]": {"str"},
    "error.metadata.flagged_input": {"str"},
    "error.metadata.model_slug": {"str"},
    "error.metadata.headers": {"dict"},
    "error.metadata.headers.X-RateLimit-Limit": {"str"},
    "error.metadata.headers.X-RateLimit-Remaining": {"str"},
    "error.metadata.headers.X-RateLimit-Reset": {"str"},
    "error.metadata.previous_errors[].provider": {"str"},
    "error.availability": {"dict"},
    "error.availability.code": {"str"},
    "error.availability.retryable": {"bool"},
    "error.availability.retry_after": {"number"},
    "error.availability.requested_models": {"list"},
    "error.availability.requested_models[]": {"str"},
    "error.availability.fallback_models": {"list"},
    "error.availability.fallback_models[]": {"str"},
    "error.availability.constraint": {"dict"},
    "error.availability.constraint.field": {"str"},
    "error.availability.constraint.detail": {"str"},
    "error.availability.excluded_by": {"list"},
    "error.availability.excluded_by[]": {"str"},
    "error.availability.affected_providers": {"list"},
}
LOGPROBS = {
    "content": [{"token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": []}],
    "refusal": None,
}
CITATION = {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 0}}
SCRIPTS: list[dict[str, Any]] = [
    {"text": "Hello there, how are you?"},
    {"text": "Hi", "logprobs": LOGPROBS, "system_fingerprint": "fp_1", "service_tier": "default"},
    {"text": "Yes", "reasoning": "Let me think."},
    {
        "tool_calls": [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})],
        "reasoning": "Tools.",
    },
    {"text": "Look", "annotations": [CITATION], "usage": {"server_tool_use_details": {"web_search_requests": 1}}},
    {"refusal": "I cannot do that."},
    {"text": "free", "cost": 0},
]
MODELS = ["openai/gpt-4o-mini", "openai/gpt-5.2", "anthropic/claude-haiku-4.5", "google/gemini-2.5-flash"]


def kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {None: "null"}.get(value, "bool")
    return "number" if isinstance(value, int | float) else type(value).__name__


def walk(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    yield path, kind(value)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}".strip("."))
    elif isinstance(value, list):
        for item in value:
            yield from walk(item, f"{path}[]")


class Heard:
    """What was recorded of one kind."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    @cached_property
    def shape(self) -> Shape:
        shape: Shape = defaultdict(set)
        for value in self.values:
            for path, type_ in walk(value):
                shape[path].add(type_)
        return shape

    @cached_property
    def common(self) -> set[str]:
        """The paths that none of the values lacks."""
        return set.intersection(*(paths(value) for value in self.values))

    def strangers(self, said: list[Any], documented: Shape | None = None) -> Shape:
        """What is said that was neither heard nor read about: paths, or types of a path."""
        known = documented or {}
        new = {
            path: types - self.shape.get(path, set()) - known.get(path, set())
            for path, types in Heard(said).shape.items()
        }
        return {path: types for path, types in new.items() if types}


def paths(value: Any) -> set[str]:
    return {path for path, _ in walk(value)}


def events(response: dict[str, Any]) -> list[Any]:
    return [json.loads(event[6:]) for event in response.get("sse", ()) if event.startswith("data: {")]


def recordings(captures: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Every recorded answer with its kind: an endpoint's name, "chunks", "ends" or "errors"."""
    for exchange in (exchange for capture in captures for exchange in capture["interactions"]):
        name = exchange["request"]["path"].partition("?")[0].rpartition("/")[2]
        response = exchange["response"]
        if "body" in response:
            yield name if response["status"] == 200 else "errors", response["body"]
        elif name == "completions":
            chunks = events(response)
            yield from (("chunks", chunk) for chunk in chunks)
            yield "ends", chunks[-1]


@pytest.fixture(scope="module")
def heard(captures: list[dict[str, Any]]) -> dict[str, Heard]:
    found: dict[str, list[Any]] = defaultdict(list)
    for name, value in recordings(captures):
        found[name].append(value)
    return {name: Heard(values) for name, values in found.items()}


CASES = [pytest.param(model, script, id=f"{model}-{at}") for model in MODELS for at, script in enumerate(SCRIPTS)]


@pytest.mark.parametrize(("model", "script"), CASES)
def test_an_unstreamed_answer_has_the_recorded_shape(
    model: str, script: dict[str, Any], gateway: LocalGateway, client: Client, heard: dict[str, Heard]
) -> None:
    gateway.reply(**script)
    body = client.chat(model=model).body
    assert heard["completions"].strangers([body]) == {}
    assert heard["completions"].common <= paths(body)


@pytest.mark.parametrize(("model", "script"), CASES)
@pytest.mark.parametrize("end", ["repeat", "null"])
def test_a_stream_has_the_recorded_shape(
    model: str, script: dict[str, Any], end: str, gateway: LocalGateway, client: Client, heard: dict[str, Heard]
) -> None:
    gateway.reply(**script, end=end)
    chunks = client.chat(model=model, stream=True).chunks
    assert heard["chunks"].strangers(chunks) == {}
    assert all(heard["chunks"].common <= paths(chunk) for chunk in chunks)
    assert heard["ends"].common <= paths(chunks[-1])


def test_a_stream_without_choices_at_its_end(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("Hi", end="empty")
    *_, finish, last = client.chat(stream=True).chunks
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert last["choices"] == []
    assert last["usage"]["cost"] > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("modalities", [["image", "text"], ["text", "audio"]])
def test_images_and_audio_have_the_documented_shape(
    modalities: list[str], stream: bool, client: Client, heard: dict[str, Heard]
) -> None:
    if "audio" in modalities and not stream:
        assert client.chat(modalities=modalities).status == 400
        return
    answer = client.chat(modalities=modalities, stream=stream)
    known = heard["chunks" if stream else "completions"]
    assert known.strangers(answer.chunks if stream else [answer.body], DOCUMENTED) == {}


@pytest.mark.parametrize("fault", ["upstream_400", "context_length", "unknown_model", "upstream_rate_limit"])
def test_recorded_errors(fault: str, gateway: LocalGateway, client: Client, heard: dict[str, Heard]) -> None:
    gateway.fault(fault)
    body = client.chat().body
    assert heard["errors"].strangers([body]) == {}
    assert heard["errors"].common <= paths(body)


def test_every_error_is_recorded_or_documented(gateway: LocalGateway, client: Client, heard: dict[str, Heard]) -> None:
    for name in REFUSALS:
        gateway.fault(name)
    bodies = [client.chat().body for _ in REFUSALS]
    assert heard["errors"].strangers(bodies, ERRORS_DOCUMENTED) == {}


def test_the_recorded_error_in_a_stream(gateway: LocalGateway, client: Client, heard: dict[str, Heard]) -> None:
    gateway.fault("error_chunk_with_usage")
    chunks = client.chat(stream=True).chunks
    assert heard["chunks"].strangers(chunks) == {}
    recorded = next(chunk for chunk in heard["chunks"].values if "error" in chunk)
    assert paths(recorded) - {"choices[].logprobs"} <= paths(chunks[-1])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("embeddings", {"model": "openai/text-embedding-3-small", "input": "Hello"}),
        ("rerank", {"model": "cohere/rerank-v3.5", "query": "France", "documents": ["Paris", "France is big"]}),
    ],
)
def test_vectors_and_ranks_have_the_recorded_shape(
    path: str, body: dict[str, Any], client: Client, heard: dict[str, Heard]
) -> None:
    answer = client.post(f"/{path}", body).body
    assert heard[path].strangers([answer]) == {}
    assert heard[path].common <= paths(answer)


def test_models_have_the_recorded_shape(client: Client, heard: dict[str, Heard]) -> None:
    body = client.get("/models").body
    assert heard["models"].strangers([body], {"data[].knowledge_cutoff": {"null"}}) == {}
    items = Heard([item for listing in heard["models"].values for item in listing["data"]])
    always = {path for path in items.common if not path.startswith(("pricing.", "benchmarks"))}
    assert all(always <= paths(item) for item in body["data"])


def test_a_generation_has_the_recorded_shape(client: Client, heard: dict[str, Heard]) -> None:
    body = client.get(f"/generation?id={client.chat().body['id']}").body
    del body["data"]["provider_responses"]  # documented, and in no recording
    assert paths(body) <= heard["generation"].shape.keys()


def test_ids_and_headers(client: Client) -> None:
    answer = client.chat()
    assert answer.body["id"].startswith(f"gen-{answer.body['created']}-")
    assert len(answer.body["id"]) == len("gen-1786465029-CAkqUciXgQW34RmFaTck")
    assert answer.headers["x-generation-id"] == answer.body["id"]
    assert answer.text.startswith("\n         \n"), "white space keeps a slow answer alive"


def test_a_stream_is_framed_as_recorded(gateway: LocalGateway, client: Client) -> None:
    gateway.reply("one two three four five six seven eight nine ten")
    answer = client.chat(stream=True)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.events[0] == ": OPENROUTER PROCESSING"
    assert answer.events[-1] == "data: [DONE]"
    assert ": OPENROUTER PROCESSING" in answer.events[4:-1], "comments come between chunks too"
    assert {chunk["id"] for chunk in answer.chunks} == {answer.headers["x-generation-id"]}
    assert all(chunk["choices"][0]["delta"]["role"] == "assistant" for chunk in answer.chunks)


def test_reasoning_streams_as_recorded(client: Client) -> None:
    chunks = client.chat(model="anthropic/claude-haiku-4.5", reasoning={"effort": "low"}, stream=True).chunks
    items = [item for chunk in chunks for item in chunk["choices"][0]["delta"].get("reasoning_details", ())]
    assert items[0]["text"] == items[0]["signature"] == ""
    assert all("signature" not in item for item in items[1:-1])
    assert "text" not in items[-1] and items[-1]["signature"]
    assert {(item["type"], item["format"], item["index"]) for item in items} == {
        ("reasoning.text", "anthropic-claude-v1", 0)
    }
