"""ChatMessages to the wire's messages: nothing fetched, nothing of the caller's changed.

The one thing read is what a block only names: the file of a ``path``, or an open file (see `media`).

What an answer of ours carried goes back as it came: reasoning details whole and unchanged, tool calls with their
original argument text, parsed files, generated images. https://openrouter.ai/docs/api-reference/overview
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

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

from openrouter_adapters.core.arguments import same_kind
from openrouter_adapters.core.tool_calls import ToolCall, made_up_id, parse_args
from openrouter_adapters.core.wire import dict_of, dicts_of, id_of, known
from openrouter_adapters.llamaindex import media

Part = dict[str, Any]

_ROLES = {MessageRole.CHATBOT: "assistant", MessageRole.MODEL: "assistant", MessageRole.FUNCTION: "tool"}
_NOT_THE_CALLER = (
    "openrouter_adapters",
    "llama_index",
    "llama_index_instrumentation",
    "wrapt",
    "contextlib",
    "asyncio",
)


def wire_messages(messages: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """The messages as the wire has them. A turn that had nothing but a cut-off call is left out with that.

    Raises:
        TypeError: something in a message that JSON has no form for.
        ValueError: a message that cannot be sent: an empty block, a file that is not there, a call without a name, a
            tool's answer that names no call.
    """
    turns = _Turns({_answers(message) for message in messages if _role(message) == "tool"})
    made = [_named_message(at, message, turns) for at, message in enumerate(messages)]
    if turns.unsendable:
        kinds = ", ".join(sorted(turns.unsendable))
        said = f"messages: {kinds} cannot be sent to OpenRouter and is left out"
        warnings.warn(said, UserWarning, stacklevel=_caller())
    return [wire for wire in made if wire is not None]


def _caller() -> int:
    """The level of the frame that called LlamaIndex or this package: its line is the one to look at."""
    frames = traceback.walk_stack(sys._getframe(1))
    names = (frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in frames)
    return next((level for level, name in enumerate(names, 1) if name not in _NOT_THE_CALLER), 2)


def _named_message(at: int, message: ChatMessage, turns: _Turns) -> dict[str, Any] | None:
    try:
        return _wire_message(at, message, turns)
    except (TypeError, ValueError) as error:
        raise same_kind(error, f"messages[{at}]: {error}") from error


def _wire_message(at: int, message: ChatMessage, turns: _Turns) -> dict[str, Any] | None:
    role = _role(message)
    extra = message.additional_kwargs
    calls = _calls(message) if role == "assistant" else []
    kept = [call for call in calls if call.args is not None or call.id in turns.answered]
    replayed = _replayed(message, turns.asked(at, kept, _signed(message))) if role == "assistant" else {}
    parts = _parts(message.blocks, role, turns.unsendable)
    if calls and not (replayed or parts):
        return None
    _mark(parts, extra.get("cache_control"), turns.unsendable)
    wire = {"role": role, "content": _content(parts, bare="tool_calls" in replayed), **replayed}
    if extra.get("name"):
        wire["name"] = extra["name"]
    if role == "tool":
        wire["tool_call_id"] = turns.answer(_answers(message), extra.get("name"))
    return wire


def _role(message: ChatMessage) -> str:
    return _ROLES.get(message.role, message.role.value)


def _answers(message: ChatMessage) -> str:
    """The id of the call that a tool's message answers; "" where it does not say."""
    return id_of(message.additional_kwargs.get("tool_call_id"))


# --------------------------------------------------------------------------------- which answer is of which call


class _Open(NamedTuple):
    """A call that waits for its answer: its id in the message, the tool, its id on the wire."""

    given: str
    name: str
    sent: str


@dataclass(slots=True)
class _Turns:
    """What the messages of a conversation need to know of each other.

    The wire tells calls apart by their ids alone, and some packages give none, or the tool's name to each of its calls.

    Attributes:
        answered: the ids of calls that a tool answered, as the messages have them.
        unsendable: kinds of content that have no place on the wire; one warning names them all.
        used: the ids that calls have on the wire.
        waiting: the last turn's calls that no message has answered yet, in order.
    """

    answered: set[str]
    unsendable: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    waiting: list[_Open] = field(default_factory=list)

    def asked(self, at: int, calls: Iterable[ToolCall], signed: set[str]) -> list[ToolCall]:
        """The calls of a turn, each with an id of its own.

        Args:
            at: the place of the message.
            calls: as the message has them.
            signed: ids that reasoning is bound to, which stay as they are in every turn.
        """
        made: list[ToolCall] = []
        for place, call in enumerate(calls):
            others = {other.id for other in made} if call.id in signed else self.used
            own = call if call.id and call.id not in others else call._replace(id=self._new_id(at, place))
            self.used.add(own.id)
            made.append(own)
        if made:
            pairs = zip(calls, made, strict=True)
            self.waiting = [_Open(call.id, call.name, own.id) for call, own in pairs]
        return made

    def _new_id(self, at: int, place: int) -> str:
        made = (made_up_id(str(at), number) for number in count(place))
        return next(new for new in made if new not in self.used)

    def answer(self, given: str, name: Any) -> str:
        """The id on the wire of the call that a tool's message answers.

        Args:
            given: the id that the message names; "": none.
            name: the tool that it names; of calls without ids it is the first of that name, else the first.

        Raises:
            ValueError: no id, and no call left that has none.
        """
        fits = [call for call in self.waiting if call.given == given]
        if not fits and given:
            return given  # a second answer, or one to a call that is not in the conversation: as it was given
        if not fits:
            raise ValueError(
                "a tool message does not say which call it answers: give additional_kwargs={'tool_call_id': ...}"
            )
        found = next((call for call in fits if not given and call.name == name), fits[0])
        self.waiting.remove(found)
        return found.sent


