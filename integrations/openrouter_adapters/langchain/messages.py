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

from openrouter_adapters.core.tool_calls import parse_args
from openrouter_adapters.core.wire import dict_of, dicts_of, known, text_of
from openrouter_adapters.langchain.parts import Part, wire_part

Wire = dict[str, Any]

ARGUMENT_TEXTS = "tool_call_arguments"
"""The key in ``additional_kwargs`` that keeps the arguments of tool calls as they came: call id -> JSON text.

Not ``tool_calls``, where others keep raw calls: core parses that key into tool calls again when chunks are merged.
"""

# Blocks of an answer that go back in fields of their own, or not at all.
_NO_PARTS = {
    "reasoning",
    "thinking",
    "redacted_thinking",
    "reasoning_content",
    "tool_call",
    "tool_call_chunk",
    "invalid_tool_call",
    "tool_use",
    "input_json_delta",
    "function_call",
    "server_tool_call",
    "server_tool_call_chunk",
    "server_tool_result",
    "server_tool_use",
    "web_search_tool_result",
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
    if isinstance(message, HumanMessage) and isinstance(message.content, list):
        return list(_human(message))
    return [{"role": _role(message), "content": _content(message.content)} | known(name=message.name)]


def _role(message: BaseMessage) -> str:
    if isinstance(message, SystemMessage):
        return str(message.additional_kwargs.get("__openai_role__") or "system")
    if isinstance(message, ChatMessage):
        return message.role
    if isinstance(message, HumanMessage | FunctionMessage):
        return "user" if isinstance(message, HumanMessage) else "function"
    raise TypeError(f"a {type(message).__name__} cannot be sent: use system, human, AI, tool or chat messages")


def _content(content: str | list[str | dict[Any, Any]]) -> str | list[Part]:
    return content if isinstance(content, str) else [wire_part(block) for block in content]


def _human(message: HumanMessage) -> Iterator[Wire]:
    """Anthropic's tool results stand inside the user's message; on this wire they are messages of their own."""
    results = [block for block in dicts_of(message.content) if block.get("type") == "tool_result"]
    for block in results:
        yield _tool(str(block.get("tool_use_id")), block.get("content") or "")
    rest = [block for block in message.content if block not in results]
    if rest or not results:
        yield {"role": "user", "content": _content(rest)} | known(name=message.name)


def _tool(call_id: str, content: str | list[str | dict[Any, Any]]) -> Wire:
    return {"role": "tool", "tool_call_id": call_id, "content": _content(content)}


# ---------------------------------------------------------------------------------------------- an answer goes back


def assistant_message(message: AIMessage, answered: set[str]) -> Wire:
    """An answer, as the provider wants to see it again.

    Args:
        message: the answer.
        answered: the ids of the tool calls that have results in the conversation.
    """
    extra, calls = message.additional_kwargs, _calls(message, answered)
    files = [item for item in dicts_of(extra.get("annotations")) if item.get("type") == "file"]
    optional = known(
        name=message.name,
        tool_calls=calls or None,
        refusal=text_of(extra.get("refusal")),
        images=_images(message) or None,
        audio=dict_of(extra.get("audio")) or None,
        annotations=files or None,
    )
    content = _said(message)
    # Providers reject "" beside tool calls, whatever they sent themselves.
    return {"role": "assistant", "content": content or None if calls else content, **_reasoning(message), **optional}


def _said(message: AIMessage) -> str | list[Part]:
    """The text, or parts where the content has more than plain text."""
    if isinstance(message.content, str):
        return message.content
    parts = [wire_part(block) for block in message.content if not _has_own_field(block, message)]
    plain = all(part.keys() == {"type", "text"} for part in parts)
    return "".join(str(part["text"]) for part in parts) if plain else parts


def _has_own_field(block: str | Mapping[str, Any], message: AIMessage) -> bool:
    if isinstance(block, str):
        return False
    kind = block.get("type")
    refusal = kind == "refusal" or dict_of(block.get("value")).get("type") == "refusal"
    return kind in _NO_PARTS or kind == "image" or refusal or (kind == "audio" and "audio" in message.additional_kwargs)


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
    texts = "".join(block["reasoning"] for block in blocks if isinstance(block.get("reasoning"), str))
    text = text_of(extra.get("reasoning_content")) or texts
    return known(reasoning_details=details, reasoning=text if text and not details else None)


def _calls(message: AIMessage, answered: set[str]) -> list[Wire]:
    """Function calls in the order they came.

    A cut-off one that no tool answered is left out: nobody will answer it, and with it every later turn is refused.
    """
    texts = dict_of(message.additional_kwargs.get(ARGUMENT_TEXTS))
    calls = [_call(call, _arguments(call, texts)) for call in message.tool_calls]
    calls += [_call(call, call.get("args") or "") for call in message.invalid_tool_calls if call.get("id") in answered]
    places = {call_id: place for place, call_id in enumerate(texts)}
    return sorted(calls, key=lambda call: places.get(call["id"], len(places)))


def _call(call: Mapping[str, Any], arguments: str) -> Wire:
    function = {"name": call.get("name") or "", "arguments": arguments or "{}"}
    return {"id": call.get("id") or "", "type": "function", "function": function}


def _arguments(call: Mapping[str, Any], texts: Mapping[str, Any]) -> str:
    """The original text, unless somebody changed the arguments since."""
    text = texts.get(call.get("id") or "")
    if isinstance(text, str) and parse_args(text) == call["args"]:
        return text
    return json.dumps(call["args"], ensure_ascii=False)
