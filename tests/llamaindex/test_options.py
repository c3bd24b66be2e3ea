"""The constructor, the options of a call, metadata, and what a model object does when it is stored or copied."""

import copy
import json
import logging
import pickle
import socket
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.indices.prompt_helper import PromptHelper
from llama_index.core.llms import ChatMessage
from pydantic import SecretStr

from openrouter_adapters.core import catalog
from openrouter_adapters.core.options import BODY_OPTIONS
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter
from openrouter_adapters.llamaindex.options import UNKNOWN_WINDOW

from ..core.test_options import BODY_VALUES
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
        ({"stop": []}, {"tools": []}, {}),
        # nothing is respelled for a model
        ({"model": "openai/o3-mini", "max_tokens": 9, "temperature": 0}, {}, {"max_tokens": 9, "temperature": 0}),
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


@pytest.mark.parametrize("name", BODY_VALUES)
def test_every_option_in_every_place(make: Callable[..., OpenRouter], name: str) -> None:
    option = {name: BODY_VALUES[name]}
    unset = {} if name == "model" else {"model": None}
    more = {"additional_kwargs": option}
    for given, call in ((option, {}), ({}, option), (more, {}), ({}, more)):
        request, _ = make(**unset, **given)._request([{"role": "user", "content": "hi"}], dict(call))
        assert request.body.pop("messages")
        assert request.body == {BODY_OPTIONS[name]: BODY_VALUES[name]}


