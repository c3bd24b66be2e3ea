"""`OpenRouter`: the LLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.llm import ToolSelection
from pydantic import Field, StrictBool, StrictInt, StrictStr
from typing_extensions import override

from openrouter_adapters.core.catalog import Model, find
from openrouter_adapters.core.request import Request, build_request, request_body, requiring_parameters
from openrouter_adapters.core.tools import call_tools, listed
from openrouter_adapters.llamaindex.answers import Asked, chat_response, completion_response
from openrouter_adapters.llamaindex.callbacks import (
    acloses,
    checks_arguments,
    closes,
    keeps_secrets,
    lent,
    secrets,
    told_chat,
    told_completion,
)
from openrouter_adapters.llamaindex.messages import wire_messages
from openrouter_adapters.llamaindex.progress import Progress
from openrouter_adapters.llamaindex.react import formats_react
from openrouter_adapters.llamaindex.shorthand import ALIASES, AdditionalKwargs, spelled_out
from openrouter_adapters.llamaindex.structured import StructuredPrediction
from openrouter_adapters.llamaindex.tools import cut_off, server_tools, tool_options, tool_selections, wire_tool

if TYPE_CHECKING:
    from llama_index.core.tools.types import BaseTool

UNKNOWN_WINDOW = 32_768
"""Tokens; the context window of a model that the catalogue does not know.

