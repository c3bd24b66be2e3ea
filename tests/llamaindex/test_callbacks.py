"""What LlamaIndex is told of a call: events, spans, legacy callbacks."""

import asyncio
import copy
import inspect
import json
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest
from llama_index.core import PromptTemplate, Settings
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, TokenCountingHandler
from llama_index.core.callbacks.pythonically_printing_base_handler import PythonicallyPrintingBaseHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.dispatcher import instrument_tags
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import LLM, ChatMessage, callbacks
from llama_index.core.rate_limiter import BaseRateLimiter, TokenBucketRateLimiter
from llama_index.core.tools import FunctionTool
from pydantic import TypeAdapter

from openrouter_adapters import InvalidRequestError, StreamInterruptedError
from openrouter_adapters.gateway import LocalGateway
from openrouter_adapters.llamaindex import OpenRouter
from openrouter_adapters.llamaindex.secrets import Hidden

from .conftest import KEY, MODEL
from .runs import OF_THE_ENGINE

pytestmark = OF_THE_ENGINE

HELLO = [ChatMessage("hello")]
METHODS = [
    f"{colour}{kind}{method}" for method in ("chat", "complete") for colour in ("", "a") for kind in ("", "stream_")
]


async def used(llm: OpenRouter, method: str, **options: Any) -> None:
    result = getattr(llm, method)(HELLO if method.endswith("chat") else "hello", **options)
    if method.startswith("a"):
        result = await result
        if "stream" in method:
            async for _ in result:
                pass
    elif "stream" in method:
        list(result)


async def in_async(stream: Any) -> AsyncIterator[Any]:
    """A sync stream, read like an async one."""
    with closing(stream):
        for item in stream:
            yield item