def test_headers_in_additional_kwargs(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    make(additional_kwargs={"extra_headers": {"X-Team": "a"}}).chat(HELLO)
    assert gateway.requests[-1].headers["x-team"] == "a"


def test_api_base_is_base_url(gateway: LocalGateway) -> None:
    with OpenRouter(model=MODEL, api_key=KEY, api_base=gateway.base_url) as llm:
        assert llm.base_url == gateway.base_url
        assert llm.chat(HELLO).message.content
        llm.chat(HELLO, api_base=gateway.base_url + "/")
        assert "api_base" not in gateway.requests[-1].body


@pytest.mark.parametrize("short", [{"order": ["azure"]}, {"allow_fallbacks": False}])
def test_two_words_about_routing_that_differ(make: Callable[..., OpenRouter], short: dict[str, Any]) -> None:
    make(**short, provider=dict(short))
    with pytest.raises(ValueError, match="differ: give one of them"):
        make(**short, provider={"order": ["openai"], "allow_fallbacks": True})


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


@pytest.mark.parametrize(
    ("options", "call"),
    [({}, {"n": 2}), ({"extra_body": {"n": 2}}, {}), ({"additional_kwargs": {"n": 3}}, {}), ({}, {"n": "all"})],
)
async def test_answers_that_would_be_paid_and_left_behind_are_refused(
    make: Callable[..., OpenRouter], gateway: LocalGateway, options: dict[str, Any], call: dict[str, Any]
) -> None:
    llm = make(**options)
    for ask in (lambda: llm.chat(HELLO, **call), lambda: llm.stream_complete("hi", **call)):
        with pytest.raises(ValueError, match=r"n=.*one answer per call"):
            ask()
    for aask in (llm.acomplete("hi", **call), llm.astream_chat(HELLO, **call)):
        with pytest.raises(ValueError, match=r"n=.*one answer per call"):
            await aask
    assert gateway.requests == []
    assert llm.chat(HELLO, n=1).message.content


@pytest.mark.parametrize("variable", ["OPENROUTER_BASE_URL", "OPENROUTER_API_BASE"])
def test_the_environment_is_openrouters(gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name, value in {
        "OPENROUTER_API_KEY": KEY,
        variable: gateway.base_url,
        "OPENROUTER_APP_TITLE": "App",
        "OPENAI_API_KEY": "sk-openai",
        "OPENAI_BASE_URL": "https://example.invalid",
        "OPENAI_API_BASE": "https://example.invalid",
        "OPENAI_ORG_ID": "org-theirs",
        "OPENAI_PROJECT_ID": "proj-theirs",
        "OPENAI_CUSTOM_HEADERS": "X-Theirs: theirs",
    }.items():
        monkeypatch.setenv(name, value)
    with OpenRouter(model=MODEL) as llm:
        assert llm.chat(HELLO).message.content
    [request] = gateway.requests
    assert (request.key, request.headers["x-openrouter-title"]) == (KEY, "App")
    assert not [value for value in request.headers.values() if "theirs" in value or "sk-openai" in value]


def test_no_additional_kwargs_clears_the_instances(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    gateway.serve("cohere/command-a")
    llm = make(additional_kwargs={"top_p": 0.5, "model": "cohere/command-a"}, temperature=1)
    llm.chat(HELLO, additional_kwargs=None)
    assert {name: gateway.requests[-1].body.get(name) for name in ("model", "top_p", "temperature")} == {
        "model": "openai/gpt-4o-mini",
        "top_p": None,
        "temperature": 1,
    }
    llm.chat(HELLO)
    assert (gateway.requests[-1].body["model"], gateway.requests[-1].body["top_p"]) == ("cohere/command-a", 0.5)


@pytest.mark.parametrize("value", [["v"], 3, b"v"])
def test_a_header_that_is_no_text_is_refused_by_name(llm: OpenRouter, gateway: LocalGateway, value: Any) -> None:
    with pytest.raises(ValueError, match=f"header X-Own: its value is a {type(value).__name__}, give text"):
        llm.chat(HELLO, extra_headers={"X-Own": value})
    assert not gateway.requests


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
    monkeypatch.setattr(catalog, "_models", listed)
    small, tools, varies = (make(model=slug).metadata for slug in listed)
    assert (small.context_window, small.is_function_calling_model) == (8000, False)
    assert (tools.context_window, tools.is_function_calling_model) == (100_000, True)
    assert (varies.context_window, varies.is_function_calling_model) == (200_000, True)
    assert make(model="v/small", is_function_calling_model=True).metadata.is_function_calling_model
    assert make(model="v/tools", is_function_calling_model=False).metadata.is_function_calling_model is False
    assert make(model="v/small", context_window=4000).metadata.context_window == 4000
    assert make(model=None, models=["v/small"]).metadata.context_window == 8000


@pytest.mark.parametrize(
    ("options", "name", "window"),
    [
        ({"model": "openai/gpt-4o-mini:online"}, "openai/gpt-4o-mini:online", 128_000),
        ({"model": "openrouter/openai/gpt-4o-mini"}, "openrouter/openai/gpt-4o-mini", 128_000),
        ({"model": "openai/gpt-4o-mini", "models": ["cohere/command-a"]}, "openai/gpt-4o-mini", 128_000),
        ({"model": None, "models": ["cohere/command-a"]}, "cohere/command-a", 256_000),
        ({"additional_kwargs": {"model": "cohere/command-a"}}, "cohere/command-a", 256_000),
        ({"model": None, "extra_body": {"model": "cohere/command-a"}}, "cohere/command-a", 256_000),
        ({"extra_body": {"models": ["a/b"], "model": None}, "model": "c/d"}, "a/b", UNKNOWN_WINDOW),
        ({"model": "~anthropic/claude-sonnet-latest"}, "~anthropic/claude-sonnet-latest", 1_000_000),
        ({"model": "~nobody/model-latest"}, "~nobody/model-latest", UNKNOWN_WINDOW),
        ({"model": "@preset/mine"}, "@preset/mine", UNKNOWN_WINDOW),
        ({"model": None, "preset": "mine"}, "unknown", UNKNOWN_WINDOW),
        ({"model": "openrouter/auto", "context_window": 64_000}, "openrouter/auto", 64_000),
    ],
)
def test_metadata_of_every_kind_of_slug(
    make: Callable[..., OpenRouter], options: dict[str, Any], name: str, window: int
) -> None:
    metadata = make(**options).metadata
    assert (metadata.model_name, metadata.context_window) == (name, window)


@pytest.mark.parametrize(
    ("options", "num_output"),
    [
        ({}, -1),
        ({"max_tokens": 77}, 77),
        ({"max_completion_tokens": 99}, 99),
        ({"additional_kwargs": {"max_tokens": 55}, "max_tokens": 77}, 55),
        ({"extra_body": {"max_tokens": 9}}, 9),
        ({"extra_body": {"max_tokens": "many"}}, -1),
        ({"max_tokens": 127_999}, 127_999),
        ({"max_tokens": 128_000}, -1),
        ({"max_tokens": 10**7}, -1),
        ({"max_tokens": 4000, "context_window": 4000}, -1),
    ],
)
def test_metadata_keeps_room_for_the_answer(
    make: Callable[..., OpenRouter], options: dict[str, Any], num_output: int
) -> None:
    assert make(model="openai/gpt-4o-mini", **options).metadata.num_output == num_output


@pytest.mark.parametrize("max_tokens", [None, 400, 200_000])
def test_prompts_are_planned_with_any_limit(make: Callable[..., OpenRouter], max_tokens: int | None) -> None:
    metadata = make(model="openai/gpt-4o-mini", max_tokens=max_tokens).metadata
    helper = PromptHelper.from_llm_metadata(metadata)
    assert len(helper.repack(PromptTemplate("Say {text}"), ["many words " * 100] * 10)) == 1


def test_metadata_follows_the_options(make: Callable[..., OpenRouter], llm: OpenRouter) -> None:
    llm.max_tokens, llm.model = 99, "cohere/command-a"
    metadata = llm.metadata
    assert (metadata.num_output, metadata.context_window, metadata.is_function_calling_model) == (99, 256_000, False)
    assert make(is_chat_model=False).metadata.is_chat_model is False
    assert make(model=None).metadata.model_name == "unknown"


def calls_of(ask: Callable[[], Any]) -> int:
    counted: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, arg: counted.update([event]))
    try:
        ask()
    finally:
        sys.setprofile(None)
    return counted["call"] + counted["c_call"]


def test_metadata_and_payload_take_few_calls(make: Callable[..., OpenRouter]) -> None:
    """LlamaIndex asks for them with every call of a model."""
    llm = make(model="openai/gpt-4o-mini:free", provider={"order": ["a"]}, additional_kwargs={"top_p": 1})
    llm.to_payload()
    assert calls_of(lambda: llm.metadata) <= 140
    assert calls_of(llm.to_payload) <= 160


LISTENING: list[list[str]] = []


@cache
def listen() -> None:
    """Python keeps an audit hook for ever, so there is one, which mostly does nothing."""
    sys.addaudithook(lambda event, _: LISTENING[-1].append(event) if LISTENING else None)


def io_of(ask: Callable[[], Any]) -> list[str]:
    """What Python says of files, sockets, processes and threads meanwhile."""
    listen()
    LISTENING.append([])
    try:
        ask()
    finally:
        seen = LISTENING.pop()
    return [
        event for event in seen if event.startswith(("open", "socket.", "subprocess.", "os.", "_thread.", "import"))
    ]


def test_metadata_and_payload_do_no_io(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    llm = make(model="openai/gpt-4o-mini:free", models=["new/model"])
    llm.to_payload()  # loads the catalogue that the package brings
    assert io_of(lambda: llm.metadata) == io_of(llm.to_payload) == io_of(lambda: llm.model_copy().metadata) == []
    assert not gateway.requests
    assert "open" in io_of(lambda: open(__file__).close())
    assert "socket.__new__" in io_of(lambda: socket.socket().close())


# --------------------------------------------------------------------------------- stored, copied, shown to others


class SecretClient:
    """Enough of an HTTP client to be taken for one."""

    def build_request(self) -> None: ...

    def send(self) -> Any: ...

    def __repr__(self) -> str:
        return "client-secret"


class AsyncSecretClient(SecretClient):
    async def send(self) -> Any: ...


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydantic's own `json` and `dict`
@pytest.mark.parametrize(
    "shown",
    [
        repr,
        str,
        OpenRouter.to_dict,
        OpenRouter.to_json,
        OpenRouter.dict,
        OpenRouter.json,
        OpenRouter.model_dump,
        OpenRouter.model_dump_json,
        OpenRouter.to_payload,
        lambda llm: llm.metadata,
        lambda llm: repr(FunctionAgent(llm=llm)),
        lambda llm: repr(copy.deepcopy(llm)),
        lambda llm: repr(pickle.loads(pickle.dumps(llm))),
    ],
)
def test_secrets_are_shown_nowhere(make: Callable[..., OpenRouter], shown: Any) -> None:
    secret = {"X-Provider-Key": "header-secret"}
    for options in (
        {"default_headers": secret},
        {"additional_kwargs": {"extra_headers": secret, "api_key": KEY, "top_p": 1}},
        {"additional_kwargs": {"default_headers": secret, "async_http_client": AsyncSecretClient()}},
    ):
        llm = make(http_client=SecretClient(), http_async_client=AsyncSecretClient(), **options)
        assert "secret" not in str(shown(llm))
        request, _ = llm._request([{"role": "user", "content": "hi"}], {})
        assert (request.headers, request.api_key.get_secret_value()) == (secret, KEY)


def test_a_password_in_additional_kwargs_is_shown_nowhere(make: Callable[..., OpenRouter]) -> None:
    for name in ("base_url", "api_base"):
        llm = make(additional_kwargs={name: "https://me:very-secret@example.com/v1", "top_p": 1})
        later = make()
        later.additional_kwargs = {name: "https://me:very-secret@example.com/v1", "top_p": 1}
        for one in (llm, later):
            request, _ = one._request([{"role": "user", "content": "hi"}], {})
            assert (request.base_url, "very-secret" in f"{one!r} {one.to_dict()}") == ("https://example.com/v1", False)
            assert one.to_dict()["additional_kwargs"] == {"top_p": 1}


@pytest.mark.parametrize(
    "given",
    [
        {"order": ["a"], "provider": {"order": ["b"]}, "default_headers": {"X-Own": "header-secret"}},
        {"additional_kwargs": {"extra_headers": ["header-secret"]}},
        {"additional_kwargs": {"top_p": "high", "default_headers": {"X-Own": "header-secret"}}},
        {"additional_kwargs": {"api_key": ["header-secret"]}},
        {"additional_kwargs": ["header-secret"]},
    ],
)
def test_a_refused_argument_shows_no_secret(make: Callable[..., OpenRouter], given: dict[str, Any]) -> None:
    """Neither its own nor that of one beside it, nor in the context of the error."""
    with pytest.raises(ValueError, match=r"^OpenRouter: (order=|default_headers|extra_headers|api_key|add)") as caught:
        make(**given)
    assert "secret" not in f"{caught.value!r} {caught.value.__context__!r}"


def test_secrets_leave_the_callers_dict_alone(make: Callable[..., OpenRouter]) -> None:
    given = {"extra_headers": {"X-Own": "a"}, "top_p": 1}
    llm = make(additional_kwargs=given, default_headers={"X-Other": "b"})
    assert given == {"extra_headers": {"X-Own": "a"}, "top_p": 1}
    assert llm.default_headers == {"X-Other": "b", "X-Own": "a"}
    assert llm.additional_kwargs == {"top_p": 1}


def test_it_is_nobody_elses_class() -> None:
    """Tracing tells a model's vendor by its classes."""
    assert not [base for base in OpenRouter.__mro__ if base.__module__.startswith("llama_index.llms")]


def test_payload_has_no_password(make: Callable[..., OpenRouter]) -> None:
    payload = make(base_url="https://me:secret@example.com/v1/@x").to_payload()
    assert payload["base_url"] == "https://example.com/v1/@x"
    assert make(base_url="http://example.com").to_payload()["base_url"] == "http://example.com"


def test_payload_can_be_written_down(make: Callable[..., OpenRouter]) -> None:
    assert json.loads(json.dumps(make(reasoning={"effort": "low"}).to_payload()))["reasoning"] == {"effort": "low"}


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


def test_another_key_counts_from_the_next_call(llm: OpenRouter, gateway: LocalGateway) -> None:
    llm.chat(HELLO)
    llm.api_key = SecretStr("sk-another")
    llm.chat(HELLO)
    assert [request.key for request in gateway.requests] == [KEY, "sk-another"]


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
    own = SecretClient()
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
