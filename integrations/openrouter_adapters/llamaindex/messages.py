"""ChatMessages to the wire's messages: pure, nothing fetched, nothing of the caller's changed.

What an answer of ours carried goes back as it came: reasoning details whole and unchanged, tool calls with their
original argument text, parsed files, generated images. https://openrouter.ai/docs/api-reference/overview
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    CachePoint,
    ChatMessage,
    CitableBlock,
    ContentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from openrouter_adapters.core.tool_calls import ToolCall, parse_args
from openrouter_adapters.core.wire import dict_of, dicts_of, known
from openrouter_adapters.llamaindex import media

Part = dict[str, Any]

_ROLES = {MessageRole.CHATBOT: "assistant", MessageRole.MODEL: "assistant", MessageRole.FUNCTION: "tool"}


def wire_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The messages as the wire has them.

    Raises:
        TypeError: something else than a list of ChatMessage.
        ValueError: a message that cannot be sent: an empty block, a tool's answer that names no call.
    """
    if isinstance(messages, str | ChatMessage) or not all(isinstance(message, ChatMessage) for message in messages):
        raise TypeError("messages must be a list of ChatMessage; for plain text use complete()")
    answered = {message.additional_kwargs.get("tool_call_id") for message in messages}
    with _Unsendable() as unsendable:
        return [_wire_message(message, answered, unsendable) for message in messages]


class _Unsendable(set[str]):
    """Kinds of content that have no place on the wire; one warning names them all."""

    def __enter__(self) -> _Unsendable:
        return self

    def __exit__(self, *_: object) -> None:
        if self:
            kinds = ", ".join(sorted(self))
            warnings.warn(f"messages: {kinds} cannot be sent to OpenRouter and is left out", UserWarning, stacklevel=3)


def _wire_message(message: ChatMessage, answered: set[Any], unsendable: set[str]) -> dict[str, Any]:
    role = _ROLES.get(message.role, message.role.value)
    extra = message.additional_kwargs
    replayed = _replayed(message, answered) if role == "assistant" else {}
    parts = _parts(message.blocks, role, unsendable)
    _mark(parts, extra.get("cache_control"), unsendable)
    wire = {"role": role, "content": _content(parts, bare="tool_calls" in replayed), **replayed}
    if extra.get("name"):
        wire["name"] = extra["name"]
    if role == "tool":
        wire["tool_call_id"] = _call_id(extra)
    return wire


def _call_id(extra: dict[str, Any]) -> str:
    if not extra.get("tool_call_id"):
        raise ValueError(
            "a tool message does not say which call it answers: give additional_kwargs={'tool_call_id': ...}"
        )
    return str(extra["tool_call_id"])


# ------------------------------------------------------------------------------------------------------- content


def _parts(blocks: Iterable[ContentBlock], role: str, unsendable: set[str]) -> list[Part]:
    """The content parts of a message's blocks."""
    parts: list[Part] = []
    for block in blocks:
        if isinstance(block, CachePoint):
            _mark(parts, block.cache_control.model_dump(), unsendable)
        elif role == "assistant" and block.block_type in ("image", "audio"):
            # A picture goes back in a field of its own; sound that was heard cannot be sent back.
            unsendable.update({"audio of an assistant"} if block.block_type == "audio" else ())
        elif make := _MAKERS.get(block.block_type):
            parts += make(block)
        elif block.block_type not in _ELSEWHERE:
            unsendable.add(type(block).__name__)
    return parts


def _text_parts(block: TextBlock) -> list[Part]:
    return [{"type": "text", "text": block.text}] if block.text else []


def _citable_parts(block: CitableBlock) -> list[Part]:
    """The wire has no citable sources: a label, then what is in it."""
    inner = [part for item in block.content for part in _MAKERS[item.block_type](item)]
    return [{"type": "text", "text": f"[{block.title}] ({block.source})"}, *inner]


