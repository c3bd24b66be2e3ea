"""What LangChain expects around a model: caches, profiles, token counts, sums, rate limits, `init_chat_model`."""

from __future__ import annotations

import asyncio
import builtins
import copy
import time
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain.chat_models import base as chat_models
from langchain.chat_models import init_chat_model
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, trim_messages
from langchain_core.outputs import ChatGeneration
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langchain_core.tracers.schemas import Run
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.version import VERSION
from pydantic import BaseModel, create_model

from openrouter_adapters import __version__
from openrouter_adapters.core import catalog
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter, register_with_init_chat_model
from openrouter_adapters.langchain.conventions import combined, of_cache, profile

Make = Callable[..., ChatOpenRouter]
Sent = Callable[[], dict[str, Any]]


class Fact(BaseModel):
    """What is so."""

    text: str


def quiet(**options: Any) -> ChatOpenRouter:
    """A model that will send nothing."""
    return ChatOpenRouter(**{"model": "a/b", "api_key": "k", **options})


# ---------------------------------------------------------------------------------------------------------- caches


def test_an_answer_of_a_cache_costs_nothing(make: Make, openrouter_gateway: LocalGateway) -> None:
    cache = InMemoryCache()
    model = make(cache=cache)
    first, again, third = model.invoke("hi"), model.invoke("hi"), asyncio.run(model.ainvoke("hi"))
    assert len(openrouter_gateway.requests) == 1
    assert first.response_metadata["cost"] > 0
    for hit in (again, third):
        assert hit.text == first.text
        facts = hit.response_metadata
        assert (facts["cost"], facts["total_cost"], facts["token_usage"]["cost"]) == (0.0, 0.0, 0.0)
        assert "cost_details" not in facts
        assert "cost_details" not in facts["token_usage"]
        assert facts["provider"] == first.response_metadata["provider"]
        assert hit.usage_metadata is not None
        assert hit.usage_metadata["total_cost"] == 0  # core's own word for it
    kept = next(iter(cache._cache.values()))[0]
    assert kept.message.response_metadata["cost"] == first.response_metadata["cost"]
    assert first.response_metadata["cost"] > 0


def test_an_answer_of_a_cache_says_that_it_is_one(make: Make) -> None:
    """Also one that cost nothing in the first place, or whose cost nobody told."""
    generation = ChatGeneration(message=AIMessage("hi", response_metadata={"model_name": "a/b"}))
    assert of_cache(generation).message.response_metadata == {"model_name": "a/b", "from_cache": True}
    assert "from_cache" not in generation.message.response_metadata
    model = make(cache=InMemoryCache(), cost_in_usage=True)
    first, hit = model.invoke("hi"), model.invoke("hi")
    assert "from_cache" not in first.response_metadata
    usage: Any = first.usage_metadata
    assert usage["input_cost"] > 0
    usage = hit.usage_metadata
    assert (usage["input_cost"], usage["output_cost"], usage["total_cost"]) == (0, 0, 0)


