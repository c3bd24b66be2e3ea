"""`OpenRouter`: the LLM."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    MessageRole,
)
from llama_index.core.llms.llm import ToolSelection
from pydantic import BaseModel
from typing_extensions import override

from openrouter_adapters.core.request import Request, build_request, request_body, requiring_parameters
from openrouter_adapters.core.tools import call_tools, listed
from openrouter_adapters.llamaindex.answers import Asked, chat_response, completion_response
from openrouter_adapters.llamaindex.callbacks import (
    achanged,
    acloses,
    changed,
    closes,
    told,
    told_chat,
    told_completion,
)
from openrouter_adapters.llamaindex.ending import Ending
from openrouter_adapters.llamaindex.messages import wire_messages
from openrouter_adapters.llamaindex.offered import Offered
from openrouter_adapters.llamaindex.progress import Progress
from openrouter_adapters.llamaindex.shorthand import spelled_out
from openrouter_adapters.llamaindex.structured import StructuredPrediction
from openrouter_adapters.llamaindex.tags import tagged
from openrouter_adapters.llamaindex.tools import (
    cut_off,
    server_tools,
    still_streaming,
    tool_options,
    tool_selections,
    wire_tool,
)
from openrouter_adapters.llamaindex.wanted import schema_of

if TYPE_CHECKING:
    from llama_index.core.llms.structured_llm import StructuredLLM
    from llama_index.core.tools.types import BaseTool

_logger = logging.getLogger(__name__)

_SHOWN = ("models", "provider", "preset", "reasoning", "reasoning_effort", "temperature", "max_tokens")


class OpenRouter(StructuredPrediction):
    """Any model of OpenRouter as a LlamaIndex LLM, for agents, query engines and chat engines.

    ::

        llm = OpenRouter(model="openai/gpt-4o-mini", models=["anthropic/claude-haiku-4.5"])
        response = llm.chat([ChatMessage("Hello")])
        response.message.content, response.additional_kwargs["cost"], response.raw.usage.cost

    Every option of the wire is an argument here and a keyword of each call; a keyword that nobody knows goes into the
    body as it is. Nothing is sent that was not set. The answer's ``message.blocks`` hold thinking, one text, images,
    audio, citations and tool calls; the response's ``additional_kwargs`` hold tokens, ``cost`` (USD), ``model``,
    ``provider``, ``fallback_used``, ``finish_reason`` and their kin, absent when unknown; ``raw`` is the wire's body.
    The last item of a stream carries all of it; earlier ones have the text so far, ``delta`` and ``thinking_delta``.

    A pickled model opens its own connections, and takes its key along only if it was given as an argument. Callback
    manager, rate limiter and http clients belong to a process: copies share them, pickles leave them behind.

    Raises:
        TypeError: an argument that nobody knows; the nearest known one is named.
        ValueError: no API key, or a value that cannot be right.
    """

    @classmethod
    @override
    def class_name(cls) -> str:
        """The tag in serialized settings and in traces: the one that OpenRouter has had in LlamaIndex all along."""
        return "OpenRouter_LLM"

    @override
    def to_payload(self) -> dict[str, Any]:
        """What traces show of this model: its metadata and the options that shape an answer; no key, no headers."""
        return {**super().to_payload(), **self.shown(*_SHOWN)}

    def _request(self, messages: list[dict[str, Any]], call: dict[str, Any]) -> tuple[Request, Asked]:
        one_call = call.pop("allow_parallel_tool_calls", True) is False
        guarded = call.pop("require_parameters", None)
        call = call_tools(call, wire_tool, self.strict)
        own = self.layer_under(call)
        options = spelled_out(self.own_names(call), own.set_options())
        request = build_request(own, options, messages)
        if guarded:
            request = requiring_parameters(request, own.set_options(), options)
        _check_one_answer(request)
        return tagged(request), Asked.of(request, one_call=one_call)

    def _chat_request(self, messages: Sequence[ChatMessage], call: dict[str, Any]) -> tuple[Request, Asked]:
        return self._request(wire_messages(messages), call)

    def _prompt_request(self, prompt: str, formatted: bool, call: dict[str, Any]) -> tuple[Request, Asked]:
        text = prompt if formatted or self.completion_to_prompt is None else self.completion_to_prompt(prompt)
        return self._request([{"role": "user", "content": text}], call)

    def _whole(self, request: Request, asked: Asked) -> ChatResponse:
        with Ending(self.callback_manager, request):
            reply = self._client.complete(request)
        return chat_response(reply, asked)

    async def _awhole(self, request: Request, asked: Asked) -> ChatResponse:
        with Ending(self.callback_manager, request):
            reply = await self._client.acomplete(request)
        return chat_response(reply, asked)

    def _items(self, request: Request, asked: Asked) -> ChatResponseGen:
        progress = Progress(asked)
        with Ending(self.callback_manager, request) as ending:
            with self._client.stream(request) as stream:
                ending.so_far = stream.reply
                for delta in stream:
                    yield progress.item(delta)
            ending.whole = True
            yield from progress.end(stream.reply())

    async def _aitems(self, request: Request, asked: Asked) -> ChatResponseAsyncGen:
        progress = Progress(asked)
        with Ending(self.callback_manager, request) as ending:
            async with self._client.astream(request) as stream:
                ending.so_far = stream.reply
                async for delta in stream:
                    yield progress.item(delta)
            ending.whole = True
            for item in progress.end(stream.reply()):
                yield item

    # ---- chat

    @told_chat
    @override
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One answer.

        Args:
            messages: the conversation so far; at least one message.
            **kwargs: options of this call; they win over the instance's, None clears one.

        Raises:
            OpenRouterError: the request failed, or its answer did.
            ValueError: a message or an option that cannot be sent; nothing was.
        """
        return self._whole(*self._chat_request(messages, kwargs))

    @closes
    @told_chat
    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """As `chat`, piece by piece; the last item is the whole answer. Closing it early closes the connection."""
        return told(self._items(*self._chat_request(messages, kwargs)))

    @told_chat
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As `chat`."""
        return await self._awhole(*self._chat_request(messages, kwargs))

    @acloses
    @told_chat
    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """As `stream_chat`."""
        return told(self._aitems(*self._chat_request(messages, kwargs)))

    # ---- complete: the same endpoint, one user message

    @told_completion
    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The answer to a text.

        Args:
            prompt: the text; ``completion_to_prompt`` is applied to it.
            formatted: whether it has been applied already.
            **kwargs: options of this call, as for `chat`.
        """
        return completion_response(self._whole(*self._prompt_request(prompt, formatted, kwargs)))

    @closes
    @told_completion
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """As `complete`, piece by piece; the last item is the whole answer."""
        return told(changed(self._items(*self._prompt_request(prompt, formatted, kwargs)), completion_response))

    @told_completion
    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """As `complete`."""
        return completion_response(await self._awhole(*self._prompt_request(prompt, formatted, kwargs)))

    @acloses
    @told_completion
    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """As `stream_complete`."""
        return told(achanged(self._aitems(*self._prompt_request(prompt, formatted, kwargs)), completion_response))

    # ---- objects

    @override
    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        """An LLM whose every answer is an object of a pydantic class.

        ``raw`` of its responses is the object, the message's content its JSON, and ``additional_kwargs`` has tokens,
        ``cost`` (USD), ``model``, ``provider`` and the rest of the answer that it was made of.

        Raises:
            TypeError: ``output_cls`` is no pydantic class.
        """
        schema_of(output_cls)
        if self._left_to_core:
            return super().as_structured_llm(output_cls, **kwargs)
        from openrouter_adapters.llamaindex.structured_llm import OpenRouterStructuredLLM

        return OpenRouterStructuredLLM(llm=self, output_cls=output_cls, **kwargs)

    # ---- tools

    @override
    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The arguments of `chat` for a turn with tools.

        LlamaIndex says ``allow_parallel_tool_calls=False`` unless told otherwise, so that is not sent: it could rule
        out providers. It is kept to here: of several calls only the first is handed over. To have the wire's
        ``parallel_tool_calls`` sent, set it as an option. Server tools among the LLM's own options stay beside these.
        """
        last = ChatMessage(role=MessageRole.USER, content=user_msg) if isinstance(user_msg, str) else user_msg
        messages = [*(chat_history or ()), *([] if last is None else [last])]
        offered = listed(tools)
        offered += server_tools(request_body(self.set_options(), {})) if offered else []
        options = tool_options(offered, tool_choice, tool_required, self.strict if strict is None else strict)
        if options and not allow_parallel_tool_calls:
            options["allow_parallel_tool_calls"] = False
        return {"messages": messages, **options, **kwargs}

    @override
    def _validate_chat_with_tools_response(
        self, response: ChatResponse, tools: Sequence[BaseTool], *args: Any, **kwargs: Any
    ) -> ChatResponse:
        """The response as it is; `predict_and_call` is told of the tools in it that there are not."""
        if isinstance(tools, Offered):
            tools.answer_for_missing(tool_selections(response))
        return super()._validate_chat_with_tools_response(response, tools, *args, **kwargs)

    @override
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tool calls of an answer; a call that was cut off is not among them.

        On an item of a stream before the last, calls show the arguments that have arrived so far. An agent takes an
        answer without calls for its last one; when that is because they were cut off, a warning is logged.

        Raises:
            ValueError: there is none, and ``error_on_no_tool_call``.
        """
        calls = tool_selections(response)
        broken = [] if calls or still_streaming(response) else cut_off(response)
        reason = f": the arguments of {', '.join(broken)} are cut off or no JSON object" if broken else ""
        if not calls and error_on_no_tool_call:
            raise ValueError(f"the answer has no tool call{reason}")
        if broken:
            _logger.warning("The answer has no whole tool call%s", reason)
        return calls


def _check_one_answer(request: Request) -> None:
    """Refuse to ask for answers that would be paid and then left behind: a ChatResponse holds one.

    Raises:
        ValueError: several are asked for.
    """
    if (count := request.body.get("n")) not in (None, 1):
        raise ValueError(f"n={count!r}: LlamaIndex takes one answer per call, so call as often; achat() side by side")
