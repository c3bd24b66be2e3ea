"""Models and providers are really chosen between."""

from typing import Any

import pytest

from openrouter_adapters.gateway import Endpoint, LocalGateway, Model, Provider

from .conftest import Answer, Client

HAIKU = "anthropic/claude-haiku-4.5"
LLAMA = "meta-llama/llama-3.3-70b-instruct"


def who(answer: Answer) -> tuple[str, str]:
    return answer.body["model"], answer.body["provider"]


def test_the_model_that_answers_may_have_another_name(client: Client) -> None:
    assert who(client.chat(model=HAIKU)) == ("anthropic/claude-4.5-haiku-20251001", "Anthropic")
    assert who(client.chat(model="anthropic/claude-4.5-haiku-20251001")) == who(client.chat(model=HAIKU))
    assert who(client.chat(model="openai/gpt-4o-mini"))[0] == "openai/gpt-4o-mini"


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ({}, "openai/gpt-4o-mini"),
        ({"model": "openrouter/auto"}, "openai/gpt-4o-mini"),
        ({"model": f"{LLAMA}:nitro"}, LLAMA),
        ({"model": f"{LLAMA}:free"}, f"{LLAMA}:free"),
        ({"model": "openai/gpt-4o@preset/mine"}, "openai/gpt-4o"),
        ({"model": "@preset/mine"}, "openai/gpt-4o-mini"),
        ({"models": ["openai/gpt-4o", HAIKU]}, "openai/gpt-4o"),
    ],
)
def test_ways_to_name_a_model(asked: dict[str, Any], answers: str, client: Client) -> None:
    assert who(client.chat(**asked))[0] == answers


@pytest.mark.parametrize("models", [["nobody/nothing"], [HAIKU, "nobody/nothing"]])
def test_an_unknown_model_is_refused(models: list[str], client: Client) -> None:
    answer = client.chat(models=models)
    assert (answer.status, answer.body["error"]["message"]) == (400, "nobody/nothing is not a valid model ID")


def test_more_than_three_fallbacks_are_refused(client: Client) -> None:
    answer = client.chat(models=[HAIKU] * 4)
    assert answer.status == 400
    assert "must have 3 items or fewer" in answer.body["error"]["message"]
    assert client.chat(model="openai/gpt-4o", models=[HAIKU] * 3).status == 200


def test_when_all_providers_of_a_model_are_down_the_next_model_answers(gateway: LocalGateway, client: Client) -> None:
    for provider in ("anthropic", "amazon-bedrock", "google-vertex"):
        gateway.down(provider)
    answer = client.chat(model=HAIKU, models=["openai/gpt-4o"], stream=True)
    assert {(chunk["model"], chunk["provider"]) for chunk in answer.chunks} == {("openai/gpt-4o", "OpenAI")}
    gateway.up("anthropic")
    assert who(client.chat(model=HAIKU, models=["openai/gpt-4o"]))[1] == "Anthropic"


def test_the_next_provider_answers(gateway: LocalGateway, client: Client) -> None:
    gateway.down("anthropic")
    assert who(client.chat(model=HAIKU))[1] == "Amazon Bedrock"


def test_all_down(gateway: LocalGateway, client: Client) -> None:
    gateway.down("openai")
    gateway.down("azure", status=502)
    answer = client.chat(model="openai/gpt-4o")
    metadata = answer.body["error"]["metadata"]
    assert (answer.status, metadata["provider_name"]) == (502, "Azure")
    assert [error["code"] for error in metadata["previous_errors"]] == [503]
    assert metadata["error_type"] == "provider_unavailable"


@pytest.mark.parametrize(
    ("provider", "answers"),
    [
        ({"order": ["google-vertex", "anthropic"]}, "Google"),
        ({"order": ["Amazon Bedrock"]}, "Amazon Bedrock"),
        ({"order": ["novita", "amazon-bedrock"]}, "Amazon Bedrock"),
        ({"order": ["novita"]}, "Anthropic"),
        ({"only": ["google-vertex"]}, "Google"),
        ({"ignore": ["anthropic"]}, "Amazon Bedrock"),
        ({"only": ["anthropic", "google-vertex"], "ignore": ["anthropic"]}, "Google"),
        ({"allow_fallbacks": False}, "Anthropic"),
        ({"max_price": {"prompt": 1, "completion": "5"}}, "Anthropic"),
        ({"require_parameters": True}, "Anthropic"),
    ],
)
def test_provider_preferences(provider: dict[str, Any], answers: str, client: Client) -> None:
    assert who(client.chat(model=HAIKU, provider=provider))[1] == answers


