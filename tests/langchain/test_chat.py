"""The model object: construction, options, requests, callbacks, copies, life."""

from __future__ import annotations

import asyncio
import copy
import gc
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import openai
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, get_usage_metadata_callback
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField, RunnableBinding, RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel, SecretStr

from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.langchain import ChatOpenRouter

Make = Callable[..., ChatOpenRouter]
Sent = Callable[[], dict[str, Any]]
KEY = "sk-or-very-secret"


def quiet(**options: Any) -> ChatOpenRouter:
    """A model that will send nothing."""
    return ChatOpenRouter(**{"model": "a/b", "api_key": KEY, **options})


# -------------------------------------------------------------------------------------------------- construction


def test_importing_loads_no_openai() -> None:
    code = "import sys, openrouter_adapters.langchain as l; l.ChatOpenRouter(model='a/b', api_key='k')\n"
    code += "print([name for name in ('openai', 'llama_index') if name in sys.modules])"
    made = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"], capture_output=True, text=True
    )
    assert made.stdout.strip() == "[]", made.stderr


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"openrouter_provider": {"zdr": True}}, "provider", {"zdr": True}),
        ({"request_timeout": 3}, "timeout", 3),
        ({"model_name": "c/d", "model": None}, "model", "c/d"),
        ({"stop_sequences": ["x"]}, "stop", ["x"]),
        ({"openrouter_api_base": "http://x"}, "base_url", "http://x"),
        ({"model_kwargs": {"new": 1}}, "extra_body", {"new": 1}),
        ({"stop": []}, "stop", None),
    ],
)
def test_names_people_bring_along(given: dict[str, Any], name: str, value: Any) -> None:
    options = {"model": "a/b", "api_key": KEY, **given}
    made = ChatOpenRouter(**{key: value for key, value in options.items() if value is not None})
    assert getattr(made, name) == value


def test_bad_arguments() -> None:
    with pytest.raises(TypeError, match="'temprature': did you mean 'temperature'"):
        quiet(temprature=0)
    with pytest.raises(ValueError, match="max_tokens='many' must be a whole number"):
        quiet(max_tokens="many")
    with pytest.raises(ValueError, match="api_key is missing: pass api_key="):
        ChatOpenRouter(model="a/b")
    with pytest.raises(ValueError, match="api_key is empty"):
        ChatOpenRouter(model="a/b", api_key="")


def test_everything_langchain_gives_to_any_model() -> None:
    made = quiet(
        cache=False,
        callbacks=[BaseCallbackHandler()],
        disable_streaming="tool_calling",
        metadata={"a": "b"},
        name="n",
        output_version="v1",
        rate_limiter=InMemoryRateLimiter(),
        streaming=True,
        tags=["t"],
        verbose=True,
    )
    assert made.tags == ["t"]
    assert made.metadata is not None and made.metadata["a"] == "b"


# ------------------------------------------------------------------------------------------------------- requests