_MAKERS: dict[str, Callable[[Any], list[Part]]] = {
    "text": _text_parts,
    "image": lambda block: [media.image_part(block)],
    "audio": lambda block: [media.audio_part(block)],
    "video": lambda block: [media.video_part(block)],
    "document": lambda block: [media.document_part(block)],
    "citable": _citable_parts,
}
# Thinking and tool calls go into fields of their own; a citation only told the reader where a text came from.
_ELSEWHERE = ("thinking", "tool_call", "citation")


def _mark(parts: list[Part], cache_control: Any, unsendable: set[str]) -> None:
    """Put a cache breakpoint on the last part: on the message itself the wire ignores it."""
    if cache_control and parts:
        parts[-1]["cache_control"] = dict(cache_control)
    elif cache_control:
        unsendable.add("a cache point with nothing before it in its message")


def _content(parts: list[Part], *, bare: bool) -> str | list[Part] | None:
    """Text alone is a string; a turn that only calls tools has null, since "" is refused by some providers."""
    if not parts:
        return None if bare else ""
    text_only = len(parts) == 1 and parts[0].keys() == {"type", "text"}
    return parts[0]["text"] if text_only else parts


# ------------------------------------------------------------------------------------------- an assistant's turn

# What our answers put beside a thought.
_OURS = {"reasoning_details", "annotations"}


def _replayed(message: ChatMessage, answered: set[Any]) -> dict[str, Any]:
    """What an assistant's message has beside its content."""
    fields = {
        "tool_calls": _tool_calls(message, answered),
        "images": [media.image_part(block) for block in message.blocks if isinstance(block, ImageBlock)],
        "annotations": _parsed_files(message),
    }
    return {**_reasoning(message), **{key: value for key, value in fields.items() if value}}


def _reasoning(message: ChatMessage) -> dict[str, Any]:
    """Details go back unchanged, an empty list too; plain text only where the wire gave no details.

    Thoughts with other additional information are another provider's: what signs them is not for OpenRouter.
    """
    blocks = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    ours = [block for block in blocks if block.additional_information.keys() <= _OURS]
    lists = [block.additional_information.get("reasoning_details") for block in blocks]
    details = [item for items in lists if isinstance(items, list) for item in items]
    plain = "" if details else "".join(block.content or "" for block in ours)
    known_details = details if any(isinstance(items, list) for items in lists) else None
    return known(reasoning=plain or None, reasoning_details=known_details)


def _parsed_files(message: ChatMessage) -> Any:
    """What was read in a file goes back, so that nobody pays twice for parsing it; given by hand, as it was given."""
    blocks = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    lists = [dicts_of(block.additional_information.get("annotations")) for block in blocks]
    return message.additional_kwargs.get("annotations") or [note for notes in lists for note in notes]


def _tool_calls(message: ChatMessage, answered: set[Any]) -> list[dict[str, Any]]:
    """The calls of a turn. A cut-off one that no tool answered is left out, or every later turn would be refused."""
    kept = [ToolCall.from_wire(call) for call in plain_calls(message)]
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        texts = {call.id: call.arguments for call in kept}
        kept = [_call_of(block, texts.get(block.tool_call_id or "")) for block in blocks]
    return [call.to_wire() for call in kept if call.args is not None or call.id in answered]


def plain_calls(message: ChatMessage) -> list[dict[str, Any]]:
    """``additional_kwargs["tool_calls"]`` as dicts, whether they are dicts or an SDK's objects."""
    calls = message.additional_kwargs.get("tool_calls")
    items = calls if isinstance(calls, list) else []
    return dicts_of([item.model_dump() if hasattr(item, "model_dump") else item for item in items])


def _call_of(block: ToolCallBlock, text: str | None) -> ToolCall:
    """A block as a call, with the original text of its arguments as long as it still says the same."""
    kwargs = block.tool_kwargs
    if text is None or (kwargs if isinstance(kwargs, dict) else None) != parse_args(text):
        text = kwargs if isinstance(kwargs, str) else json.dumps(dict_of(kwargs), ensure_ascii=False)
    return ToolCall(block.tool_call_id or "", block.tool_name, text, parse_args(text))
