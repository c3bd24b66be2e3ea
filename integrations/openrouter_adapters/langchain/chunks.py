"""The chunks of a streamed answer: the message class, and its construction on the hot path.

`AnswerChunk` differs from core's `AIMessageChunk` once the last chunk is in the sum. A tool call whose arguments are no
whole JSON object is an invalid tool call then: core would complete the JSON, and an agent would run the tool on half of
its arguments. And blocks of v1 content are those of the whole answer, in its order.

`chunk_maker` gives the function that builds a chunk: one that fills the objects' fields directly (a quarter of the time
that validation takes, a tenth for tool calls), or the ordinary constructors where a check at first use finds that the
two differ.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar, Self, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessageChunk,
    InvalidToolCall,
    ToolCall,
    ToolCallChunk,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.outputs import ChatGenerationChunk
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import from_json
from typing_extensions import override

from openrouter_adapters.core.options import built
from openrouter_adapters.core.tool_calls import BROKEN_OFF, parse_args
from openrouter_adapters.core.wire import money_of

_COSTS = ("total_cost", "input_cost", "output_cost")
CALL_PIECE = "tool_call_chunk"
_UNREAD = object()

PROVIDER = "openrouter"
"""``response_metadata["model_provider"]``: names the translator of `content_blocks`. Core merges equal ones."""

FROM_CACHE = "from_cache"
"""Stands in ``response_metadata`` of an answer that LangChain's cache gave (True), nowhere else."""


class _AsMessage:
    """What turns an `AnswerChunk` into an `AIMessage`: core calls the second class of the chunk's method order."""

    __slots__ = ()

    def __new__(cls, *_: Any, **fields: Any) -> Any:
        return AIMessage(**fields) if cls is _AsMessage else object.__new__(cls)


