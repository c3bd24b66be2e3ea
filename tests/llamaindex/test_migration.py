"""Code that was written for `llama-index-llms-openrouter` and `OpenAILike`, with one import changed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.types import PydanticProgramMode

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter

MODEL = "anthropic/claude-haiku-4.5"
ROUTING = {"order": ["anthropic"], "allow_fallbacks": False}


@pytest.fixture
def old(make: Callable[..., OpenRouter], gateway: LocalGateway) -> Callable[..., OpenRouter]:
    """Makes LLMs as people wrote it for the other package."""
    return partial(make, model=MODEL, base_url=None, api_base=gateway.base_url)


# -------------------------------------------------------------------------------------------------- OpenRouter 0.6


def test_what_its_readme_shows(old: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    llm = old(max_tokens=256, context_window=4096)
    message = ChatMessage(role=MessageRole.USER, content="Tell me a joke")
    gateway.reply("Ha.", times=4)
    assert str(llm.chat([message])) == "assistant: Ha."
    assert str(llm.complete("Tell me a joke")) == "Ha."
    assert "".join(str(item.delta) for item in llm.stream_chat([message])) == "Ha."
    assert [item.text for item in llm.stream_complete("Tell me a joke")][-1] == "Ha."
    assert [request.body["max_tokens"] for request in gateway.requests] == [256] * 4
    assert (llm.metadata.context_window, llm.metadata.num_output, llm.metadata.model_name) == (4096, 256, MODEL)


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (ROUTING, {"provider": ROUTING}),
        ({"order": ["anthropic"]}, {"provider": {"order": ["anthropic"]}}),
        ({"allow_fallbacks": True}, {"provider": {"allow_fallbacks": True}}),
        (
            {"order": ["anthropic"], "additional_kwargs": {"extra_body": {"provider": {"zdr": True}}}},
            {"provider": {"order": ["anthropic"], "zdr": True}},
        ),
        ({"additional_kwargs": {"top_p": 0.9, "extra_body": {"models": [MODEL]}}}, {"top_p": 0.9, "models": [MODEL]}),
        ({"additional_kwargs": {"extra_headers": {"X-Team": "a"}}}, {}),
        ({"temperature": 0.7, "max_tokens": 512}, {"temperature": 0.7, "max_tokens": 512}),
        ({"is_chat_model": True, "is_function_calling_model": True, "strict": False}, {}),
        ({"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"modalities": ["text"]}, {"modalities": ["text"]}),
        ({"timeout": 30.0, "max_retries": 3, "default_headers": {"X-Team": "a"}}, {}),
        ({"callback_manager": CallbackManager([]), "pydantic_program_mode": PydanticProgramMode.FUNCTION}, {}),
        ({"system_prompt": "Be kind.", "messages_to_prompt": str, "completion_to_prompt": str}, {}),
        # None stood for a default
        ({"max_tokens": None, "order": None, "default_headers": None, "additional_kwargs": None}, {}),
    ],
)
def test_its_arguments(
    old: Callable[..., OpenRouter], gateway: LocalGateway, options: dict[str, Any], body: dict[str, Any]
) -> None:
    assert old(**options).chat([ChatMessage("hi")]).message.content
    [request] = gateway.requests
    assert {key: value for key, value in request.body.items() if key not in ("model", "messages")} == body
    assert request.headers.get("x-team") == ("a" if "headers" in str(options) and "X-Team" in str(options) else None)


def test_cost_is_where_it_was(old: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    gateway.reply("a", cost=0.25, times=2)
    llm = old()
    whole, *_, last = llm.chat([ChatMessage("hi")]), *llm.stream_chat([ChatMessage("hi")])
    for response in (whole, last):
        assert response.raw.usage.cost == 0.25
        assert response.raw.usage.prompt_tokens > 0
        assert response.raw.choices[0].message.content == "a"
        assert response.raw.choices[0].finish_reason == "stop"
        assert response.raw.model and response.raw.id and response.raw.provider
        assert getattr(response.raw, "no_such_field", None) is None


def test_tool_calls_are_where_they_were(old: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    gateway.reply(tool_calls=[("add", '{"a": 1}')])
    llm = old(is_function_calling_model=True)
    response = llm.chat([ChatMessage("hi")])
    [call] = llm.get_tool_calls_from_response(response)
    assert (call.tool_name, call.tool_kwargs) == ("add", {"a": 1})
    assert response.message.additional_kwargs["tool_calls"][0]["function"]["name"] == "add"


def test_a_call_may_have_headers_and_a_body_of_its_own(old: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    llm = old(additional_kwargs={"extra_body": {"a": 1}}, max_tokens=10)
    llm.complete("hi", max_tokens=4000, extra_body={"b": 2}, extra_headers={"X-Team": "a"}, timeout=5)
    [request] = gateway.requests
    assert {key: request.body[key] for key in ("max_tokens", "a", "b")} == {"max_tokens": 4000, "a": 1, "b": 2}
    assert request.headers["x-team"] == "a" and "timeout" not in request.body


# ---------------------------------------------------------------------------------------------------- OpenAILike


def test_audio_config_is_audio(old: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    audio = {"voice": "alloy", "format": "pcm16"}
    old(model="openai/gpt-4o-audio-preview", modalities=["text", "audio"], audio_config=audio).chat([ChatMessage("hi")])
    assert gateway.requests[0].body["audio"] == audio


def test_async_http_client_is_http_async_client(old: Callable[..., OpenRouter]) -> None:
    assert old(async_http_client="aiohttp").http_async_client == "aiohttp"


def test_text_prompts(old: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    """``is_chat_model=False`` asked another endpoint; here it only decides which prompts LlamaIndex takes."""
    llm = old(is_chat_model=False)
    assert llm.complete("hi").text and llm.metadata.is_chat_model is False
    assert gateway.requests[0].body["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ({"reuse_client": False}, "connections are always shared, leave it out"),
        ({"api_version": "v1"}, "one version, leave it out"),
        ({"organization": "org"}, "leave it out"),
        ({"tokenizer": "gpt2"}, "how many tokens it took, leave it out"),
        ({"openai_client": object()}, "use http_client"),
        ({"async_openai_client": object()}, "use http_async_client"),
        ({"model_name": MODEL}, "did you mean 'model'"),
        ({"route": "fallback"}, "leave it out"),
        ({"transforms": ["middle-out"]}, "context-compression"),
        ({"sort": "price"}, r"use provider=\{'sort'"),
        ({"api_base": "http://a", "base_url": "http://b"}, "same argument"),
    ],
)
def test_arguments_without_a_meaning_say_what_to_do(
    old: Callable[..., OpenRouter], argument: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        old(**argument)


def test_the_tag_in_stored_settings_is_the_same() -> None:
    assert OpenRouter.class_name() == "OpenRouter_LLM"
