"""LlamaIndex's objects made by filling in their fields, without validating again what is known to be right.

An item of a stream is three or four objects, and their constructors cost more than everything else that is done with a
chunk. Filling leans on how pydantic stores fields, so it happens here alone, for the few classes that make up the usual
chunk, and only where it gives what the constructors give: that is checked when the first stream begins.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

_ASSISTANT = MessageRole.ASSISTANT  # looking it up on the class is slow
_new, _put = object.__new__, object.__setattr__


def filled(cls: type[M], fields: dict[str, Any], given: set[str]) -> M:
    """An object with these fields.

    Args:
        cls: its class.
        fields: every field in the order of declaration, defaults too; becomes the object's own.
        given: the names of those that a caller of the constructor would have given.
    """
    made: M = _new(cls)
    _put(made, "__dict__", fields)
    _put(made, "__pydantic_fields_set__", given)
    _put(made, "__pydantic_extra__", None)
    _put(made, "__pydantic_private__", None)
    return made


def constructed(cls: type[M], fields: dict[str, Any], given: set[str]) -> M:
    """The same object, made by its constructor."""
    return cls(**{name: fields[name] for name in fields if name in given})


@cache
def maker() -> Any:
    """`filled`, if it gives what the constructors give here; else `constructed`."""
    try:
        same = all(_alike(one, other) for one, other in zip(samples(filled), samples(constructed), strict=True))
    except Exception:
        return constructed
    return filled if same else constructed


def samples(make: Any) -> list[BaseModel]:
    """One object of each class that is ever filled."""
    thought, call = thinking(make, "why"), tool_call(make, "id", "add", '{"a"')
    said = item(make, "so", "o", [thought], [call], {"tool_calls": [{"id": "id"}]}, {"thinking_delta": "y"}, None)
    return [thought, call, *said.message.blocks, said.message, said]


def _alike(one: BaseModel, other: BaseModel) -> bool:
    fields_alike = list(vars(one)) == list(vars(other)) and one.model_fields_set == other.model_fields_set
    return fields_alike and one == other and one.model_dump_json() == other.model_dump_json()


def item(
    make: Any,
    text: str,
    delta: str,
    before: list[Any],
    after: list[Any],
    message_kwargs: dict[str, Any],
    response_kwargs: dict[str, Any],
    logprobs: Any,
) -> ChatResponse:
    """A ChatResponse in the middle of a stream: the text so far, between the blocks before and after it."""
    block = make(TextBlock, {"block_type": "text", "text": text}, {"text"})
    fields = {"role": _ASSISTANT, "additional_kwargs": message_kwargs, "blocks": [*before, block, *after]}
    message = make(ChatMessage, fields, {"role", "additional_kwargs", "blocks"})
    made: ChatResponse = make(
        ChatResponse,
        {"message": message, "raw": None, "delta": delta, "logprobs": logprobs, "additional_kwargs": response_kwargs},
        {"message", "delta", "logprobs", "additional_kwargs"},
    )
    return made


def thinking(make: Any, words: str) -> ThinkingBlock:
    """A ThinkingBlock of which only the text is known yet."""
    fields: dict[str, Any] = {
        "block_type": "thinking",
        "content": words,
        "num_tokens": None,
        "additional_information": {},
    }
    block: ThinkingBlock = make(ThinkingBlock, fields, {"content"})
    return block


def tool_call(make: Any, call_id: str, name: str, arguments: str) -> ToolCallBlock:
    """A ToolCallBlock whose arguments are still arriving."""
    fields = {"block_type": "tool_call", "tool_call_id": call_id, "tool_name": name, "tool_kwargs": arguments}
    block: ToolCallBlock = make(ToolCallBlock, fields, {"tool_call_id", "tool_name", "tool_kwargs"})
    return block