@pytest.mark.parametrize("method", METHODS)
async def test_one_pair_of_events_and_one_span(
    llm: OpenRouter, gateway: LocalGateway, events: list[Any], spans: SimpleSpanHandler, method: str
) -> None:
    gateway.reply(chunks=["a", "b"], cost=0.5)
    await used(llm, method)
    kind = "Chat" if method.endswith("chat") else "Completion"
    names = [type(event).__name__ for event in events]
    between = [f"LLM{kind}InProgressEvent"] * (3 if "stream" in method else 0)
    assert names == [f"LLM{kind}StartEvent", *between, f"LLM{kind}EndEvent"]
    assert [span.id_.split("-")[0] for span in spans.completed_spans] == [f"OpenRouter.{method}"]
    assert len({event.span_id for event in events}) == 1
    end = events[-1].response
    assert end.additional_kwargs["cost"] == end.raw.usage.cost == 0.5
    assert events[-1].model_dump()["response"]["raw"]["usage"]["cost"] == 0.5
    assert KEY not in str([event.model_dump() for event in events])
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
async def test_tokens_are_counted_as_reported(
    make: Callable[..., OpenRouter], gateway: LocalGateway, method: str
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    gateway.reply("a b", usage={"prompt_tokens": 111, "completion_tokens": 222, "total_tokens": 333})
    llm = make(callback_manager=CallbackManager([counter]))
    await used(llm, method)
    [event] = counter.llm_token_counts
    assert (event.prompt_token_count, event.completion_token_count) == (111, 222)
    await llm.aclose()


def test_thinking_shows_in_progress_events(llm: OpenRouter, gateway: LocalGateway, events: list[Any]) -> None:
    gateway.reply(chunks=[{"reasoning": "hm"}, "so"])
    list(llm.stream_chat(HELLO))
    assert events[1].response.additional_kwargs == {"thinking_delta": "hm"}


# ---------------------------------------------------------------------------------------------- calls that go wrong


class Heard(PythonicallyPrintingBaseHandler):
    """A legacy handler that keeps what it is told of LLM calls, and may refuse."""

    def __init__(self, refuse: str = "") -> None:
        super().__init__(event_starts_to_ignore=[], event_ends_to_ignore=[])
        self.refuse = refuse
        self.told: list[tuple[str, dict[Any, Any]]] = []

    def _hear(self, what: str, event_type: Any, payload: dict[Any, Any] | None) -> None:
        if event_type == CBEventType.LLM:
            self.told.append((what, payload or {}))
        if what == self.refuse:
            raise RuntimeError(f"refused at the {what}")

    def on_event_start(self, event_type: Any, payload: Any = None, event_id: str = "", *_: Any, **__: Any) -> str:
        self._hear("start", event_type, payload)
        return event_id

    def on_event_end(self, event_type: Any, payload: Any = None, *_: Any, **__: Any) -> None:
        self._hear("end", event_type, payload)

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_that_fails_is_told_once(
    make: Callable[..., OpenRouter],
    gateway: LocalGateway,
    events: list[Any],
    spans: SimpleSpanHandler,
    method: str,
) -> None:
    heard = Heard()
    llm = make(callback_manager=CallbackManager([heard]))
    gateway.fault("invalid_request")
    with pytest.raises(InvalidRequestError) as caught:
        await used(llm, method)
    assert [what for what, _ in heard.told] == ["start", "end"]
    assert heard.told[1][1] == {EventPayload.EXCEPTION: caught.value}
    kind = "Chat" if method.endswith("chat") else "Completion"
    # A stream is a result at first: it fails when it is read.
    streams = "stream" in method
    assert [type(event).__name__ for event in events] == [
        f"LLM{kind}StartEvent",
        "ExceptionEvent" if streams else "SpanDropEvent",
    ]
    assert [len(spans.completed_spans), len(spans.dropped_spans)] == [int(streams), int(not streams)]
    await llm.aclose()


@pytest.mark.parametrize("method", [method for method in METHODS if "stream" in method])
async def test_a_stream_that_is_left_is_told_once(
    make: Callable[..., OpenRouter], gateway: LocalGateway, events: list[Any], method: str
) -> None:
    heard = Heard()
    llm = make(callback_manager=CallbackManager([heard]))
    gateway.reply(chunks=["a", "b", "c"])
    stream = getattr(llm, method)(HELLO if method.endswith("chat") else "hello")
    if method.startswith("a"):
        stream = await stream
        await anext(stream)
        await stream.aclose()
    else:
        next(stream)
        stream.close()
    assert [what for what, _ in heard.told] == ["start", "end"]
    assert isinstance(heard.told[1][1][EventPayload.EXCEPTION], GeneratorExit)
    assert [type(event).__name__.replace("Completion", "Chat") for event in events] == [
        "LLMChatStartEvent",
        "LLMChatInProgressEvent",
        "ExceptionEvent",
    ]
    await llm.aclose()


STREAMS = [method for method in METHODS if "stream" in method]


@pytest.mark.parametrize("method", STREAMS)
@pytest.mark.parametrize("how", ["read", "left", "broken"])
async def test_without_a_handler_of_events_a_stream_is_told_all_the_same(
    make: Callable[..., OpenRouter], gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch, how: str, method: str
) -> None:
    """Events of single items are made for nobody; what is told of the whole call is what is told with them."""
    heard, made = Heard(), list[Any]()
    for name in ("LLMChatInProgressEvent", "LLMCompletionInProgressEvent"):
        event = getattr(callbacks, name)
        monkeypatch.setattr(callbacks, name, lambda event=event, **given: made.append(given) or event(**given))
    llm = make(callback_manager=CallbackManager([heard]))
    gateway.reply(chunks=["a", "b", "c"])
    if how == "broken":
        gateway.fault("error_chunk", after=1)
    stream: Any = getattr(llm, method)(HELLO if method.endswith("chat") else "hello")
    items = await stream if method.startswith("a") else in_async(stream)
    seen: list[Any] = []
    with suppress(StreamInterruptedError):
        async for item in items:
            seen.append(item)
            if how == "left":
                break
    await items.aclose()
    assert "".join(item.delta for item in seen) == {"read": "abc", "left": "a", "broken": "a"}[how]
    assert [what for what, _ in heard.told] == ["start", "end"]
    end = heard.told[1][1]
    if how == "read":
        answer = EventPayload.RESPONSE if method.endswith("chat") else EventPayload.COMPLETION
        assert len(made) == 1 and end[answer] is seen[-1]
    else:
        kind = {"left": GeneratorExit, "broken": StreamInterruptedError}[how]
        assert not made and isinstance(end[EventPayload.EXCEPTION], kind)
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("refuse", ["start", "end"])
async def test_a_legacy_handler_may_refuse(
    make: Callable[..., OpenRouter], gateway: LocalGateway, method: str, refuse: str
) -> None:
    llm = make(callback_manager=CallbackManager([Heard(refuse)]))
    with pytest.raises(RuntimeError, match=f"refused at the {refuse}"):
        await used(llm, method)
    assert len(gateway.requests) == (refuse == "end")  # before anything is sent
    await llm.aclose()


@pytest.mark.parametrize("method", METHODS)
async def test_an_event_handler_that_fails_disturbs_nobody(llm: OpenRouter, method: str) -> None:
    class Failing(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            raise RuntimeError("broken handler")

    dispatcher, handler = get_dispatcher(), Failing()
    dispatcher.add_event_handler(handler)
    try:
        await used(llm, method)
    finally:
        dispatcher.event_handlers.remove(handler)
    await llm.aclose()


# ------------------------------------------------------------------------------------------------- around the call


def test_a_token_budget_stops_the_next_call(make: Callable[..., OpenRouter], gateway: LocalGateway) -> None:
    counter = TokenCountingHandler(tokenizer=str.split, token_budget=10)
    llm = make(callback_manager=CallbackManager([counter]))
    gateway.reply("a", usage={"prompt_tokens": 5, "completion_tokens": 5})
    gateway.reply("a", usage={"prompt_tokens": 1, "completion_tokens": 0})
    llm.chat(HELLO)
    for _ in range(2):
        with pytest.raises(ValueError, match="Token budget exceeded"):
            llm.chat(HELLO)
    assert len(gateway.requests) == 2


def test_the_manager_of_the_settings_hears_every_call(
    llm: OpenRouter, gateway: LocalGateway, global_settings: None
) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    Settings.callback_manager = CallbackManager([counter])
    Settings.llm = llm
    gateway.reply("a", usage={"prompt_tokens": 111, "completion_tokens": 222})
    assert Settings.llm is llm
    assert Settings.llm.predict(PromptTemplate("hello")) == "a"
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (111, 222)


def test_tags_are_on_every_event(llm: OpenRouter, gateway: LocalGateway, events: list[Any]) -> None:
    gateway.reply(chunks=["a", "b"])
    with instrument_tags({"tenant": "a"}):
        list(llm.stream_chat(HELLO))
    llm.complete("hello")
    assert [event.tags for event in events] == [{"tenant": "a"}] * 5 + [{}] * 2


@pytest.mark.parametrize("method", METHODS)
async def test_a_rate_limiter_is_asked_once_per_call(make: Callable[..., OpenRouter], method: str) -> None:
    asked: list[str] = []

    class Limiter(BaseRateLimiter):
        def acquire(self, num_tokens: int = 0) -> None:
            asked.append("sync")

        async def async_acquire(self, num_tokens: int = 0) -> None:
            asked.append("async")

    llm = make(rate_limiter=Limiter())
    await used(llm, method)
    assert asked == ["async" if method.startswith("a") else "sync"]
    await llm.aclose()


def test_core_has_a_rate_limiter_that_fits(make: Callable[..., OpenRouter]) -> None:
    llm = make(rate_limiter=TokenBucketRateLimiter(requests_per_minute=60_000))
    assert llm.chat(HELLO).message.content


# -------------------------------------------------------------------------------------------------------- secrets

PER_CALL = [
    {"api_key": "sk-of-this-call", "default_headers": {"X-Own": "header-secret"}},
    {"api_key": "sk-of-this-call", "extra_headers": {"X-Own": "header-secret"}},
    {"additional_kwargs": {"api_key": "sk-of-this-call", "extra_headers": {"X-Own": "header-secret"}, "top_p": 0.5}},
]


SECRETS = ("sk-of-this-call", "header-secret")


class Overrides(OpenRouter):
    """What people do to see or change calls."""

    def chat(self, messages: Any, **kwargs: Any) -> Any:
        return super().chat(messages, **kwargs)

    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return super().stream_chat(messages, **kwargs)

    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        return await super().achat(messages, **kwargs)

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return await super().astream_chat(messages, **kwargs)

    def complete(self, prompt: Any, formatted: bool = False, **kwargs: Any) -> Any:
        return super().complete(prompt, formatted, **kwargs)

    def stream_complete(self, prompt: Any, formatted: bool = False, **kwargs: Any) -> Any:
        return super().stream_complete(prompt, formatted, **kwargs)

    async def acomplete(self, prompt: Any, formatted: bool = False, **kwargs: Any) -> Any:
        return await super().acomplete(prompt, formatted, **kwargs)

    async def astream_complete(self, prompt: Any, formatted: bool = False, **kwargs: Any) -> Any:
        return await super().astream_complete(prompt, formatted, **kwargs)

    def _prepare_chat_with_tools(self, tools: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._prepare_chat_with_tools(tools, *args, **kwargs)

    def predict_and_call(self, tools: Any, *args: Any, **kwargs: Any) -> Any:
        return super().predict_and_call(tools, *args, **kwargs)

    async def apredict_and_call(self, tools: Any, *args: Any, **kwargs: Any) -> Any:
        return await super().apredict_and_call(tools, *args, **kwargs)


@pytest.fixture
def told(events: list[Any]) -> Iterator[Callable[[], str]]:
    """All that spans and events tell, printed and as JSON."""
    heard: list[str] = []

    class Spans(SimpleSpanHandler):
        def new_span(self, id_: str, bound_args: Any, *args: Any, **kwargs: Any) -> Any:
            heard.append(f"{id_} {bound_args.arguments!r}")
            return super().new_span(id_, bound_args, *args, **kwargs)

        def prepare_to_exit_span(self, *args: Any, result: Any = None, **kwargs: Any) -> Any:
            heard.append(repr(result))
            return super().prepare_to_exit_span(*args, result=result, **kwargs)

    dispatcher, spans = get_dispatcher(), Spans()
    dispatcher.add_span_handler(spans)
    yield lambda: repr([heard, events, [event.model_dump_json() for event in events]])
    dispatcher.span_handlers.remove(spans)


@pytest.mark.parametrize("given", PER_CALL)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", [OpenRouter, Overrides])
async def test_secrets_given_per_call_are_told_to_nobody(
    gateway: LocalGateway, told: Callable[[], str], method: str, given: dict[str, Any], kind: type[OpenRouter]
) -> None:
    heard, before = Heard(), copy.deepcopy(given)
    manager = CallbackManager([heard])
    llm = kind(model=MODEL, api_key=KEY, base_url=gateway.base_url, callback_manager=manager)
    await used(llm, method, **given)
    said = told() + repr(heard.told)
    assert f"{kind.__name__}.{method}" in said and not [secret for secret in SECRETS if secret in said]
    request = gateway.requests[-1]
    assert (request.key, request.headers["x-own"]) == SECRETS
    assert request.body.keys() <= {"model", "messages", "stream", "top_p"}
    assert given == before
    assert [what for what, _ in heard.told] == ["start", "end"]
    await llm.aclose()


def with_password(gateway: LocalGateway) -> list[dict[str, Any]]:
    """The gateway's address with a password, as calls may say it."""
    address = gateway.base_url.replace("://", "://me:address-secret@")
    return [{"base_url": address}, {"api_base": address}, {"additional_kwargs": {"base_url": address}}]


@pytest.mark.parametrize("method", METHODS)
async def test_a_password_in_the_address_of_a_call_is_told_to_nobody(
    gateway: LocalGateway, told: Callable[[], str], method: str
) -> None:
    heard = Heard()
    llm = OpenRouter(model=MODEL, api_key=KEY, callback_manager=CallbackManager([heard]))
    for given in with_password(gateway):
        await used(llm, method, **given)
    said = told() + repr(heard.told)
    assert len(gateway.requests) == 3
    assert f"OpenRouter.{method}" in said and "address-secret" not in said
    await llm.aclose()


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


TOOL_METHODS = [*(f"{colour}chat_with_tools" for colour in ("", "a", "stream_", "astream_"))]
TOOL_METHODS += ["predict_and_call", "apredict_and_call"]


@pytest.mark.parametrize("given", PER_CALL)
@pytest.mark.parametrize("method", TOOL_METHODS)
@pytest.mark.parametrize("kind", [OpenRouter, Overrides])
@pytest.mark.parametrize("calls_tools", [True, False])
async def test_secrets_given_to_calls_with_tools_are_told_to_nobody(
    gateway: LocalGateway,
    told: Callable[[], str],
    method: str,
    given: dict[str, Any],
    kind: type[OpenRouter],
    calls_tools: bool,
) -> None:
    llm = kind(model=MODEL, api_key=KEY, base_url=gateway.base_url, is_function_calling_model=calls_tools)
    gateway.reply("Thought: done\nAnswer: 3")
    options = {"error_on_no_tool_call": False} if method.endswith("predict_and_call") else {}

    def ask() -> Any:
        return getattr(llm, method)([FunctionTool.from_defaults(add)], user_msg="1 + 2?", **options, **given)

    result = await (ask() if method.startswith("a") else asyncio.to_thread(ask))
    if "stream" in method:
        _ = [item async for item in result] if method.startswith("a") else list(result)
    said = told()
    assert f"{kind.__name__}." in said and not [secret for secret in SECRETS if secret in said]
    assert (gateway.requests[-1].key, gateway.requests[-1].headers["x-own"]) == SECRETS
    llm.close()
    await llm.aclose()


def test_secrets_are_of_one_call_alone(llm: OpenRouter, gateway: LocalGateway) -> None:
    """Not of one that is made meanwhile, nor of one after it; of a stream, also where it is read elsewhere."""
    stream = llm.stream_chat(HELLO, api_key="sk-of-the-stream")
    llm.chat(HELLO)
    with ThreadPoolExecutor() as pool:
        pool.submit(list, stream).result()
    assert [request.key for request in gateway.requests] == [KEY, "sk-of-the-stream"]


def test_what_is_hidden_shows_in_no_form() -> None:
    value = {"X-Own": "header-secret"}
    one = Hidden(Hidden(value))
    shown = [
        repr(one),
        str(one),
        f"{one}",
        json.dumps(one),
        repr(pickle.dumps(one)),
        repr(TypeAdapter(Any).dump_json(one)),
    ]
    assert not [said for said in shown if "secret" in said]
    assert one.value is value and copy.deepcopy({"a": one})["a"].value is value


@pytest.mark.parametrize("kind", [OpenRouter, Overrides])
def test_async_methods_are_coroutine_functions(kind: type[OpenRouter]) -> None:
    methods = {
        name: getattr(kind, name)
        for name in dir(LLM)
        if name.removeprefix("a").removeprefix("stream_") in ("chat", "complete", "structured_predict")
    }
    methods |= {name: getattr(kind, name) for name in TOOL_METHODS}
    assert len(methods) == 18
    assert {name for name in methods if inspect.iscoroutinefunction(methods[name])} == {
        name for name in methods if name.startswith("a")
    }


def test_an_override_may_take_what_it_likes(gateway: LocalGateway) -> None:
    class TakesText(OpenRouter):
        def chat(self, messages: Any, **kwargs: Any) -> Any:
            return super().chat([ChatMessage(messages)] if isinstance(messages, str) else messages, **kwargs)

    with TakesText(model=MODEL, api_key=KEY, base_url=gateway.base_url) as llm:
        loose: Any = llm
        loose.chat("hello")
    assert gateway.requests[-1].body["messages"] == [{"role": "user", "content": "hello"}]
