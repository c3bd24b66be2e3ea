"""A streamed answer as events of LangChain's content-block protocol, for ``stream_events(version="v3")``. Pure.

``message-start``, then for each block ``content-block-start``, deltas and ``content-block-finish``, at the end
``message-finish``. Core puts a message together from them. Its blocks are those that the same answer has unstreamed
with ``output_version="v1"``, in the order of their arrival and with core's ``index``. They stay open until the answer
is whole: reasoning goes on after text, calls come interleaved, signatures and citations come last.

An error is raised, never told as an event: core would make a RuntimeError of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, BaseRunManager
from langchain_core.utils.utils import LC_ID_PREFIX

from openrouter_adapters.core.reply import Reply
from openrouter_adapters.core.stream import Delta
from openrouter_adapters.core.tool_calls import ToolCallDelta
from openrouter_adapters.core.wire import known
from openrouter_adapters.langchain.answers import answer
from openrouter_adapters.langchain.chunks import PROVIDER
from openrouter_adapters.langchain.content import AUDIO, CALL, REASONING, REFUSAL, TEXT, Block, Named, named_blocks

Event = dict[str, Any]

# What a block's start does not say yet, and what stands there where the protocol wants something.
_LATER = {"text", "reasoning", "annotations", "extras", "args", "output", "value", "base64"}
_BLANK: dict[str, Block] = {
    "text": {"text": ""},
    "reasoning": {"reasoning": ""},
    "server_tool_call": {"args": {}},
    "non_standard": {"value": {}},
}


class AnswerEvents:
    """Turns the deltas of one answer into events: `added` for each of them, then `end`."""

    __slots__ = ("_begun", "_cost_in_usage", "_message_id", "_places", "_so_far", "_text", "_thoughts")

    def __init__(self, so_far: Callable[[], Reply], message_id: str, *, cost_in_usage: bool = False) -> None:
        """Nothing has been told yet.

        Args:
            so_far: gives the answer up to the delta at hand; asked only when a block opens.
            message_id: LangChain's id of the message; "" when there is none.
            cost_in_usage: whether the usage has the cost too.
        """
        self._so_far = so_far
        self._message_id = message_id
        self._cost_in_usage = cost_in_usage
        self._begun = False
        self._places: dict[str, int] = {}  # the number of each open block
        self._text = -1  # that of the text
        self._thoughts: list[str] = []

    def added(self, delta: Delta) -> Sequence[Event]:
        """What a delta added; text alone, on the hot path, takes the short way."""
        text, reasoning, calls, refusal, images, _, audio, _ = delta
        if self._text < 0 or reasoning or calls or refusal or images or audio:
            return self._added_any(delta)
        return (_delta(self._text, {"type": "text-delta", "text": text}),) if text else ()

    def _added_any(self, delta: Delta) -> list[Event]:
        first: dict[int, ToolCallDelta] = {}
        for call in delta.tool_calls:
            first.setdefault(call.index, call)
        told = [] if self._all_open(delta) else self._opened(self._begun_blocks(), first)
        started = {event["index"] for event in told if event["event"] == "content-block-start"}
        if delta.reasoning:
            self._thoughts.append(delta.reasoning)
            told.append(_delta(self._places[REASONING], {"type": "reasoning-delta", "reasoning": delta.reasoning}))
        if delta.text:
            told.append(_delta(self._text, {"type": "text-delta", "text": delta.text}))
        for call in delta.tool_calls:
            place = self._places[f"{CALL}{call.index}"]
            told += _call_deltas(place, call, named=place in started and call is first[call.index])
        return told

    def _begun_blocks(self) -> list[Named]:
        """The blocks so far. Citations may come before anything is said; they open no text."""
        blocks = named_blocks(answer(self._so_far(), ()))
        return [(name, block) for name, block in blocks if name != TEXT or block["text"]]

    def _all_open(self, delta: Delta) -> bool:
        """Whether everything that a delta adds to has been announced."""
        names = [f"{CALL}{call.index}" for call in delta.tool_calls]
        beside = ((REASONING, delta.reasoning), (TEXT, delta.text), (REFUSAL, delta.refusal), (AUDIO, delta.audio))
        names += [name for name, there in beside if there]
        return not delta.images and self._begun and all(name in self._places for name in names)

    def _opened(self, blocks: Iterable[Named], calls: dict[int, ToolCallDelta]) -> list[Event]:
        """The starts of the blocks that are new, in the order of a whole answer."""
        told: list[Event] = []
        if not self._begun:
            self._begun = True
            metadata = {"provider": PROVIDER}
            told.append({"event": "message-start", "role": "ai", "id": self._message_id, "metadata": metadata})
        for name, block in blocks:
            if name not in self._places:
                self._places[name] = place = len(self._places)
                content = _call_start(name, calls) if name.startswith(CALL) else _start(block)
                told.append({"event": "content-block-start", "index": place, "content": content})
        self._text = self._places.get(TEXT, -1)
        return told

    def end(self, reply: Reply, asked: Sequence[str]) -> list[Event]:
        """The finished blocks, and what is said of the whole answer.

        Args:
            reply: the whole answer.
            asked: the models of the request, in order.
        """
        message = answer(reply, asked, self._cost_in_usage)
        blocks = dict(named_blocks(message))
        told = self._opened(blocks.items(), {})
        if self._thoughts:
            blocks[REASONING]["reasoning"] = "".join(self._thoughts)
        for name, place in self._places.items():
            told.append({"event": "content-block-finish", "index": place, "content": blocks[name]})
        metadata, extra = message.response_metadata, message.additional_kwargs or None
        said = known(usage=message.usage_metadata, metadata=metadata, additional_kwargs=extra)
        return [*told, {"event": "message-finish", **said}]


def _delta(place: int, delta: dict[str, Any]) -> Event:
    return {"event": "content-block-delta", "index": place, "delta": delta}


def _call_deltas(place: int, call: ToolCallDelta, *, named: bool) -> list[Event]:
    """More of a call; an id or a name that its start did not have yet is sent after it."""
    told = []
    late = {} if named else known(id=call.id, name=call.name)
    if late:
        told.append(_delta(place, {"type": "block-delta", "fields": {"type": "tool_call_chunk", **late}}))
    if call.arguments:
        told.append(_delta(place, {"type": "tool-call-delta", "args": call.arguments}))
    return told


def _call_start(name: str, calls: dict[int, ToolCallDelta]) -> Block:
    index = int(name.removeprefix(CALL))
    call = calls.get(index)
    start = {"id": call and call.id, "name": call and call.name}
    return {"type": "tool_call_chunk", **start, "args": "", "index": index}


def _start(block: Block) -> Block:
    kept = {key: value for key, value in block.items() if key not in _LATER}
    return {**kept, **_BLANK.get(block["type"], {})}


def message_id(run: BaseRunManager | None) -> str:
    """The id that core gives the message of a run."""
    return f"{LC_ID_PREFIX}-{run.run_id}" if run else ""


def hears_tokens(handlers: Iterable[BaseCallbackHandler]) -> bool:
    """Whether a callback handler wants tokens, and does not hear events."""
    return any(_own(handler, "on_llm_new_token") and not _own(handler, "on_stream_event") for handler in handlers)


def _own(handler: BaseCallbackHandler, method: str) -> bool:
    """Whether a handler's class has a method of its own in place of core's, which does nothing."""
    idle = (getattr(BaseCallbackHandler, method, None), getattr(AsyncCallbackHandler, method, None))
    return getattr(type(handler), method, None) not in idle
