"""Structured output: what to ask for, and the answer read as what was asked for.

An answer that is not what the schema asks for is an error that carries it; how answers are read is said in
`core.structured`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, get_args

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import BaseTransformOutputParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import AddableDict, RunnableConfig
from pydantic import BaseModel, InstanceOf
from typing_extensions import override

from openrouter_adapters.core.json_text import partial_json
from openrouter_adapters.core.structured import Called, Expected, NotAsAsked, Said, failure
from openrouter_adapters.core.tools import tool_name
from openrouter_adapters.core.wire import dict_of, text_of
from openrouter_adapters.langchain.messages import ARGUMENT_TEXTS
from openrouter_adapters.langchain.model import Method
from openrouter_adapters.langchain.schemas import Wanted, is_old_class, traced, wanted
from openrouter_adapters.langchain.tools import Tool, function_tool, schema_format, wire_tool

_REMEDY = "; with include_raw=True such an answer is no error"


# ---------------------------------------------------------------------------------------------- what is asked


def wanted_by(schema: Any, method: Method, strict: bool | None) -> Wanted:
    """Read a schema, and see that the method can do with it.

    Raises:
        ValueError: no such method, no schema where one is needed, or ``strict`` where there is nothing to be strict
            about.
    """
    if method not in get_args(Method):
        raise ValueError(f"method={method!r}: there are {', '.join(map(repr, get_args(Method)))}")
    if schema is None and method != "json_mode":
        raise ValueError("schema is missing: give one, or method='json_mode' for any JSON object")
    if strict is not None and method == "json_mode":
        raise ValueError(f"strict={strict!r}: method='json_mode' sends no schema, use method='json_schema'")
    return wanted(schema)


def asking(schema: Wanted, method: Method, strict: bool | None, tools: Sequence[Tool]) -> dict[str, Any]:
    """The arguments for ``bind_tools`` that ask for an answer of a schema.

    Args:
        schema: what the answer has to be.
        method: how it is asked for.
        strict: as the caller said.
        tools: what the model may call besides.

    Raises:
        ValueError: one of the tools has the schema's name.
    """
    made = {"tools": list(tools), "strict": strict, "ls_structured_output_format": _traced(schema, method, strict)}
    if method == "json_mode":
        return {**made, "response_format": {"type": "json_object"}}
    if method == "json_schema":
        return {**made, "response_format": schema_format(schema, strict)}
    if schema.name in names_of(tools):
        raise ValueError(f"tools: {schema.name!r} is the schema's name, rename the tool or the schema")
    return {
        **made,
        "tools": [_schema_tool(schema, strict), *tools],
        "tool_choice": "required" if tools else schema.name,
    }


def names_of(tools: Sequence[Tool]) -> list[str]:
    """The names of the function tools among tools."""
    return [name for tool in tools if (name := tool_name(wire_tool(tool)))]


def _traced(schema: Wanted, method: Method, strict: bool | None) -> dict[str, Any]:
    return {"kwargs": {"method": method, "strict": strict}, "schema": traced(schema)}


def _schema_tool(schema: Wanted, strict: bool | None) -> dict[str, Any]:
    """The function; of a pydantic class as when it is bound as a tool, but for its name."""
    given = schema.given
    of_core = isinstance(given, type) and (is_old_class(given) or issubclass(given, BaseModel))
    said = schema.strict if strict is None else strict
    made = wire_tool(given if of_core else function_tool(schema), strict=said)
    return {**made, "function": {**made["function"], "name": schema.name}}


# ---------------------------------------------------------------------------------------------- what came


@dataclass(frozen=True, slots=True)
class Reading:
    """How answers are read.

    Attributes:
        wanted: what an answer has to be.
        by_call: whether it comes as the arguments of a function call, not as text.
        others: the names of the other functions that the model may call.
    """

    wanted: Wanted
    by_call: bool
    others: frozenset[str] = frozenset()

    def outcome(self, message: AIMessage) -> dict[str, Any]:
        """The answer as it came, what it says, and why it could not be read: ``raw, parsed, parsing_error``."""
        made = {"raw": message, "parsed": None, "parsing_error": None}
        try:
            return {**made, "parsed": self.value(message)}
        except ValueError as error:
            return made if self.calls_others(message) else {**made, "parsing_error": error}

    def value(self, message: AIMessage) -> Any:
        """The object, or the dict, that an answer is.

        Raises:
            StructuredOutputError: it is not what the schema asks for. A RefusalError: the model refused.
        """
        try:
            return self._expected().read(_said(message), self.wanted.validated)
        except NotAsAsked as trouble:
            raise _error(message, trouble) from trouble.__cause__

    def calls_others(self, message: AIMessage) -> bool:
        """Whether an answer calls other functions, which is no failure, but no object either."""
        return self._expected().calls_others(_said(message))

    def _expected(self) -> Expected:
        return Expected(self.wanted.name, self.by_call, others=self.others, remedy=_REMEDY)


def _said(message: AIMessage) -> Said:
    whole = [Called(call["name"], call["args"]) for call in message.tool_calls]
    broken = [Called(str(call["name"]), call["args"] or "") for call in message.invalid_tool_calls]
    refusal = text_of(message.additional_kwargs.get("refusal"))
    reason = text_of(message.response_metadata.get("finish_reason"))
    return Said(str(message.text), (*whole, *broken), refusal, reason)


def _error(message: AIMessage, trouble: NotAsAsked) -> Exception:
    """The error for an answer that cannot be used; the classes load openai, so only once something went wrong."""
    from openrouter_adapters.langchain.errors import RefusalError, StructuredOutputError

    shown = message.response_metadata
    return failure(
        trouble,
        _said(message),
        StructuredOutputError,
        RefusalError,
        raw=message,
        llm_output=message.text or "\n".join(_argument_texts(message)),
        model=text_of(shown.get("model_name")),
        provider=text_of(shown.get("provider")),
        generation_id=text_of(shown.get("id")),
    )


def _argument_texts(message: AIMessage) -> list[str]:
    texts = dict_of(message.additional_kwargs.get(ARGUMENT_TEXTS)).values()
    return [text for text in texts if isinstance(text, str)]


class StructuredOutputParser(BaseTransformOutputParser[Any]):
    """Reads answers as what was asked for; the second half of `with_structured_output`.

    A stream of dicts shows them grow; of objects, those that the schema accepts on the way. It ends with the whole
    answer, or with the error that a whole answer gives. With ``include_raw`` the pieces of the answer come as ``raw``,
    and ``parsed`` and ``parsing_error`` at the end; the sum is what ``invoke`` gives.

    Attributes:
        reading: how answers are read.
        include_raw: give ``raw``, ``parsed`` and ``parsing_error``, and raise nothing because of an answer.
    """

    reading: InstanceOf[Reading]
    include_raw: bool = False

    @property
    @override
    def OutputType(self) -> Any:
        given = self.reading.wanted.given
        return given if self.reading.wanted.makes_objects and not self.include_raw else dict[str, Any]

    @override
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        generation = result[0]
        message = generation.message if isinstance(generation, ChatGeneration) else AIMessage(generation.text)
        return self._parsed(_answer(message))

    @override
    def parse(self, text: str) -> Any:
        return self._parsed(AIMessage(text))

    def _parsed(self, message: AIMessage) -> Any:
        return self.reading.outcome(message) if self.include_raw else self.reading.value(message)

    @override
    def transform(
        self, input: Iterator[str | BaseMessage], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """As LangChain's; but that one reads its input to the end even for a reader who has left, to trace it.

        So the input ends when the reader leaves. `atransform` needs none of this.
        """
        pieces = (piece for piece in input)
        arriving = super().transform(pieces, config, **kwargs)
        with ExitStack() as left:
            for each in (arriving, input, pieces):  # closed in reverse: before LangChain's, what it reads
                left.callback(getattr(each, "close", _nothing))
            yield from (parsed for parsed in arriving)  # to leave this leaves LangChain's as it is

    @override
    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:
        progress = _Progress(self.reading, self.include_raw)
        for piece in input:
            yield from progress.add(piece)
        yield from progress.end()

    @override
    async def _atransform(self, input: AsyncIterator[str | BaseMessage]) -> AsyncIterator[Any]:
        progress = _Progress(self.reading, self.include_raw)
        async for piece in input:
            for parsed in progress.add(piece):
                yield parsed
        for parsed in progress.end():
            yield parsed


class _Progress:
    """What a stream has brought so far. The pieces are added up once: each sum is as long as the answer so far."""

    def __init__(self, reading: Reading, include_raw: bool) -> None:
        self.reading = reading
        self.include_raw = include_raw
        self.pieces: list[AIMessage] = []
        self.text = ""
        self.calls: dict[Any, list[str]] = {}
        self.found: Any = None
        self.shown: Any = None

    def add(self, piece: str | BaseMessage) -> Iterator[Any]:
        """What there is to show after one more piece."""
        message = _answer(piece)
        self.pieces.append(message)
        if self.include_raw:
            yield AddableDict(raw=message)
        elif self._grows(message):
            yield from self._new(self._partial())

    def _grows(self, message: AIMessage) -> bool:
        """Take in the part of a message that may be the answer; whether there is one."""
        if not self.reading.by_call:
            text = str(message.text)
            self.text += text
            return bool(text)
        pieces = message.tool_call_chunks if isinstance(message, AIMessageChunk) else []
        for piece in pieces:
            place = piece.get("index")
            call = self.calls.setdefault(object() if place is None else place, ["", ""])
            call[0] += piece.get("name") or ""
            call[1] += piece.get("args") or ""
        return bool(pieces)

    def _partial(self) -> Any:
        """As much of the answer as has arrived: a dict, or an object once the schema accepts it; else None."""
        wanted = self.reading.wanted
        texts = (text for name, text in self.calls.values() if name == wanted.name)
        found = partial_json(next(texts, "") if self.reading.by_call else self.text)
        if found is None or found == self.found:
            return None
        self.found = found
        if not wanted.makes_objects:
            return found if isinstance(found, dict) else None
        try:
            return wanted.validated(found)
        except Exception:  # not yet; the whole answer is judged at the end
            return None

    def end(self) -> Iterator[Any]:
        """What there is to show of the whole answer."""
        if not self.pieces:
            return
        whole: Any = self.pieces[0]
        if rest := self.pieces[1:]:
            whole = whole + rest[0] + rest[1:]
        if self.include_raw:
            outcome = self.reading.outcome(whole)
            yield AddableDict({name: value for name, value in outcome.items() if name != "raw"})
        else:
            yield from self._new(self.reading.value(whole))

    def _new(self, value: Any) -> Iterator[Any]:
        if value is not None and (self.shown is None or value != self.shown):
            self.shown = value
            yield value


def _nothing() -> None:
    """What there is to do to close what has no `close`."""


def _answer(piece: str | BaseMessage) -> AIMessage:
    if isinstance(piece, AIMessage):
        return piece
    return AIMessageChunk(content=piece if isinstance(piece, str) else piece.text)