# ------------------------------------------------------------------------------------------------------- content


def _parts(blocks: Sequence[ContentBlock], role: str, unsendable: set[str]) -> list[Part]:
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
            # A picture goes back in a field of its own; sound that was heard cannot be sent back, but its words can.
            wordless = kind == "audio" and not any(isinstance(other, TextBlock) and other.text for other in blocks)
            unsendable.update({"audio of an assistant without its words"} if wordless else ())
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
    """Text alone is a string; a turn that only calls tools has null, since "" is refused by some providers.

    Nothing at all is "": that is what the message says, OpenRouter takes it, and without it two turns of the user
    could meet.
    """
    if not parts:
        return None if bare else ""
    text_only = len(parts) == 1 and parts[0].keys() == {"type", "text"}
    return parts[0]["text"] if text_only else parts


# ------------------------------------------------------------------------------------------- an assistant's turn

# What our answers put beside a thought.
_OURS = {"reasoning_details", "annotations"}


def _replayed(message: ChatMessage, calls: Iterable[ToolCall]) -> dict[str, Any]:
    """What an assistant's message has beside its content."""
    fields = {
        "tool_calls": [call.to_wire() for call in calls],
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
    details = _details(message)
    plain = "" if details else "".join(block.content or "" for block in ours)
    return known(reasoning=plain or None, reasoning_details=details)


def _details(message: ChatMessage) -> list[Any] | None:
    """The reasoning's details, as our answers put them; else those given by hand, as annotations may be."""
    blocks = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    lists = [block.additional_information.get("reasoning_details") for block in blocks]
    if not any(isinstance(items, list) for items in lists):
        lists = [message.additional_kwargs.get("reasoning_details")]
    known_lists = [items for items in lists if isinstance(items, list)]
    return [item for items in known_lists for item in items] if known_lists else None


def _signed(message: ChatMessage) -> set[str]:
    """The ids of calls that the reasoning names: Gemini binds a signature to each."""
    return {id_of(item.get("id")) for item in dicts_of(_details(message) or ())}


def _parsed_files(message: ChatMessage) -> Any:
    """What was read in a file goes back, so that nobody pays twice for parsing it; given by hand, as it was given."""
    blocks = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    lists = [dicts_of(block.additional_information.get("annotations")) for block in blocks]
    return message.additional_kwargs.get("annotations") or [note for notes in lists for note in notes]


def _calls(message: ChatMessage) -> list[ToolCall]:
    """The calls of a turn, cut-off ones too.

    Raises:
        TypeError, ValueError: a call that names no tool, or whose arguments have no form in JSON.
    """
    calls = plain_calls(message)
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:  # then nothing is missing: a name may be empty as the model left it
        texts = {call.id: call.arguments for call in calls}
        return [_call_of(block, texts.get(block.tool_call_id or "")) for block in blocks]
    if not all(call.name for call in calls):
        given = message.additional_kwargs["tool_calls"]
        raise ValueError(f"additional_kwargs['tool_calls'] has a call without a name: {given!r:.200}")
    return calls


def plain_calls(message: ChatMessage) -> list[ToolCall]:
    """``additional_kwargs["tool_calls"]``, whether they are dicts or an SDK's objects, of whichever API."""
    calls = message.additional_kwargs.get("tool_calls")
    items = calls if isinstance(calls, list | tuple) else []
    plain = dicts_of([item.model_dump() if hasattr(item, "model_dump") else item for item in items])
    return [ToolCall.from_any(item) for item in plain]


def _call_of(block: ToolCallBlock, text: str | None) -> ToolCall:
    """A block as a call, with the original text of its arguments as long as it still says the same.

    Raises:
        TypeError, ValueError: the arguments have no form in JSON.
    """
    kwargs = block.tool_kwargs
    if text is None or not _same(kwargs if isinstance(kwargs, dict) else None, parse_args(text)):
        text = kwargs if isinstance(kwargs, str) else _json(block.tool_name, kwargs)
    return ToolCall(block.tool_call_id or "", block.tool_name, text, parse_args(text))


def _same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    return one == other or repr(one) == repr(other)  # a NaN that a model wrote equals nothing, itself included


def _json(name: str, kwargs: Any) -> str:
    try:
        return json.dumps(dict_of(kwargs), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise same_kind(error, f"the arguments of the call of {name!r} cannot be written as JSON: {error}") from error
