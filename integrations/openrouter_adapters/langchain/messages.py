"""LangChain's messages -> the wire's messages. Pure: nothing that comes in is changed.

An answer of ours goes back as it came: the original JSON text of tool arguments (providers cache by it), whole
``reasoning_details`` (providers check their signatures), generated images, and the annotations of parsed files (so that
parsing is not paid for twice). Roles and parts: https://openrouter.ai/docs/api-reference/chat-completion
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from openrouter_adapters.core.tool_calls import ToolCall, parse_args
from openrouter_adapters.core.wire import dict_of, dicts_of, known, text_of
from openrouter_adapters.langchain.parts import KEPT, Part, typed_file, wire_part

Wire = dict[str, Any]

ARGUMENT_TEXTS = "tool_call_arguments"
"""The key in ``additional_kwargs`` that keeps the arguments of tool calls as they came: call id -> JSON text.

Not ``tool_calls``, where others keep raw calls: core parses that key into tool calls again when chunks are merged.
"""

# What of an answer's content goes back as a part. The rest goes back in fields of its own, or is the inner record of
# another provider (signed thoughts, searches, executed code), which none but itself can read.
_SENDABLE = {"text", "image_url", "input_audio", "file", "video_url"}
_SAYING = {
    *("text", "input_text", "output_text", "image_url", "input_image", "input_audio", "audio", "video", "video_url"),
    *("file", "input_file", "media", "document", "text-plain", "non_standard"),
}


def wire_messages(messages: Sequence[BaseMessage]) -> list[Wire]:
    """Translate a conversation.

    Raises:
        ValueError: content that OpenRouter has no part for; names the message and the remedy.
        TypeError: an object that is no message with a role.
    """
    made: list[Wire] = []
    answered = set(_answered(messages))
    for place, message in enumerate(messages):
        try:
            made.extend(_wire(message, answered))
        except (ValueError, TypeError) as error:
            raise type(error)(f"messages[{place}]: {error}") from None
    return made


def typed_files(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """The messages with the MIME types of their files, see `typed_file`; those without such files as they are."""
    return [_typed(message) if isinstance(message.content, list) else message for message in messages]


def _typed(message: BaseMessage) -> BaseMessage:
    blocks = [typed_file(block) for block in message.content]
    same = all(made is block for made, block in zip(blocks, message.content, strict=True))
    return message if same else message.model_copy(update={"content": blocks})


def _answered(messages: Sequence[BaseMessage]) -> Iterator[str]:
    """The ids of the calls that a tool has answered."""
    for message in messages:
        if isinstance(message, ToolMessage):
            yield message.tool_call_id
        elif isinstance(message.content, list):
            yield from (str(block.get("tool_use_id")) for block in dicts_of(message.content) if "tool_use_id" in block)


def _wire(message: BaseMessage, answered: set[str]) -> list[Wire]:
    if isinstance(message, AIMessage):
        return [assistant_message(message, answered)]
    if isinstance(message, ToolMessage):
        return [_tool(message.tool_call_id, message.content)]
    if isinstance(message, FunctionMessage):
        return [_tool(_function_id(message.name), message.content)]
    if isinstance(message, HumanMessage) and isinstance(message.content, list):
        return list(_human(message))
    return [{"role": _role(message), "content": _content(message.content)} | known(name=message.name)]


def _role(message: BaseMessage) -> str:
    if isinstance(message, SystemMessage):
        return str(message.additional_kwargs.get("__openai_role__") or "system")
    if isinstance(message, ChatMessage):
        return message.role
    if isinstance(message, HumanMessage):
        return "user"
    raise TypeError(f"a {type(message).__name__} cannot be sent: use system, human, AI, tool or chat messages")


def _content(content: str | list[str | dict[Any, Any]]) -> str | list[Part]:
    return content if isinstance(content, str) else [wire_part(block) for block in content] or ""


def _human(message: HumanMessage) -> Iterator[Wire]:
    """Anthropic's tool results stand inside the user's message; on this wire they are messages of their own."""
    results = [block for block in dicts_of(message.content) if block.get("type") == "tool_result"]
    for block in results:
        yield _tool(str(block.get("tool_use_id")), block.get("content") or "", **_marks(block))
    rest = [block for block in message.content if block not in results]
    if rest or not results:
        yield {"role": "user", "content": _content(rest)} | known(name=message.name)


def _tool(call_id: str, content: str | list[str | dict[Any, Any]], **marks: Any) -> Wire:
    """A tool's result. What has no type is data; marks of the cache stand on a part, here on the last."""
    if not isinstance(content, str):
        content = [block if isinstance(block, str) or "type" in block else _json(block) for block in content]
    made = _content(content)
    if marks and made:
        parts = [{"type": "text", "text": made}] if isinstance(made, str) else made
        made = [*parts[:-1], {**parts[-1], **marks}]
    return {"role": "tool", "tool_call_id": call_id, "content": made}