Nearly every model on OpenRouter has at least this much. A larger guess would have prompts refused by the models that
have not; a much smaller one would make query engines ask many times over, and agents forget.
"""

_SHOWN = ("models", "provider", "preset", "reasoning", "reasoning_effort", "temperature", "max_tokens")


@formats_react
@checks_arguments
@keeps_secrets
class OpenRouter(AdditionalKwargs, StructuredPrediction):
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

    option_aliases: ClassVar[Mapping[str, str]] = ALIASES

    context_window: StrictInt | None = Field(
        default=None,
        gt=0,
        description=f"Tokens; None: the catalogue's, or {UNKNOWN_WINDOW} for a model that it does not know.",
    )
    is_chat_model: StrictBool = Field(
        default=True,
        description="False: LlamaIndex prompts with text, through `complete`; the endpoint stays the same.",
    )
    order: list[StrictStr] | None = Field(default=None, description="Short for `provider={'order': ...}`.")
    allow_fallbacks: StrictBool | None = Field(
        default=None, description="Short for `provider={'allow_fallbacks': ...}`."
    )

    @classmethod
    @override
    def class_name(cls) -> str:
        """The tag in serialized settings and in traces: the one that OpenRouter has had in LlamaIndex all along."""
        return "OpenRouter_LLM"

    @property
    @override
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans with: from the arguments, then the catalogue, then safe defaults. No I/O.

        ``num_output`` is -1 (unknown) unless ``max_tokens`` is set, to less than the window: a higher limit limits
        nothing, and with so much kept free for the answer nothing could be asked. With fallback models it all describes
        the first.
        """
        name = self._planned("model") or next(iter(self._planned("models") or ()), None)
        listed = find(name) if name else None
        tools = listed is None or listed.supports("tools") is not False
        window = self.context_window or _window(listed)
        longest = self._planned("max_tokens") or self._planned("max_completion_tokens") or window
        return LLMMetadata(
            context_window=window,
            num_output=longest if longest < window else -1,
            is_chat_model=self.is_chat_model,
            is_function_calling_model=tools
            if self.is_function_calling_model is None
            else self.is_function_calling_model,
            model_name=name or "unknown",
        )

    def _planned(self, name: str) -> Any:
        """An option of every call."""
        return (self.additional_kwargs or {}).get(name, getattr(self, name))

    @override
    def to_payload(self) -> dict[str, Any]:
        """What traces show of this model: its metadata and the options that shape an answer; no key, no headers."""
        return {**super().to_payload(), **self.shown(*_SHOWN)}

    def _request(self, messages: list[dict[str, Any]], call: dict[str, Any]) -> tuple[Request, Asked]:
        one_call = call.pop("allow_parallel_tool_calls", True) is False
        guarded = call.pop("require_parameters", None)
        call = call_tools(call, wire_tool, self.strict)
        options = spelled_out(self.own_names({**call, **secrets.get()}), self.set_options())
        request = build_request(self, options, messages)
        if guarded:
            request = requiring_parameters(request, self.set_options(), options)
        _check_one_answer(request)
        return request, Asked.of(request, one_call=one_call)

    def _chat_request(self, messages: Sequence[ChatMessage], call: dict[str, Any]) -> tuple[Request, Asked]:
        return self._request(wire_messages(messages), call)

    def _prompt_request(self, prompt: str, formatted: bool, call: dict[str, Any]) -> tuple[Request, Asked]:
        text = prompt if formatted or self.completion_to_prompt is None else self.completion_to_prompt(prompt)
        return self._request([{"role": "user", "content": text}], call)

    def _items(self, request: Request, asked: Asked) -> ChatResponseGen:
        progress = Progress(asked)
        with self._client.stream(request) as stream:
            for delta in stream:
                yield progress.item(delta)
        yield from progress.end(stream.reply())

    async def _aitems(self, request: Request, asked: Asked) -> ChatResponseAsyncGen:
        progress = Progress(asked)
        async with self._client.astream(request) as stream:
            async for delta in stream:
                yield progress.item(delta)
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
        request, asked = self._chat_request(messages, kwargs)
        return chat_response(self._client.complete(request), asked)

    @closes
    @told_chat
    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """As `chat`, piece by piece; the last item is the whole answer. Closing it early closes the connection."""
        return lent(self._items(*self._chat_request(messages, kwargs)))

    @told_chat
    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As `chat`."""
        request, asked = self._chat_request(messages, kwargs)
        return chat_response(await self._client.acomplete(request), asked)

    @acloses
    @told_chat
    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """As `stream_chat`."""
        return lent(self._aitems(*self._chat_request(messages, kwargs)))

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
        request, asked = self._prompt_request(prompt, formatted, kwargs)
        return completion_response(chat_response(self._client.complete(request), asked))

    @closes
    @told_completion
    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """As `complete`, piece by piece; the last item is the whole answer."""
        items = lent(self._items(*self._prompt_request(prompt, formatted, kwargs)))
        return (completion_response(item) for item in items)

    @told_completion
    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """As `complete`."""
        request, asked = self._prompt_request(prompt, formatted, kwargs)
        return completion_response(chat_response(await self._client.acomplete(request), asked))

    @acloses
    @told_completion
    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """As `stream_complete`."""
        items = lent(self._aitems(*self._prompt_request(prompt, formatted, kwargs)))
        return (completion_response(item) async for item in items)

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
    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """The tool calls of an answer; a call that was cut off is not among them.

        On an item of a stream before the last, calls show the arguments that have arrived so far.

        Raises:
            ValueError: there is none, and ``error_on_no_tool_call``.
        """
        calls = tool_selections(response)
        if not calls and error_on_no_tool_call:
            broken = cut_off(response)
            reason = f": the arguments of {', '.join(broken)} are cut off or no JSON object" if broken else ""
            raise ValueError(f"the answer has no tool call{reason}")
        return calls


def _check_one_answer(request: Request) -> None:
    """Refuse to ask for answers that would be paid and then left behind: a ChatResponse holds one.

    Raises:
        ValueError: several are asked for.
    """
    if (count := request.body.get("n")) not in (None, 1):
        raise ValueError(f"n={count!r}: LlamaIndex takes one answer per call, so call as often; achat() side by side")


def _window(listed: Model | None) -> int:
    """What surely fits: the window of the provider that is asked first, which may be smaller than the largest."""
    if listed is None:
        return UNKNOWN_WINDOW
    return listed.provider_context_length or listed.context_length or UNKNOWN_WINDOW
