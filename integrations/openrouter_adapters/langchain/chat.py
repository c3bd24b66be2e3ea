"""`ChatOpenRouter`: OpenRouter as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from openrouter_adapters import __version__
from openrouter_adapters.core.client import AsyncReplyStream, ReplyStream
from openrouter_adapters.core.options import OpenRouterOptions
from openrouter_adapters.core.request import Request, build_request
from openrouter_adapters.langchain.answers import answer_chunk, chat_result, last_chunk
from openrouter_adapters.langchain.chunks import PROVIDER, chunk_maker
from openrouter_adapters.langchain.conventions import approximate_tokens, combined, digest, of_cache, profile
from openrouter_adapters.langchain.events import AnswerEvents, Event, hears_tokens, message_id
from openrouter_adapters.langchain.messages import wire_messages
from openrouter_adapters.langchain.model import LangChainModel
from openrouter_adapters.langchain.tools import ToolChoice, wire_tool, wire_tool_choice

# Not to be shown in traces: secrets, and objects that are none of their business.
_UNSHOWN = ("api_key", "default_headers", "extra_headers", "http_client", "http_async_client")


def _shown(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in _UNSHOWN}


class ChatOpenRouter(LangChainModel, OpenRouterOptions, BaseChatModel):
    """A chat model behind OpenRouter, with every option of its wire.

    All options can be given here, bound with ``bind(...)``, or given per call (``model.invoke(messages, seed=1)``); the
    call wins, None clears. A name at call time that is no option goes into the body as it is.

    What comes back: ``content`` (text; standard blocks with ``output_version="v1"``), ``content_blocks``,
    ``tool_calls``, ``usage_metadata``, and

    - ``response_metadata``: ``model_name`` (the model that answered), ``requested_model``, ``fallback_used``,
      ``provider`` (the upstream), ``finish_reason``, ``cost`` (USD) and more; see `core.reply.Reply.metadata`;
    - ``additional_kwargs``: ``reasoning_content``, ``reasoning_details``, ``refusal``, ``annotations``, ``images``,
      ``audio`` and ``tool_call_arguments`` (call id -> the JSON text as it came), each only where there is one.

    Streamed, text, reasoning, refusal, audio and tool-call pieces come as they arrive, everything else on the last
    chunk; the sum of the chunks is what ``invoke`` gives.

    Args:
        model: ``author/name``, with a variant if wanted (``:free``, ``:nitro`` ...).
        models: fallbacks, in order.
        provider: routing: ``order``, ``only``, ``ignore``, ``zdr``, ``max_price`` ...
        timeout: seconds.
        streaming: True: ``invoke`` streams inside; False, given explicitly: ``stream`` does not.
        cost_in_usage: True: ``usage_metadata["total_cost"]`` (float, USD) for LangSmith; LangChain's sums fail on it.

    Raises:
        ValueError: no API key, a value of a wrong type, or two that contradict each other.
        TypeError: an argument that nobody knows.

    Example:
        >>> model = ChatOpenRouter(model="openai/gpt-5-mini", models=["google/gemini-2.5-flash"])  # doctest: +SKIP
        >>> model.invoke("Hello").response_metadata["cost"]  # doctest: +SKIP
        0.000042
    """

    option_aliases: ClassVar[Mapping[str, str]] = {**LangChainModel.option_aliases, "stop_sequences": "stop"}

    streaming: bool = Field(default=False, description="Whether `invoke` streams inside.")
    cost_in_usage: bool = Field(
        default=False, description="Whether the cost is in `usage_metadata` too, as `total_cost`, for LangSmith."
    )

    @model_validator(mode="after")
    def _with_version(self) -> Self:
        self._add_version("openrouter-adapters", __version__)
        return self

    @field_validator("stop")
    @classmethod
    def _no_stops(cls, stop: str | list[str] | None) -> str | list[str] | None:
        return stop or None  # an empty list, which the API refuses, says the same as none

    # ---- requests and answers

    def _request(self, messages: list[BaseMessage], stop: list[str] | None, call: Mapping[str, Any]) -> Request:
        """What goes out. `stream` is LangChain's own word; an empty list of tools is none."""
        options = {name: value for name, value in self.own_names(call).items() if name != "stream"}
        if not options.get("tools", True):
            del options["tools"]
        if stop is not None:
            options["stop"] = stop or None
        return build_request(self, options, wire_messages(messages))

    def _last_chunk(self, stream: ReplyStream | AsyncReplyStream, request: Request) -> ChatGenerationChunk:
        missing = stream.builder.missing_call_ids()
        return last_chunk(stream.reply(), missing, request.asked, cost_in_usage=self.cost_in_usage)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs)
        return chat_result(self._client.complete(request), request.asked, cost_in_usage=self.cost_in_usage)

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs)
        return chat_result(await self._client.acomplete(request), request.asked, cost_in_usage=self.cost_in_usage)

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request, make = self._request(messages, stop, kwargs), chunk_maker()
        with self._client.stream(request) as stream:
            for delta in stream:
                chunk = answer_chunk(delta, make)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        last = self._last_chunk(stream, request)
        if run_manager:
            run_manager.on_llm_new_token("", chunk=last)
        yield last

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        request, make = self._request(messages, stop, kwargs), chunk_maker()
        async with self._client.astream(request) as stream:
            async for delta in stream:
                chunk = answer_chunk(delta, make)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        last = self._last_chunk(stream, request)
        if run_manager:
            await run_manager.on_llm_new_token("", chunk=last)
        yield last

    # ---- events: looked up by core, for `stream_events(version="v3")` and for graphs that stream so

    def _stream_chat_model_events(
        self,
        messages: list[BaseMessage],
        *,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[Event]:
        request, make = self._request(messages, stop, kwargs), chunk_maker()
        heard = run_manager if run_manager and hears_tokens(run_manager.handlers) else None
        with self._client.stream(request) as stream:
            events = AnswerEvents(stream.reply, message_id(run_manager), cost_in_usage=self.cost_in_usage)
            for delta in stream:
                if heard:
                    heard.on_llm_new_token(delta.text, chunk=answer_chunk(delta, make))
                yield from events.added(delta)
        if heard:
            heard.on_llm_new_token("", chunk=self._last_chunk(stream, request))
        yield from events.end(stream.reply(), request.asked)

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        *,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Event]:
        request, make = self._request(messages, stop, kwargs), chunk_maker()
        heard = run_manager if run_manager and hears_tokens(run_manager.handlers) else None
        async with self._client.astream(request) as stream:
            events = AnswerEvents(stream.reply, message_id(run_manager), cost_in_usage=self.cost_in_usage)
            async for delta in stream:
                if heard:
                    await heard.on_llm_new_token(delta.text, chunk=answer_chunk(delta, make))
                for event in events.added(delta):
                    yield event
        if heard:
            await heard.on_llm_new_token("", chunk=self._last_chunk(stream, request))
        for event in events.end(stream.reply(), request.asked):
            yield event

    # ---- tools

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: ToolChoice = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools.

        Args:
            tools: LangChain tools, functions, pydantic classes, TypedDicts, schemas; or dicts of the wire, server tools
                such as ``{"type": "openrouter:web_search"}`` among them, which are sent as they are.
            tool_choice: "auto", "none", "required" or "any", a tool's name, True (the only tool), or the wire's dict.
            strict: put into each function's definition; None: leave it out.
            parallel_tool_calls: whether several tools may be called at once; None: the provider's default.
            **kwargs: options for every call.

        Raises:
            ValueError: `tool_choice` names no tool.
        """
        made = [wire_tool(tool, strict=strict) for tool in tools]
        bound = {
            "tools": made or None,
            "tool_choice": wire_tool_choice(tool_choice, made),
            "parallel_tool_calls": parallel_tool_calls,
        }
        return self.bind(**{name: value for name, value in bound.items() if value is not None}, **kwargs)

    # ---- what LangChain asks of a model

    @property
    @override
    def _llm_type(self) -> str:
        return "openrouter-chat"

    @property
    @override
    def _identifying_params(self) -> dict[str, Any]:
        return _shown(self.set_options())

    @override
    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        return super()._get_invocation_params(stop=stop, **_shown(kwargs))

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """The key of a cache. Headers are in it as a digest: they may change the answer, and may be secret."""
        given = (self.default_headers, kwargs.get("default_headers"), kwargs.get("extra_headers"))
        headers = {name: value for layer in given for name, value in (layer or {}).items()}
        hidden = {"headers": digest(headers)} if headers else {}
        return super()._get_llm_string(stop=stop, **_shown(kwargs), **hidden)

    @override
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        vars(self).pop("_serialized", None)  # what caches know this model by, as it was

    @override
    def __copy__(self) -> Self:
        copied = super().__copy__()
        vars(copied).pop("_serialized", None)
        return copied

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other options; what was derived from the old ones is derived anew."""
        copied = super().model_copy(update=update, deep=deep)
        vars(copied).pop("_serialized", None)
        if copied.model != self.model and "profile" not in (update or {}):
            copied.profile = profile(copied.model)
        return copied

    @override
    def _convert_cached_generations(self, cache_val: list[Any]) -> list[ChatGeneration]:
        return [of_cache(generation) for generation in super()._convert_cached_generations(cache_val)]

    @override
    def _combine_llm_outputs(self, outputs: list[dict[str, Any] | None], /) -> dict[str, Any]:
        return combined(outputs)

    @override
    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile(self.model)

    @override
    def get_token_ids(self, text: str) -> list[int]:
        """The ids of a text's tokens, by ``custom_get_token_ids``.

        Raises:
            NotImplementedError: there is no such function; OpenRouter has no tokenizer that could be asked.
        """
        if self.custom_get_token_ids is None:
            said = "OpenRouter's models have many tokenizers: pass custom_get_token_ids=, or use get_num_tokens"
            raise NotImplementedError(said)
        return self.custom_get_token_ids(text)

    @override
    def get_num_tokens(self, text: str) -> int:
        """How many tokens a text has: exactly by ``custom_get_token_ids``, else about (4 characters each), offline."""
        return approximate_tokens(text) if self.custom_get_token_ids is None else len(self.get_token_ids(text))

    @override
    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """How many tokens messages and tools have, as `get_num_tokens`; an image counts as 85."""
        if self.custom_get_token_ids is not None:
            return super().get_num_tokens_from_messages(messages, tools)
        return count_tokens_approximately(messages, tools=list(tools) if tools else None)

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        own = [self.stop] if isinstance(self.stop, str) else self.stop
        params = super()._get_ls_params(stop=stop or own, **kwargs)
        params["ls_provider"] = PROVIDER  # equal to the answers' model_provider: middleware compares them
        limit = kwargs.get("max_completion_tokens", self.max_completion_tokens)
        if "ls_max_tokens" not in params and isinstance(limit, int):
            params["ls_max_tokens"] = limit
        return params

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": "OPENROUTER_API_KEY"}

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        return True

    @classmethod
    @override
    def get_lc_namespace(cls) -> list[str]:
        return ["openrouter_adapters", "langchain"]
