"""`OpenRouterStructuredLLM`: LlamaIndex's StructuredLLM, whose responses keep what the answer said of itself."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

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
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate
from pydantic import BaseModel
from typing_extensions import override

from openrouter_adapters.llamaindex.answers import completion_response
from openrouter_adapters.llamaindex.callbacks import achanged, changed
from openrouter_adapters.llamaindex.calls import GuardedCalls
from openrouter_adapters.llamaindex.structured import (
    Prediction,
    StructuredPrediction,
    apredicted,
    astream_predicted,
    predicted,
    stream_predicted,
)
from openrouter_adapters.llamaindex.tools import still_streaming
from openrouter_adapters.llamaindex.wanted import Read, schema_of

if TYPE_CHECKING:
    from llama_index.core.chat_engine.types import AgentChatResponse

M = TypeVar("M", bound=BaseModel)


class OpenRouterStructuredLLM(GuardedCalls, StructuredLLM):
    """An LLM whose every answer is an object of ``output_cls``.

    ``raw`` is the object and the message's content its JSON; ``additional_kwargs`` are those of the answer that it was
    made of. In a stream the content is the JSON of as much as has arrived. There ``delta`` is empty, and the whole JSON
    in the last item: objects do not grow at their end.

    Each call is told to listeners once, by the LLM inside: there the response has the wire's body with the usage.
    """

    @property
    def _inner(self) -> StructuredPrediction:
        """The LLM inside; it is heard by who listens to this one, too."""
        inner = cast(StructuredPrediction, self.llm)
        heard = inner.callback_manager.handlers
        more = [handler for handler in self.callback_manager.handlers if handler not in heard]
        limiter = inner.rate_limiter or self.rate_limiter
        if not more and limiter is inner.rate_limiter:
            return inner
        return inner.sharing(callback_manager=CallbackManager([*heard, *more]), rate_limiter=limiter)

    def _prediction(self, messages: Sequence[ChatMessage], llm_kwargs: Mapping[str, Any]) -> Prediction[BaseModel]:
        template = ChatPromptTemplate(message_templates=list(messages))
        return Prediction(self.output_cls, schema_of(self.output_cls), template, {}, messages, llm_kwargs)

    # ---- chat

    @override
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """One object.

        Args:
            messages: the conversation so far.
            **kwargs: options of this call, as ``llm_kwargs`` of `OpenRouter.structured_predict`.

        Raises:
            StructuredOutputError: the answer is not what the class asks for.
        """
        return _response(predicted(self._inner, self._prediction(messages, kwargs)))

    @override
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """As `chat`, while the object grows; closing it early closes the connection."""
        return changed(stream_predicted(self._inner, self._prediction(messages, kwargs)), _item)

    @override
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As `chat`."""
        return _response(await apredicted(self._inner, self._prediction(messages, kwargs)))

    @override
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """As `stream_chat`."""
        return achanged(await astream_predicted(self._inner, self._prediction(messages, kwargs)), _item)

    # ---- complete: one user message

    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """As `chat`, for a text."""
        return completion_response(_response(predicted(self._inner, self._prediction(_said(prompt), kwargs))))

    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        """As `stream_chat`, for a text."""
        return changed(stream_predicted(self._inner, self._prediction(_said(prompt), kwargs)), _text_item)

    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """As `complete`."""
        return completion_response(_response(await apredicted(self._inner, self._prediction(_said(prompt), kwargs))))

    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        """As `stream_complete`."""
        items = await astream_predicted(self._inner, self._prediction(_said(prompt), kwargs))
        return achanged(items, _text_item)

    # ---- objects of another class: LlamaIndex asks its query engines' LLM for them, whichever it is

    @override
    def structured_predict(
        self, output_cls: type[M], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None, **args: Any
    ) -> M:
        """As that of the LLM inside."""
        return self._inner.structured_predict(output_cls, prompt, llm_kwargs, **args)

    @override
    async def astructured_predict(
        self, output_cls: type[M], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None, **args: Any
    ) -> M:
        """As that of the LLM inside."""
        return await self._inner.astructured_predict(output_cls, prompt, llm_kwargs, **args)

    @override
    def stream_structured_predict(
        self, output_cls: type[M], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None, **args: Any
    ) -> Generator[M | FlexibleModel, None, None]:
        """As that of the LLM inside."""
        return self._inner.stream_structured_predict(output_cls, prompt, llm_kwargs, **args)

    @override
    async def astream_structured_predict(
        self, output_cls: type[M], prompt: BasePromptTemplate, llm_kwargs: dict[str, Any] | None = None, **args: Any
    ) -> AsyncGenerator[M | FlexibleModel, None]:
        """As that of the LLM inside."""
        return await self._inner.astream_structured_predict(output_cls, prompt, llm_kwargs, **args)

    # ---- tools, and LLMs for other classes: the LLM inside has them

    @override
    def predict_and_call(self, *args: Any, **kwargs: Any) -> AgentChatResponse:
        """As that of the LLM inside: it calls tools, and gives no object."""
        return self._inner.predict_and_call(*args, **kwargs)

    @override
    async def apredict_and_call(self, *args: Any, **kwargs: Any) -> AgentChatResponse:
        """As `predict_and_call`."""
        return await self._inner.apredict_and_call(*args, **kwargs)

    @override
    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        """As that of the LLM inside: the answers are objects of ``output_cls`` alone."""
        return self._inner.as_structured_llm(output_cls, **kwargs)


def _said(prompt: str) -> list[ChatMessage]:
    return [ChatMessage(role=MessageRole.USER, content=prompt)]


def _response(read: Read[BaseModel]) -> ChatResponse:
    """The object, with what the answer said of itself."""
    return ChatResponse(
        message=ChatMessage(role=MessageRole.ASSISTANT, content=_text(read)),
        raw=read.value,
        logprobs=read.response.logprobs,
        additional_kwargs=dict(read.response.additional_kwargs),
    )


_DUMPS: tuple[dict[str, Any], ...] = ({}, {"by_alias": True}, {"by_alias": True, "round_trip": True})


def _text(read: Read[BaseModel]) -> str:
    """The JSON of an object, from which LlamaIndex's query engines make the object again.

    It is the object's own where that reads back; aliases and fields that are not dumped may prevent it. Else it is the
    answer's. So it is for an object on the way that cannot be dumped: it was made of less than it was meant for.
    """
    for options in _DUMPS:
        with suppress(Exception):  # whatever a serializer or a validator of the caller's says
            text = read.value.model_dump_json(**options)
            if still_streaming(read.response) or type(read.value).model_validate_json(text) == read.value:
                return text
    return json.dumps(read.found, ensure_ascii=False)


def _item(read: Read[BaseModel]) -> ChatResponse:
    """An item of a stream."""
    made = _response(read)
    return made.model_copy(update={"delta": "" if still_streaming(read.response) else made.message.content})


def _text_item(read: Read[BaseModel]) -> CompletionResponse:
    return completion_response(_item(read))