def test_answers_of_another_gateway_are_not_this_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the environment says which gateway it is, though that is not written down."""
    keys = set()
    for address in ("https://one.example", "https://other.example"):
        monkeypatch.setenv("OPENROUTER_BASE_URL", address)
        keys.add(ChatOpenRouter(model="a/b", api_key="k")._get_llm_string())
    assert len(keys) == 2


def test_stops_under_another_name_are_in_the_key_of_a_cache(make: Make, openrouter_gateway: LocalGateway) -> None:
    model = make(cache=InMemoryCache())
    for stops in (["x"], ["y"], ["x"]):
        model.invoke("hi", stop_sequences=stops)
    assert [request.body["stop"] for request in openrouter_gateway.requests] == [["x"], ["y"]]


def test_headers_that_are_no_object_are_refused_with_a_cache_too(make: Make) -> None:
    for name in ("default_headers", "extra_headers"):
        with pytest.raises(ValueError, match=f"{name} must be an object"):
            make(cache=InMemoryCache()).invoke("hi", **{name: "very-secret"})


def test_a_stream_is_never_of_a_cache(make: Make, openrouter_gateway: LocalGateway) -> None:
    model = make(cache=InMemoryCache())
    model.invoke("hi")
    assert [chunk.response_metadata.get("cost") for chunk in model.stream("hi")][-1]
    assert len(openrouter_gateway.requests) == 2


def changed(model: ChatOpenRouter) -> ChatOpenRouter:
    model.model = "openai/gpt-4o"
    return model


@pytest.mark.parametrize(
    "other",
    [
        lambda model: model.model_copy(update={"model": "openai/gpt-4o"}),
        lambda model: model.model_copy(update={"model": "openai/gpt-4o"}, deep=True),
        lambda model: model.bind(model="openai/gpt-4o"),
        lambda model: changed(copy.copy(model)),
        lambda model: changed(copy.deepcopy(model)),
        changed,
        lambda model: model.configurable_fields(model=ConfigurableField(id="m")).with_config(
            configurable={"m": "openai/gpt-4o"}
        ),
    ],
    ids=["copied", "deep", "bound", "copy.copy", "copy.deepcopy", "assigned", "configured"],
)
def test_another_model_does_not_hit_the_originals_entry(
    other: Callable[[ChatOpenRouter], Any], make: Make, openrouter_gateway: LocalGateway
) -> None:
    model = make(cache=InMemoryCache())
    model.invoke("hi")
    other(model).invoke("hi")
    assert [request.body["model"] for request in openrouter_gateway.requests] == ["openai/gpt-4o-mini", "openai/gpt-4o"]


def test_an_option_changed_in_place_makes_another_entry(make: Make, openrouter_gateway: LocalGateway) -> None:
    model = make(cache=InMemoryCache(), provider={"order": ["openai"]})
    model.invoke("hi")
    assert model.provider is not None
    model.provider["order"].append("azure")
    model.invoke("hi")
    assert len(openrouter_gateway.requests) == 2


def test_schemas_and_tools_of_one_name_make_entries_of_their_own(make: Make, openrouter_gateway: LocalGateway) -> None:
    one, other = create_model("Answer", x=(int, ...)), create_model("Answer", y=(str, ...))
    model = make(cache=InMemoryCache())
    for options in ({"response_format": one}, {"response_format": other}, {"tools": [one]}, {"tools": [other]}):
        model.bind(**options).invoke("hi")
        model.bind(**options).invoke("hi")
    assert len(openrouter_gateway.requests) == 4


def test_headers_that_a_call_clears_make_another_entry(make: Make, openrouter_gateway: LocalGateway) -> None:
    model = make(cache=InMemoryCache(), default_headers={"X-A": "1"})
    model.invoke("hi")
    model.invoke("hi", default_headers=None)
    assert ["x-a" in request.headers for request in openrouter_gateway.requests] == [True, False]


def test_headers_make_another_entry_and_are_not_in_its_key(make: Make, openrouter_gateway: LocalGateway) -> None:
    cache = InMemoryCache()
    plain, beta = make(cache=cache), make(cache=cache, default_headers={"X-Beta": "very-secret"})
    for model in (plain, beta, plain, beta):
        model.invoke("hi")
    plain.invoke("hi", extra_headers={"X-Beta": "another-secret"})
    assert len(openrouter_gateway.requests) == 3
    assert not [word for word in ("very-secret", "another-secret") if word in str(cache._cache.keys())]


def test_the_same_options_hit_whatever_the_key(make: Make, openrouter_gateway: LocalGateway) -> None:
    cache = InMemoryCache()
    make(cache=cache).invoke("hi")
    make(cache=cache, api_key="another").invoke("hi")
    assert len(openrouter_gateway.requests) == 1


# -------------------------------------------------------------------------------------------------------- profiles


@pytest.fixture
def listed() -> Iterator[None]:
    """A catalogue with one model of everything."""
    before = catalog._models
    item = {
        "id": "acme/all",
        "name": "Acme: All",
        "context_length": 2000,
        "architecture": {"input_modalities": ["text", "image", "audio"], "output_modalities": ["text", "image"]},
        "top_provider": {"context_length": 1000, "max_completion_tokens": 100},
        "supported_parameters": ["tools", "tool_choice", "structured_outputs", "reasoning", "temperature"],
        "reasoning": {"supported_efforts": ["low", "high"], "default_effort": "low"},
    }
    catalog.load({"data": [item, {"id": "acme/bare"}]})
    yield
    catalog._models = before


@pytest.mark.usefixtures("listed")
def test_a_profile_is_what_the_catalogue_says() -> None:
    assert quiet(model="acme/all:nitro").profile == {
        "name": "Acme: All",
        "max_input_tokens": 1000,
        "max_output_tokens": 100,
        "text_inputs": True,
        "image_inputs": True,
        "image_url_inputs": True,
        "pdf_inputs": True,
        "audio_inputs": True,
        "video_inputs": False,
        "text_outputs": True,
        "image_outputs": True,
        "audio_outputs": False,
        "video_outputs": False,
        "tool_calling": True,
        "tool_choice": True,
        "structured_output": True,
        "temperature": True,
        "reasoning_output": True,
        "reasoning_effort_levels": ["low", "high"],
        "reasoning_effort_default": "low",
    }


@pytest.mark.usefixtures("listed")
def test_what_a_catalogue_does_not_say_is_not_in_the_profile() -> None:
    assert quiet(model="acme/bare").profile == {"pdf_inputs": True}


@pytest.mark.parametrize("slug", [None, "acme/unheard-of", "openrouter/auto", "@preset/mine"])
def test_an_unlisted_model_has_no_profile(slug: str | None) -> None:
    assert profile(slug) is None
    assert quiet(model=slug).profile is None


def test_a_given_profile_counts() -> None:
    model = quiet(model="openai/gpt-4o", profile={"max_input_tokens": 7})
    assert model.profile == {"max_input_tokens": 7}
    assert model.model_copy(update={"temperature": 1}).profile == {"max_input_tokens": 7}
    assert model.model_copy(update={"model": "a/b", "profile": {"max_input_tokens": 8}}).profile == {
        "max_input_tokens": 8
    }


def test_a_copy_for_another_model_has_that_models_profile() -> None:
    model = quiet(model="openai/gpt-4o")
    assert model.profile is not None
    assert model.profile["max_input_tokens"] == 128000
    other = model.model_copy(update={"model": "openai/gpt-4.1-mini"}).profile
    assert other is not None
    assert other["max_input_tokens"] == 1047576
    assert model.model_copy(update={"model": "acme/unheard-of"}).profile is None


# ---------------------------------------------------------------------------------------------------- token counts


def test_tokens_are_counted_offline() -> None:
    model = quiet()
    messages = [SystemMessage("be brief"), HumanMessage("a" * 400)]
    assert model.get_num_tokens("a" * 400) == 100
    assert model.get_num_tokens("") == 0
    assert 100 < model.get_num_tokens_from_messages(messages) < 120
    tool = {"type": "function", "function": {"name": "f", "description": "b" * 400, "parameters": {}}}
    assert model.get_num_tokens_from_messages(messages, tools=[tool]) > 200
    counted = model.get_num_tokens_from_messages(messages)
    for given in (quiet, Fact, convert_to_openai_tool(Fact)):  # a function, a class, a dict
        assert counted < model.get_num_tokens_from_messages(messages, tools=[given]) < counted + 100
    assert trim_messages(messages, max_tokens=20, token_counter=model, strategy="last", allow_partial=False) == []


def test_a_tokenizer_of_the_callers_counts() -> None:
    model = quiet(custom_get_token_ids=lambda text: list(text.encode()))
    assert model.get_token_ids("abc") == [97, 98, 99]
    assert model.get_num_tokens("abc") == 3
    assert model.get_num_tokens_from_messages([HumanMessage("abc")]) == len("Human: abc")


def test_without_a_tokenizer_there_are_no_token_ids() -> None:
    with pytest.raises(NotImplementedError, match="custom_get_token_ids"):
        quiet().get_token_ids("abc")


# ------------------------------------------------------------------------------------------------------------ sums


def test_several_prompts_are_added_up(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one", cost=0.1, usage={"prompt_tokens": 2, "completion_tokens": 1})
    openrouter_gateway.reply("two", cost=0.2, usage={"prompt_tokens": 3, "completion_tokens": 4}, model="other/one")
    said = make().generate([[HumanMessage("a")], [HumanMessage("b")]]).llm_output
    assert said == {
        "model_name": "openai/gpt-4o-mini",
        "token_usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10, "cost": 0.3},
        "by_model": {
            "openai/gpt-4o-mini": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3, "cost": 0.1},
            "other/one": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": 0.2},
        },
    }


def test_a_cost_that_nobody_reported_is_not_zero(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one", omit=["usage"])
    openrouter_gateway.reply("two", omit=["usage.cost"])
    said = make().generate([[HumanMessage("a")], [HumanMessage("b")]]).llm_output
    assert said is not None
    assert "cost" not in said["token_usage"]
    assert said["token_usage"]["total_tokens"] > 0


def test_sums_of_nothing() -> None:
    assert combined([]) == combined([None, None]) == combined([{}]) == {}
    assert combined([None, {"model_name": "a/b"}]) == {"model_name": "a/b", "by_model": {"a/b": {}}}
    odd = {"model_name": "a/b", "token_usage": {"prompt_tokens": None, "cost": "much"}}
    assert combined([odd])["by_model"] == {"a/b": {}}


def test_streamed_and_cached_prompts_are_added_up_too(make: Make) -> None:
    model = make(cache=InMemoryCache(), streaming=True)
    first = model.generate([[HumanMessage("a")]])
    again = model.generate([[HumanMessage("a")], [HumanMessage("a")]])
    assert (first.llm_output, again.llm_output) == ({}, {})
    generation = first.generations[0][0]
    assert isinstance(generation, ChatGeneration)
    assert generation.message.response_metadata["token_usage"]["total_tokens"] > 0


# ----------------------------------------------------------------------------------------------------- the others


def test_the_version_is_in_every_trace() -> None:
    assert quiet().metadata is not None
    versions = quiet(metadata={"team": "a"}).metadata
    assert versions is not None
    assert versions["team"] == "a"
    assert versions["lc_versions"]["openrouter-adapters"] == __version__
    assert versions["lc_versions"]["langchain-core"] == VERSION
    given = {"team": "a"}
    quiet(metadata=given)
    assert given == {"team": "a"}


def test_a_rate_limiter_is_waited_for(make: Make) -> None:
    limiter = InMemoryRateLimiter(requests_per_second=20, check_every_n_seconds=0.01, max_bucket_size=1)
    model = make(rate_limiter=limiter)
    start = time.monotonic()
    model.invoke("hi")
    list(model.stream("hi"))
    asyncio.run(model.ainvoke("hi"))
    assert time.monotonic() - start >= 0.1  # three permits, one every 50 ms


def test_everything_configurable_survives(make: Make, openrouter_gateway: LocalGateway) -> None:
    """LangChain builds a configured model anew, from the fields of the old one."""
    model = make(default_headers={"X-A": "1"}, provider={"zdr": True}, timeout=7, streaming=True)
    chosen = model.configurable_fields(
        provider=ConfigurableField(id="provider"), max_tokens=ConfigurableField(id="limit")
    ).configurable_alternatives(ConfigurableField(id="which"), default_key="first", other=make(model="openai/gpt-4o"))
    chosen.with_config(configurable={"limit": 9}).invoke("hi")
    request = openrouter_gateway.requests[-1]
    assert (request.headers["x-a"], request.body["provider"], request.body["max_tokens"]) == ("1", {"zdr": True}, 9)
    assert request.body["stream"] is True
    chosen.with_config(configurable={"provider": {"order": ["azure"]}}).invoke("hi")
    assert openrouter_gateway.requests[-1].body["provider"] == {"order": ["azure"]}
    chosen.with_config(configurable={"which": "other"}).invoke("hi")
    assert openrouter_gateway.requests[-1].body["model"] == "openai/gpt-4o"


@pytest.fixture
def init_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """LangChain's table of providers, for this test only."""
    table = dict(chat_models._BUILTIN_PROVIDERS)
    monkeypatch.setattr(chat_models, "_BUILTIN_PROVIDERS", table)
    yield table
    chat_models._get_chat_model_creator.cache_clear()