@pytest.mark.parametrize(
    ("asked", "excluded_by"),
    [
        ({"provider": {"only": ["novita"]}}, "allowed_providers"),
        ({"provider": {"order": ["novita"], "allow_fallbacks": False}}, "allowed_providers"),
        ({"provider": {"max_price": {"prompt": 0.5}}}, "max_price"),
        ({"provider": {"require_parameters": True}, "min_p": 0.1}, "require_parameters"),
    ],
)
def test_nobody_is_left(asked: dict[str, Any], excluded_by: str, client: Client) -> None:
    answer = client.chat(model=HAIKU, **asked)
    availability = answer.body["error"]["availability"]
    assert (answer.status, availability["excluded_by"]) == (404, [excluded_by])
    assert availability["requested_models"] == [HAIKU]
    assert who(client.chat(**{"model": HAIKU, "models": ["openai/gpt-4o"], **asked, "provider": {}}))


def test_when_nobody_may_serve_a_model_the_next_is_tried(client: Client) -> None:
    answer = client.chat(model=HAIKU, models=["openai/gpt-4o"], provider={"only": ["azure"]})
    assert who(answer) == ("openai/gpt-4o", "Azure")


def test_without_fallbacks_only_the_first_is_tried(gateway: LocalGateway, client: Client) -> None:
    gateway.down("anthropic")
    assert client.chat(model=HAIKU, provider={"allow_fallbacks": False}).status == 503
    order = {"order": ["anthropic", "google-vertex"], "allow_fallbacks": False}
    assert who(client.chat(model=HAIKU, provider=order))[1] == "Google"


def test_the_cheap_one_first_unless_speed_is_asked_for(gateway: LocalGateway, client: Client) -> None:
    assert who(client.chat(model=LLAMA, provider={"sort": "price"}))[1] == "DeepInfra"
    gateway.slow("deepinfra", 5)
    gateway.slow("novita", 6)
    assert who(client.chat(model=LLAMA, provider={"sort": {"by": "latency"}}))[1] == "Groq"
    assert who(client.chat(model=f"{LLAMA}:nitro"))[1] == "Groq"


def test_a_slow_provider(gateway: LocalGateway, client: Client) -> None:
    gateway.slow("openai", 30)
    response = client.begin(
        "POST", "/chat/completions", {"messages": [{"role": "user", "content": "x"}], "stream": True}
    )
    assert response.readline() == b": OPENROUTER PROCESSING\n", "the comments do not wait"
    assert not gateway.requests[0].done


def test_metadata_comes_on_request(gateway: LocalGateway, client: Client) -> None:
    gateway.down("openai")
    body = {"messages": [{"role": "user", "content": "x"}], "model": "openai/gpt-4o"}
    assert "openrouter_metadata" not in client.post("/chat/completions", body).body
    metadata = client.post("/chat/completions", body, X_OpenRouter_Metadata="enabled").body["openrouter_metadata"]
    assert (metadata["requested"], metadata["strategy"], metadata["attempt"]) == ("openai/gpt-4o", "direct", 2)
    assert [(one["provider"], one["status"]) for one in metadata["attempts"]] == [("OpenAI", 503), ("Azure", 200)]
    streamed = client.post("/chat/completions", {**body, "stream": True}, X_OpenRouter_Metadata="enabled").chunks
    assert ["openrouter_metadata" in chunk for chunk in streamed] == [False] * (len(streamed) - 1) + [True]


def test_tools_need_a_model_that_has_them(gateway: LocalGateway, client: Client) -> None:
    gateway.serve(Model("a/b", (Endpoint("openai", "0", "0"),), supported_parameters=("temperature",)))
    tool = {"type": "function", "function": {"name": "f"}}
    answer = client.chat(model="a/b", tools=[tool])
    assert (answer.status, answer.body["error"]["message"]) == (404, "No endpoints found that support tool use")


def test_a_market_of_ones_own() -> None:
    models = [Model("my/model", (Endpoint("here/eu", "0.001", "0.002"),))]
    with LocalGateway(models=models, providers=[Provider("here/eu", "Here")]) as gateway, Client(gateway) as client:
        answer = client.chat(model="my/model", provider={"only": ["here"]})
        assert who(answer) == ("my/model", "Here")
        assert [item["id"] for item in client.get("/models").body["data"]] == ["my/model"]


def test_one_more_model(gateway: LocalGateway, client: Client) -> None:
    gateway.serve("brand/new")
    assert who(client.chat(model="brand/new")) == ("brand/new", "OpenAI")


def test_names_that_are_unknown_are_refused(gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match="no provider is called 'opnai'"):
        gateway.down("opnai")
    with pytest.raises(ValueError, match="no provider is called 'x'"):
        gateway.serve(Model("a/b", (Endpoint("x", "0", "0"),)))
