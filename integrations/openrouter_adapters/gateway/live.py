"""An answer that is still being made, in OpenRouter's dialect: its pieces leave as they come."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from .dialect import Envelope, closing, completion, piece
from .reply import Body, Live, Reply, wire_call
from .wire import DONE, Make, Step

__all__ = ["Finish", "steps_of"]

Finish: TypeAlias = Callable[[Reply], tuple[Reply, Envelope]]
"""What is left to do with the whole reply: it is filled in, counted and noted down."""


def steps_of(live: Live, opening: Envelope, family: str, finish: Finish, *, streamed: bool) -> Make:
    """How the steps of an answer are made.

    Args:
        live: the answer.
        opening: what is known before there is any of it.
        family: the family of models that it comes from.
        finish: called with the whole reply.
        streamed: whether its pieces are sent by themselves.
    """

    def stream(emit: Callable[[Step], bool]) -> Iterable[Step]:
        calls: list[Body] = []

        def say(kind: str, text: str) -> bool:
            delta = _delta(kind, text, calls, family)
            return emit(piece(opening, **delta) if delta else b"")

        return [*closing(*finish(live.make(say))), DONE]

    def whole(emit: Callable[[Step], bool]) -> Iterable[Step]:
        return [completion(*finish(live.make(lambda _, __: emit(b""))))]

    return stream if streamed else whole


def _delta(kind: str, text: str, calls: list[Body], family: str) -> dict[str, Any] | None:
    """A piece as the wire has it; a call's own name comes first, its arguments follow."""
    if kind == "call":
        calls.append(wire_call((text, ""), len(calls), family))
        return {"content": None, "tool_calls": [calls[-1]]}
    if not text:
        return None
    if kind == "arguments":
        return {"content": None, "tool_calls": [{"index": len(calls) - 1, "function": {"arguments": text}}]}
    return {"content": text}
