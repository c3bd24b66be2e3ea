"""ChatMessages to the wire's messages: pure, nothing fetched, nothing of the caller's changed.

What an answer of ours carried goes back as it came: reasoning details whole and unchanged, tool calls with their
original argument text, parsed files, generated images. https://openrouter.ai/docs/api-reference/overview
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from llama_index.core.base.llms.types import (
    CacheControl,
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

from openrouter_adapters.core.tool_calls import ToolCall, made_up_id, parse_args
from openrouter_adapters.core.wire import dict_of, dicts_of, known
from openrouter_adapters.llamaindex import media

Part = dict[str, Any]

_ROLES = {MessageRole.CHATBOT: "assistant", MessageRole.MODEL: "assistant", MessageRole.FUNCTION: "tool"}


def wire_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The messages as the wire has them.

    Raises:
        TypeError: something in a message that JSON has no form for.
        ValueError: a message that cannot be sent: an empty block, a file that is not there, a tool's answer that names
            no call.
    """
    turns = _Turns({_answers(message) for message in messages if _role(message) == "tool"})
    made = [_named_message(at, message, turns) for at, message in enumerate(messages)]
    if turns.unsendable:
        kinds = ", ".join(sorted(turns.unsendable))
        warnings.warn(f"messages: {kinds} cannot be sent to OpenRouter and is left out", UserWarning, stacklevel=2)
    return made


@dataclass(slots=True)
class _Turns:
    """What the messages of a conversation need to know of each other.

    Attributes:
        answered: the ids of calls that a tool answered.
        unsendable: kinds of content that have no place on the wire; one warning names them all.
        unanswered: ids made up for the last turn's calls, whose answers bring no id either, in order.
    """

    answered: set[str]
    unsendable: set[str] = field(default_factory=set)
    unanswered: list[str] = field(default_factory=list)


def _named_message(at: int, message: ChatMessage, turns: _Turns) -> dict[str, Any]:
    try:
        return _wire_message(at, message, turns)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"messages[{at}]: {error}") from error


def _wire_message(at: int, message: ChatMessage, turns: _Turns) -> dict[str, Any]:
    role = _role(message)
    extra = message.additional_kwargs
    replayed = _replayed(at, message, turns) if role == "assistant" else {}
    parts = _parts(message.blocks, role, turns.unsendable)
    _mark(parts, extra.get("cache_control"), turns.unsendable)
    wire = {"role": role, "content": _content(parts, bare="tool_calls" in replayed), **replayed}
    if extra.get("name"):
        wire["name"] = extra["name"]
    if role == "tool":
        wire["tool_call_id"] = _answers(message) or _next_unanswered(turns)
    return wire


def _role(message: ChatMessage) -> str:
    return _ROLES.get(message.role, message.role.value)


def _answers(message: ChatMessage) -> str:
    """The id of the call that a tool's message answers; "" where it does not say."""
    return str(message.additional_kwargs.get("tool_call_id") or "")


def _next_unanswered(turns: _Turns) -> str:
    if not turns.unanswered:
        raise ValueError(
            "a tool message does not say which call it answers: give additional_kwargs={'tool_call_id': ...}"
        )
    return turns.unanswered.pop(0)


# ------------------------------------------------------------------------------------------------------- content


def _parts(blocks: Iterable[ContentBlock], role: str, unsendable: set[str]) -> list[Part]:
    """The content parts of a message's blocks."""
    parts: list[Part] = []
    for block in blocks:
        kind = getattr(block, "block_type", None)
        if isinstance(block, CachePoint):
            _mark(parts, block.cache_control, unsendable)
        elif isinstance(block, CitableBlock):
            # The wire has no citable sources: a label, then what is in it.
            label: Part = {"type": "text", "text": f"[{block.title}] ({block.source})"}
            parts += [label, *_parts(block.content, role, unsendable)]
        elif role == "assistant" and kind in ("image", "audio"):
            # A picture goes back in a field of its own; sound that was heard cannot be sent back.
            unsendable.update({"audio of an assistant"} if kind == "audio" else ())
        elif make := _MAKERS.get(str(kind)):
            parts += make(block)
            given = (name for name in _NO_WORD_FOR.get(str(kind), ()) if getattr(block, name, None) is not None)
            unsendable.update(f"{name} of a {kind}" for name in given)
        elif kind not in (_ELSEWHERE if role == "assistant" else _NOT_SAID):
            unsendable.add(type(block).__name__)
    return parts


