"""`StructuredPrediction`: answers as objects of a pydantic class, whole or while they grow."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, closing, nullcontext
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ChatResponseAsyncGen, ChatResponseGen
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictInProgressEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import dispatcher
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, Field, StrictBool
from typing_extensions import override

from openrouter_adapters.core.request import request_body
from openrouter_adapters.core.schema import can_be_strict
from openrouter_adapters.llamaindex.callbacks import achanged, changed
from openrouter_adapters.llamaindex.calls import GuardedCalls
from openrouter_adapters.llamaindex.options import LLMOptions
from openrouter_adapters.llamaindex.react import ReActPrediction
from openrouter_adapters.llamaindex.tools import server_tools, still_streaming
from openrouter_adapters.llamaindex.wanted import Growth, Mode, Read, Wanted, on_top, schema_of

M = TypeVar("M", bound=BaseModel)

_VALUE = attrgetter("value")  # of a `Read`
_PROGRAMS: Mapping[PydanticProgramMode, Mode | None] = {
    PydanticProgramMode.DEFAULT: None,
    PydanticProgramMode.FUNCTION: "tool",
    PydanticProgramMode.OPENAI: "tool",
    PydanticProgramMode.LLM: "text",
}
# What LlamaIndex's own programs take out of `llm_kwargs` too: whether to call is said by what is asked for.
_SAID_OTHERWISE = ("tool_required", "allow_parallel_tool_calls")


class Prediction(NamedTuple, Generic[M]):
    """One prediction that was asked for.

    Attributes:
        output_cls: what the answer has to be.
        schema: its JSON schema.
        template: the prompt, for those who listen.
        template_args: its arguments.
        messages: the prompt with them.
        llm_kwargs: the options of the call.
    """

    output_cls: type[M]
    schema: dict[str, Any]
    template: BasePromptTemplate
    template_args: dict[str, Any]
    messages: Sequence[ChatMessage]
    llm_kwargs: Mapping[str, Any]

    def begin(self) -> None:
        """Tell the listeners."""
        dispatcher.event(
            LLMStructuredPredictStartEvent(
                output_cls=self.output_cls, template=self.template, template_args=self.template_args
            )
        )


class StructuredPrediction(GuardedCalls, LLMOptions, FunctionCallingLLM, ReActPrediction):
    """What an LLM does to answer with objects; made of `chat` and `stream_chat`, so that each request is told once.

    A schema is asked for in the best way that all of the models can do: as a strict ``response_format``, as a function
    that must be called, or in the prompt.
    """

    strict: StrictBool | None = Field(
        default=None, description="Whether tool arguments must follow their schema exactly."
    )
    should_use_structured_outputs: StrictBool | None = Field(
        default=None,
        description="Whether schemas are asked for as `response_format`; None: where the catalogue says that all of "
        "the models can, and the schema can be strict.",
    )

    # ---- what is asked

    def _mode(self, schema: Mapping[str, Any], call: dict[str, Any]) -> Mode:
        """How a schema is asked for; takes what decides that out of the call."""
        own_program = "pydantic_program_mode" in call
        program = _program(call.pop("pydantic_program_mode", self.pydantic_program_mode))
        own_word = "should_use_structured_outputs" in call
        as_format = call.pop("should_use_structured_outputs", self.should_use_structured_outputs)
        if as_format not in (None, True, False):
            raise ValueError(f"should_use_structured_outputs={as_format!r}: give True, False or None")
        if schema.get("type") != "object":
            return "text"  # a function takes an object, and so does a strict schema
        said = _PROGRAMS[program]
        if said and not (as_format and own_word and not own_program):
            return said
        models = self.asked_models(call)
        if as_format or (
            as_format is None and can_be_strict(schema) and self._all_support(models, "structured_outputs")
        ):
            return "json_schema"
        return "tool" if self._made_to_call(models) else "text"

    def _made_to_call(self, models: tuple[str, ...]) -> bool:
        """Whether a function can be demanded of models, as far as anybody knows."""
        if self.is_function_calling_model is not None:
            return self.is_function_calling_model
        return self.calls_tools(models) and self._all_support(models, "tool_choice") is not False

    def _beside_function(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """The call, with what the LLM's own options say: server tools stay beside the function, a format does not."""
        own = request_body(self.set_options(), {})
        tools = server_tools(own)
        clear = {} if own.get("response_format") is None else {"response_format": None}
        return {**clear, **({"tools": tools} if tools else {}), **call}

    def _prediction(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: Mapping[str, Any] | None,
        args: dict[str, Any],
    ) -> Prediction[M]:
        schema = schema_of(output_cls)
        if not isinstance(prompt, BasePromptTemplate):
            raise TypeError(f"prompt={prompt!r:.80} is no prompt template: give PromptTemplate(...)")
        messages = prompt.format_messages(llm=self, **args)
        return Prediction(output_cls, schema, prompt, args, messages, llm_kwargs or {})

    def _prepared(self, prediction: Prediction[M]) -> tuple[Wanted[M], list[ChatMessage], dict[str, Any]]:
        """What is wanted, and the messages and options for `chat`."""
        call = {name: value for name, value in on_top(prediction.llm_kwargs).items() if name not in _SAID_OTHERWISE}
        wanted = Wanted(prediction.output_cls, prediction.schema, self._mode(prediction.schema, call))
        strict = call.pop("strict", None)
        if strict not in (None, True, False):
            raise ValueError(f"llm_kwargs: strict={strict!r}: give True, False or None")
        if wanted.mode == "tool":
            strict = self.strict if strict is None else strict
            call = self._beside_function(call)
        if wanted.mode != "tool" and not call.get("tools"):
            call.pop("tool_choice", None)
        options = wanted.options(call, strict)
        return wanted, self._extend_messages(wanted.instructed(prediction.messages)), options

    # ---- LlamaIndex's own methods

    @override
    def structured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """The answer to a prompt, as an object.

        Args:
            output_cls: a pydantic class.
            prompt: a prompt template.
            llm_kwargs: options of this call, as for `chat`; ``pydantic_program_mode``,
                ``should_use_structured_outputs`` and ``strict`` among them, and ``require_parameters=False`` to let
                providers answer that may ignore the schema.
            **prompt_args: the template's arguments.

        Raises:
            StructuredOutputError: the answer is not what the class asks for; it is a ValueError too, and ``raw`` is
                the response. A RefusalError: the model refused.
            TypeError: ``output_cls`` is no pydantic class; nothing was sent.
        """
        if self._left_to_core:
            made: M = super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        return predicted(self, self._prediction(output_cls, prompt, llm_kwargs, prompt_args)).value

    @override
    async def astructured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> M:
        """As `structured_predict`."""
        if self._left_to_core:
            made: M = await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
            return made
        return (await apredicted(self, self._prediction(output_cls, prompt, llm_kwargs, prompt_args))).value

    @override
    def stream_structured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[M | FlexibleModel, None, None]:
        """As `structured_predict`, while the answer grows.

        Yields:
            objects of LlamaIndex's `FlexibleModel`, in which what has not arrived is None, or of the class as soon as
            that accepts what has; at the end the object. Closing it early closes the connection.
        """
        if self._left_to_core:
            return super().stream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        return changed(stream_predicted(self, self._prediction(output_cls, prompt, llm_kwargs, prompt_args)), _VALUE)

    @override
    async def astream_structured_predict(
        self,
        output_cls: type[M],
        prompt: BasePromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[M | FlexibleModel, None]:
        """As `stream_structured_predict`."""
        if self._left_to_core:
            return await super().astream_structured_predict(output_cls, prompt, llm_kwargs, **prompt_args)
        items = await astream_predicted(self, self._prediction(output_cls, prompt, llm_kwargs, prompt_args))
        return achanged(items, _VALUE)

    @property
    def _left_to_core(self) -> bool:
        """Whether objects are made by a program that is none of ours."""
        return self.pydantic_program_mode not in _PROGRAMS


def _program(given: Any) -> PydanticProgramMode:
    """What a call says; None is LlamaIndex's default."""
    known = [mode.value for mode in _PROGRAMS]
    if given is None:
        return PydanticProgramMode.DEFAULT
    if given not in known:
        raise ValueError(f"pydantic_program_mode={given!r}: a call takes one of {known}; set others on the LLM itself")
    return PydanticProgramMode(given)


def predicted(llm: StructuredPrediction, prediction: Prediction[M]) -> Read[M]:
    """The object, with the response that it was made of."""
    wanted, messages, options = llm._prepared(prediction)
    prediction.begin()
    response = llm.chat(messages, **options)
    value, found = wanted.read(response)
    dispatcher.event(LLMStructuredPredictEndEvent(output=value))
    return Read(value, response, found)


async def apredicted(llm: StructuredPrediction, prediction: Prediction[M]) -> Read[M]:
    """As `predicted`."""
    wanted, messages, options = llm._prepared(prediction)
    prediction.begin()
    response = await llm.achat(messages, **options)
    value, found = wanted.read(response)
    dispatcher.event(LLMStructuredPredictEndEvent(output=value))
    return Read(value, response, found)


def stream_predicted(
    llm: StructuredPrediction, prediction: Prediction[M]
) -> Generator[Read[M | FlexibleModel], None, None]:
    """Partial objects, each with its item of the stream; the last is the object, with the whole response."""
    wanted, messages, options = llm._prepared(prediction)
    prediction.begin()
    return _objects(wanted, llm.stream_chat(messages, **options))


async def astream_predicted(
    llm: StructuredPrediction, prediction: Prediction[M]
) -> AsyncGenerator[Read[M | FlexibleModel], None]:
    """As `stream_predicted`."""
    wanted, messages, options = llm._prepared(prediction)
    prediction.begin()
    return _aobjects(wanted, await llm.astream_chat(messages, **options))


def _objects(wanted: Wanted[M], items: ChatResponseGen) -> Generator[Read[M | FlexibleModel], None, None]:
    growth, last = Growth(wanted), None
    with _closing(items):
        for last in items:
            partial = growth.partial(last) if still_streaming(last) else None
            if partial is not None:
                dispatcher.event(LLMStructuredPredictInProgressEvent(output=partial))
                yield Read(partial, last, growth.found)
    yield from _end(wanted, last)


async def _aobjects(wanted: Wanted[M], items: ChatResponseAsyncGen) -> AsyncGenerator[Read[M | FlexibleModel], None]:
    growth, last = Growth(wanted), None
    async with _aclosing(items):
        async for last in items:
            partial = growth.partial(last) if still_streaming(last) else None
            if partial is not None:
                dispatcher.event(LLMStructuredPredictInProgressEvent(output=partial))
                yield Read(partial, last, growth.found)
    for found in _end(wanted, last):
        yield found


def _closing(items: Any) -> AbstractContextManager[Any]:
    """Closes a stream; one of a subclass may be any iterator."""
    return closing(items) if hasattr(items, "close") else nullcontext()


def _aclosing(items: Any) -> AbstractAsyncContextManager[Any]:
    return aclosing(items) if hasattr(items, "aclose") else nullcontext()


def _end(wanted: Wanted[M], last: ChatResponse | None) -> Generator[Read[M | FlexibleModel], None, None]:
    if last is None:  # a rate limiter, or whoever else stands between, gave nothing
        last = ChatResponse(message=ChatMessage(role="assistant", content=""))
    value, found = wanted.read(last)
    dispatcher.event(LLMStructuredPredictInProgressEvent(output=value))
    yield Read(value, last, found)
    dispatcher.event(LLMStructuredPredictEndEvent(output=value))
