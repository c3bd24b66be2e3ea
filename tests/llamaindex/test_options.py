"""The constructor, the options of a call, metadata, and what a model object does when it is stored or copied."""

import copy
import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from openrouter_adapters.core import catalog
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter
from openrouter_adapters.llamaindex.llm import UNKNOWN_WINDOW

from .conftest import KEY, MODEL

HELLO = [ChatMessage("hello")]


def sent(gateway: LocalGateway) -> dict[str, Any]:
    body = dict(gateway.requests[-1].body)
    assert body.pop("messages") and body.pop("stream", False) is False
    return body


def test_nothing_is_sent_that_was_not_set(llm: OpenRouter, gateway: LocalGateway) -> None:
    llm.chat(HELLO)
    assert sent(gateway) == {"model": MODEL}


@pytest.mark.parametrize(
    ("options", "call", "body"),
    [
        ({"order": ["a"], "allow_fallbacks": False}, {}, {"provider": {"order": ["a"], "allow_fallbacks": False}}),
        (
            {"order": ["a"], "provider": {"sort": "price"}},
            {"provider": {"sort": "latency"}},
            {"provider": {"order": ["a"], "sort": "latency"}},
        ),
        ({"order": ["a"]}, {"order": ["b"]}, {"provider": {"order": ["b"]}}),
        ({"order": ["a"], "allow_fallbacks": True}, {"order": None}, {"provider": {"allow_fallbacks": True}}),
        ({"additional_kwargs": {"top_p": 0.5}}, {}, {"top_p": 0.5}),
        ({"additional_kwargs": {"top_p": 0.5}}, {"top_p": 0.9}, {"top_p": 0.9}),
        ({"additional_kwargs": {"top_p": 0.5}, "top_p": 0.1}, {}, {"top_p": 0.5}),
        (
            {"additional_kwargs": {"extra_body": {"new": 1}}, "extra_body": {"old": 2}},
            {"extra_body": {"own": 3}},
            {"new": 1, "old": 2, "own": 3},
        ),
        ({"max_tokens": 10}, {"max_tokens": 400}, {"max_tokens": 400}),
        ({"temperature": 0.5}, {"temperature": None}, {}),
        ({}, {"brand_new_field": {"x": 1}}, {"brand_new_field": {"x": 1}}),
        ({"models": [MODEL]}, {}, {"models": [MODEL]}),
    ],
)
def test_options(
    make: Callable[..., OpenRouter], options: dict[str, Any], call: dict[str, Any], body: dict[str, Any]
) -> None:
    before = copy.deepcopy((options, call))
    request, _ = make(**options)._request([{"role": "user", "content": "hi"}], dict(call))
    del request.body["messages"], request.body["model"]
    assert request.body == body
    assert (options, call) == before