class AnswerChunk(_AsMessage, AIMessageChunk):
    """One piece of a streamed answer, or a sum of pieces."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)  # built with the first stream, by `chunk_maker`

    @model_validator(mode="after")
    @override
    def init_tool_calls(self) -> Self:
        """Parse the tool calls: leniently while the stream runs, as core does; strictly once it has ended."""
        if not self.tool_call_chunks:
            of_core: Any = super().init_tool_calls  # a method; pydantic's decorator hides it from type checkers
            of_core()
        else:
            pieces = self.tool_call_chunks
            calls = self._whole_calls(pieces) if self.chunk_position == "last" else [*map(started_call, pieces)]
            self.tool_calls: list[ToolCall] = [call for call in calls if call["type"] == "tool_call"]
            self.invalid_tool_calls: list[InvalidToolCall] = [
                call for call in calls if call["type"] == "invalid_tool_call"
            ]
        if self.chunk_position == "last" and isinstance(self.content, list):
            made = [block for block in self.content if isinstance(block, dict) and block.get("type") == CALL_PIECE]
            whole = dict(zip(map(id, made), self._whole_calls(made), strict=True))
            self.content: str | list[str | dict[Any, Any]] = sorted(
                (_whole_block(block, whole.get(id(block))) for block in self.content), key=_rank
            )
        return self

    def _whole_calls(self, pieces: Sequence[Any]) -> list[ToolCall | InvalidToolCall]:
        """The calls after the end. One that had no arguments yet when the answer broke off is no whole call."""
        broken_off = self.response_metadata.get("finish_reason") in BROKEN_OFF
        calls = [parsed_call(piece) for piece in pieces]
        if broken_off and calls and not (pieces[-1].get("args") or "").strip():
            calls[-1] = parsed_call(pieces[-1], None)
        return calls

    @override
    def __add__(self, other: Any) -> Any:
        """The sum, in which costs in a usage are added up too: core's own fails on any float."""
        parts = [self, *(other if isinstance(other, list | tuple) else (other,))]
        if not [part for part in parts if getattr(part, "usage_metadata", None) and _costs(part)]:
            return super().__add__(other)
        first, *rest = map(_without_costs, parts)
        made = AIMessageChunk.__add__(first, rest)
        made.usage_metadata = cast("UsageMetadata", {**(made.usage_metadata or {}), **_added(map(_costs, parts))})
        return made

    def __radd__(self, other: Any) -> BaseMessageChunk:
        """A sum that a chunk of core's own begins: ``AIMessageChunk(content="") + chunk`` is as strict as any."""
        if not isinstance(other, AIMessageChunk):
            return NotImplemented
        nothing = other.content == "" and isinstance(self.content, list)
        made: BaseMessageChunk = type(self)(**{**dict(other), **({"content": []} if nothing else {})}) + self
        return made

    # A sum that has ended is stored without its pieces: it is read again by core's class, which would make calls of
    # them once more, and complete those that were cut off.

    @property
    @override
    def lc_attributes(self) -> dict[str, Any]:
        pieces: dict[str, Any] = {"tool_call_chunks": []} if self.chunk_position == "last" else {}
        return {**super().lc_attributes, **pieces}

    @model_serializer(mode="wrap")
    def _dumped(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        dumped: dict[str, Any] = dump(self)
        if self.chunk_position == "last" and "tool_call_chunks" in dumped:
            dumped["tool_call_chunks"] = []
        return dumped

    @classmethod
    @override
    def lc_id(cls) -> list[str]:
        """Serialized under core's name, so that `load` knows it."""
        return AIMessageChunk.lc_id()


def _costs(part: Any) -> dict[str, Any]:
    """What a message's usage says of cost."""
    usage = getattr(part, "usage_metadata", None)
    return {name: usage[name] for name in _COSTS if name in usage} if usage else {}


def _without_costs(part: Any) -> Any:
    if not _costs(part):
        return part
    return part.model_copy(
        update={"usage_metadata": {name: n for name, n in part.usage_metadata.items() if name not in _COSTS}}
    )


def _added(costs: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    found = [(name, money_of(cost) or Decimal(0)) for told in costs for name, cost in told.items()]
    return {name: float(sum(cost for other, cost in found if other == name)) for name, _ in found}


def parsed_call(piece: Any, args: Any = _UNREAD) -> ToolCall | InvalidToolCall:
    """A finished call, or an invalid one that keeps the exact text.

    Args:
        piece: a dict with ``id``, ``name`` and ``args`` (the JSON text).
        args: the arguments, where they have been read already; None: they are not whole.
    """
    if args is _UNREAD:
        args = parse_args(piece.get("args") or "")
    if args is None:
        return invalid_tool_call(name=piece.get("name"), args=piece.get("args"), id=piece.get("id"), error=None)
    return tool_call(name=piece.get("name") or "", args=args, id=piece.get("id"))


_OPENS = "{ \t\r\n"


def started_call(piece: ToolCallChunk) -> ToolCall | InvalidToolCall:
    """A call as far as it has come, with what there is of its arguments; an invalid one where they begin no object.

    Core's own parser takes off one character after another until something can be read: over the pieces of one call
    that is cubic, and a broken call holds up a stream for minutes.
    """
    text = piece["args"]
    args: Any = None if text else {}
    if text and text[0] in _OPENS and text.lstrip()[:1] == "{":
        with contextlib.suppress(ValueError):
            args = from_json(text, allow_partial="trailing-strings")
    if isinstance(args, dict):
        return tool_call(name=piece["name"] or "", args=args, id=piece["id"])
    return {"type": "invalid_tool_call", "name": piece["name"], "args": text, "id": piece["id"], "error": None}


# The order of blocks in a whole answer.
_RANKS = {"reasoning": 0, "server_tool_call": 1, "server_tool_result": 1, "text": 2, "non_standard": 3, "image": 4}
_RANKS |= {"audio": 5, "tool_call": 6, "invalid_tool_call": 6}


def _rank(block: Any) -> int:
    return _RANKS.get(str(block.get("type")), 3) if isinstance(block, dict) else _RANKS["text"]


def _whole_block(block: Any, call: ToolCall | InvalidToolCall | None) -> Any:
    """A block of v1 content after the end: a call's pieces are a call now, and no index tells where pieces belong."""
    if not isinstance(block, dict):
        return block
    if call is not None:
        extras = {"extras": block["extras"]} if "extras" in block else {}
        return {**call, **extras}
    ours = str(block.get("index")).startswith("lc_")
    return {key: value for key, value in block.items() if key != "index"} if ours else block


# ------------------------------------------------------------------------------------------------ construction

MakeChunk = Callable[[str, dict[str, Any], list[ToolCallChunk]], ChatGenerationChunk]
"""Text, additional_kwargs and pieces of tool calls -> a chunk that is not the last. The objects become the chunk's."""

_new = object.__new__
# Where pydantic keeps what is no field; its own assignment looks each name up first.
_set_given = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private = BaseModel.__dict__["__pydantic_private__"].__set__


def ordinary_chunk(text: str, additional_kwargs: dict[str, Any], pieces: list[ToolCallChunk]) -> ChatGenerationChunk:
    """A chunk by the ordinary constructors."""
    message = AnswerChunk(
        content=text,
        additional_kwargs=additional_kwargs,
        response_metadata={"model_provider": PROVIDER},
        tool_call_chunks=pieces,
    )
    return ChatGenerationChunk(message=message)


def direct_chunk(text: str, additional_kwargs: dict[str, Any], pieces: list[ToolCallChunk]) -> ChatGenerationChunk:
    """The same chunk, its fields filled directly."""
    calls: list[Any] = []
    invalid: list[Any] = []
    for piece in pieces:
        call = started_call(piece)
        if call["type"] == "tool_call":
            calls += [call]
        else:
            invalid += [call]
    given = {"content", "additional_kwargs", "response_metadata", "tool_call_chunks"}
    message: AnswerChunk = _new(AnswerChunk)
    fields = message.__dict__
    fields["content"] = text
    fields["additional_kwargs"] = additional_kwargs
    fields["response_metadata"] = {"model_provider": PROVIDER}
    fields["type"] = "AIMessageChunk"
    fields["name"] = fields["id"] = None
    fields["tool_calls"] = calls
    fields["invalid_tool_calls"] = invalid
    fields["usage_metadata"] = None
    fields["tool_call_chunks"] = pieces
    fields["chunk_position"] = None
    _set_given(message, given | {"tool_calls", "invalid_tool_calls"} if pieces else given)
    _set_extra(message, {})
    _set_private(message, None)
    chunk: ChatGenerationChunk = _new(ChatGenerationChunk)
    fields = chunk.__dict__
    fields["text"] = text
    fields["generation_info"] = None
    fields["type"] = "ChatGenerationChunk"
    fields["message"] = message
    _set_given(chunk, {"message", "text"})
    _set_extra(chunk, None)
    _set_private(chunk, None)
    return chunk


def state(model: BaseModel) -> tuple[Any, ...]:
    """Everything that makes up a pydantic object, for comparison."""
    fields = {name: state(value) if isinstance(value, BaseModel) else value for name, value in vars(model).items()}
    return type(model), fields, model.model_fields_set, model.model_extra, model.__pydantic_private__


@cache
def chunk_maker() -> MakeChunk:
    """The way to build chunks here; checked once, since it leans on how pydantic and core store fields."""
    built(AnswerChunk)
    piece = ToolCallChunk(name="a", args='{"b": "c', id="d", index=0, type="tool_call_chunk")
    samples: list[tuple[str, dict[str, Any], list[ToolCallChunk]]] = [
        ("a", {}, []),
        ("", {"reasoning_content": "a"}, []),
        ("", {}, [piece, {**piece, "args": 'd"}'}]),
    ]
    try:
        same = all(state(direct_chunk(*sample)) == state(ordinary_chunk(*sample)) for sample in samples)
    except Exception:  # whatever another version of pydantic or core says to it
        return ordinary_chunk
    return direct_chunk if same else ordinary_chunk
