"""`ChatOpenRouter`: OpenRouter as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, BaseRunManager, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult, LLMResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from langchain_core.runnables import Runnable
from pydantic import Field, field_validator
from typing_extensions import override

from openrouter_adapters.core.request import Request, build_request, requiring_parameters
from openrouter_adapters.core.tools import ToolChoice, one_at_a_time, wire_tool_choice
from openrouter_adapters.core.wire import known
from openrouter_adapters.langchain.answers import answer_chunk, chat_result, last_chunk
from openrouter_adapters.langchain.chunks import chunk_maker
from openrouter_adapters.langchain.conventions import ConventionalChatModel
from openrouter_adapters.langchain.events import AnswerEvents, Event, hears_tokens, message_id
from openrouter_adapters.langchain.messages import typed_files, wire_messages
from openrouter_adapters.langchain.model import LangChainModel, Method
from openrouter_adapters.langchain.tags import RUN_TAGS, tags_of_run

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from openrouter_adapters.core.client import AsyncReplyStream, ReplyStream
else:
    BaseTool = Any  # `with_fallbacks` reads the annotations of what gives a Runnable; the class is slow to import

# Options of a call that are not the wire's; `stream` is core's own.
_OF_THIS_SIDE = ("stream", "cost_in_usage", RUN_TAGS)


class ChatOpenRouter(ConventionalChatModel):
    """A chat model behind OpenRouter, with every option of its wire.

    All options can be given here, bound with ``bind(...)``, or given per call (``model.invoke(messages, seed=1)``); the
    call wins, None clears. A name at call time that is no option goes into the body as it is.

    What comes back: ``content`` (text; standard blocks with ``output_version="v1"``), ``content_blocks``,
    ``tool_calls``, ``usage_metadata``, and

    - ``response_metadata``: ``model_name`` (the model that answered), ``requested_model``, ``fallback_used``,
      ``provider`` (the upstream), ``finish_reason``, ``cost`` (USD) and more: the page "Answers" has them all;
    - ``additional_kwargs``: ``reasoning_content``, ``reasoning_details``, ``refusal``, ``annotations``, ``images``,
      ``audio`` and ``tool_call_arguments`` (call id -> the JSON text as it came), each only where there is one.

    Streamed, text, reasoning, refusal, audio and tool-call pieces come as they arrive, everything else on the last
    chunk; the sum of the chunks is what ``invoke`` gives.

    Args:
        model: ``author/name``, with a variant if wanted (``:free``, ``:nitro`` ...).
        models: fallbacks, in order.
        provider: routing: ``order``, ``only``, ``ignore``, ``zdr``, ``max_price`` ...
        timeout: seconds.
        streaming: True: ``invoke`` streams inside; False: ``stream`` does not.
        cost_in_usage: True: ``usage_metadata`` has the cost too, for LangSmith: ``total_cost``, ``input_cost`` and
            ``output_cost`` (float, USD); LangChain's sums fail on them.

    Raises:
        ValueError: no API key, a value of a wrong type, or two that contradict each other.
        TypeError: an argument that nobody knows.

    Examples:
        >>> model = ChatOpenRouter(model="openai/gpt-5-mini", models=["google/gemini-2.5-flash"])  # doctest: +SKIP
        >>> model.invoke("Hello").response_metadata["cost"]  # doctest: +SKIP
        0.000042
    """

    option_aliases: ClassVar[Mapping[str, str]] = {**LangChainModel.option_aliases, "stop_sequences": "stop"}

    # None where nothing was said: LangChain makes configured models anew from all fields, and takes False at its word.
    streaming: bool | None = Field(
        default=None, description="True: `invoke` streams inside; False: `stream` does not stream."
    )
    cost_in_usage: bool = Field(
        default=False, description="Whether the cost is in `usage_metadata` too, as `total_cost`, for LangSmith."
    )

    @field_validator("stop")
    @classmethod
    def _no_stops(cls, stop: str | list[str] | None) -> str | list[str] | None:
        return stop or None  # an empty list, which the API refuses, says the same as none

    # ---- files: core is about to call those of OpenAI's form PDFs

    @override
    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        prompt = super()._convert_input(model_input)
        messages = prompt.to_messages()
        typed = typed_files(messages)
        return prompt if typed == messages else ChatPromptValue(messages=typed)

    @override
    def generate(self, messages: list[list[BaseMessage]], *args: Any, **kwargs: Any) -> LLMResult:
        return super().generate([typed_files(prompt) for prompt in messages], *args, **kwargs)

    @override
    async def agenerate(self, messages: list[list[BaseMessage]], *args: Any, **kwargs: Any) -> LLMResult:
        return await super().agenerate([typed_files(prompt) for prompt in messages], *args, **kwargs)

    # ---- requests and answers

    def _request(
        self, messages: list[BaseMessage], stop: list[str] | None, call: Mapping[str, Any], run: BaseRunManager | None
    ) -> Request:
        """What goes out, and the tags of its run. `stream` is LangChain's own word; an empty list of tools is none."""
        options = self.wire_call({n: value for n, value in call.items() if n not in _OF_THIS_SIDE})
        guarded = options.pop("require_parameters", None)
        if "streaming" in options:
            raise TypeError("streaming is no option of a call: call stream(), or give it when the model is made")
        if stop is not None:
            options["stop"] = stop or None
        request = replace(build_request(self, options, wire_messages(messages)), tags=tags_of_run(call, run))
        return requiring_parameters(request, self.set_options(), options) if guarded else request

    @override
    def _should_stream(self, **kwargs: Any) -> bool:
        """Several choices do not stream inside `invoke`, whoever listens; `stream` itself refuses them."""
        several = kwargs.get("n") not in (None, 1) and not kwargs.get("stream")
        return not several and super()._should_stream(**kwargs)

    def _shows_cost(self, call: Mapping[str, Any]) -> bool:
        given = call.get("cost_in_usage")
        return self.cost_in_usage if given is None else bool(given)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs, run_manager)
        return chat_result(self._client.complete(request), request.asked, cost_in_usage=self._shows_cost(kwargs))

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        request = self._request(messages, stop, kwargs, run_manager)
        return chat_result(await self._client.acomplete(request), request.asked, cost_in_usage=self._shows_cost(kwargs))

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request, make = self._request(messages, stop, kwargs, run_manager), chunk_maker()
        with self._client.stream(request) as stream:
            for delta in stream:
                chunk = answer_chunk(delta, make)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        last = _last_chunk(stream, request, self._shows_cost(kwargs))
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
        request, make = self._request(messages, stop, kwargs, run_manager), chunk_maker()
        async with self._client.astream(request) as stream:
            async for delta in stream:
                chunk = answer_chunk(delta, make)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        last = _last_chunk(stream, request, self._shows_cost(kwargs))
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
        request, make = self._request(messages, stop, kwargs, run_manager), chunk_maker()
        heard = run_manager if run_manager and hears_tokens(run_manager.handlers) else None
        with self._client.stream(request) as stream:
            events = AnswerEvents(stream.reply, message_id(run_manager), cost_in_usage=self._shows_cost(kwargs))
            for delta in stream:
                if heard:
                    heard.on_llm_new_token(delta.text, chunk=answer_chunk(delta, make))
                yield from events.added(delta)
        if heard:
            heard.on_llm_new_token("", chunk=_last_chunk(stream, request, self._shows_cost(kwargs)))
        yield from events.end(stream.reply(), request.asked)

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        *,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Event]:
        request, make = self._request(messages, stop, kwargs, run_manager), chunk_maker()
        heard = run_manager if run_manager and hears_tokens(run_manager.handlers) else None
        async with self._client.astream(request) as stream:
            events = AnswerEvents(stream.reply, message_id(run_manager), cost_in_usage=self._shows_cost(kwargs))
            async for delta in stream:
                if heard:
                    await heard.on_llm_new_token(delta.text, chunk=answer_chunk(delta, make))
                for event in events.added(delta):
                    yield event
        if heard:
            await heard.on_llm_new_token("", chunk=_last_chunk(stream, request, self._shows_cost(kwargs)))
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
            tool_choice: "auto", "none", "required" or "any", a tool's name, True (the only tool), or a dict of the
                wire, of Anthropic's or of OpenAI's Responses API.
            strict: True: arguments must follow their schemas to the letter, which are put into the strict subset for
                it; None: not said.
            parallel_tool_calls: whether several tools may be called at once; None: the provider's default.
            **kwargs: options for every call; a schema as ``response_format`` is put into the wire's form, and only
                providers that know it may answer (``require_parameters=False`` turns that off).

        Raises:
            ValueError: `tool_choice` names no tool.
        """
        from openrouter_adapters.langchain.tools import wire_format, wire_tool

        if parallel_tool_calls is None and one_at_a_time(tool_choice):
            parallel_tool_calls = False
        made = [wire_tool(tool, strict=strict) for tool in tools]
        form = wire_format(kwargs.pop("response_format", None), strict)
        guarded = isinstance(form, dict) and form.get("type") in ("json_schema", "json_object")
        bound = {
            "tools": made or None,
            "tool_choice": wire_tool_choice(tool_choice, made),
            "parallel_tool_calls": parallel_tool_calls,
            "response_format": form,
            "require_parameters": guarded or None,
        }
        return self.bind(**{**known(**bound), **kwargs})

    @override
    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Method = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
        require_parameters: bool = True,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """This model, answering with objects.

        Args:
            schema: a pydantic class, TypedDict, dataclass, JSON schema or a function's dict; not needed for json_mode.
            method: "function_calling" (a function that must be called), "json_schema" (the provider holds the model to
                the schema) or "json_mode" (any JSON: say in the prompt which).
            include_raw: give ``{"raw", "parsed", "parsing_error"}``; an answer that cannot be read raises nothing.
            strict: True: the strict subset of JSON Schema; False: the schema as it is; None: with json_schema strict
                where the schema can be, otherwise not said.
            tools: what the model may call instead.
            require_parameters: send ``provider.require_parameters``, so that no provider answers that ignores the
                schema; what ``provider`` says of it itself wins.
            **kwargs: options for every call.

        Raises:
            ValueError: no such method, or no schema. When called: a StructuredOutputError (an answer that does not fit)
                or its RefusalError, with the answer as ``raw``.
        """
        from openrouter_adapters.langchain.structured import (
            Reading,
            StructuredOutputParser,
            asking,
            names_of,
            wanted_by,
        )

        asked = wanted_by(schema, method, strict)
        by_call = method == "function_calling"
        options = asking(asked, method, strict, tools or ())
        bound = self.bind_tools(**{**options, "require_parameters": require_parameters, **kwargs})
        reading = Reading(asked, by_call, frozenset(names_of(tools or ())))
        return bound | StructuredOutputParser(reading=reading, include_raw=include_raw)


def _last_chunk(stream: ReplyStream | AsyncReplyStream, request: Request, cost_in_usage: bool) -> ChatGenerationChunk:
    missing = stream.builder.missing_call_ids()
    return last_chunk(stream.reply(), missing, request.asked, cost_in_usage=cost_in_usage)