def test_init_chat_model(init_table: dict[str, Any], openrouter_gateway: LocalGateway) -> None:
    register_with_init_chat_model()
    register_with_init_chat_model("mine")
    options = {"api_key": "k", "base_url": openrouter_gateway.base_url}
    for name in ("openrouter", "mine"):
        model = init_chat_model(f"{name}:meta-llama/llama-3.3-70b-instruct:free", **options)
        assert type(model) is ChatOpenRouter
        assert model.model == "meta-llama/llama-3.3-70b-instruct:free"
    chosen = init_chat_model(model_provider="openrouter", configurable_fields=["model"], **options)
    assert chosen.invoke("hi", config={"configurable": {"model": "openai/gpt-4o"}}).text
    assert openrouter_gateway.requests[-1].body["model"] == "openai/gpt-4o"


def test_importing_changes_no_table() -> None:
    assert chat_models._BUILTIN_PROVIDERS["openrouter"][0] == "langchain_openrouter"


def test_init_chat_model_needs_langchain(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_langchain(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "langchain":
            raise ModuleNotFoundError("No module named 'langchain'", name="langchain")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_langchain)
    with pytest.raises(ImportError, match="pip install langchain"):
        register_with_init_chat_model()


# ------------------------------------------------------------------------------------------------- cost in the usage


def usages(model: ChatOpenRouter) -> Iterator[Any]:
    """The usage of one question, asked in every way."""
    yield model.invoke("hi").usage_metadata
    yield reduce(add, model.stream("hi")).usage_metadata
    yield asyncio.run(model.ainvoke("hi")).usage_metadata

    async def streamed() -> Any:
        return [chunk.usage_metadata async for chunk in model.astream("hi")][-1]

    yield asyncio.run(streamed())


def test_the_cost_is_in_the_usage_when_asked_for(make: Make, openrouter_gateway: LocalGateway) -> None:
    byok = {"is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}
    openrouter_gateway.reply("an answer of several pieces", cost=0.25, usage=byok, times=None)
    for usage in usages(make(cost_in_usage=True)):
        assert usage["total_cost"] == 0.75  # the provider's bill for an own key is in it
    for usage in usages(make()):
        assert "total_cost" not in usage


def test_a_cost_that_is_unknown_is_in_no_usage(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one", omit=["usage.cost"], times=None)
    for usage in usages(make(cost_in_usage=True)):
        assert "total_cost" not in usage


def test_the_cost_reaches_langsmith(make: Make, openrouter_gateway: LocalGateway) -> None:
    """In the place where it looks: the usage in a run's metadata."""
    openrouter_gateway.reply("one", cost=0.25, times=None)
    tracer = RunCollectorCallbackHandler()
    model = make(cost_in_usage=True)
    model.invoke("hi", config={"callbacks": [tracer]})
    list(model.stream("hi", config={"callbacks": [tracer]}))
    runs: list[Run] = tracer.traced_runs
    assert len(runs) == 2
    for run in runs:
        message = run.outputs["generations"][0][0]["message"] if run.outputs else {}
        assert message["kwargs"]["usage_metadata"]["total_cost"] == 0.25