def _marks(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: block[key] for key in KEPT if block.get(key)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _function_id(name: Any) -> str:
    """The id of a call of OpenAI's former kind, which had none."""
    return f"function_{name}"


# ---------------------------------------------------------------------------------------------- an answer goes back


def assistant_message(message: AIMessage, answered: set[str]) -> Wire:
    """An answer, as the provider wants to see it again.

    Args:
        message: the answer.
        answered: the ids of the tool calls that have results in the conversation.
    """
    extra, calls = message.additional_kwargs, _calls(message, answered)
    files = [item for item in dicts_of(extra.get("annotations")) or _annotations(message) if item.get("type") == "file"]
    optional = known(
        name=message.name,
        tool_calls=calls or None,
        refusal=_refusal(message),
        images=_images(message) or None,
        audio=dict_of(extra.get("audio")) or _spoken(message),
        annotations=files or None,
    )
    content = _said(message)
    # Providers reject "" beside tool calls, whatever they sent themselves.
    return {"role": "assistant", "content": content or None if calls else content, **_reasoning(message), **optional}


def _said(message: AIMessage) -> str | list[Part]:
    """The text, or parts where the content has more than plain text."""
    if isinstance(message.content, str):
        return message.content
    parts = [wire_part(block) for block in message.content if _is_said(block)]
    sendable = [part for part in parts if part.get("type") in _SENDABLE]
    plain = all(part.keys() == {"type", "text"} for part in sendable)
    return "".join(str(part["text"]) for part in sendable) if plain else sendable


def _is_said(block: str | Mapping[str, Any]) -> bool:
    """Whether a block may be a part; the images and the sound of an answer have fields of their own."""
    if isinstance(block, str):
        return True
    known_sound = block.get("type") == "audio" and (block.get("id") or not block.get("mime_type"))
    return block.get("type") in _SAYING and not known_sound


def _refusal(message: AIMessage) -> str | None:
    """The refusal: as it came, or from a block of it (ours, or OpenAI's)."""
    blocks = [
        *_blocks(message, "refusal"),
        *(dict_of(block.get("value")) for block in _blocks(message, "non_standard")),
    ]
    refused = (block.get("refusal") for block in blocks if block.get("type") == "refusal")
    return text_of(message.additional_kwargs.get("refusal")) or next(filter(text_of, refused), None)


def _spoken(message: AIMessage) -> Wire | None:
    """The sound of an answer, from a standard block of it."""
    for block in _blocks(message, "audio"):
        if block.get("id"):
            return known(id=block["id"], data=block.get("base64"), **dict_of(block.get("extras")))
    return None


def _annotations(message: AIMessage) -> list[dict[str, Any]]:
    """What the standard blocks of an answer keep of its annotations as it was on the wire."""
    kept = [item for block in _blocks(message, "text") for item in dicts_of(block.get("annotations"))]
    return [dict_of(item.get("value")) for item in kept if item.get("type") == "non_standard_annotation"]


def _images(message: AIMessage) -> list[Part]:
    """Generated images: as they came, or from standard blocks in the content."""
    if images := dicts_of(message.additional_kwargs.get("images")):
        return images
    return [wire_part(block) for block in _blocks(message, "image")]


def _blocks(message: AIMessage, kind: str) -> list[dict[str, Any]]:
    blocks = message.content if isinstance(message.content, list) else []
    return [block for block in dicts_of(blocks) if block.get("type") == kind]


def _reasoning(message: AIMessage) -> Wire:
    """``reasoning_details`` unchanged and once; the plain text only where there are none.

    An empty list goes back too: some models reject its absence.
    """
    extra, blocks = message.additional_kwargs, _blocks(message, "reasoning")
    details = extra.get("reasoning_details")
    if not isinstance(details, list):
        stored = (dict_of(block.get("extras")).get("reasoning_details") for block in blocks)
        details = next((items for items in stored if isinstance(items, list)), None)
    texts = "".join(block["reasoning"] for block in blocks if _is_plain_thought(block))
    text = text_of(extra.get("reasoning_content")) or texts
    return known(reasoning_details=details, reasoning=text if text and not details else None)


def _is_plain_thought(block: Mapping[str, Any]) -> bool:
    """Whether a block has readable reasoning. What another provider signed is of no use without its seal."""
    return isinstance(block.get("reasoning"), str) and "signature" not in dict_of(block.get("extras"))


def _calls(message: AIMessage, answered: set[str]) -> list[Wire]:
    """Function calls in the order they came.

    A cut-off one that no tool answered is left out: nobody will answer it, and with it every later turn is refused.
    """
    texts = dict_of(message.additional_kwargs.get(ARGUMENT_TEXTS))
    calls = [_call(call, _arguments(call, texts)) for call in message.tool_calls]
    calls += [_call(call, call.get("args") or "") for call in message.invalid_tool_calls if call.get("id") in answered]
    there = {call.get("id") or "" for call in [*message.tool_calls, *message.invalid_tool_calls]}
    calls += [call for call in _written_calls(message) if call["id"] not in there]
    places = {call_id: place for place, call_id in enumerate(texts)}
    return sorted(calls, key=lambda call: places.get(call["id"], len(places)))


def _written_calls(message: AIMessage) -> Iterator[Wire]:
    """Calls that stand in the content alone (standard, Anthropic's, OpenAI's Responses), and the former kind."""
    for block in dicts_of(message.content if isinstance(message.content, list) else []):
        if block.get("type") in ("tool_call", "tool_use", "function_call"):
            yield ToolCall.from_any(block).to_wire()
    former = dict_of(message.additional_kwargs.get("function_call"))
    if former and not message.tool_calls:
        yield _call({**former, "id": _function_id(former.get("name"))}, str(former.get("arguments") or ""))


def _call(call: Mapping[str, Any], arguments: str) -> Wire:
    function = {"name": call.get("name") or "", "arguments": arguments or "{}"}
    return {"id": call.get("id") or "", "type": "function", "function": function}


def _arguments(call: Mapping[str, Any], texts: Mapping[str, Any]) -> str:
    """The original text, unless somebody changed the arguments since."""
    text = texts.get(call.get("id") or "")
    if isinstance(text, str) and parse_args(text) == call["args"]:
        return text
    return _json(call["args"])
