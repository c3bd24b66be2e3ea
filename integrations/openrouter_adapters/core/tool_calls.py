"""Function calls: read from a whole answer, or put together from the pieces of a stream.

Providers number, name and cut the pieces in many ways (missing, repeated or reused ``index``; ``id`` late, repeated or
never; whole calls in one piece; the whole call again in a second finish chunk). Whatever they do, the calls that come
out are the ones that the same answer gives unstreamed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from openrouter_adapters.core.wire import dict_of, dicts_of, id_of, int_of, text_of

BROKEN_OFF = ("length", "content_filter", "error")
"""Finish reasons of answers that may end within a call, even before its arguments began."""

_CALL_IDS = ("call_id", "toolUseId", "id")
_ARGUMENTS = ("arguments", "args", "input", "parameters")


class ToolCall(NamedTuple):
    """One call of a function tool.

    Attributes:
        id: as on the wire, opaque (Gemini's signatures are bound to it); made up only where the wire gave none, or one
            that another call of the same answer has already.
        name: the function's name.
        arguments: the JSON text as on the wire, to be replayed as it is; "" when the wire gave none.
        args: the parsed arguments; {} where the model gave none, None when cut off, before they began perhaps, or no
            JSON object.
    """

    id: str
    name: str
    arguments: str
    args: dict[str, Any] | None

    @classmethod
    def from_wire(cls, call: Mapping[str, Any]) -> ToolCall:
        """Read one item of ``message.tool_calls``."""
        function = dict_of(call.get("function"))
        arguments = _json_text(function.get("arguments"))
        return cls(id_of(call.get("id")), text_of(function.get("name")) or "", arguments, parse_args(arguments))

    @classmethod
    def from_any(cls, call: Mapping[str, Any]) -> ToolCall:
        """Read a call as another API has it: OpenAI's two, Anthropic's, Bedrock's, Gemini's or Cohere's."""
        held = dict_of(call.get("function")) or call
        # An item of OpenAI's Responses has an id of its own beside that of the call.
        call_id = next(filter(None, (id_of(call.get(key)) for key in _CALL_IDS)), "")
        arguments = _json_text(next((held[key] for key in _ARGUMENTS if held.get(key) is not None), None))
        return cls(call_id, text_of(held.get("name")) or "", arguments, parse_args(arguments))

    def to_wire(self) -> dict[str, Any]:
        """The item for the next request: the original JSON text, since providers cache by it."""
        function = {"name": self.name, "arguments": self.arguments or "{}"}
        return {"id": self.id, "type": "function", "function": function}


def read_calls(calls: Any, generation_id: str | None) -> tuple[ToolCall, ...]:
    """The calls of a whole answer, each with an id of its own.

    Args:
        calls: ``message.tool_calls`` as on the wire.
        generation_id: the answer's id; made-up call ids are derived from it, so that they do not repeat over a
            conversation.
    """
    seen: set[str] = set()
    made: list[ToolCall] = []
    for place, call in enumerate(map(ToolCall.from_wire, dicts_of(calls))):
        own = call if call.id and call.id not in seen else call._replace(id=made_up_id(generation_id, place))
        seen.add(own.id)
        made.append(own)
    return tuple(made)


def cut_short(calls: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
    """The calls of an answer that broke off: the last one, if it had no arguments yet, was still to get them."""
    if not calls or calls[-1].arguments.strip():
        return calls
    return (*calls[:-1], calls[-1]._replace(args=None))


def made_up_id(generation_id: str | None, place: int) -> str:
    """The id of a call that came without one."""
    return f"call_{generation_id or 'unknown'}_{place}"


def parse_args(arguments: str) -> dict[str, Any] | None:
    """The arguments of a tool call; {} for an empty text, None when cut off or no JSON object. Never repaired."""
    if not arguments.strip():
        return {}
    try:
        parsed = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _json_text(arguments: Any) -> str:
    """As text; an object is not as documented, but unmistakable, and what is neither shows as what it was."""
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments, ensure_ascii=False)


@dataclass(slots=True)
class ToolCallDelta:
    """What one chunk added to one call: ``id`` and ``name`` once, when first known; ``index`` is the call's place."""

    index: int
    id: str | None
    name: str | None
    arguments: str


class _Slot:
    """A call that is being put together: its place, and the wire's own index."""

    __slots__ = ("id", "name", "number", "pieces", "place")

    def __init__(self, place: int, number: int | None) -> None:
        self.place, self.number = place, number
        self.id = self.name = ""
        self.pieces: list[str] = []

    @property
    def whole(self) -> bool:
        return bool(self.pieces) and parse_args("".join(self.pieces)) is not None

    def repeats(self, number: int | None, call_id: str, arguments: str) -> bool:
        """Whether a piece says the whole call again, as a second finish chunk may: under its id, or its index."""
        known = call_id == self.id if call_id else number is not None
        return known and arguments.startswith("{") and self.whole and arguments == "".join(self.pieces)


class ToolCallAssembler:
    """Puts streamed tool calls together."""

    __slots__ = ("_numbered", "_slots")

    def __init__(self) -> None:
        self._slots: list[_Slot] = []
        self._numbered: dict[int, _Slot] = {}  # the latest call under each index of the wire

    def add(self, pieces: Iterable[Any]) -> list[ToolCallDelta]:
        """Fold in ``delta.tool_calls`` of one chunk; what is new, for handing on."""
        new: list[ToolCallDelta] = []
        for piece in pieces:
            delta = self._more_arguments(piece) or self._fold(piece)
            if delta is not None:
                new += [delta]
        return new

    def are_all(self, pieces: Iterable[Any]) -> bool:
        """Whether pieces are all calls so far once more, whole, and with neither an id nor an index to know them by."""
        said = [(piece, dict_of(piece.get("function"))) for piece in dicts_of(pieces)]
        if any(id_of(piece.get("id")) or int_of(piece.get("index")) is not None for piece, _ in said):
            return False
        so_far = [(slot.name, "".join(slot.pieces)) for slot in self._slots]
        return [(text_of(call.get("name")) or "", _json_text(call.get("arguments"))) for _, call in said] == so_far

    def _more_arguments(self, piece: Any) -> ToolCallDelta | None:
        """The short way for most pieces: an index that is known, and more of the arguments."""
        try:
            slot, function = self._numbered[piece["index"]], piece["function"]
            arguments = function["arguments"]
            if (piece.get("id")) or (function.get("name")):
                return None
        except (KeyError, TypeError):
            return None
        if arguments.__class__ is not str or not arguments:
            return None
        slot.pieces.append(arguments)
        return ToolCallDelta(slot.place, None, None, arguments)

    def _fold(self, piece: Any) -> ToolCallDelta | None:
        if not isinstance(piece, dict):
            return None
        function = dict_of(piece.get("function"))
        call_id, name = id_of(piece.get("id")), text_of(function.get("name")) or ""
        arguments = _json_text(function.get("arguments"))
        number = int_of(piece.get("index"))
        slot = self._slot(number, call_id, name, arguments)
        if slot.repeats(number, call_id, arguments):
            return None
        new_id = self._free(call_id) if call_id and not slot.id else ""
        new_name = name if not slot.name else ""
        slot.id, slot.name = slot.id or new_id, slot.name or new_name
        if arguments:
            slot.pieces.append(arguments)
        if not (new_id or new_name or arguments):
            return None
        return ToolCallDelta(slot.place, new_id or None, new_name or None, arguments)

    def _slot(self, number: int | None, call_id: str, name: str, arguments: str) -> _Slot:
        """The call that a piece belongs to; a new one when it opens one."""
        slot = self._find(number, call_id, name)
        if slot is not None and not self._other(slot, number, call_id, name, arguments):
            return slot
        self._slots.append(_Slot(len(self._slots), number))
        if number is not None:
            self._numbered[number] = self._slots[-1]
        return self._slots[-1]

    def _find(self, number: int | None, call_id: str, name: str) -> _Slot | None:
        if number is None:
            return self._latest(lambda slot: slot.id == call_id if call_id else True)
        latest = self._numbered.get(number)
        if latest is not None and (not call_id or latest.id in ("", call_id)):
            return latest
        # Calls may share an index and take turns under their ids; and a call's first piece may have come without one.
        found = self._latest(
            lambda slot: (
                slot.number in (None, number) and (slot.id == call_id if call_id else not name and not slot.whole)
            )
        )
        if found is not None:
            self._numbered[number] = found
        return found or latest

    def _latest(self, wanted: Callable[[_Slot], bool]) -> _Slot | None:
        return next(filter(wanted, reversed(self._slots)), None)

    @staticmethod
    def _other(slot: _Slot, number: int | None, call_id: str, name: str, arguments: str) -> bool:
        """Whether a piece is yet another call, though its index or id is known, or it has none."""
        if call_id and slot.id and call_id != slot.id:
            return True
        if not name or not slot.name:
            return False
        unlike = not (call_id and slot.id) and (number is None or name != slot.name)
        if unlike and name != slot.name and not slot.pieces and (number is None or not slot.id):
            return True  # the one before has no arguments
        # Only then is it worth putting together what has come so far: some providers name the call in every piece.
        if not (unlike or arguments.startswith("{")):
            return False
        if not slot.whole or slot.repeats(number, call_id, arguments):
            return False
        return unlike or parse_args(arguments) is not None

    def _free(self, call_id: str) -> str:
        return "" if any(slot.id == call_id for slot in self._slots) else call_id

    def missing_ids(self, generation_id: str | None) -> list[ToolCallDelta]:
        """At the end: ids for the calls that came without one, as `read_calls` makes them up."""
        nameless = [place for place, slot in enumerate(self._slots) if not slot.id]
        return [ToolCallDelta(place, made_up_id(generation_id, place), None, "") for place in nameless]

    def to_wire(self) -> list[dict[str, Any]]:
        """The calls so far in the form of an unstreamed ``message.tool_calls``; fresh dicts."""
        return [
            {
                "index": place,
                "id": slot.id,
                "type": "function",
                "function": {"name": slot.name, "arguments": "".join(slot.pieces)},
            }
            for place, slot in enumerate(self._slots)
        ]