def test_nothing_is_sent_that_was_not_asked_for(model: ChatOpenRouter, sent: Sent) -> None:
    model.invoke("hi")
    body = sent()
    assert body.pop("stream", False) is False
    assert body == {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def test_a_call_overrides(make: Make, sent: Sent) -> None:
    model = make(temperature=0, seed=1, provider={"order": ["openai"], "zdr": True}, extra_body={"x": {"a": 1}})
    bound = model.bind(openrouter_provider={"zdr": None, "sort": "price"}, brand_new={"z": 1})
    bound.invoke("hi", temperature=None, seed=2, extra_body={"x": {"b": 2}}, stop=["s"], reasoning_effort="low")
    body = sent()
    assert body["provider"] == {"order": ["openai"], "sort": "price"}
    assert "temperature" not in body
    assert (body["seed"], body["x"], body["brand_new"]) == (2, {"a": 1, "b": 2}, {"z": 1})
    assert (body["stop"], body["reasoning"]) == (["s"], {"effort": "low"})


@pytest.mark.parametrize(("own", "call", "expected"), [(["a"], None, ["a"]), (["a"], ["b"], ["b"]), (["a"], [], None)])
def test_stop(make: Make, sent: Sent, own: list[str], call: list[str] | None, expected: list[str] | None) -> None:
    make(stop=own).invoke("hi", stop=call)
    assert sent().get("stop") == expected


def test_stream_is_langchains_own_word(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    model.invoke("hi", stream=True)
    model.invoke("hi", stream=False)
    list(model.stream("hi"))
    streams = [request.body.get("stream", False) for request in openrouter_gateway.requests]
    assert streams == [True, False, True]


def test_bad_calls_send_nothing(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    with pytest.raises(ValueError, match="messages is empty: give at least one message"):
        model.invoke([])
    with pytest.raises(ValueError, match="temperature='hot'"):
        model.invoke("hi", temperature="hot")
    with pytest.raises(ValueError, match=r"messages\[0\]: audio block"):
        list(model.stream([HumanMessage([{"type": "audio", "url": "http://x"}])]))
    assert openrouter_gateway.requests == []


# -------------------------------------------------------------------------------------------------------- answers


def test_a_fallback_shows(make: Make, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("hi", model="google/gemini-2.5-flash", provider="Google", cost=0.25)
    metadata = make(models=["google/gemini-2.5-flash"]).invoke("hi").response_metadata
    assert metadata["model_name"] == "google/gemini-2.5-flash"
    assert metadata["requested_model"] == "openai/gpt-4o-mini"
    assert (metadata["fallback_used"], metadata["provider"], metadata["cost"]) == (True, "Google", 0.25)


def test_a_chain_streams(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one two three")
    chain = ChatPromptTemplate.from_messages([("human", "{text}")]) | model | StrOutputParser()
    pieces = list(chain.stream({"text": "hi"}))
    assert "".join(pieces) == "one two three"
    assert len(pieces) > 2


class Tokens(BaseCallbackHandler):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []
        self.tokens: list[str] = []
        self.ends: list[Any] = []

    def on_llm_new_token(self, token: str, *, chunk: Any = None, **_: Any) -> None:
        self.tokens.append(token)
        self.chunks.append(chunk)

    def on_llm_end(self, response: Any, **_: Any) -> None:
        self.ends.append(response)


def check_tokens(heard: Tokens, yielded: list[AIMessageChunk]) -> None:
    messages = [chunk.message for chunk in heard.chunks]
    assert messages == yielded
    assert heard.tokens == [chunk.content for chunk in yielded]
    assert any(chunk.additional_kwargs.get("reasoning_content") for chunk in messages)
    assert any(chunk.tool_call_chunks for chunk in messages)
    assert messages[-1].usage_metadata is not None
    assert "cost" in messages[-1].response_metadata
    assert [message.usage_metadata for message in messages[:-1]] == [None] * (len(messages) - 1)
    assert len(heard.ends) == 1
    assert heard.ends[0].generations[0][0].message.tool_calls[0]["name"] == "f"


def test_callbacks_see_every_chunk(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one two", reasoning="hm hm", tool_calls=[("f", {"x": 1})])
    heard = Tokens()
    check_tokens(heard, list(model.stream("hi", config={"callbacks": [heard]})))


async def test_callbacks_see_every_chunk_async(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("one two", reasoning="hm hm", tool_calls=[("f", {"x": 1})])
    heard = Tokens()
    check_tokens(heard, [chunk async for chunk in model.astream("hi", config={"callbacks": [heard]})])
    await model.aclose()


class Manager:
    """As much of a run manager as a stream needs."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.last: Any = None

    def on_llm_new_token(self, token: str, *, chunk: Any) -> None:
        self.tokens.append(token)
        self.last = chunk


class AsyncManager(Manager):
    """The same, awaited."""

    async def on_llm_new_token(self, token: str, *, chunk: Any) -> None:  # type: ignore[override]
        super().on_llm_new_token(token, chunk=chunk)


async def test_a_run_manager_hears_before_the_caller(model: ChatOpenRouter) -> None:
    """Core gives no run manager for a plain stream, but others do."""
    heard: Any = Manager()
    for number, chunk in enumerate(model._stream([HumanMessage("hi")], run_manager=heard), 1):
        assert len(heard.tokens) == number
        assert heard.last is chunk
    later: Any = AsyncManager()
    async for chunk in model._astream([HumanMessage("hi")], run_manager=later):
        assert later.last is chunk
    assert later.tokens == heard.tokens
    await model.aclose()


def test_usage_of_several_calls(model: ChatOpenRouter) -> None:
    with get_usage_metadata_callback() as counted:
        first = model.invoke("hi")
        second = model.invoke("hi")
        list(model.stream("hi"))
    [usage] = counted.usage_metadata.values()
    assert first.usage_metadata is not None and second.usage_metadata is not None
    assert usage["input_tokens"] == 3 * first.usage_metadata["input_tokens"]


def test_leaving_a_stream_early_hangs_up(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    openrouter_gateway.reply("word " * 200, delay=0.01)
    arriving = model.stream("hi")
    next(arriving)
    arriving.close()  # type: ignore[attr-defined]
    assert openrouter_gateway.requests[-1].wait()
    assert openrouter_gateway.requests[-1].client_left


# ------------------------------------------------------------------------------------------------ copies and life


def test_copies_work(make: Make, sent: Sent) -> None:
    model = make()
    model.invoke("hi")
    pickled = pickle.loads(pickle.dumps(model))
    for same in (copy.copy(model), copy.deepcopy(model), model.model_copy(), pickled):
        assert same.invoke("hi", user="u").content
        assert sent()["user"] == "u"
        same.close()
    model.model_copy(update={"model": "openai/gpt-4o"}).invoke("hi")
    assert sent()["model"] == "openai/gpt-4o"


def test_only_a_given_key_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    given = pickle.loads(pickle.dumps(quiet()))
    assert given.api_key == SecretStr(KEY)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-of-this-machine")
    found = pickle.dumps(ChatOpenRouter(model="a/b"))
    assert b"sk-or-of-this-machine" not in found
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-of-that-machine")
    assert pickle.loads(found).api_key == SecretStr("sk-or-of-that-machine")
    monkeypatch.delenv("OPENROUTER_API_KEY")
    with pytest.raises(ValueError, match="api_key is missing"):
        pickle.loads(found).invoke("hi")


def test_closing_is_not_the_end(make: Make) -> None:
    with make() as model:
        assert model.invoke("hi").content
    assert model.invoke("hi").content
    model.close()

    async def ask() -> None:
        async with model as same:
            assert (await same.ainvoke("hi")).content
        assert (await same.ainvoke("hi")).content
        await same.aclose()

    asyncio.run(ask())
    asyncio.run(ask())
    gc.collect()


def test_the_key_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    model = quiet(default_headers={"X-Secret": "very-secret-too"})
    shown = [repr(model), str(model), dumps(model), str(model.model_dump()), str(model._identifying_params)]
    shown.append(str(model._get_invocation_params()))
    for text in shown:
        assert "very-secret" not in text


def test_a_password_in_the_address_is_nowhere() -> None:
    model = quiet(base_url="https://me:very-secret@example.com/v1")
    shown = [repr(model), dumps(model), str(model.model_dump()), str(model._identifying_params)]
    shown += [
        str(model._get_invocation_params()),
        model._get_llm_string(),
        model._get_llm_string(base_url=model.base_url),
    ]
    for text in shown:
        assert "very-secret" not in text and "https://example.com/v1" in text


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_what_came_from_the_environment_is_read_there_again(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"base_url": "BASE_URL", "app_url": "APP_URL", "app_title": "APP_TITLE", "session_id": "SESSION_ID"}
    for name, variable in variables.items():
        monkeypatch.setenv(f"OPENROUTER_{variable}", f"https://{name}.example/here")
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    text = dumps(ChatOpenRouter(model="a/b", user="u"))
    assert "example/here" not in text and '"user"' in text
    for name, variable in variables.items():
        monkeypatch.setenv(f"OPENROUTER_{variable}", f"https://{name}.example/there")
    again = loads(
        text, allowed_objects=[ChatOpenRouter], valid_namespaces=["openrouter_adapters"], secrets_from_env=True
    )
    assert {name: getattr(again, name) for name in variables} == {
        name: f"https://{name}.example/there" for name in variables
    }


class Started(BaseCallbackHandler):
    """Keeps what a trace would show."""

    def __init__(self) -> None:
        self.shown = ""

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.shown += f"{args} {kwargs}"


def test_a_key_given_per_call_is_in_no_trace(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    seen, cache = Started(), InMemoryCache()
    kept = model.model_copy(update={"cache": cache})
    given = {"api_key": KEY, "default_headers": {"X-A": KEY}}
    kept.invoke("hi", config={"callbacks": [seen]}, **given, extra_headers={"X-B": KEY})
    list(model.stream("hi", config={"callbacks": [seen]}, **given, http_headers={"X-B": KEY}))
    for request in openrouter_gateway.requests:
        assert [request.key, request.headers["x-a"], request.headers["x-b"]] == [KEY] * 3
        assert "http_headers" not in request.body
    assert "openai/gpt-4o-mini" in seen.shown
    assert KEY not in seen.shown
    assert KEY not in str(cache._cache)


@pytest.mark.parametrize("name", ["openai_api_key", "GROQ_API_KEY", "anthropic_api_key"])
def test_a_key_under_a_name_that_is_no_option_is_refused_and_shown_nowhere(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway, name: str
) -> None:
    seen = Started()
    for asked, given in ((model, {name: KEY}), (model.bind(**{name: KEY}), {})):
        assert KEY not in f"{asked!r} {dumps(asked)}"
        with pytest.raises(TypeError, match=f"'{name}' is no option of a call, .* not sent: use api_key") as caught:
            asked.invoke("hi", config={"callbacks": [seen]}, **given)
        assert KEY not in f"{seen.shown} {caught.value}"
    assert not openrouter_gateway.requests
    model.invoke("hi", extra_body={name: "of the wire"})
    assert openrouter_gateway.requests[-1].body[name] == "of the wire"


@pytest.mark.parametrize("bound", [False, True], ids=["call", "bound"])
@pytest.mark.parametrize("how", ["invoke", "stream", "ainvoke", "astream"])
def test_a_key_and_a_password_under_other_names_are_in_no_trace(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway, how: str, bound: bool
) -> None:
    seen, address = Started(), openrouter_gateway.base_url.replace("://", "://me:very-secret@")
    for given in ({"openrouter_api_key": KEY}, {"openrouter_api_base": address}, {"stop_sequences": ["x"]}):
        asked, rest = (model.bind(**given), {}) if bound else (model, given)
        said = getattr(asked, how)("hi", config={"callbacks": [seen]}, **rest)
        asyncio.run(_awaited(said)) if how.startswith("a") else list(said)
    assert len(openrouter_gateway.requests) == 3 and openrouter_gateway.requests[0].key == KEY
    assert openrouter_gateway.requests[-1].body["stop"] == ["x"]
    assert "'stop': ['x']" in seen.shown
    assert "very-secret" not in seen.shown


async def _awaited(said: Any) -> None:
    if hasattr(said, "__anext__"):
        _ = [chunk async for chunk in said]
    else:
        await said


@pytest.mark.parametrize("name", ["api_key", "openrouter_api_key"])
@pytest.mark.parametrize("wrap", [str, SecretStr])
def test_a_bound_key_is_shown_and_dumped_nowhere(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway, name: str, wrap: Callable[[str], Any]
) -> None:
    given = {name: wrap(KEY), "user": "u"}
    for bound in (model.bind(**given), model.bind_tools([], **given), model.bind(**given).bind(seed=1)):
        assert KEY not in f"{bound!r} {bound} {dumps(bound)}"
        bound.invoke("hi")
        assert (openrouter_gateway.requests[-1].key, openrouter_gateway.requests[-1].body["user"]) == (KEY, "u")
    assert given == {name: wrap(KEY), "user": "u"}


@pytest.mark.parametrize("name", ["default_headers", "extra_headers", "http_headers"])
def test_bound_headers_are_shown_and_dumped_nowhere(
    model: ChatOpenRouter, openrouter_gateway: LocalGateway, name: str
) -> None:
    given, seen = {name: {"Authorization": f"Bearer {KEY}", "X-Title": None}}, Started()
    cached = model.model_copy(update={"cache": InMemoryCache()})
    for bound in (
        model.bind(**given),
        model.bind_tools([], **given),
        model.with_config(tags=["a"]).bind(**given),
        cached.bind(**given),
    ):
        copied = pickle.loads(pickle.dumps(bound.with_config(tags=["a"]))) if bound.bound is model else bound
        assert KEY not in f"{copied!r} {copied} {dumps(copied)} {copied.bind(user='u')!r}"
        copied.invoke("hi", config={"callbacks": [seen]})
        assert openrouter_gateway.requests[-1].key == KEY
    assert KEY not in seen.shown
    assert given == {name: {"Authorization": f"Bearer {KEY}", "X-Title": None}}
    with pytest.raises(ValueError, match="_headers must be an object"):
        model.bind(**{name: KEY})


def test_a_bound_password_is_shown_nowhere(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    address = openrouter_gateway.base_url.replace("://", "://me:very-secret@")
    for name in ("base_url", "openrouter_api_base"):
        bound = model.bind(**{name: address})
        assert "very-secret" not in f"{bound!r} {dumps(bound)}"
        assert bound.invoke("hi").text
        assert openrouter_gateway.requests[-1].key.startswith("Basic ")


def test_a_binding_is_loaded_as_cores_is(model: ChatOpenRouter) -> None:
    assert dumpd(model.bind(seed=1))["id"] == dumpd(RunnableBinding(bound=model, kwargs={"seed": 1}))["id"]
    for bound in (model.bind(seed=1).with_config(tags=["a"]), model.with_config(tags=["a"]).bind(seed=1)):
        assert (type(bound), bound.kwargs, bound.config) == (type(model.bind()), {"seed": 1}, {"tags": ["a"]})


def test_a_wrong_address_is_in_no_trace(model: ChatOpenRouter) -> None:
    """It is told before it is refused."""
    seen = Started()
    for address in ("me:very-secret@example.com", "http://me:very/secret@example.com", ["http://me:very-secret@h"]):
        with pytest.raises(ValueError, match=r"base_url"):
            model.invoke("hi", config={"callbacks": [seen]}, base_url=address)
    assert "very-secret" not in seen.shown and "very/secret" not in seen.shown


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_serialization(monkeypatch: pytest.MonkeyPatch) -> None:
    model = quiet(temperature=0.5, provider={"zdr": True}, stop=["x"], streaming=True)
    dumped = dumpd(model)
    assert dumped["id"] == ["openrouter_adapters", "langchain", "ChatOpenRouter"]
    assert dumped["kwargs"]["api_key"] == {"lc": 1, "type": "secret", "id": ["OPENROUTER_API_KEY"]}
    json.dumps(dumped)
    secrets = {"OPENROUTER_API_KEY": KEY}
    loaded = load(
        dumped, secrets_map=secrets, valid_namespaces=["openrouter_adapters"], allowed_objects=[ChatOpenRouter]
    )
    assert loaded.asdict() == model.asdict()
    assert loaded.api_key == model.api_key


def test_configurable_fields(make: Make, sent: Sent) -> None:
    model = make().configurable_fields(temperature=ConfigurableField(id="t"), model=ConfigurableField(id="m"))
    model.invoke("hi", config={"configurable": {"t": 0.5, "m": "openai/gpt-4o"}})
    assert (sent()["temperature"], sent()["model"]) == (0.5, "openai/gpt-4o")


@pytest.mark.parametrize(("given", "streams"), [({}, True), ({"streaming": None}, True), ({"streaming": False}, False)])
def test_a_configured_model_streams_unless_told_otherwise(
    make: Make, openrouter_gateway: LocalGateway, given: dict[str, Any], streams: bool
) -> None:
    """LangChain makes it anew, from all fields of the old one."""
    model = make(**given)
    configured = model.configurable_fields(temperature=ConfigurableField(id="t")).with_config(configurable={"t": 0.5})
    for one in (model, configured, pickle.loads(pickle.dumps(model))):
        assert "".join(chunk.text for chunk in one.stream("hi"))
        assert openrouter_gateway.requests[-1].body.get("stream", False) is streams


def test_names_for_traces() -> None:
    model = quiet(temperature=0, max_completion_tokens=9, stop="x")
    assert model._llm_type == "openrouter-chat"
    assert model._get_ls_params() == {
        "ls_provider": "openrouter",
        "ls_model_type": "chat",
        "ls_model_name": "a/b",
        "ls_temperature": 0,
        "ls_max_tokens": 9,
        "ls_stop": ["x"],
    }
    assert model._get_ls_params(stop=["y"], model="c/d")["ls_stop"] == ["y"]
    assert model._get_ls_params(model="c/d")["ls_model_name"] == "c/d"
    assert model._identifying_params == {
        "model": "a/b",
        "temperature": 0,
        "max_completion_tokens": 9,
        "stop": "x",
        "max_retries": 2,
    }


def test_an_answer_can_be_asked_on(model: ChatOpenRouter, openrouter_gateway: LocalGateway, sent: Sent) -> None:
    """A tool loop with reasoning: the second request says what the first answer said."""
    openrouter_gateway.reply(None, reasoning="hm", tool_calls=[("f", '{"x":1}')], times=2)
    whole = model.invoke("hi")
    first, *rest = model.stream("hi")
    for message in (whole, first + rest):  # type: ignore[operator]
        assert isinstance(message, AIMessage)
        model.invoke([HumanMessage("hi"), message, {"role": "tool", "content": "1", "tool_call_id": "c"}])
        again = sent()["messages"][1]
        assert again["tool_calls"][0]["function"]["arguments"] == '{"x":1}'
        assert again["reasoning_details"] == message.additional_kwargs["reasoning_details"]
        assert "reasoning" not in again
        assert again["content"] is None


def test_a_model_with_a_client_of_the_callers_is_copied_and_pickled() -> None:
    own = openai.DefaultHttpxClient()
    model = quiet(http_client=own)
    assert copy.deepcopy(model).http_client is own
    assert pickle.loads(pickle.dumps(model)).http_client is None
    own.close()


def test_closing_a_copy_leaves_the_originals_stream_alone(openrouter_gateway: LocalGateway) -> None:
    model = ChatOpenRouter(model="openai/gpt-4o-mini", api_key="k", base_url=openrouter_gateway.base_url)
    openrouter_gateway.reply("one two three four")
    chunks = model.stream("hi")
    next(chunks)
    with model.model_copy(update={"temperature": 0.1}) as copied:
        assert copied.temperature == 0.1
    assert "".join(chunk.text for chunk in chunks).endswith("four")
    model.close()


# ------------------------------------------------------------------------------------------------ given to a call


class Sum(BaseModel):
    """A sum."""

    total: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_tools_and_schemas_of_a_call_are_put_into_the_wires_form(model: ChatOpenRouter, sent: Sent) -> None:
    server = {"type": "openrouter:datetime"}
    model.invoke("hi", tools=[add, server], response_format=Sum)
    assert [tool.get("function", tool)["name" if "function" in tool else "type"] for tool in sent()["tools"]] == [
        "add",
        "openrouter:datetime",
    ]
    assert sent()["response_format"]["json_schema"]["schema"]["properties"]["total"]["type"] == "integer"
    given = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}}}
    model.bind(response_format=given).invoke("hi", tools=None)
    assert sent()["response_format"] == given
    assert "tools" not in sent()


def test_a_call_says_whether_its_cost_is_in_the_usage(make: Make, sent: Sent) -> None:
    usage: Any = make().invoke("hi", cost_in_usage=True).usage_metadata
    assert usage["total_cost"] > 0
    assert "cost_in_usage" not in sent()
    last: Any = list(make(cost_in_usage=True).stream("hi", cost_in_usage=False))[-1].usage_metadata
    assert "total_cost" not in last


def test_what_is_no_option_of_a_call_is_refused(model: ChatOpenRouter, openrouter_gateway: LocalGateway) -> None:
    with pytest.raises(TypeError, match="streaming is no option of a call: call stream"):
        model.invoke("hi", streaming=True)
    with pytest.raises(TypeError, match="tools must be a list"):
        model.invoke("hi", tools={"type": "function"})
    assert not openrouter_gateway.requests


def test_the_later_of_two_names_wins_as_a_call_does(model: ChatOpenRouter, sent: Sent) -> None:
    model.bind(model_name="openai/gpt-4o").invoke("hi", model="openai/gpt-4.1-mini")
    assert sent()["model"] == "openai/gpt-4.1-mini"
    model.bind(stop_sequences=["a"]).invoke("hi", stop=["b"])
    assert sent()["stop"] == ["b"]
    assert quiet(model="a/b", model_name=None).model == "a/b"
    with pytest.raises(TypeError, match="'model' and 'model_name' are the same argument"):
        quiet(model="a/b", model_name="c/d")


def test_no_tools_of_a_call_clear_those_that_were_bound(make: Make, sent: Sent) -> None:
    bound = make().bind_tools([add], tool_choice="add", parallel_tool_calls=False)
    for none in ([], None):
        bound.invoke("hi", tools=none)
        assert not {"tools", "tool_choice", "parallel_tool_calls"} & sent().keys()
    make(extra_body={"tools": [{"type": "openrouter:datetime"}]}).invoke("hi", tools=None)
    assert "tools" not in sent()
    for no_choice in (None, False):
        make().bind(tool_choice="add").invoke("hi", tools=[add], tool_choice=no_choice)
        assert "tool_choice" not in sent()
    make().invoke("hi", tools=[add], tool_choice="any", strict=True)
    assert (sent()["tool_choice"], sent()["tools"][0]["function"]["strict"]) == ("required", True)
    assert "strict" not in sent()


def test_a_schema_given_to_a_call_is_a_response_format(model: ChatOpenRouter, sent: Sent) -> None:
    for given in (Sum, Sum.model_json_schema(), {"type": "json_schema", "name": "Sum", "schema": {"type": "object"}}):
        model.invoke("hi", response_format=given)
        asked = sent()
        assert asked["response_format"]["json_schema"]["name"] == "Sum"
        assert asked["provider"] == {"require_parameters": True}
    model.invoke("hi", response_format={"type": "json_object"})
    assert "provider" not in sent()


def test_several_choices_whoever_listens(make: Make) -> None:
    assert make(streaming=True).invoke("hi", n=2).content
    with pytest.raises(ValueError, match="n=2: a stream has one choice"):
        list(make().stream("hi", n=2))
    chain = RunnableLambda(lambda text: make().invoke(text, n=2))
    assert asyncio.run(_events(chain))


async def _events(chain: Any) -> list[Any]:
    return [event async for event in chain.astream_events("hi", version="v2")]