def _text_parts(block: TextBlock) -> list[Part]:
    return [{"type": "text", "text": block.text}] if block.text else []


_MAKERS: dict[str, Callable[[Any], list[Part]]] = {
    "text": _text_parts,
    "image": lambda block: [media.image_part(block)],
    "audio": lambda block: [media.audio_part(block)],
    "video": lambda block: [media.video_part(block)],
    "document": lambda block: [media.document_part(block)],
}
_NO_WORD_FOR = {"video": ("fps", "detail")}
# A citation only told the reader where a text came from; thoughts are an assistant's.
_NOT_SAID = ("thinking", "citation")
# Thinking and tool calls go into fields of their own.
_ELSEWHERE = (*_NOT_SAID, "tool_call")


def _mark(parts: list[Part], cache_control: Any, unsendable: set[str]) -> None:
    """Put a cache breakpoint on the last part: on the message itself the wire ignores it.

    Raises:
        TypeError: it is no object.
    """
    if not cache_control:
        return
    if isinstance(cache_control, CacheControl):
        cache_control = cache_control.model_dump(exclude_unset=True)
    if not isinstance(cache_control, Mapping):
        raise TypeError(f"cache_control={cache_control!r} must be an object, such as {{'type': 'ephemeral'}}")
    if parts:
        parts[-1]["cache_control"] = dict(cache_control)
    else:
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


def _replayed(at: int, message: ChatMessage, turns: _Turns) -> dict[str, Any]:
    """What an assistant's message has beside its content."""
    fields = {
        "tool_calls": _tool_calls(at, message, turns),
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


def _tool_calls(at: int, message: ChatMessage, turns: _Turns) -> list[dict[str, Any]]:
    """The calls of a turn. A cut-off one that no tool answered is left out, or every later turn would be refused.

    A call without an id, as some other packages leave it, gets one: the wire tells calls apart by nothing else.
    """
    kept = [ToolCall.from_wire(call) for call in plain_calls(message)]
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        texts = {call.id: call.arguments for call in kept}
        kept = [_call_of(block, texts.get(block.tool_call_id or "")) for block in blocks]
    kept = [call for call in kept if call.args is not None or call.id in turns.answered]
    made = [call if call.id else replace(call, id=made_up_id(str(at), place)) for place, call in enumerate(kept)]
    turns.unanswered = [new.id for call, new in zip(kept, made, strict=True) if not call.id]
    return [call.to_wire() for call in made]


def plain_calls(message: ChatMessage) -> list[dict[str, Any]]:
    """``additional_kwargs["tool_calls"]`` as dicts, whether they are dicts or an SDK's objects."""
    calls = message.additional_kwargs.get("tool_calls")
    items = calls if isinstance(calls, list) else []
    return dicts_of([item.model_dump() if hasattr(item, "model_dump") else item for item in items])


def _call_of(block: ToolCallBlock, text: str | None) -> ToolCall:
    """A block as a call, with the original text of its arguments as long as it still says the same.

    Raises:
        TypeError, ValueError: the arguments have no form in JSON.
    """
    kwargs = block.tool_kwargs
    if text is None or (kwargs if isinstance(kwargs, dict) else None) != parse_args(text):
        text = kwargs if isinstance(kwargs, str) else _json(block.tool_name, kwargs)
    return ToolCall(block.tool_call_id or "", block.tool_name, text, parse_args(text))


def _json(name: str, kwargs: Any) -> str:
    try:
        return json.dumps(dict_of(kwargs), ensure_ascii=False)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"the arguments of the call of {name!r} cannot be written as JSON: {error}") from error