def test_headers_in_additional_kwargs(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    make(additional_kwargs={"extra_headers": {"X-Team": "a"}}).chat(HELLO)
    assert gateway.requests[-1].headers["x-team"] == "a"


def test_api_base_is_base_url(gateway: LocalGateway) -> None:
    with OpenRouter(model=MODEL, api_key=KEY, api_base=gateway.base_url) as llm:
        assert llm.base_url == gateway.base_url
        assert llm.chat(HELLO).message.content
        llm.chat(HELLO, api_base=gateway.base_url + "/")
        assert "api_base" not in gateway.requests[-1].body


def test_names_of_openai_like(make: Callable[..., OpenRouter]) -> None:
    client, sound = object(), {"voice": "alloy"}
    llm = make(async_http_client=client, audio_config=sound)
    assert llm.http_async_client is client and llm.audio == sound


def test_bad_arguments(make: Callable[..., OpenRouter]) -> None:
    with pytest.raises(TypeError, match="did you mean 'context_window'"):
        make(context_windo=5)
    with pytest.raises(TypeError, match="did you mean 'order'"):
        make(orders=["a"])
    with pytest.raises(ValueError, match="temperature"):
        make(temperature="hot")
    with pytest.raises(ValueError, match="top_p"):
        make(additional_kwargs={"top_p": "a lot"})
    with pytest.raises(ValueError, match="OPENROUTER_API_KEY"):
        make(api_key="")


def test_bad_calls_send_nothing(llm: OpenRouter, gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match="messages is empty"):
        llm.chat([])
    with pytest.raises(ValueError, match="temperature"):
        llm.chat(HELLO, temperature="hot")
    with pytest.raises(ValueError, match="messages is empty"):
        llm.stream_chat([])
    assert gateway.requests == []


# ------------------------------------------------------------------------------------------------------ metadata


def test_metadata_of_an_unknown_model(make: Callable[..., OpenRouter]) -> None:
    metadata = make(model="nobody/knows-this").metadata
    assert metadata.context_window == UNKNOWN_WINDOW
    assert metadata.num_output == -1
    assert metadata.is_chat_model and metadata.is_function_calling_model
    assert metadata.model_name == "nobody/knows-this"


def test_metadata_from_the_catalogue(make: Callable[..., OpenRouter], monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {
        "v/small": catalog.Model("v/small", context_length=8000, supported_parameters=("temperature",)),
        "v/tools": catalog.Model("v/tools", context_length=100_000, supported_parameters=("tools",)),
        "v/varies": catalog.Model("v/varies", context_length=1_000_000, provider_context_length=200_000),
    }
    monkeypatch.setattr("openrouter_adapters.llamaindex.llm.find", listed.get)
    small, tools, varies = (make(model=slug).metadata for slug in listed)
    assert (small.context_window, small.is_function_calling_model) == (8000, False)
    assert (tools.context_window, tools.is_function_calling_model) == (100_000, True)
    assert (varies.context_window, varies.is_function_calling_model) == (200_000, True)
    assert make(model="v/small", is_function_calling_model=True).metadata.is_function_calling_model
    assert make(model="v/tools", is_function_calling_model=False).metadata.is_function_calling_model is False
    assert make(model="v/small", context_window=4000).metadata.context_window == 4000
    assert make(model=None, models=["v/small"]).metadata.context_window == 8000


def test_metadata_follows_the_options(make: Callable[..., OpenRouter]) -> None:
    llm = make(max_tokens=77)
    assert llm.metadata.num_output == 77
    llm.max_tokens, llm.max_completion_tokens = None, 99
    assert llm.metadata.num_output == 99
    assert make(is_chat_model=False).metadata.is_chat_model is False
    assert make(model=None).metadata.model_name == "unknown"


# --------------------------------------------------------------------------------- stored, copied, shown to others


def test_the_key_is_shown_nowhere(make: Callable[..., OpenRouter]) -> None:
    more = {"extra_headers": {"X-More": "header-secret"}, "seed": 7}
    llm = make(default_headers={"X-Secret": "header-secret"}, additional_kwargs=more)
    shown = [repr(llm), str(llm), str(llm.to_dict()), llm.to_json(), str(llm.model_dump()), str(llm.to_payload())]
    assert not any("the-secret" in text or "header-secret" in text for text in shown)
    json.dumps(llm.to_payload())
    assert llm.to_dict()["additional_kwargs"] == {"seed": 7}


def test_payload_tells_what_shapes_an_answer(make: Callable[..., OpenRouter]) -> None:
    payload = make(temperature=0, provider={"sort": "price"}).to_payload()
    assert payload["class_name"] == "OpenRouter_LLM"
    assert (payload["temperature"], payload["provider"]) == (0, {"sort": "price"})


def test_stored_settings_make_the_same_model(make: Callable[..., OpenRouter]) -> None:
    llm = make(provider={"order": ["a"]}, allow_fallbacks=False, temperature=0.3)
    again = OpenRouter.from_dict(llm.to_dict(), api_key="other")
    assert again.set_options().keys() == llm.set_options().keys()
    assert OpenRouter.from_json(llm.to_json(), api_key=KEY).to_dict() == llm.to_dict()


def test_a_pickled_model_works(llm: OpenRouter, gateway: LocalGateway, caplog: pytest.LogCaptureFixture) -> None:
    llm.chat(HELLO)
    with caplog.at_level(logging.WARNING):
        again = pickle.loads(pickle.dumps(llm))
    assert not caplog.records
    assert again.chat(HELLO).message.content
    assert gateway.requests[-1].key == KEY
    assert llm.chat(HELLO).message.content  # the original lost nothing
    again.close()


def test_a_key_from_the_environment_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "from-here")
    stored = pickle.dumps(OpenRouter(model=MODEL))
    assert b"from-here" not in stored
    monkeypatch.setenv("OPENROUTER_API_KEY", "from-there")
    again = pickle.loads(stored)
    assert again.api_key is not None and again.api_key.get_secret_value() == "from-there"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, OpenRouter.model_copy])
def test_a_copy_works(make: Callable[..., OpenRouter], gateway: LocalGateway, copied: Any) -> None:
    llm = make(provider={"order": ["openai"]})
    llm.chat(HELLO)
    again = copied(llm)
    again.chat(HELLO)
    assert gateway.requests[-1].key == KEY
    assert gateway.requests[-1].body["provider"] == {"order": ["openai"]}
    again.close()
    assert llm.chat(HELLO).message.content


def test_a_deep_copy_shares_what_belongs_to_the_process(make: Callable[..., OpenRouter]) -> None:
    own = object()
    llm = make(http_client=own, provider={"order": ["a"]})
    again = copy.deepcopy(llm)
    assert again.http_client is own
    assert again.callback_manager is llm.callback_manager
    assert again.provider == llm.provider and again.provider is not llm.provider


async def test_closing_and_using_again(llm: OpenRouter) -> None:
    with llm as entered:
        assert entered.chat(HELLO).message.content
    async with llm as entered:
        assert (await entered.achat(HELLO)).message.content
    assert llm.chat(HELLO).message.content
    await llm.aclose()


def test_another_routing_can_take_the_place_of_the_instances(
    make: Callable[..., OpenRouter], gateway: LocalGateway
) -> None:
    llm = make(provider={"zdr": True, "sort": "price"}, allow_fallbacks=False)
    llm.chat(HELLO, provider=None, order=["openai"])
    assert gateway.requests[-1].body["provider"] == {"order": ["openai"]}
    make().chat(HELLO, provider=None, order=["openai"])
    assert gateway.requests[-1].body["provider"] == {"order": ["openai"]}
